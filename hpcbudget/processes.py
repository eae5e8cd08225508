"""Work shared out to processes of this machine; results come back in order, whatever their number.

For what holds the interpreter's lock or a library's (drawing, HDF5). Helpers are started afresh and
talk through pipes: they share no locks and no threads with us, and a script that calls us needs no
guard against being run once more, which those of `multiprocessing` do.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from queue import SimpleQueue
from typing import Any, Final, Generic, TypeVar

from hpcbudget.errors import ClusterError

T = TypeVar("T")
R = TypeVar("R")

LEAST_SHARE: Final = 3
"""Items that are worth a helper: it takes a second or two to start."""


def spread(
    function: Callable[[T], R], items: Sequence[T], workers: int, least: int = LEAST_SHARE
) -> Iterator[R]:
    """Yield ``function(item)`` of each item in their order.

    Parameters
    ----------
    function : callable
        Can be pickled, as can items and results.
    items : sequence
        Whoever is free takes the next.
    workers : int
        Processes, with this one.
    least : int
        Items that are worth a process of their own.

    Raises
    ------
    ClusterError
        If a helper ends before its work. What `function` raises is raised here.

    Examples
    --------
    >>> list(spread(abs, [-1, 2, -3], workers=1))
    [1, 2, 3]
    """
    count = max(min(workers, len(items) // least), 1)
    if count == 1:
        yield from map(function, items)
        return
    with closing(Helpers(function, count)) as helpers:
        yield from helpers.map(items)


class Helpers(Generic[T, R]):
    """Processes, with this one, that apply a function and wait for more until they are closed.

    Parameters
    ----------
    function : callable
        Can be pickled; it is sent to each process once.
    count : int
    """

    def __init__(self, function: Callable[[T], R], count: int) -> None:
        self._helpers = [_Helper(function) for _ in range(count - 1)]
        self._free: SimpleQueue[Callable[[T], R]] = SimpleQueue()
        self._free.put(function)
        for helper in self._helpers:
            self._free.put(helper)
        self._threads = ThreadPoolExecutor(count)

    def map(self, items: Iterable[T]) -> Iterator[R]:
        """Yield the function's results in the order of items; whoever is free takes the next."""
        return self._threads.map(self._call, items)

    def _call(self, item: T) -> R:
        caller = self._free.get()
        try:
            return caller(item)
        finally:
            self._free.put(caller)

    def close(self) -> None:
        """Finish what was begun, and have the processes end."""
        self._threads.shutdown()
        for helper in self._helpers:
            helper.end()


class _Helper:
    """A process that applies a function to whatever it is sent."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import serve; serve()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self._function: Callable[[Any], Any] | None = function

    def __call__(self, item: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            if self._function is not None:
                pickle.dump(self._function, self._process.stdin)
                self._function = None
            pickle.dump(item, self._process.stdin)
            self._process.stdin.flush()
            raised, answer = pickle.load(self._process.stdout)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError):
            status = self._process.wait()
            raise ClusterError(
                f"a helper process ended with status {status}",
                why="it was killed (memory?), or could not be started",
                fix="--workers 1 does without helpers",
            ) from None
        if raised:
            raise answer
        return answer

    def end(self) -> None:
        """Let the process end; it is killed if it is still at work, as nobody waits for that."""
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        self._process.terminate()
        self._process.wait()


def serve() -> None:
    """Apply the function that comes first on standard input to all that follows."""
    # an interrupt reaches all of a terminal's processes: the one that asked ends us in good order
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # what libraries print must not come between the answers
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    function = pickle.load(sys.stdin.buffer)
    while True:
        try:
            item = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = False, function(item)
        except Exception as error:  # for the process that asked
            answer = True, error
        pickle.dump(answer, answers)
        answers.flush()
