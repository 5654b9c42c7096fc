"""The pieces of text that changes are put together from, as arrays for compiled code (stream.codec.change_bytes)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.changes import TRIGGERS
from models.compiled import records
from models.definitions.document import CLUSTER
from models.definitions.language import OPS, SEGMENTS_MAX
from models.engine import Judge
from models.events import TOPICS
from models.features.catalogue import ABSENT_MS, ANSWER, CLUSTER_FEATURES, TIMES
from stream.codec.changes import HOLDS, KINDS, LACKS, NOBODY, SCHEMA_VERSION, TermWords, text_of
from stream.codec.pieces import Desk

CLUSTERS_NAMED_MAX = 1_024  # ids of clusters with a prepared name; a model gives a few new ones a month
# Pieces that are the same in every change, in the order in which they appear.
(
    BEGIN, CUSTOMER, SEQ, SEGMENT, LABEL, RULES, NO_EVENT, EVENT_ID, OCCURRED, DECIDED, PREVIOUS_SEQ, CONFIDENCE,
    MARGIN, RUNNER_UP, REASONS, AFTER, CONTRIBUTION, COUNTERFACTUAL, WOULD_BE, NO_SEGMENT, VALID_UNTIL, NEXT, END, NULL,
    NONE, OTHER, OTHER_NAMED,
) = range(27)  # fmt: skip

TERM_PIECES = np.dtype(
    [
        ("head", "i8"),  # of a reason; up to the value before
        ("tail", "i8"),  # operator and threshold
        ("holds", "i8"),  # of a counterfactual, when the comparison is true now; up to the value
        ("lacks", "i8"),  # the same, when it is false
        ("same", "i8"),  # the text of a string attribute, as JSON; -1: the reading is a number
        ("op", "i8"),
        ("threshold", "f8"),  # of the row's number
        ("per_unit", "f8"),
        ("absent", "f8"),  # readings from here on mean "never"
        ("dimension", "i8"),  # whose segment the reading is; -1: it is none
    ]
)


class Pieces(NamedTuple):
    """All texts of one Judge in one partition; the others are places in `span`."""

    text: NDArray[np.uint8]
    span: NDArray[np.int64]  # [pieces, 2]: first byte, length
    dimension: NDArray[np.int64]  # [dimensions]
    is_cluster: NDArray[np.bool_]  # [dimensions]
    name: NDArray[np.int64]  # [dimensions, codes]
    label: NDArray[np.int64]  # [dimensions, codes]
    trigger: NDArray[np.int64]  # [triggers]
    topic: NDArray[np.int64]  # [event kinds]
    feature: NDArray[np.int64]  # [features of a cluster]
    term: Any  # TERM_PIECES [terms]
    longest: int  # bytes of the longest piece


def pieces_of(judge: Judge, partition: int) -> Pieces:
    """Everything that does not hang on a customer."""
    desk = Desk()
    desk.constants(_constants(judge, partition))
    dimensions = judge.definitions.dimensions
    codes = codes_named(judge)
    names, labels = np.full((2, len(dimensions), codes), -1, np.int64)  # -1: there is no such segment
    for d, one in enumerate(dimensions):
        for code in range(codes if one.kind == CLUSTER else len(one.segments) + 1):
            names[d, code] = desk.place(text_of(judge.segment_name(d, code)))
            labels[d, code] = desk.place(text_of(judge.label(d, code)))
    heads = [f',"dimension":{text_of(one.name)},"previous_segment":' for one in dimensions]
    topics = [f'","topic":"{topic}","partition":{partition},"offset":' for topic in TOPICS]
    found: dict[str, Any] = {
        "dimension": desk.places(heads),
        "is_cluster": np.array([one.kind == CLUSTER for one in dimensions]),
        "name": names,
        "label": labels,
        "trigger": desk.places([KINDS[k] for k in range(len(TRIGGERS))]),
        "topic": desk.places(topics),
        "feature": desk.places([f'{{"feature":"{name}","before":' for name in CLUSTER_FEATURES]),
        "term": _terms(judge, desk),
    }
    text, span = desk.arrays()
    return Pieces(text=text, span=span, longest=int(span[:, 1].max()), **found)


def codes_named(judge: Judge) -> int:
    """Segment codes and cluster ids below this have prepared names."""
    newest = max((cluster.id for cluster in judge.snapshot.clusters), default=0) if judge.snapshot else 0
    return min(max(SEGMENTS_MAX, newest) + 1, CLUSTERS_NAMED_MAX)


def _constants(judge: Judge, partition: int) -> tuple[str, ...]:
    rules = f',"definition":{text_of(judge.definitions.digest)},"model":{text_of(judge.model or None)},'
    return (
        f'{{"event_id":"{partition}-',
        f'","schema_version":{SCHEMA_VERSION},"customer_id":"',
        '","seq":',
        ',"segment":',
        ',"label":',
        rules,
        NOBODY,
        '"event_id":"',
        '},"occurred_at":"',
        '","decided_at":"',
        '","previous_seq":',
        ',"confidence":',
        ',"margin":',
        ',"runner_up":',
        ',"reasons":[',
        ',"after":',
        ',"contribution":',
        '],"counterfactual":',
        ") would be ",
        "no segment",
        ',"valid_until":',
        ',"next_if_silent":',
        ',"holdout":null,"supersedes":null}',
        "null",
        "None",
        '"other"',
        "other",
    )


def _terms(judge: Judge, desk: Desk) -> Any:
    table = np.zeros(max(len(judge.terms), 1), TERM_PIECES)
    for k, term in enumerate(judge.terms):
        words = TermWords(term, judge)
        table[k] = (
            desk.place(words.head),
            desk.place(words.tail),
            desk.place(f'"{text_of(words.border(HOLDS))[1:-1]}'),
            desk.place(f'"{text_of(words.border(LACKS))[1:-1]}'),
            desk.place(text_of(term.text)) if term.text else -1,
            OPS.index(term.op),
            term.threshold * term.feature.per_unit,
            term.feature.per_unit,
            ABSENT_MS if term.feature.kind in TIMES else math.inf,
            term.feature.source if term.feature.kind == ANSWER else -1,
        )
    return records(table)
