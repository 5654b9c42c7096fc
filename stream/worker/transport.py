"""Faust's Kafka transport, with its consumer reduced to membership.

Faust (through aiokafka) joins the group, assigns co-partitioned topics and drives the worker's life. The records
themselves are read by `stream.kafka.feed` from the journal's positions, in whole batches: the per-message path of Faust
0.15 costs 125-400 us an event and its commits lose or double events (docs/decisions/0003). Private hooks of Faust used
here: `Consumer._drain_messages`, `Consumer._thread` (getmany, call_thread, _ensure_consumer); of aiokafka:
`AIOKafkaConsumer._coordinator.member_id`. A contract test pins the versions.
"""

from __future__ import annotations

import asyncio
from typing import Any

from faust.transport.drivers import aiokafka as driver
from faust.types import TP

PULSE_SECONDS = 1.0  # a poll of nothing, which tells aiokafka that the worker is alive


class MembershipConsumer(driver.Consumer):
    """Keeps the group membership; fetches no records."""

    async def _drain_messages(self, fetcher: Any) -> None:
        """Faust's fetch loop: poll nothing, so that the group sees a live member and no record is ever lost here."""
        try:
            while not (self.should_stop or fetcher.should_stop):
                if self.flow_active:
                    self.pause_fetching()
                    await self._thread.getmany(set(), timeout=0.0)
                await self.sleep(PULSE_SECONDS)
        except asyncio.CancelledError:
            return  # Faust stops its fetcher; passed on in the middle of a rebalance it would bring the worker down

    def pause_fetching(self) -> None:
        """Tell aiokafka to fetch nothing of what is assigned."""
        client = self._thread._ensure_consumer()  # noqa: SLF001 - pinned; see the module's docstring
        assigned = client.assignment()
        if assigned - client.paused():
            client.pause(*assigned)

    @property
    def member_id(self) -> str:
        """What the group calls us; another one after it had taken us for dead."""
        client = self._thread._ensure_consumer()  # noqa: SLF001 - pinned; see the module's docstring
        return str(client._coordinator.member_id)  # noqa: SLF001 - as above

    async def commit_positions(self, positions: dict[TP, int]) -> None:
        """Commit group offsets, for lag tools and autoscalers only; a failure does no harm.

        Past Faust's own commit, which brings the worker down when a partition has just moved away.
        """
        client = self._thread._ensure_consumer()  # noqa: SLF001 - pinned; see the module's docstring
        ours = client.assignment()
        offsets = {driver.ensure_aiokafka_TP(tp): offset for tp, offset in positions.items() if tp in ours}
        if offsets:
            await asyncio.wait_for(self._thread.call_thread(client.commit, offsets), PULSE_SECONDS)


class MembershipTransport(driver.Transport):
    """The transport that makes such consumers."""

    Consumer = MembershipConsumer
