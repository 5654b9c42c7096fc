"""What must be said anew when changes were published that are not those computed now: an engine was replaced, or
events are gone. Nothing published is taken back; a later change corrects it and names it in `supersedes`.

It looks at what subscribers believe, not at who said it. So it may be interrupted and done again: what was corrected
already is believed, and needs no correction.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from stream.codec import plain_json
from stream.worker.log import Keyed

RECOVERY = "recovery"  # the trigger of a correction that no event and no silence led to
SAID = ("dimension", "previous_segment", "segment", "occurred_at", "decided_at", "valid_until", "next_if_silent")
STANDING = ("segment", "valid_until", "next_if_silent")  # what a subscriber acts on

Change = dict[str, Any]
Standing = Callable[[str, str], tuple[str | None, str]]  # (customer, dimension) -> segment by the rows, decision time


@dataclass(slots=True)
class Corrections:
    """Changes to publish, and the `seq` of the last change of every customer that has one."""

    issued: list[Keyed] = field(default_factory=list)
    kept_seq: int = 0  # of the last change that was published before
    corrected: int = 0  # of those issued
    kept: int = 0  # published changes that say what is computed now
    last_seq: dict[str, int] = field(default_factory=dict)


def corrections(
    published: Sequence[bytes], computed: Sequence[Keyed], partition: int, last_seq: int, standing: Standing
) -> Corrections:
    """What to publish so that subscribers end where the computed changes do.

    Parameters
    ----------
    published, computed : values of changes since the same checkpoint, in order.
    last_seq : of the partition's changes so far.
    standing : where a customer stands by the rows that were computed.
    """
    said, wanted = _by_customer(published), _by_customer([value or b"" for _, value in computed])
    found, drafts = Corrections(kept_seq=last_seq), []
    for customer in {**wanted, **said}:
        theirs, ours = said.get(customer, []), wanted.get(customer, [])
        same = 0
        while same < min(len(theirs), len(ours)) and _says(theirs[same]) == _says(ours[same]):
            same += 1
        found.kept += same
        if theirs:
            found.last_seq[customer] = int(theirs[-1]["seq"])
        drafts += _drafts(theirs[same:], ours, same, standing)
    for seq, draft in enumerate(sorted(drafts, key=lambda one: int(one["seq"])), last_seq + 1):
        customer = str(draft["customer_id"])
        previous = found.last_seq.get(customer) or draft["previous_seq"]
        change = {**draft, "event_id": f"{partition}-{seq}", "seq": seq, "previous_seq": previous}
        found.last_seq[customer] = seq
        found.corrected += change["supersedes"] is not None
        found.issued.append((customer.encode(), plain_json.encode(change)))
    return found


def _by_customer(values: Sequence[bytes]) -> dict[str, list[Change]]:
    changes: dict[str, list[Change]] = defaultdict(list)
    for value in values:
        change: Change = json.loads(value)
        changes[str(change["customer_id"])].append(change)
    return changes


def _says(change: Change) -> list[Any]:
    """What a change says, whatever its number and however it is explained."""
    return [*(change.get(name) for name in SAID), change["trigger"]["kind"]]


def _drafts(wrong: list[Change], ours: list[Change], same: int, standing: Standing) -> list[Change]:
    """The changes of one customer that have to be said; their `seq` is still only an order."""
    believed = {change["dimension"]: change for change in wrong}  # the last of each dimension
    drafts = [change for change in ours[same:] if change["dimension"] not in believed]
    latest = {change["dimension"]: change for change in ours}
    for dimension, there in believed.items():
        here = latest.get(dimension) or _by_rows(there, standing)
        if any(here.get(name) != there.get(name) for name in STANDING):
            drafts.append({**here, "previous_segment": there["segment"], "supersedes": there["event_id"]})
    return drafts


def _by_rows(there: Change, standing: Standing) -> Change:
    """A change to where the rows have the customer, for one that nothing computed led away from there."""
    segment, decided_at = standing(str(there["customer_id"]), str(there["dimension"]))
    if segment == there["segment"]:
        return there
    nothing = dict.fromkeys(("label", "runner_up", "counterfactual", "valid_until", "next_if_silent"))
    nowhere = dict.fromkeys(("event_id", "topic", "partition", "offset"))
    return {
        **there,
        **nothing,
        "segment": segment,
        "trigger": {"kind": RECOVERY, **nowhere},
        "occurred_at": decided_at,
        "decided_at": decided_at,
        "confidence": 1.0,
        "margin": 0.0,
        "reasons": [],
    }
