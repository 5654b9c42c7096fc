"""The documents of a run: two definitions, two models."""

from __future__ import annotations

from functools import cache

import orjson

from models.clusters.snapshot import Cluster, Snapshot
from models.definitions.document import Definitions
from models.definitions.language import parse
from models.features.catalogue import CLUSTER_FEATURES
from stream.codec.definitions import encode_snapshot, plain, shipped_text
from stream.codec.enactments import APPLY, Enactment, encode_enactment
from stream.worker.documents import DEFINITIONS_TOPIC, MODELS_TOPIC, Documents
from tests.simulation.virtual_time import START_MS
from tests.simulation.world import World

SECOND = "second"  # stands for the path of the definitions that a rollout brings


@cache
def load(path: str) -> tuple[Definitions, bytes]:
    """Like stream.codec.definitions.load, for the two of a run."""
    document = plain(shipped_text())
    document["audiences"] = {
        "visitors": {"when": "clicks in 1 hour >= 1", "stay": "clicks in 2 hours >= 1"},
        "buyers": {"when": "orders >= 1"},
        "readers": {"when": "opens in 1 day >= 1", "cooldown_days": 1},
        "window shoppers": {"when": {"all": ["in audience visitors", "not in audience buyers"]}},
    }
    if path == SECOND:  # a dimension is no more, a segment neither, another asks for less; and audiences
        del document["dimensions"]["intent"]
        segments = {one["name"]: one for one in document["dimensions"]["engagement"]["segments"]}
        segments["engaged"]["when"] = "recent_engaged in 30 days >= 1"
        del segments["unresponsive"]
        document["dimensions"]["engagement"]["segments"] = list(segments.values())
        document["audiences"] = {  # another order; one asks for more, one has a date now, one is no more, one is new
            "buyers": {"when": "orders >= 2", "dwell_days": 1},
            "spenders": {"when": "spend >= 50"},
            "visitors": document["audiences"]["visitors"],
            "readers": document["audiences"]["readers"],
        }
    return parse(document), orjson.dumps(document)


@cache
def model(version: int) -> bytes:
    """A model of two clusters, as the trainer would publish it."""
    width = len(CLUSTER_FEATURES)
    clusters = tuple(Cluster(i + 1, (float(2 * i - version),) * width, 0.5, 1.0, f"label {i}") for i in range(2))
    snapshot = Snapshot(
        version=version,
        features=CLUSTER_FEATURES,
        center=(1.0,) * width,
        scale=(1.0,) * width,
        clip=4.0,
        clusters=clusters,
        cuts={"value": (10.0 * version, 500.0, 2000.0)},
        as_of_ms=START_MS,
        vector_count=1,
        lineage=(),
        seed=1,
        learner="kmeans",
        next_id=3,
    )
    return encode_snapshot(snapshot)


def enact(world: World, path: str) -> None:
    """Somebody puts definitions in force by hand."""
    definitions, document = load(path)
    enactment = encode_enactment(Enactment(definitions.digest, START_MS + world.now_ms(), APPLY))
    for key, value in ((definitions.digest.encode(), document), enactment):
        world.shelves[DEFINITIONS_TOPIC, 0].put(key, value, world.now_ms())


def all_documents(world: World) -> Documents:
    """Everything that was published in a run."""
    documents = Documents(load("")[0])
    for topic in (DEFINITIONS_TOPIC, MODELS_TOPIC):
        documents.add(topic, world.shelves[topic, 0].records)
    return documents
