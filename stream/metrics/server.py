"""Metrics, health and readiness over HTTP, in a thread of its own so that a busy event loop still answers."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Any, Self

from prometheus_client.exposition import choose_encoder

from stream.errors import SegstreamError

if TYPE_CHECKING:
    from types import TracebackType

    from prometheus_client import CollectorRegistry

    from stream.settings import Settings

Check = Callable[[], str | None]  # None when all is well, else why not, in words without customers or secrets

REQUEST_SECONDS = 5.0  # a client that stalls gives its thread back
REQUESTS_MAX = 32  # at once: a scraper, a kubelet and some people; each is a thread
POLL_SECONDS = 0.1  # how soon the server notices that it is to close
PATHS = "/metrics, /healthz, /readyz"


@dataclass(frozen=True, slots=True)
class _Answer:
    status: HTTPStatus
    body: bytes
    content_type: str = "text/plain; charset=utf-8"


class _Server(ThreadingHTTPServer):
    daemon_threads = True  # a stalled client must not keep the process alive

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._room = threading.BoundedSemaphore(REQUESTS_MAX)
        super().__init__(address, handler)

    def server_bind(self) -> None:
        """Bind without the base class's look-up of our own name, which waits for DNS."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread; hang up on whoever is one too many: it will ask again."""
        if not self._room.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """As the base class does, and make room again."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._room.release()


class MetricsServer:
    """Serves one registry and two checks while it is open; bound and listening when the constructor returns.

    `/metrics` wants `Authorization: Bearer <metrics_token>` if the setting is given; `/healthz` and
    `/readyz` do not (kubelets and load balancers ask them): 200 and `ok`, or 503 and the reason.

    Parameters
    ----------
    settings : `metrics_host`, `metrics_port` (0 for any free one), `metrics_token`.
    healthy : liveness; a reason means that only a restart helps.
    ready : readiness; a reason means "not now" (recovering, no partitions).

    Raises
    ------
    SegstreamError : the port is taken or the address is not ours.
    """

    def __init__(self, settings: Settings, registry: CollectorRegistry, *, healthy: Check, ready: Check) -> None:
        self._registry = registry
        self._token = settings.metrics_token
        self._checks = {"/healthz": healthy, "/readyz": ready}
        address = (settings.metrics_host, settings.metrics_port)
        try:
            self._server = _Server(address, self._handler())
        except OSError as error:
            raise SegstreamError(
                f"metrics cannot listen on {address[0]}:{address[1]}: {error.strerror}",
                "set SEGSTREAM_METRICS_PORT to another port, 0 for any free one, or -1 for none",
            ) from error
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_SECONDS,), name="metrics", daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> str:
        """`host:port` as it really is, also when any free port was asked for."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def close(self) -> None:
        """Stop listening; answers that are being written still end."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def answer(self, path: str, accept: str, authorization: str) -> _Answer:
        """Return the answer to a GET: a function of the request alone, without the network."""
        path = path.partition("?")[0]
        check = self._checks.get(path)
        if check is not None:
            reason = check()
            status = HTTPStatus.OK if reason is None else HTTPStatus.SERVICE_UNAVAILABLE
            return _Answer(status, (reason or "ok").encode() + b"\n")
        if path != "/metrics":
            return _Answer(HTTPStatus.NOT_FOUND, f"there are {PATHS}\n".encode())
        if self._token and not hmac.compare_digest(authorization.encode(), f"Bearer {self._token}".encode()):
            return _Answer(HTTPStatus.UNAUTHORIZED, b"send Authorization: Bearer with SEGSTREAM_METRICS_TOKEN\n")
        encode, content_type = choose_encoder(accept)
        return _Answer(HTTPStatus.OK, encode(self._registry), content_type)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        answer_to = self.answer

        class Handler(BaseHTTPRequestHandler):
            timeout = REQUEST_SECONDS
            server_version = "segstream"
            sys_version = ""  # the interpreter's version is nobody's business here

            def do_GET(self) -> None:
                answer = answer_to(self.path, self.headers.get("Accept", ""), self.headers.get("Authorization", ""))
                self.send_response(answer.status)
                self.send_header("Content-Type", answer.content_type)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's names
                """Say nothing: a scrape every few seconds is not an event."""

        return Handler
