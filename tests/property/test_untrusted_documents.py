"""Records of the document topics gone wrong anywhere are refused and counted, or fit to judge by; nothing else."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.clusters.snapshot import Snapshot, digest, to_document
from models.definitions.document import Definitions
from stream.codec.definitions import FILE_BYTES_MAX
from stream.worker.documents import DEFINITIONS_TOPIC, MODELS_TOPIC, Documents
from tests.core import T0, Core, click, order, shipped, shipped_document, snapshot
from tests.property.test_definitions_mutations import container, mutate, places

SHIPPED = shipped()
MODEL = to_document(snapshot((1, 0.5), (2, 3.0)))
EXTREMES = st.sampled_from(
    [0, -1, 1, 255, 2**15, 2**16 - 1, 2**16, 2**31, 2**63 - 1, -(2**63), 1e15, 1e16, -1e300, 1.8e308, 5e-324, 0.0]
)


@dataclass(frozen=True)
class Record:
    """One record of a document topic."""

    value: bytes | None
    offset: int = 4711


def json_of(document: Any) -> Iterator[bytes]:
    """The document as JSON, where there is a JSON for it."""
    try:
        yield orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS, default=str)
    except (TypeError, ValueError):
        return


def taken(topic: str, value: bytes) -> Snapshot | None:
    """Hand a record to a worker's documents; what it would adopt must judge, what it would not is counted."""
    documents = Documents(SHIPPED)
    refused = documents.add(topic, [Record(value), Record(None)])
    assert refused in {0, 1}
    if topic == MODELS_TOPIC:
        assert (documents.snapshot is None) == bool(refused)
    model = documents.snapshot
    if model is not None:
        assert documents.get(digest(model)) == model
        core = Core(SHIPPED, model)
        core.apply(click(T0), order(T0 + 1))
        core.tick(T0 + 10**10)
        ids = {0, *(cluster.id for cluster in model.clusters)}
        places_of_clusters = [d for d, one in enumerate(SHIPPED.dimensions) if one.kind == "cluster"]
        assert set(core.rows["segment"][:1, places_of_clusters].ravel().tolist()) <= ids
    return model


@settings(max_examples=150)
@given(st.data())
def test_a_spoilt_model_is_refused_or_judges(data: st.DataObject) -> None:
    """A published snapshot mutated in up to three places: never a crash, never a cluster that is not its own."""
    document = copy.deepcopy(MODEL)
    for _ in range(data.draw(st.integers(1, 3))):
        if data.draw(st.booleans()):
            place = data.draw(st.sampled_from(places(document)))
            container(document, place)[place[-1]] = data.draw(EXTREMES)
        elif places(document):
            mutate(data, document)
        if not places(document):
            break
    for value in json_of(document):
        taken(MODELS_TOPIC, value)


@settings(max_examples=60)
@given(st.data())
def test_a_spoilt_definitions_record_is_refused_or_kept(data: st.DataObject) -> None:
    """As above; definitions of the topic are kept for recoveries, and adopted when an enactment names them."""
    document = shipped_document()
    mutate(data, document)
    for value in json_of(document):
        taken(DEFINITIONS_TOPIC, value)


@given(st.sampled_from([DEFINITIONS_TOPIC, MODELS_TOPIC]), st.binary(max_size=200))
def test_any_bytes_are_refused(topic: str, value: bytes) -> None:
    """Nothing that was not made as a document passes for one."""
    assert Documents(SHIPPED).add(topic, [Record(value)]) == 1


WHOLE = orjson.dumps(MODEL)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"null",
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 500 + b"1" + b"}" * 500,
        WHOLE[:-1],
        WHOLE + b" " * FILE_BYTES_MAX,
        orjson.dumps({**MODEL, "features": ["recency"], "center": [0.0], "scale": [1.0], "clusters": []}),
        orjson.dumps({**MODEL, "next_id": 2**17, "clusters": [{**MODEL["clusters"][0], "id": 2**16 + 1}]}),
        orjson.dumps({**MODEL, "clusters": [{**MODEL["clusters"][0], "label": "x" * 1_000}]}),
        orjson.dumps({**MODEL, "clip": 1e300}),
        orjson.dumps({"approves": "0123456789abcdef" * 1_000}),
        orjson.dumps({"approves": ["0123456789abcdef"]}),
    ],
    ids=["empty", "null", "brackets", "deep", "cut", "large", "features", "id", "label", "clip", "long", "list"],
)
def test_what_could_not_be_judged_by_is_refused(value: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Also another version's features, and what a row or a change has no room for; the log says where it lies."""
    documents = Documents(SHIPPED)
    with caplog.at_level("WARNING"):
        assert documents.add(MODELS_TOPIC, [Record(value), Record(WHOLE)]) == 1
    assert documents.snapshot is not None  # the good one after it was taken
    assert f"{MODELS_TOPIC} offset 4711 is refused" in caplog.text
    assert f"{len(value)} bytes" in caplog.text


def test_what_is_kept_of_the_topics_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may write there cannot fill the memory; the worker's own document stays."""
    monkeypatch.setattr("stream.worker.documents.DEFINITIONS_KEPT", 3)
    documents = Documents(SHIPPED)
    for i in range(6):
        documents.add(DEFINITIONS_TOPIC, [Record(orjson.dumps({**shipped_document(), "name": f"other {i}"}))])
    kept = [one for one in documents._documents.values() if isinstance(one, Definitions)]
    assert [one.name for one in kept] == [SHIPPED.name, "other 3", "other 4", "other 5"]


def test_the_log_never_quotes_a_refused_document(caplog: pytest.LogCaptureFixture) -> None:
    """Somebody may have sent customers there by mistake; each error of ours would quote them."""
    customer = "anna@example.com"
    wrong = [
        {**MODEL, "document_version": customer},
        {**MODEL, "cuts": {customer: [1.0]}},
        {**MODEL, "lineage": [{"kind": customer, "from_ids": [], "to_ids": [], "overlap": 0.5}]},
        {customer: customer},
    ]
    documents = Documents(SHIPPED)
    with caplog.at_level("DEBUG"):
        for topic in (MODELS_TOPIC, DEFINITIONS_TOPIC):
            assert documents.add(topic, [Record(orjson.dumps(one)) for one in wrong]) == len(wrong)
    assert customer not in caplog.text
