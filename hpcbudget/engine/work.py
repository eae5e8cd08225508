"""Work: what can be handed out to workers, whatever it computes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


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

    def run(self, unit: Any, /) -> Done:
        """Compute a unit and record it, so that it need not be done again."""
        ...


@dataclass(frozen=True, slots=True)
class Done:
    """What a finished unit tells the driver: numbers of progress, not of the budget."""

    block: Unit
    read_bytes: int
    seconds: float
