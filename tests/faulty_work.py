"""Work that goes wrong in known ways; a module of its own, so that worker processes find it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from hpcbudget.engine.work import Done
from hpcbudget.errors import InputError, OutputError


@dataclass(frozen=True)
class Chore:
    """A unit of work; its name says what happens."""

    name: str


@dataclass(frozen=True)
class FaultyWork:
    """Fails as the name of the unit says, and leaves a mark for each try."""

    out: Path

    def tries(self, unit: Chore) -> int:
        """Return how often the unit was begun."""
        path = self.out / "tries" / unit.name
        return len(path.read_text()) if path.exists() else 0

    def warm(self) -> None:
        """Leave a mark for each worker that got ready."""
        with (self.out / "warmed").open("a") as file:
            file.write(".")

    def run(self, unit: Chore, /) -> Done:
        """Do as the unit's name says."""
        path = self.out / "tries" / unit.name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as file:
            file.write(".")
        kind, _, number = unit.name.partition("-")
        if kind == "bad":
            raise InputError("chunk 3.0.0 is truncated", where="m.zarr")
        if kind == "killer":
            os._exit(9)
        if kind == "bug":
            raise ZeroDivisionError("division by zero")
        if kind == "flaky" and self.tries(unit) <= int(number):
            raise OSError("the file system is out of breath")
        if kind == "full":
            raise OutputError("no space left on the disk")
        return Done(unit, 0, 0.001)
