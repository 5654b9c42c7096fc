"""River's labelled streams that come with its package: points with a true group, straight into the trainer."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from models.clusters.nearest import nearest
from models.clusters.preview import ids_of
from models.clusters.quality import adjusted_rand_index, silhouette
from models.clusters.seeding import seed_centers
from models.clusters.settings import TrainerSettings
from models.clusters.succession import scaling_of
from models.clusters.trainer import Trainer

FEATURES_MAX = 16  # what a snapshot has room for; the image segments have 18, and the last two are left out
POINTS_MAX = 10_000  # of a stream, its first: the learner has long settled


@dataclass(frozen=True, slots=True)
class Labelled:
    """How a stream's groups were found, with as many clusters as there are labels."""

    name: str
    learner: str
    ari: float
    batch_ari: float
    inertia_ratio: float
    silhouette: float


def streams() -> dict[str, tuple[NDArray[np.float64], NDArray[np.int64]]]:
    """Points and labels by name; read from River's package without importing it."""
    folder = files("river") / "datasets"
    with zipfile.ZipFile(io.BytesIO((folder / "segment.csv.zip").read_bytes())) as archive:
        segments = archive.read(archive.namelist()[0]).decode()
    shuttle = gzip.decompress((folder / "shuttle.csv.gz").read_bytes()).decode()
    return {"river image segments": _table(segments), "river shuttle": _table(shuttle)}


def _table(text: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    rows = list(csv.reader(io.StringIO(text)))[1 : POINTS_MAX + 1]
    points = np.array([[float(x) for x in row[:-1][:FEATURES_MAX]] for row in rows])
    return points, np.unique([row[-1] for row in rows], return_inverse=True)[1]


def measure(name: str, learner: str) -> Labelled:
    """Let a learner see a stream once."""
    points, labels = streams()[name]
    count = int(labels.max()) + 1
    names = tuple(f"x{j}" for j in range(points.shape[1]))
    trainer = Trainer(names, TrainerSettings(learner=learner, clusters=max(count, 2), window=len(points)))
    nothing = np.zeros(len(points))
    trainer.learn(points, nothing, nothing, nothing, 0)
    while trainer.learn_slice(POINTS_MAX):
        pass
    snapshot = trainer.snapshot(0)
    if snapshot is None:
        raise ValueError(f"{learner} found nothing in {name}")
    z = scaling_of(snapshot).apply(points)
    table = np.array([cluster.prototype for cluster in snapshot.clusters])
    batch = seed_centers(z, len(table), snapshot.seed)
    ids = ids_of(z, table, tuple(cluster.id for cluster in snapshot.clusters))
    return Labelled(
        name,
        learner,
        adjusted_rand_index(labels, ids),
        adjusted_rand_index(labels, nearest(z, batch)[0]),
        float(nearest(z, table)[1].sum() / max(nearest(z, batch)[1].sum(), 1e-9)),
        silhouette(z, table),
    )
