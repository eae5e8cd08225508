"""Walltime: stop taking blocks in time, and end in good order when told to.

A driver in a job asks SLURM how long it has left. Close to the end it begins no more blocks, lets
those in flight end, and the run exits with status 75, "run again to go on". SIGUSR1 and SIGTERM do
the same; after SIGTERM the blocks in flight have only a few seconds, for SLURM kills what is left.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from hpcbudget.engine.slurm.queue import in_job
from hpcbudget.engine.slurm.queue import seconds_left as slurm_seconds_left
from hpcbudget.errors import ClusterError, HpcBudgetError, StoppedEarlyError

# SLURM's KillWait is 30 s where nobody changed it; some sites have less.
TERM_GRACE_SECONDS = 3.0
# The limit of a running job can be changed; asking more often would only burden the controller.
ASK_AGAIN_SECONDS = 300.0
# A driver keeps two blocks for each worker, so one begun now may wait for another one.
BLOCKS_IN_LINE = 2


class Walltime:
    """A clock that knows when the job ends (see `hpcbudget.engine.execute.Clock`).

    Parameters
    ----------
    seconds_left : callable
        Seconds until the limit, None if there is none. Asked now and then, not for every block.
    reserve_seconds : float
        Kept free at the end for closing down.
    now : callable
        Monotonic seconds.

    Examples
    --------
    >>> clock = Walltime(lambda: 100.0, reserve_seconds=60.0, now=lambda: 0.0)
    >>> clock.may_begin(15.0), clock.may_begin(25.0)
    (True, False)
    """

    def __init__(
        self,
        seconds_left: Callable[[], float | None] = lambda: None,
        reserve_seconds: float = 60.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.reserve_seconds = reserve_seconds
        self.why: str | None = None
        self._ask, self._now = seconds_left, now
        self._error: HpcBudgetError | None = None
        self._end: float | None = None
        self._longest_seconds = 0.0
        self._begun = 0
        self._asked = -float("inf")
        self.left()

    @classmethod
    def of_job(cls, reserve_seconds: float = 60.0) -> Walltime:
        """Return the clock of the job this process runs in; without a limit outside of any."""
        job = in_job()
        if job is None:
            return cls(reserve_seconds=reserve_seconds)
        return cls(lambda: slurm_seconds_left(job), reserve_seconds)

    def left(self) -> float | None:
        """Return the seconds until the limit; None without one."""
        if self._now() - self._asked >= ASK_AGAIN_SECONDS:
            self._asked = self._now()
            seconds = self._ask()
            # an unanswered question leaves the end where it was known to be
            if seconds is not None:
                self._end = self._now() + seconds
        return None if self._end is None else self._end - self._now()

    def may_begin(self, longest_seconds: float) -> bool:
        """Tell whether a block of `longest_seconds` would still end in time.

        Raises
        ------
        ClusterError
            If there is no time for even one: running again would come to the same.
        """
        if self.why is not None:
            return False
        self._longest_seconds = longest_seconds
        left = self.left()
        if left is not None and left < self.reserve_seconds + BLOCKS_IN_LINE * longest_seconds:
            self.why = f"{left:.0f} s are left of the time limit"
            if not self._begun:
                raise self._too_short()
            return False
        self._begun += 1
        return True

    def stop(self, why: str) -> None:
        """Begin no more blocks."""
        if self.why is None:
            self.why = why

    def abandon(self, error: HpcBudgetError) -> None:
        """Raise `error` in the main thread, whatever it waits for; from any thread."""
        self._error = error
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Mind SIGTERM, SIGUSR1 and the limit itself for as long as the context lasts.

        In any thread but the main one this does nothing: Python takes signals nowhere else.

        Raises
        ------
        StoppedEarlyError
            Out of whatever is running, when blocks in flight must be given up.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handled = (signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM)
        before = {number: signal.signal(number, self._handle) for number in handled}
        # whoever started workers may have kept SIGUSR1 from reaching them (see allocation)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
        left = self.left()
        if left is not None:
            signal.setitimer(signal.ITIMER_REAL, max(left - self.reserve_seconds / 3, 0.1))
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, handler in before.items():
                signal.signal(number, handler)

    def _handle(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGALRM:
            error, self._error = self._error, None
            at_limit = self.why is None or self.why.endswith("limit")
            if error is None and at_limit and self._begun and not self._longest_seconds:
                error = self._too_short()
            raise error or self._given_up()
        told = self.why is not None
        self.stop(signal.Signals(number).name)
        if number == signal.SIGTERM:
            if told:
                raise self._given_up()
            signal.setitimer(signal.ITIMER_REAL, TERM_GRACE_SECONDS)

    def _too_short(self) -> ClusterError:
        return ClusterError(
            "the time limit of the job is too short for a single block",
            why="submitted again, it would come no further",
            fix="a longer --time, a smaller engine.block_mb, or a smaller stop_seconds of the site",
        )

    def _given_up(self) -> StoppedEarlyError:
        return StoppedEarlyError(
            f"stopped in the middle of the work ({self.why or 'the time limit is here'})",
            why="finished blocks are kept",
            fix="run again to go on",
        )
