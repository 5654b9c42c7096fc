"""What the changes come to: sizes of segments, counts, one customer's story, and a few to show."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stream.subscriber import Change

RECENT_MAX = 8  # changes shown at a time
STORY = ("lifecycle", "value", "engagement")  # the others change by the dozen and would bury the story


class Tally:
    """Fed with every change, in the order of its partition; knows nothing of Kafka.

    Attributes
    ----------
    sizes : customers by dimension and segment.
    changes : how many, by (dimension, kind of trigger).
    labels : the readable names of clusters, by segment.
    story : the changes of the one customer who is followed, in the dimensions of a story.
    untold_count : how many more changes that customer had.
    recent : a few changes to show, newest first; `pick` renews them.
    """

    def __init__(self, dimensions: Iterable[str], followed: str) -> None:
        self._followed = followed
        self._newest: dict[str, Change] = {}
        self._turns = deque(dimensions)
        self.sizes: dict[str, Counter[str]] = {dimension: Counter() for dimension in self._turns}
        self.changes: Counter[tuple[str, str]] = Counter()
        self.labels: dict[str, str] = {}
        self.story: list[Change] = []
        self.untold_count = 0
        self.recent: deque[Change] = deque(maxlen=RECENT_MAX)

    @property
    def count(self) -> int:
        """All changes so far."""
        return self.changes.total()

    def take(self, change: Change) -> None:
        """Count one change."""
        dimension, previous, segment = change["dimension"], change["previous_segment"], change["segment"]
        sizes = self.sizes.setdefault(dimension, Counter())
        if previous is not None and sizes[previous]:  # nobody is told of entering `unassigned`: it is where all begin
            sizes[previous] -= 1
        if segment is not None:
            sizes[segment] += 1
            if change.get("label"):
                self.labels[segment] = change["label"]
        self.changes[dimension, change["trigger"]["kind"]] += 1
        if previous is not None:  # that somebody is new to everything is no news
            self._newest[dimension] = change
        if change["customer_id"] == self._followed:
            if dimension in STORY:
                self.story.append(change)
            else:
                self.untold_count += 1

    def pick(self) -> None:
        """Put one more change among the recent ones: the newest of the next dimension that has a new one."""
        for _ in range(len(self._turns)):
            self._turns.rotate(-1)
            change = self._newest.pop(self._turns[-1], None)
            if change is not None:
                self.recent.appendleft(change)
                return

    def populated(self) -> dict[str, dict[str, int]]:
        """The sizes without empty segments, the largest first."""
        return {
            dimension: {segment: count for segment, count in sizes.most_common() if count > 0}
            for dimension, sizes in self.sizes.items()
        }
