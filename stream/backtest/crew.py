"""Crew: the partitions of a backtest, in this process or over several. Calls to one partition run in their order.

A call without an answer is sent and forgotten; the pipe's size is all that waits. An answer is awaited where it is
needed, so reading goes on while partitions work, and the outcome is that of calls one after the other.
"""

from __future__ import annotations

import multiprocessing
import signal
import threading
from collections import deque
from concurrent.futures import Future
from typing import Any, Protocol

from models.engine import Engine, judge_of
from stream.backtest.partition_run import Options, PartitionRun
from stream.backtest.usage import Usage, usage
from stream.errors import SegstreamError

STOP_SECONDS = 10.0  # after which a process that does not end by itself is ended


class Crew(Protocol):
    """Partitions by number."""

    partitions: int

    def tell(self, partition: int, call: str, *arguments: Any) -> None:
        """Call a partition, without an answer."""
        ...

    def ask(self, call: str, *arguments: Any) -> list[Future[Any]]:
        """Call every partition; the answers in their order."""
        ...

    def usages(self) -> list[Usage]:
        """What each process of the crew has used, this one not among them."""
        ...

    def close(self) -> None:
        """End the processes."""
        ...


def crew(options: Options, partitions: int, processes: int) -> Crew:
    """A crew of that many partitions; one process means this one."""
    if processes <= 1:
        return _Here(options, partitions)
    return _Processes(options, partitions, min(processes, partitions))


def _warmed(options: Options) -> None:
    """Compile the kernel (seconds the first time) before anything is measured."""
    Engine(judge_of(options.variants[0].definitions, None), 1).warm()


class _Here:
    def __init__(self, options: Options, partitions: int) -> None:
        self.partitions = partitions
        _warmed(options)
        self._runs = [PartitionRun(number, options) for number in range(partitions)]

    def tell(self, partition: int, call: str, *arguments: Any) -> None:
        getattr(self._runs[partition], call)(*arguments)

    def ask(self, call: str, *arguments: Any) -> list[Future[Any]]:
        answers: list[Future[Any]] = []
        for run in self._runs:
            answer: Future[Any] = Future()
            answer.set_result(getattr(run, call)(*arguments))
            answers.append(answer)
        return answers

    def usages(self) -> list[Usage]:
        return []

    def close(self) -> None:
        pass


class _Processes:
    def __init__(self, options: Options, partitions: int, processes: int) -> None:
        self.partitions = partitions
        self._members = [_Member(options, list(range(i, partitions, processes))) for i in range(processes)]
        for member in self._members:
            member.ask(-1, "ready").result()

    def _of(self, partition: int) -> _Member:
        return self._members[partition % len(self._members)]

    def tell(self, partition: int, call: str, *arguments: Any) -> None:
        self._of(partition).send(partition, call, arguments)

    def ask(self, call: str, *arguments: Any) -> list[Future[Any]]:
        return [self._of(partition).ask(partition, call, *arguments) for partition in range(self.partitions)]

    def usages(self) -> list[Usage]:
        return [member.ask(-1, "usage").result() for member in self._members]

    def close(self) -> None:
        for member in self._members:
            member.close()


class _Member:
    """One process of the crew, as the leader sees it."""

    def __init__(self, options: Options, numbers: list[int]) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would copy arrow's threads half
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, options, numbers), daemon=True)
        self._process.start()
        theirs.close()
        self._waiting: deque[Future[Any]] = deque()  # as many as questions were asked since the last was answered
        self._failure: BaseException | None = None
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def ask(self, partition: int, call: str, *arguments: Any) -> Future[Any]:
        answer: Future[Any] = Future()
        self._waiting.append(answer)
        self.send(partition, call, arguments, answers=True)
        return answer

    def send(self, partition: int, call: str, arguments: tuple[Any, ...], *, answers: bool = False) -> None:
        if self._failure is not None:
            raise self._failure
        try:
            self._pipe.send((partition, call, arguments, answers))
        except OSError:
            self._listener.join(STOP_SECONDS)  # it hears why
            raise self._failed() from None

    def _failed(self) -> BaseException:
        return self._failure or _ended()

    def _listen(self) -> None:
        """Answers come in the order of the questions; the first failure is the answer to all that are open."""
        while True:
            try:
                fine, value = self._pipe.recv()
            except (EOFError, OSError):
                fine, value = False, _ended()
            if fine:
                self._waiting.popleft().set_result(value)
                continue
            self._failure = value
            while self._waiting:
                self._waiting.popleft().set_exception(value)
            return

    def close(self) -> None:
        self._pipe.close()
        self._process.join(STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
        self._listener.join(STOP_SECONDS)


def _ended() -> SegstreamError:
    return SegstreamError(
        "a process of the backtest has ended", "was it killed for its memory? Give fewer --processes, or a smaller file"
    )


def _serve(pipe: Any, options: Options, numbers: list[int]) -> None:
    """The life of a member: calls in, answers out, until the leader closes the pipe."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the leader's to answer
    try:
        _warmed(options)
        runs = {number: PartitionRun(number, options) for number in numbers}
        while True:
            number, call, arguments, answers = pipe.recv()
            if call == "usage":
                value: Any = usage()
            else:
                value = getattr(runs[number], call)(*arguments) if number in runs else None
            if answers:
                pipe.send((True, value))
    except EOFError:
        return
    except OSError:
        return
    except Exception as error:  # noqa: BLE001 - whatever it is, the leader must hear of it
        pipe.send((False, error))
