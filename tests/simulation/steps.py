"""Every gap between two steps of a worker, by name: here it can die, freeze, or lose the partition.

A gap is where the outside can see a difference: before a message leaves, after it took effect and before its sender
knows, and between two reads. The numbers are those of `stream/worker/partition.py`.
"""

from __future__ import annotations

from stream.codec import journal

CLAIM = (
    "claim: predecessor not fenced",
    "claim: predecessor fenced",
    "claim: entry not sent",
    "claim: entry stored, no ack",
    "claim: reading documents",
    "claim: reading state",
    "claim: reading changes",
    "claim: reading journal",
    "claim: reading inputs",
    "claim: missing changes not sent",
    "claim: missing changes sent in part",
    "claim: missing changes stored, no ack",
    "claim: dead letters not sent again",
    "claim: dead letters stored again, no ack",
)
ENTRIES = tuple(
    f"2 {kind}: {gap}"
    for kind in ("batch", "tick", "adopt", "rejudge")
    for gap in ("entry not sent", "entry stored, no ack")
)
LIFE = (
    "1 inputs: fetching",
    *ENTRIES,
    "2 fence: reading the gap",
    "4 dead letters: not sent",
    "4 dead letters: stored, no ack",
    "4 changes: not sent",
    "4 changes: sent in part",
    "4 changes: stored, no ack",
    "5 checkpoint: nothing sent",
    "5 checkpoint: rows and marker sent",
    "5 checkpoint: memberships sent",
    "5 checkpoint: committed, not told",
    "5 forget: state not deleted",
    "5 forget: state deleted",
    "5 forget: journal not deleted",
    "5 forget: journal deleted",
    "group: told",
)
STEPS = (*CLAIM, *LIFE)
DOCUMENTS = frozenset({"segment-definitions", "segment-models"})


def entry_step(value: bytes) -> tuple[str, str]:
    """The gaps before and after the append of an entry."""
    kind = type(journal.decode(value)).__name__.lower()
    number = "" if kind == "claim" else "2 "
    return f"{number}{kind}: entry not sent", f"{number}{kind}: entry stored, no ack"


def read_step(topic: str, *, claiming: bool) -> str:
    """The gap around a read of a topic."""
    if topic in DOCUMENTS:
        return "claim: reading documents"
    if not claiming:
        return "2 fence: reading the gap"
    return f"claim: reading {READ.get(topic, 'inputs')}"


READ = {"segment-state": "state", "segment-changes": "changes", "segment-journal": "journal"}


def publish_steps(topic: str, *, claiming: bool) -> tuple[str, str, str]:
    """The gaps before, in the middle of and after sending records to a topic; of documents the worker's start."""
    if topic in DOCUMENTS:
        return ("claim: reading documents",) * 3
    if topic == "segment-changes":
        if claiming:
            return CLAIM[9], CLAIM[10], CLAIM[11]
        return "4 changes: not sent", "4 changes: sent in part", "4 changes: stored, no ack"
    if claiming:
        return CLAIM[12], CLAIM[12], CLAIM[13]
    return "4 dead letters: not sent", "4 dead letters: not sent", "4 dead letters: stored, no ack"
