"""A log that cannot tell of customers: where an exception is shown, it is without what it says.

`KeyError('anna@example.com')` names a customer, the lines of code that led to it do not.
"""

from __future__ import annotations

import copy
import logging
import traceback
from types import TracebackType

ExceptionTriple = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class DiscreetFormatter(logging.Formatter):
    """Shows of an exception, and of those that led to it, the kind and the lines of code."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; of asyncio's only the first, since the others show a task with its exception."""
        if record.name == "asyncio" or record.exc_text:  # the latter: another handler's, with the words
            record = copy.copy(record)
            record.exc_text = None
            if record.name == "asyncio":
                record.msg, record.args = record.getMessage().partition("\n")[0], ()
        return super().format(record)

    def formatException(self, ei: ExceptionTriple) -> str:  # noqa: N802 - the base class's name
        """Every exception of the chain, the first cause first."""
        shown: list[str] = []
        error, seen = ei[1], set[int]()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            shown.insert(0, "".join(traceback.format_tb(error.__traceback__)) + type(error).__name__)
            error = error.__cause__ or error.__context__
        return "\n".join(shown)
