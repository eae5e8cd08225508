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
    jobs = tuple(json.loads(line) for line in _lines(out / "jobs.jsonl") if line.endswith("}"))
    event = _of_parts(out, _latest(out / "progress.jsonl"))
    if event is None and not jobs:
        raise ConfigError("no run was begun here", where=str(out), fix="give the --out of a run")
    event = event or _NOTHING_YET
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
        jobs=jobs,
    )


_NOTHING_YET: dict[str, Any] = {
    **dict.fromkeys(("done", "failed", "total", "workers"), 0),
    **{"gb_per_s": 0.0, "eta_seconds": None, "time": 0.0},
}


def _of_parts(out: Path, whole: dict[str, Any] | None) -> dict[str, Any] | None:
    """Add up the parts of an array, if one of them is what happened last."""
    events = {path.stem: _latest(path) for path in (out / "parts").glob("*.jsonl")}
    found = {name: event for name, event in events.items() if event is not None}
    last = max(found, key=lambda name: found[name]["time"], default=None)
    if last is None or (whole is not None and whole["time"] > found[last]["time"]):
        return whole
    # an earlier run may have been cut into another number of parts
    ours = [e for n, e in found.items() if n.split("-")[-1] == last.split("-")[-1]]
    running = [e for e in ours if e["done"] + e["failed"] < e["total"]]
    blocks = json.loads((out / "provenance.json").read_text(encoding="utf-8"))["blocks"]
    return {
        "done": sum(e["done"] for e in ours),
        "failed": sum(e["failed"] for e in ours),
        "total": blocks,
        "workers": len(running),
        "gb_per_s": sum(e["gb_per_s"] for e in running),
        "eta_seconds": max((e["eta_seconds"] or 0.0 for e in running), default=None),
        "time": found[last]["time"],
    }


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
