"""The one exception that reaches a person: what happened and what to do next."""

from __future__ import annotations


class SegstreamError(Exception):
    """Something a person can put right.

    Parameters
    ----------
    message : what happened, one sentence without a full stop, naming the thing (variable, topic, file).
    advice : what to do next, naming the command, variable or file.
    """

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        """Both sentences: what a log line or a test shows."""
        return f"{self.message}; {self.advice}"

    def __reduce__(self) -> tuple[type[SegstreamError], tuple[str, str]]:
        """Cross process borders with both arguments (the default keeps only the first)."""
        return (type(self), (self.message, self.advice))
