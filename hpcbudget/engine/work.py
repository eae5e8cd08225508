"""Work: what can be handed out to workers, whatever it computes, and what a worker does with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from hpcbudget.errors import ClusterError, HpcBudgetError, OutputError, StoppedEarlyError


class Unit(Protocol):
    """A piece of work that is done whole or not at all; hashable and small."""

    @property
    def name(self) -> str:
        """Name in the ledger, in messages and in ``status``."""
        ...


class Work(Protocol):
    """Computes units where the data are read; sent to each worker once."""

    @property
    def out(self) -> Path:
        """Output directory, on a file system that all workers share."""
        ...

    def warm(self) -> None:
        """Compile what units need, so that the first of them does not pay for it."""
        ...

    def run(self, unit: Any, /) -> Done:
        """Compute a unit and record it, so that it need not be done again."""
        ...


@dataclass(frozen=True, slots=True)
class Done:
    """What a finished unit tells the driver: numbers of progress, not of the budget."""

    block: Unit
    read_bytes: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """What a failed unit tells the driver.

    Attributes
    ----------
    block : Unit
    why : str
        The whole message.
    curable : bool
        Whether another try may help: bad data stay bad; lost workers, file systems out of breath
        and memory may not.
    """

    block: Unit
    why: str
    curable: bool

    @classmethod
    def of(cls, block: Unit, error: BaseException) -> Failed:
        """Describe the error of a unit."""
        if isinstance(error, HpcBudgetError):
            return cls(block, str(error), _comes_of_the_system(error))
        return cls(block, f"block {block.name}: {type(error).__name__}: {error}", curable=True)


def _comes_of_the_system(error: BaseException | None) -> bool:
    """Tell whether an error, however often it was raised anew with its place, began as OSError."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__
    return error is not None


def attempt(work: Work, unit: Unit) -> Done | Failed:
    """Compute a unit; only what concerns the whole run is raised.

    Raises
    ------
    OutputError
        The ledger cannot be written: going on would be of no use.
    StoppedEarlyError, ClusterError
        The time is up, or the workers are gone.
    """
    try:
        return work.run(unit)
    except (OutputError, StoppedEarlyError, ClusterError):
        raise
    except Exception as error:
        return Failed.of(unit, error)


# ------------------------------------------------------------------ on a worker

_WORK: dict[str, Work] = {}


def hold(work: Work) -> None:
    """Keep the run's work for the bundles that this process will be given."""
    _WORK["current"] = work


def run_bundle(units: Sequence[Unit]) -> list[Done | Failed]:
    """Compute some units, one after the other, with the work that this process holds."""
    return [attempt(_WORK["current"], unit) for unit in units]
