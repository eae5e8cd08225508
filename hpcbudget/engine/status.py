"""Status of a run, read from what it left in OUT; any number of readers disturb nobody."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpcbudget.engine.ledger import Ledger
from hpcbudget.errors import ConfigError


@dataclass(frozen=True)
class Status:
    """Where a run stands.

    Attributes
    ----------
    done, failed, total : int
        Blocks.
    gb_per_s : float
        Decoded GB per second of the latest driver.
    eta_seconds : float or None
        Expected seconds to the end.
    workers : int
        Workers at the latest event.
    updated : float
        Time of the latest event, in seconds since 1970.
    merged : bool
        Whether fluxes and tables are there.
    failures : tuple of str
        What went wrong with blocks that failed for good.
    jobs : tuple of dict
        Jobs submitted for this run.
    """

    done: int
    failed: int
    total: int
    gb_per_s: float
    eta_seconds: float | None
    workers: int
    updated: float
    merged: bool
    failures: tuple[str, ...] = ()
    jobs: tuple[dict[str, Any], ...] = ()

    @property
    def left(self) -> int:
        """Blocks neither done nor failed."""
        return self.total - self.done - self.failed


def read_status(out: Path) -> Status:
    """Read the latest event of a run.

    Raises
    ------
    ConfigError
        If no run was begun in `out`.
    """
    event = _latest(out / "progress.jsonl")
    if event is None:
        raise ConfigError("no run was begun here", where=str(out), fix="give the --out of a run")
    return Status(
        done=event["done"],
        failed=event["failed"],
        total=event["total"],
        gb_per_s=event["gb_per_s"],
        eta_seconds=event["eta_seconds"],
        workers=event["workers"],
        updated=event["time"],
        merged=(out / "fluxes.zarr" / "zarr.json").exists(),
        failures=tuple(Ledger(out).failures()),
        jobs=tuple(json.loads(line) for line in _lines(out / "jobs.jsonl")),
    )


def _latest(path: Path) -> dict[str, Any] | None:
    """Return the last whole line; a line that is being written is not one yet."""
    for line in reversed(_lines(path)):
        try:
            event: dict[str, Any] = json.loads(line)
        except json.JSONDecodeError:
            continue
        return event
    return None


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    return path.read_text(encoding="utf-8").splitlines()
