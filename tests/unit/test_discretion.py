"""The worker's log shows where an exception came from, and nothing of what it says."""

from __future__ import annotations

import asyncio
import io
import logging

import pytest

from stream.worker.discretion import DiscreetFormatter

CUSTOMER = "anna@example.com"


@pytest.fixture
def written() -> io.StringIO:
    """What a handler with our formatter writes."""
    return io.StringIO()


@pytest.fixture
def logger(written: io.StringIO) -> logging.Logger:
    """A logger that writes there alone, after a handler that has formatted the exception with its words."""
    made = logging.Logger("test")  # noqa: LOG001 - of no tree: nothing is left behind
    loud, discreet = logging.StreamHandler(io.StringIO()), logging.StreamHandler(written)
    discreet.setFormatter(DiscreetFormatter("%(levelname)s %(name)s: %(message)s"))
    made.addHandler(loud)
    made.addHandler(discreet)
    return made


def test_an_exception_is_shown_without_its_words(logger: logging.Logger, written: io.StringIO) -> None:
    """Every kind of the chain and every line of code; no message, though another handler has formatted it before."""
    try:
        try:
            dict[str, int]()[CUSTOMER]
        except KeyError as error:
            raise ValueError(f"{CUSTOMER} is unknown") from error
    except ValueError:
        logger.exception("a partition failed")
    shown = written.getvalue()
    assert shown.startswith("ERROR test: a partition failed\n")
    assert shown.index("KeyError") < shown.index("ValueError")
    assert "test_discretion.py" in shown
    assert CUSTOMER not in shown


def test_a_task_that_nobody_awaited_is_shown_without_its_exception(written: io.StringIO) -> None:
    """Asyncio's own report quotes the task, and with it what the exception says."""
    handler = logging.StreamHandler(written)
    handler.setFormatter(DiscreetFormatter("%(name)s: %(message)s"))
    asyncio_logger = logging.getLogger("asyncio")
    asyncio_logger.addHandler(handler)

    async def fail() -> None:
        raise KeyError(CUSTOMER)

    async def run() -> None:
        task = asyncio.ensure_future(fail())
        await asyncio.wait([task])
        del task

    try:
        asyncio.run(run())
    finally:
        asyncio_logger.removeHandler(handler)
    assert "Task exception was never retrieved" in written.getvalue()
    assert "KeyError" in written.getvalue()
    assert CUSTOMER not in written.getvalue()
