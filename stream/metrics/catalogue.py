"""The one table of metrics. They are an interface: dashboards and alerts of other people read these names.

Base units (seconds), counters end in `_total`, timestamps are of the last success (an alert takes
`time() - timestamp`, which also works when nothing runs). No label ever holds a customer or a payload.
`docs/reference/metrics.md` is generated from this table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PREFIX = "segstream_"

Kind = Literal["counter", "gauge", "histogram"]

# An event's way to its published change: 1 ms is the floor of a Kafka round trip, 10 s is an incident.
# Close together where a worker that keeps up is, so that a quantile read between two of them means something.
LATENCY_BUCKETS = (
    0.001, 0.002, 0.003, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.08,
    0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
# One stage of one batch: a small batch decodes in 50 us, a stage of seconds is the ack deadline coming near.
STAGE_BUCKETS = (
    0.00005,
    0.0001,
    0.00025,
    0.0005,
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    1.0,
    5.0,
)
# A turn of the event loop: a batch's kernel takes 20 ms, the session is lost after seconds.
DELAY_BUCKETS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# Powers of four up to the largest batch a setting allows.
BATCH_BUCKETS = (1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0, 4_096.0, 16_384.0, 65_536.0)
# A checkpoint writes 20,000 rows in 0.2 s; recovery of a large partition takes a minute.
LONG_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


@dataclass(frozen=True, slots=True)
class Label:
    """One label: its name, and what bounds its values; `values` where they are known beforehand."""

    name: str
    bound: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `attribute` is its name on `Metrics`; `unit` is empty for plain counts."""

    name: str
    kind: Kind
    help: str
    unit: str = ""
    labels: tuple[Label, ...] = ()
    buckets: tuple[float, ...] = ()

    @property
    def attribute(self) -> str:
        """The name without prefix and `_total`: `segstream_changes_total` is `changes`."""
        return self.name.removeprefix(PREFIX).removesuffix("_total")


TOPIC = Label("topic", "inputs", ("clicks", "purchases", "emails", "profiles"))
PARTITION = Label("partition", "partitions of a keyed topic (setting `partitions`)")
DIMENSION = Label("dimension", "dimensions of the definitions, at most 16")
SEGMENT = Label("segment", "segments of the definitions")
TRIGGER = Label("trigger", "trigger kinds", ("event", "silence", "late", "merge", "model", "definition"))
REASON = Label(
    "reason",
    "reasons of `stream/codec/events.py`",
    (
        "malformed",
        "missing_field",
        "wrong_type",
        "too_large",
        "bad_time",
        "too_old",
        "future",
        "zero_amount",
        "amount_out_of_range",
        "wrong_partition",
        "table_full",
    ),
)
TEST = Label("test", "the usual tests", ("measurable", "substantial", "accessible", "differentiable", "actionable"))
CAUSE = Label("cause", "what holds a change back", ("dwell", "hysteresis"))
DOCUMENT = Label("document", "kinds of adopted documents", ("model", "definition"))
VERSION = Label("version", "one value: this program's")
PYTHON = Label("python", "one value: the interpreter's")

CATALOGUE: tuple[Metric, ...] = (
    # what came in and went out
    Metric("segstream_events_applied_total", "counter", "Events applied to customers.", labels=(TOPIC,)),
    Metric("segstream_dead_letters_total", "counter", "Records refused.", labels=(REASON,)),
    Metric("segstream_duplicate_events_total", "counter", "Applied events known already: ignored."),
    Metric(
        "segstream_late_events_total",
        "counter",
        "Applied events older than what their customer was judged at.",
    ),
    Metric("segstream_changes_total", "counter", "Segment changes published.", labels=(DIMENSION, TRIGGER)),
    Metric(
        "segstream_suppressed_flips_total",
        "counter",
        "Changes held back by dwell, or by hysteresis (a `stay`, a cluster's margin), counted at every look.",
        labels=(CAUSE,),
    ),
    # one batch and its stages
    Metric("segstream_batches_total", "counter", "Batches applied and published."),
    Metric("segstream_batch_records", "histogram", "Records of a batch.", "records", buckets=BATCH_BUCKETS),
    Metric("segstream_decode_seconds", "histogram", "Decoding a batch.", "seconds", buckets=STAGE_BUCKETS),
    Metric(
        "segstream_journal_ack_seconds",
        "histogram",
        "From the append of a journal entry to its acknowledgement.",
        "seconds",
        buckets=STAGE_BUCKETS,
    ),
    Metric("segstream_kernel_seconds", "histogram", "The kernel on a batch.", "seconds", buckets=STAGE_BUCKETS),
    Metric(
        "segstream_publish_seconds",
        "histogram",
        "From sending a batch's changes to the last acknowledgement.",
        "seconds",
        buckets=STAGE_BUCKETS,
    ),
    Metric(
        "segstream_change_latency_seconds",
        "histogram",
        "From the Kafka timestamp of an event to the acknowledgement of its change.",
        "seconds",
        buckets=LATENCY_BUCKETS,
    ),
    # how far behind
    Metric("segstream_lag_records", "gauge", "Input records not yet applied.", "records", (PARTITION,)),
    Metric(
        "segstream_lag_seconds",
        "gauge",
        "Age, by its Kafka timestamp, of the newest record applied while others wait; 0 when none wait.",
        "seconds",
        (PARTITION,),
    ),
    Metric(
        "segstream_stalled_seconds",
        "gauge",
        "How long a partition with something to do has not got on, once that fails /healthz; else 0.",
        "seconds",
        (PARTITION,),
    ),
    Metric(
        "segstream_stream_time_timestamp_seconds",
        "gauge",
        "Stream time: silence has been declared up to here.",
        "seconds",
        (PARTITION,),
    ),
    Metric(
        "segstream_due_customers",
        "gauge",
        "Customers due at the last tick, not yet swept.",
        labels=(PARTITION,),
    ),
    # state and its safety
    Metric("segstream_customers", "gauge", "Customers in the table.", labels=(PARTITION,)),
    Metric(
        "segstream_table_used_ratio",
        "gauge",
        "Customers in the table, as a share of how many it may hold: at 1, new customers are refused.",
        labels=(PARTITION,),
    ),
    Metric(
        "segstream_departed_customers_total",
        "counter",
        "Customers dropped after a silence as long as `retention_days`.",
    ),
    Metric("segstream_dirty_rows", "gauge", "Customers changed since the last checkpoint.", labels=(PARTITION,)),
    Metric("segstream_checkpoints_total", "counter", "Checkpoints committed."),
    Metric("segstream_checkpoint_rows_total", "counter", "Customer rows written in checkpoints."),
    Metric(
        "segstream_checkpoint_seconds",
        "histogram",
        "From the copy of the rows to the commit of a checkpoint.",
        "seconds",
        buckets=LONG_BUCKETS,
    ),
    Metric(
        "segstream_checkpoint_timestamp_seconds",
        "gauge",
        "When the last checkpoint was committed.",
        "seconds",
        (PARTITION,),
    ),
    Metric(
        "segstream_deletion_failures_total",
        "counter",
        "Times that old checkpoints and journal could not be deleted; tried again after the next checkpoint.",
    ),
    Metric(
        "segstream_recovery_seconds",
        "histogram",
        "From the claim of a partition to its going live.",
        "seconds",
        buckets=LONG_BUCKETS,
    ),
    Metric("segstream_recovered_events_total", "counter", "Events executed again by recoveries."),
    # ownership
    Metric("segstream_fenced_total", "counter", "Partitions given up because a newer owner was seen."),
    Metric(
        "segstream_claims_total",
        "counter",
        "Partitions claimed: each begins a recovery; one that stays is not claimed again.",
    ),
    Metric("segstream_rebalances_total", "counter", "Assignments received from the group."),
    Metric(
        "segstream_evictions_total",
        "counter",
        "Times that the group took us for dead and we had to join anew.",
    ),
    Metric("segstream_partitions_owned", "gauge", "Partitions that are live here."),
    # the model
    Metric("segstream_vectors_learned_total", "counter", "Customer vectors the trainer here has learned."),
    Metric("segstream_trainer_lag_records", "gauge", "Samples the trainer here has not learned yet.", "records"),
    Metric("segstream_snapshots_total", "counter", "Model snapshots the trainer here has published."),
    Metric("segstream_snapshots_held_total", "counter", "Of these, those that wait for approval."),
    Metric("segstream_drifts_total", "counter", "Drift alarms the trainer here has raised."),
    Metric("segstream_trainer_cpu_seconds_total", "counter", "Processor time of the trainer's process."),
    Metric("segstream_model_version", "gauge", "Version of the adopted model snapshot.", labels=(PARTITION,)),
    Metric("segstream_adoptions_total", "counter", "Documents adopted through the journal.", labels=(DOCUMENT,)),
    Metric(
        "segstream_documents_refused_total",
        "counter",
        "Records of segment-definitions and segment-models that are no document this version can use.",
        labels=(DOCUMENT,),
    ),
    Metric(
        "segstream_adoption_pending_rows",
        "gauge",
        "Customers still judged by the document before.",
        labels=(PARTITION,),
    ),
    Metric(
        "segstream_warming_categories",
        "gauge",
        "Newly declared categories whose clicks are not known as far back as conditions ask.",
        labels=(PARTITION,),
    ),
    # what marketing sees, and the process
    Metric(
        "segstream_segment_customers",
        "gauge",
        "Customers in a segment, over the partitions owned here.",
        labels=(DIMENSION, SEGMENT),
    ),
    Metric(
        "segstream_segment_spend",
        "gauge",
        "Orders less refunds of the customers in a segment, in the currency: divide by their number.",
        labels=(DIMENSION, SEGMENT),
    ),
    Metric(
        "segstream_segment_emails_sent",
        "gauge",
        "E-mails ever sent to the customers in a segment.",
        labels=(DIMENSION, SEGMENT),
    ),
    Metric(
        "segstream_segment_emails_engaged",
        "gauge",
        "Of these, how many were opened or clicked by a person.",
        labels=(DIMENSION, SEGMENT),
    ),
    Metric(
        "segstream_segment_entries_total", "counter", "Customers who entered a segment.", labels=(DIMENSION, SEGMENT)
    ),
    Metric("segstream_segment_exits_total", "counter", "Customers who left a segment.", labels=(DIMENSION, SEGMENT)),
    Metric(
        "segstream_event_loop_delay_seconds",
        "histogram",
        "How late the event loop turned, asked by another thread four times a second.",
        "seconds",
        buckets=DELAY_BUCKETS,
    ),
    Metric("segstream_build", "gauge", "1, labelled with what runs.", labels=(VERSION, PYTHON)),
)

OF_SEGMENT = (DIMENSION, SEGMENT)
# What `segstream health --format prometheus` prints: figures that need everybody and a past, for a nightly run.
HEALTH: tuple[Metric, ...] = (
    Metric("segstream_health_top_fifth_revenue_ratio", "gauge", "Revenue of the fifth of buyers who spent most."),
    Metric(
        "segstream_health_stability_index",
        "gauge",
        "Population stability index of a dimension's shares, from one period to the next.",
        labels=(DIMENSION,),
    ),
    Metric("segstream_health_segment_customers", "gauge", "Customers in a segment.", labels=OF_SEGMENT),
    Metric("segstream_health_segment_share_ratio", "gauge", "Its share of the customers.", labels=OF_SEGMENT),
    Metric("segstream_health_segment_revenue", "gauge", "Spend of its members, in the currency.", labels=OF_SEGMENT),
    Metric("segstream_health_segment_revenue_ratio", "gauge", "Its share of all spend.", labels=OF_SEGMENT),
    Metric("segstream_health_segment_average_revenue", "gauge", "Spend a member.", labels=OF_SEGMENT),
    Metric("segstream_health_segment_growth_ratio", "gauge", "Growth over 30 days.", labels=OF_SEGMENT),
    Metric("segstream_health_segment_entries_per_day", "gauge", "Customers who enter it, a day.", labels=OF_SEGMENT),
    Metric("segstream_health_segment_exits_per_day", "gauge", "Customers who leave it, a day.", labels=OF_SEGMENT),
    Metric(
        "segstream_health_segment_flap_ratio",
        "gauge",
        "Entries that were returns within a week: 0.05 is a warning, 0.3 an alarm.",
        labels=OF_SEGMENT,
    ),
    Metric(
        "segstream_health_segment_stay_seconds",
        "gauge",
        "Mean length of the stays that ended.",
        "seconds",
        OF_SEGMENT,
    ),
    Metric(
        "segstream_health_segment_email_response_ratio",
        "gauge",
        "E-mails that its members opened or clicked, of those sent to them.",
        labels=OF_SEGMENT,
    ),
    Metric(
        "segstream_health_test_passed",
        "gauge",
        "1 where a segment passes one of the usual tests, else 0.",
        labels=(*OF_SEGMENT, TEST),
    ),
)
