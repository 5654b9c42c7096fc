"""What became of every cluster between two snapshots, with the measured share of customers that made the
move.

Reference: Spiliopoulou, Ntoutsi, Theodoridis and Schult (2006), MONIC, section 3.2, table 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.clusters.shape import Transition

Floats = npt.NDArray[np.float64]

MAJORITY = 0.5  # MONIC's threshold: a cluster went where at least half of its members went


def transitions(old_ids: Sequence[int], new_ids: Sequence[int], both: Floats) -> tuple[Transition, ...]:
    """Return every cluster's transition, in order of the ids concerned.

    `both[i, j]` counts the sampled customers in old cluster i and new cluster j (`identity.contingency`). A
    cluster that kept its id survived, and in addition it split if a newcomer has most of its members from it,
    or merged if it took most members of one that is gone. A newcomer without such a parent emerged; a cluster
    gone without such an heir (or children) disappeared.
    """
    of_old = both / np.maximum(both.sum(axis=1, keepdims=True), 1.0)
    of_new = both / np.maximum(both.sum(axis=0, keepdims=True), 1.0)
    children = _children(old_ids, new_ids, of_new)
    parents = _parents(old_ids, new_ids, of_old, children)
    return (
        *_survivals(old_ids, new_ids, of_old),
        *_splits(old_ids, new_ids, of_old, children),
        *_merges(old_ids, new_ids, of_old, parents),
        *_arrivals(new_ids, old_ids, of_new, children, parents),
        *_losses(old_ids, new_ids, of_old, children, parents),
    )


def _children(old_ids: Sequence[int], new_ids: Sequence[int], of_new: Floats) -> dict[int, list[int]]:
    """Return old position -> newcomers (new positions) that have most of their members from it."""
    out: dict[int, list[int]] = {}
    for j, new_id in sorted(enumerate(new_ids), key=lambda pair: pair[1]):
        if new_id in old_ids or not len(old_ids):
            continue
        i = int(of_new[:, j].argmax())
        if of_new[i, j] >= MAJORITY:
            out.setdefault(i, []).append(j)
    return out


def _parents(
    old_ids: Sequence[int], new_ids: Sequence[int], of_old: Floats, children: dict[int, list[int]]
) -> dict[int, list[int]]:
    """Return new position -> clusters gone (old positions) whose members it took most of."""
    out: dict[int, list[int]] = {}
    for i, old_id in sorted(enumerate(old_ids), key=lambda pair: pair[1]):
        if old_id in new_ids or i in children or not len(new_ids):
            continue
        j = int(of_old[i].argmax())
        if of_old[i, j] >= MAJORITY:
            out.setdefault(j, []).append(i)
    return out


def _survivals(old_ids: Sequence[int], new_ids: Sequence[int], of_old: Floats) -> list[Transition]:
    return [
        Transition("survived", (i,), (i,), float(of_old[old_ids.index(i), new_ids.index(i)]))
        for i in sorted(set(old_ids) & set(new_ids))
    ]


def _splits(
    old_ids: Sequence[int], new_ids: Sequence[int], of_old: Floats, children: dict[int, list[int]]
) -> list[Transition]:
    out = []
    for i, born in sorted(children.items(), key=lambda item: old_ids[item[0]]):
        kept = [new_ids.index(old_ids[i])] if old_ids[i] in new_ids else []
        targets = [*kept, *born]
        overlap = min(1.0, float(of_old[i, targets].sum()))  # rounding can pass 1
        out.append(Transition("split", (old_ids[i],), tuple(new_ids[j] for j in targets), overlap))
    return out


def _merges(
    old_ids: Sequence[int], new_ids: Sequence[int], of_old: Floats, parents: dict[int, list[int]]
) -> list[Transition]:
    out = []
    for j, gone in sorted(parents.items(), key=lambda item: new_ids[item[0]]):
        kept = [old_ids.index(new_ids[j])] if new_ids[j] in old_ids else []
        sources = sorted([*kept, *gone], key=lambda i: old_ids[i])
        overlap = float(of_old[gone, j].min())
        out.append(Transition("merged", tuple(old_ids[i] for i in sources), (new_ids[j],), overlap))
    return out


def _arrivals(
    new_ids: Sequence[int],
    old_ids: Sequence[int],
    of_new: Floats,
    children: dict[int, list[int]],
    parents: dict[int, list[int]],
) -> list[Transition]:
    explained = {j for born in children.values() for j in born} | set(parents)
    return [
        Transition("emerged", (), (new_id,), float(np.max(of_new[:, j], initial=0.0)))
        for new_id, j in sorted(zip(new_ids, range(len(new_ids)), strict=True))
        if new_id not in old_ids and j not in explained
    ]


def _losses(
    old_ids: Sequence[int],
    new_ids: Sequence[int],
    of_old: Floats,
    children: dict[int, list[int]],
    parents: dict[int, list[int]],
) -> list[Transition]:
    explained = {i for gone in parents.values() for i in gone} | set(children)
    return [
        Transition("disappeared", (old_id,), (), float(np.max(of_old[i], initial=0.0)))
        for old_id, i in sorted(zip(old_ids, range(len(old_ids)), strict=True))
        if old_id not in new_ids and i not in explained
    ]
