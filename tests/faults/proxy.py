"""A proxy between Kafka clients and a broker that holds back writes, in order, as long as it is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Self

from stream.kafka.broker import HOST

PRODUCE = 0  # Kafka's number of the request
SIZE_BYTES, KEY_BYTES = 4, 2  # each request begins with its size, then its kind
PIECE_BYTES = 65_536  # of an answer, passed on at a time


class HeldWrites:
    """Listens on `port`, passes everything on to `behind`; each produce request is passed after `hold(request)`."""

    def __init__(self, port: int, behind: int, hold: Callable[[bytes], Awaitable[object]]) -> None:
        self._port, self._behind, self._hold = port, behind, hold
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Future[None]] = set()
        self.held_count = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, HOST, self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for one in self._connections:
            one.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.ensure_future(self._serve(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with _closing(writer):
            with contextlib.suppress(OSError):
                answers, requests = await asyncio.open_connection(HOST, self._behind)
                async with _closing(requests):
                    await self._pass_both(reader, requests, answers, writer)

    async def _pass_both(
        self,
        reader: asyncio.StreamReader,
        requests: asyncio.StreamWriter,
        answers: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Until either side hangs up."""
        both = [
            asyncio.ensure_future(self._pass_requests(reader, requests)),
            asyncio.ensure_future(_pass_answers(answers, writer)),
        ]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in both:
                one.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def _pass_requests(self, reader: asyncio.StreamReader, requests: asyncio.StreamWriter) -> None:
        while True:
            size = await reader.readexactly(SIZE_BYTES)
            request = await reader.readexactly(int.from_bytes(size))
            if int.from_bytes(request[:KEY_BYTES]) == PRODUCE:
                self.held_count += 1
                await self._hold(request)
            requests.write(size + request)
            await requests.drain()


async def _pass_answers(answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await answers.read(PIECE_BYTES):
        writer.write(piece)
        await writer.drain()


@contextlib.asynccontextmanager
async def _closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    try:
        yield
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
