"""A partition is let go of at any moment: a client that is connecting then is nobody's any more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from stream.kafka import client
from stream.settings import Settings


class Connecting:
    """A client whose broker never answers."""

    def __init__(self) -> None:
        self.begun, self.stopped = asyncio.Event(), False

    async def start(self) -> None:
        """For ever."""
        self.begun.set()
        await asyncio.Event().wait()

    async def stop(self) -> None:
        """Disconnect."""
        self.stopped = True


def test_who_is_cancelled_while_connecting_leaves_no_client_behind() -> None:
    """It would keep its tasks, connections and, of a producer, the transactional identity until the process ends."""

    async def run() -> bool:
        made: Any = Connecting()
        starting = asyncio.ensure_future(client.started(Settings(), made))
        await made.begun.wait()
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        return bool(made.stopped)

    assert asyncio.run(run())
