"""Record a small system as its topics hold it: `python -m tests.golden.record` writes layout-vN.json.gz.

Do it before a change of `ROW`: the recording is what later versions upgrade from. One partition lives in memory,
checkpoints, and dies with applied entries after the last checkpoint, of whose changes some are not published.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from dataclasses import replace
from typing import Any

from models.customers.row import ROW, ROW_VERSION
from stream.codec.state import MARKER_KEY, decode_marker
from stream.simulate import events
from stream.worker.replica import rule_of
from tests.golden.recording import CHANGES, FOLDER, JOURNAL, described, settings_of
from tests.still import StillClock, StillLog, claimed, send, work

SEED, CUSTOMERS, DAYS = 5, 12, 60  # some hundred events: every kind of field is used, and the file stays small
NOW_MS = 1_800_000_000_000  # after every simulated event
CHECKPOINT_EVENTS = 160  # ten batches: room for entries after a checkpoint
ENTRIES_AFTER = 6  # of the journal, after the last marker
UNPUBLISHED = 20  # changes that never reached the topic


async def live_and_die(log: StillLog) -> None:
    """One worker, killed with a debt."""
    settings = replace(settings_of(ROW_VERSION), checkpoint_events=CHECKPOINT_EVENTS, checkpoint_seconds=60.0)
    send(log, [(one.topic, one.payload) for one in events(SEED, CUSTOMERS, DAYS)], settings.definitions)
    partition = await claimed(log, settings, StillClock(NOW_MS))
    journal = log.shelf(JOURNAL)

    def indebted() -> bool:
        return partition.progress.debt.events > 0 and journal.end - partition_marker(log) >= ENTRIES_AFTER

    await work(log, partition, indebted)
    shelf = log.shelf(CHANGES)
    del shelf.records[-UNPUBLISHED:]
    shelf.end -= UNPUBLISHED


def partition_marker(log: StillLog) -> int:
    """Where the last checkpoint stands in the journal; far ahead before there is one."""
    values = [r.value or b"" for r in log.shelf("segment-state").records if r.key == MARKER_KEY]
    return decode_marker(values[-1]).journal_next if values else 2**62


def _text(value: bytes | None) -> str | None:
    return None if value is None else base64.b64encode(value).decode()


def main() -> None:
    """Write the recording of the present layout."""
    log = StillLog()
    asyncio.run(live_and_die(log))
    topics = {
        topic: [[r.offset, _text(r.key), _text(r.value), r.timestamp] for r in shelf.records]
        for (topic, _), shelf in sorted(log.shelves.items())
    }
    recording: dict[str, Any] = {
        "row_version": ROW_VERSION,
        "fingerprint": rule_of(settings_of(ROW_VERSION)).fingerprint(),
        "layout": described(ROW),
        "topics": topics,
    }
    text = json.dumps(recording, separators=(",", ":")).encode()
    (FOLDER / f"layout-v{ROW_VERSION}.json.gz").write_bytes(gzip.compress(text, mtime=0))


if __name__ == "__main__":
    main()
