"""Clusters of customers: River learns them, a snapshot freezes them, ids outlive them.

Read `snapshot` (what is published), `trainer` (vectors in, snapshots out), then `learner` (River behind a
protocol), `identity` and `lineage` (which cluster is which). Scoring needs only `snapshot`; River is loaded
by `trainer` alone.
"""
