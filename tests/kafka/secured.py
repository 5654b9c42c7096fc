"""The dev broker with more doors: TLS, SASL, both. It stays ours; only its configuration is added to."""

from __future__ import annotations

import asyncio
import subprocess  # as the dev broker does
from typing import TYPE_CHECKING, Any, TypeVar

from stream.kafka.broker import CLUSTER_ID, HOST, DevBroker, free_port
from tests.kafka.certificates import Files

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from pathlib import Path

USERNAME = "segstream"
PASSWORD = "never-to-be-seen-4711"  # noqa: S105 - of a broker that lives as long as the test
DOORS = {"TLS": "SSL", "CLEAR": "SASL_PLAINTEXT", "SAFE": "SASL_SSL"}  # listener, protocol
LOOK_SECONDS = 0.01  # between two looks whether the driver's connections are closed

T = TypeVar("T")

_MORE = """
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
listener.name.tls.ssl.client.auth=required
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
"""
_PLAIN_LOGIN = (
    "listener.name.{door}.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required "
    'user_{username}="{password}";\n'
)
_SCRAM_LOGIN = (
    "listener.name.{door}.{mechanism}.sasl.jaas.config="
    "org.apache.kafka.common.security.scram.ScramLoginModule required;\n"
)


class SecuredBroker(DevBroker):
    """Its plain listener stays, for the broker's own start; `door` gives the address of another."""

    def __init__(self, cache: Path, server: Files) -> None:
        super().__init__(cache)
        self._server = server
        self._doors: dict[str, int] = {}

    def door(self, name: str) -> str:
        """`host:port` of a listener in DOORS."""
        return f"{HOST}:{self._doors[name]}"

    def _write_properties(self) -> Path:
        path = super()._write_properties()
        self._doors = {name: free_port() for name in DOORS}
        keystore = self.folder / "server.pem"
        keystore.write_bytes(self._server.key.read_bytes() + self._server.certificate.read_bytes())
        places = "".join(f",{name}://{HOST}:{port}" for name, port in self._doors.items())
        protocols = ",".join(f"{name}:{protocol}" for name, protocol in DOORS.items())
        lines = [
            line + places if line.startswith(("listeners=", "advertised.listeners=")) else line
            for line in path.read_text("utf-8").splitlines()
        ]
        lines.append(f"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,{protocols}")
        lines.append(_MORE.format(keystore=keystore, authority=self._server.authority))
        for door in ("clear", "safe"):
            lines.append(_PLAIN_LOGIN.format(door=door, username=USERNAME, password=PASSWORD))
            lines += [_SCRAM_LOGIN.format(door=door, mechanism=f"scram-sha-{bits}") for bits in (256, 512)]
        path.write_text("\n".join(lines), "utf-8")
        return path

    def _format(self, java: list[str], properties: Path, log: int) -> None:
        users = [f"SCRAM-SHA-{bits}=[name={USERNAME},iterations=4096,password={PASSWORD}]" for bits in (256, 512)]
        added = [word for user in users for word in ("--add-scram", user)]
        command = [*java, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(properties), *added]
        subprocess.run(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, check=True)


def ended(attempt: Coroutine[Any, Any, T]) -> T:
    """Run to the end, and on until TLS has said goodbye, for which the driver does not wait when it closes."""
    return asyncio.run(_ended(attempt))


async def _ended(attempt: Coroutine[Any, Any, T]) -> T:
    try:
        return await attempt
    finally:
        loop: Any = asyncio.get_running_loop()
        async with asyncio.timeout(10):
            while len(loop._selector.get_map()) > 1:  # noqa: ASYNC110 - the driver has no event; our own pipe stays
                await asyncio.sleep(LOOK_SECONDS)
