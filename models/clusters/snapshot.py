"""The model snapshot: everything scoring needs. One value, with a JSON document and a numpy record.

`shape` holds the value and its limits, `document` the JSON, `arrays` the record the kernel reads.
"""

from models.clusters.arrays import MODEL, ModelRecord, empty_arrays, to_arrays
from models.clusters.document import digest, from_document, to_document
from models.clusters.shape import CLUSTERS_MAX, CUT_COUNTS, FEATURES_MAX, Cluster, Snapshot, Transition, check

__all__ = [
    "CLUSTERS_MAX",
    "CUT_COUNTS",
    "FEATURES_MAX",
    "MODEL",
    "Cluster",
    "ModelRecord",
    "Snapshot",
    "Transition",
    "check",
    "digest",
    "empty_arrays",
    "from_document",
    "to_arrays",
    "to_document",
]
