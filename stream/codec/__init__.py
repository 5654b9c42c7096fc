"""Bytes to values and back: input events, changes, memberships, dead letters, journal entries, documents."""
