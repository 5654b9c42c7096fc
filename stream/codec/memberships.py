"""Memberships of many customers at once: a column at a time, from texts that are made once for a segment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from models.customers.row import NEVER_MS
from models.definitions.document import CLUSTER
from models.engine import UNASSIGNED, Judge
from models.times import iso_times

NULL = "null"
Ints = NDArray[np.int64]


def encode_memberships(rows: Any, judge: Judge, ids: Sequence[str], until: Ints, following: Ints) -> Iterator[bytes]:
    """The record values of some customers whom `judge` judged: everything each is in, as of the row's own time.

    Parameters
    ----------
    until, following : the outlook of every dimension, [n, dimensions].
    """
    definitions = judge.definitions
    codes, since = judge.codes(rows), judge.since_ms(rows)
    columns = [
        _column(judge, d, codes[:, d], since[:, d], until[:, d], following[:, d])
        for d in range(len(definitions.dimensions))
    ]
    tail = f',"definition":{_json(definitions.digest)},"model":{_json(judge.model or None)},"updated_at":'
    heads = zip(ids, rows["seq"].tolist(), _times(rows["decided_ms"]), zip(*columns, strict=True), strict=True)
    for customer_id, seq, updated_at, segments in heads:
        yield (
            f'{{"customer_id":{_json(customer_id)},"seq":{seq}{tail}{updated_at},"segments":{{'
            f'{",".join(filter(None, segments))}}},"audiences":{{}}}}'
        ).encode()


def _column(judge: Judge, d: int, codes: Ints, since: Ints, until: Ints, following: Ints) -> list[str]:
    """One dimension of every customer; empty where there is no segment."""
    dimension = judge.definitions.dimensions[d]
    name = _json(dimension.name)
    first = {
        code: f'{name}:{{"segment":{_json(judge.segment_name(d, code) or UNASSIGNED)},"since":'
        for code in np.unique(codes).tolist()
        if code or dimension.kind == CLUSTER
    }
    last = {
        code: f',"next_if_silent":{_json(judge.segment_name(d, code) if code >= 0 else None)}}}'
        for code in np.unique(following).tolist()
    }
    columns = zip(
        codes.tolist(),
        _times(since, (codes > 0) & (since > 0)),
        _times(until, until < NEVER_MS),
        following.tolist(),
        strict=True,
    )
    return [
        f'{first[code]}{begins},"valid_until":{ends}{last[follows]}' if code in first else ""
        for code, begins, ends, follows in columns
    ]


def _times(ms: Ints, known: NDArray[np.bool_] | None = None) -> list[str]:
    """Times in ISO 8601, UTC, to the millisecond, as JSON; null where they are not known."""
    if known is None:
        known = np.ones(len(ms), np.bool_)
    texts = iso_times(np.where(known, ms, 0))
    return [f'"{text}"' if is_known else NULL for text, is_known in zip(texts, known.tolist(), strict=True)]


def _json(value: str | None) -> str:
    return orjson.dumps(value).decode()
