"""Reading a worker's metrics: what one scrape found, with sums over labels and quantiles of histograms."""

from __future__ import annotations

import http.client
import math
from collections import defaultdict

from prometheus_client.parser import text_string_to_metric_families

REQUEST_SECONDS = 5.0  # the server answers from a thread of its own: longer means that the process hangs
HTTP_OK = 200

Labels = dict[str, str]


class Figures:
    """The samples of one scrape. A name that is not there counts as 0: a counter appears with its first event."""

    def __init__(self, text: str) -> None:
        self._samples: dict[str, list[tuple[Labels, float]]] = defaultdict(list)
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                self._samples[sample.name].append((sample.labels, sample.value))

    def total(self, name: str, **labels: str) -> float:
        """Sum over the samples of a name that have these labels."""
        return math.fsum(
            value
            for found, value in self._samples.get(name, [])
            if all(found.get(label) == wanted for label, wanted in labels.items())
        )

    def most(self, name: str) -> float:
        """The greatest of the samples of a name."""
        return max((value for _, value in self._samples.get(name, [])), default=0.0)

    def by(self, name: str, label: str) -> dict[str, float]:
        """The sums of a name, by the values of one label."""
        sums: dict[str, float] = defaultdict(float)
        for found, value in self._samples.get(name, []):
            sums[found[label]] += value
        return dict(sums)

    def buckets(self, name: str) -> dict[float, float]:
        """The cumulative counts of a histogram by their upper bounds."""
        return {float(bound): count for bound, count in self.by(f"{name}_bucket", "le").items()}

    def quantile(self, name: str, share: float, since: Figures | None = None) -> float | None:
        """A quantile of a histogram, straight lines between its buckets; None when it holds nothing.

        Parameters
        ----------
        share : 0.99 for the 99th percentile.
        since : an earlier scrape; only what came after it counts.
        """
        before = since.buckets(name) if since is not None else {}
        return quantile({bound: count - before.get(bound, 0) for bound, count in self.buckets(name).items()}, share)


def quantile(buckets: dict[float, float], share: float) -> float | None:
    """A quantile of cumulative counts by upper bound, straight lines between them; None when they are empty.

    Beyond the last finite bound nothing is known: that bound is the answer.

    Examples
    --------
    >>> quantile({1.0: 10, 2.0: 30, float("inf"): 30}, 0.5)
    1.25
    """
    wanted = share * max(buckets.values(), default=0)
    if not wanted:
        return None
    low_bound, low_count = 0.0, 0.0
    for bound, count in sorted(buckets.items()):
        if count >= wanted:
            if math.isinf(bound):
                return low_bound
            return low_bound + (bound - low_bound) * (wanted - low_count) / (count - low_count)
        low_bound, low_count = bound, count
    return low_bound


def scrape(address: str, path: str = "/metrics") -> tuple[int, str]:
    """Status and body of a GET from a metrics server at `host:port`.

    Raises
    ------
    OSError : nobody listens, or no answer in time.
    """
    connection = http.client.HTTPConnection(address, timeout=REQUEST_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from error
    finally:
        connection.close()


def figures(address: str) -> Figures:
    """What a worker's metrics say now.

    Raises
    ------
    OSError : nobody listens, no answer in time, or the answer is a refusal.
    """
    status, text = scrape(address)
    if status != HTTP_OK:
        raise ConnectionError(f"{address} answered {status}")
    return Figures(text)
