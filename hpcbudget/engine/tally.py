"""Tally: what came of the blocks of a run, and the clock that says when to stop taking them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from hpcbudget.engine.ledger import Ledger
from hpcbudget.engine.work import Done, Failed, Unit
from hpcbudget.errors import BlockError, StoppedEarlyError


class Clock(Protocol):
    """Says whether more work may be begun; a job's driver asks its remaining walltime."""

    def may_begin(self, longest_seconds: float) -> bool:
        """Tell whether work of `longest_seconds` would still end in time."""
        ...


@dataclass
class NoLimit:
    """A clock without a limit."""

    def may_begin(self, longest_seconds: float) -> bool:
        """Return True."""
        return True


@dataclass
class Tally:
    """What came of the blocks of one execution.

    Attributes
    ----------
    out : Path
        Output directory.
    failed : dict of Unit to str
        Why blocks failed for good.
    done : int
        Blocks finished.
    seconds, longest_seconds : float
        Time that these took on their workers: all together, and the longest of them.
    left : int
        Blocks that were not begun because the time was up.
    """

    out: Path
    failed: dict[Unit, str] = field(default_factory=dict)
    done: int = 0
    seconds: float = 0.0
    longest_seconds: float = 0.0
    left: int = 0

    def count(self, done: Done) -> None:
        """Count a finished block."""
        self.done += 1
        self.seconds += done.seconds
        self.longest_seconds = max(self.longest_seconds, done.seconds)

    def lose(self, failed: Failed) -> None:
        """Note a block that failed for good, here and in the ledger."""
        self.failed[failed.block] = failed.why
        Ledger(self.out).record_failure(failed.block, failed.why)

    def settle(self) -> None:
        """Raise what a run must not pass over in silence.

        Raises
        ------
        BlockError
            Some blocks failed for good.
        StoppedEarlyError
            Blocks are left because the time is up.
        """
        if self.failed:
            listed = "\n".join(self.failed.values())
            raise BlockError(
                f"{len(self.failed)} blocks failed; all others are finished and kept",
                where=listed,
                why="a budget without them would be wrong, so none was made",
                fix="mend the cause and run again: finished blocks are not repeated",
            )
        if self.left:
            raise StoppedEarlyError(
                f"stopped in time with {self.left} blocks left",
                fix="run again to go on: finished blocks are not repeated",
            )
