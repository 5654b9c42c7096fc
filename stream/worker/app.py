"""The Faust application: membership, assignment, the worker's life. It is made by a function, never at import."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import TYPE_CHECKING, Any

import faust
from mode import Service

from models.events import TOPICS
from stream.kafka import security
from stream.worker.training import TOPIC as VECTORS_TOPIC
from stream.worker.transport import MembershipTransport

if TYPE_CHECKING:
    from faust.types import TP

    from stream.settings import Settings
    from stream.worker.ending import Ending
    from stream.worker.host import Host
    from stream.worker.partition import Partition

logger = logging.getLogger(__name__)

REBALANCE_SECONDS = 20.0  # a member that does not come back within it is left behind
REQUEST_SECONDS = 40.0  # Faust wants it above the session timeout; a dead broker is noticed by our own deadlines first
FETCH_BYTES = 1024  # of the membership consumer, which reads nothing


class MembershipApp(faust.App):
    """An app without tables, which keeps no files and so needs no folders."""

    def _create_directories(self) -> None:
        """Leave the working folder as it is."""


def create_app(settings: Settings, host: Host, ending: Ending) -> faust.App:
    """The app of one worker process; `host` does the work on what it is assigned, `ending` bounds its end."""
    app = MembershipApp(
        settings.prefix + settings.group,
        broker=[f"kafka://{address.strip()}" for address in settings.brokers.split(",")],
        broker_credentials=_credentials(settings),
        store="memory://",
        value_serializer="raw",
        key_serializer="raw",
        web_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=settings.partitions,
        table_standby_replicas=1,  # no tables: it selects Faust's co-partitioned assignor
        stream_wait_empty=False,
        consumer_auto_offset_reset="latest",
        consumer_max_fetch_size=FETCH_BYTES,
        broker_session_timeout=settings.session_timeout_seconds,
        broker_heartbeat_interval=max(settings.session_timeout_seconds / 5, 0.3),
        broker_rebalance_timeout=REBALANCE_SECONDS,
        broker_request_timeout=max(REQUEST_SECONDS, settings.session_timeout_seconds + 1),
        broker_commit_interval=3600.0,  # Faust has nothing to commit: positions are in the journal
    )
    app.transport = MembershipTransport(app.conf.broker, app, app.loop)
    _subscribe(app, [settings.prefix + topic for topic in (*TOPICS, VECTORS_TOPIC)])
    _follow(app, settings, host)
    app.service(_life_of(host, ending))
    host._commit_group = _group_committer(app, settings)  # type: ignore[method-assign]  # noqa: SLF001 - the one seam
    return app


def _credentials(settings: Settings) -> Any:
    """Faust's own words for what `stream.kafka.security` says; None for a plain connection."""
    context = security.context(settings)
    if settings.security_protocol.startswith("SASL_"):
        return faust.SASLCredentials(
            username=settings.sasl_username,
            password=settings.sasl_password,
            ssl_context=context,
            mechanism=settings.sasl_mechanism,
        )
    return faust.SSLCredentials(context) if context else None


def _subscribe(app: faust.App, names: list[str]) -> None:
    """Agents that never see a record: Faust subscribes to what agents read."""
    for name in names:

        async def idle(stream: Any) -> None:
            async for _ in stream:
                logger.error("a record came through Faust's own path: the transport is not ours")

        topic = app.topic(name, key_type=bytes, value_type=bytes)
        app.agent(topic, name=f"membership-{name}")(idle)


def _follow(app: faust.App, settings: Settings, host: Host) -> None:
    """Tell the host what the group gave and took."""
    vectors = settings.prefix + VECTORS_TOPIC

    async def on_assigned(_: Any, assigned: set[TP], **_kwargs: Any) -> None:
        numbers = {tp.partition for tp in assigned if tp.topic != vectors}
        logger.info("assigned partitions %s", sorted(numbers))
        consumer: Any = app.consumer  # ours: see transport
        host.joined_as(consumer.member_id)
        await host.assigned(numbers, trainer=any(tp.topic == vectors for tp in assigned))

    async def on_revoked(*_args: Any, **_kwargs: Any) -> None:
        host.revoked()

    signals: Any = app  # Faust types its signals for handlers of one argument
    signals.on_partitions_assigned.connect(on_assigned)
    signals.on_partitions_revoked.connect(on_revoked)


def _life_of(host: Host, ending: Ending) -> type[Service]:
    class HostService(Service):
        """Starts and stops the host with the app."""

        async def on_start(self) -> None:
            await host.start()

        async def on_stop(self) -> None:
            await host.stop(ending.work_seconds)
            ending.farewell()  # Faust can wait for ever to leave a group in the middle of a rebalance

    return HostService


def _group_committer(app: faust.App, settings: Settings) -> Any:
    async def commit(partition: Partition) -> None:
        positions = {
            faust.types.TP(settings.prefix + TOPICS[kind], partition.number): offset
            for kind, offset in partition.replica.positions.items()
        }
        if not positions:
            return
        try:
            consumer: Any = app.consumer  # ours: see transport
            await consumer.commit_positions(positions)
        except Exception as error:  # noqa: BLE001 - informative only: nothing of ours reads these offsets
            logger.debug("group offsets not committed: %s", error)

    return commit


class SignalledWorker(faust.Worker):
    """Faust's worker, which ends within the time that is given."""

    def __init__(self, app: faust.App, host: Host, ending: Ending) -> None:
        super().__init__(app, loglevel="WARN", quiet=True, redirect_stdouts=False, override_logging=False)
        self._host, self._ending = host, ending

    def _install_signal_handlers_unix(self) -> None:
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, self._asked)  # not the loop's: the time must run also when the loop hangs

    def _asked(self, sign: int, _frame: object) -> None:
        if self._ending.begin():
            self.loop.call_soon_threadsafe(self._leave, signal.Signals(sign))

    def _leave(self, sign: signal.Signals) -> None:
        """Our own work ends now; Faust, which comes to it when its own turn allows, ends beside it."""
        self._last_work = asyncio.ensure_future(self._host.stop(self._ending.work_seconds))
        self._schedule_shutdown(sign)


def run_app(app: faust.App, host: Host, ending: Ending) -> None:
    """Run the app until SIGTERM or SIGINT; leaves by SystemExit when Faust itself failed."""
    worker = SignalledWorker(app, host, ending)
    worker.spinner = None  # it would write "show the cursor" into logs
    try:
        worker.execute_from_commandline()
    except SystemExit as stopped:
        if stopped.code:
            raise
