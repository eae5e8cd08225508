"""Status of a run, read from what it left in OUT; any number of readers disturb nobody."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
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
    """Read the latest event of a run; where there is none, count the ledger.

    Raises
    ------
    ConfigError
        If no run was begun in `out`.
    """
    jobs = tuple(_objects(out / "jobs.jsonl"))
    event = _of_parts(out, _latest(out / "progress.jsonl")) or _of_ledger(out)
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
    return {
        "done": sum(e["done"] for e in ours),
        "failed": sum(e["failed"] for e in ours),
        "total": _planned(out),
        "workers": len(running),
        "gb_per_s": sum(e["gb_per_s"] for e in running),
        "eta_seconds": max((e["eta_seconds"] or 0.0 for e in running), default=None),
        "time": found[last]["time"],
    }


def _of_ledger(out: Path) -> dict[str, Any] | None:
    """Make an event of what the ledger holds, for a run whose own account is lost or damaged."""
    done = [path.stat().st_mtime for path in (out / "ledger").rglob("*.totals")]
    failed = len(Ledger(out).failures())
    if not done and not failed:
        return None
    counted = {"done": len(done), "failed": failed, "time": max(done, default=0.0)}
    return {**_NOTHING_YET, **counted, "total": max(_planned(out), len(done) + failed)}


def _planned(out: Path) -> int:
    """Return how many blocks the run has, as its provenance says."""
    try:
        return int(json.loads((out / "provenance.json").read_text(encoding="utf-8"))["blocks"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _latest(path: Path) -> dict[str, Any] | None:
    """Return the last event; a line that is being written is not one yet."""
    events = [event for event in _objects(path) if _NOTHING_YET.keys() <= event.keys()]
    return events[-1] if events else None


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    """Yield what whole lines say; what a full disk or a lost node has left of others is skipped."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        with suppress(json.JSONDecodeError):
            found = json.loads(line)
            if isinstance(found, dict):
                yield found
