"""A worker's own file that `definitions check` calls wrong: not put in force, but followed where it already is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from stream.codec.definitions import load, shipped_text
from stream.codec.enactments import APPLY, Enactment
from stream.settings import Settings
from stream.worker.ending import EXIT_INFRASTRUCTURE
from stream.worker.life import life
from tests.kafka.worker import crew, read_all, told, until

pytestmark = pytest.mark.kafka


def test_a_worker_refuses_its_own_file_but_not_the_past(settings: Settings, tmp_path: Path) -> None:
    """A segment that nobody can enter: nothing is published and the worker ends; what is in force goes on."""
    path = tmp_path / "segments.yaml"
    path.write_text(shipped_text().replace("when: orders == 0", "when: always", 1), "utf-8")
    settings = told(settings, partitions=1, definitions=str(path))

    async def run() -> None:
        async with crew(settings, tmp_path, "worker") as (_, [worker]):
            worker.launch()

            async def ended() -> bool:
                return not worker.running

            await until(ended, "end", worker)
            assert worker.exit_code == EXIT_INFRASTRUCTURE
            assert "nobody can enter" in worker.log
            assert f"`segstream definitions check {path}` shows it" in worker.log
            assert await read_all(settings, "segment-definitions") == []
            async with life(settings) as of:  # as a version before this rule would have done
                definitions, document = load(str(path))
                await of.enact(document, Enactment(definitions.digest, 1, APPLY))
            await worker.start()
            assert "nobody can enter" not in worker.log
            await worker.stop()

    asyncio.run(run())
