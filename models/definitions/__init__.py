"""Definitions: what a segment is, as data; from plain values to the arrays that the kernel walks."""
