"""Progress of a run: one event per interval, as JSON lines for programs and for a display."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from hpcbudget.engine.work import Done
from hpcbudget.files import unwritable


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where a run stands.

    Attributes
    ----------
    done, failed, total : int
        Blocks; `done` counts those of earlier runs too.
    read_bytes : int
        Decoded bytes read in this run.
    seconds : float
        Since this run began.
    workers : int
        Workers alive now.
    """

    done: int
    failed: int
    total: int
    read_bytes: int
    seconds: float
    workers: int
    resumed: int

    @property
    def fraction(self) -> float:
        """Share of blocks that are done."""
        return self.done / self.total if self.total else 1.0

    @property
    def gb_per_s(self) -> float:
        """Decoded GB per second of this run."""
        return self.read_bytes / 1e9 / self.seconds if self.seconds > 0 else 0.0

    @property
    def eta_seconds(self) -> float | None:
        """Expected seconds to the end, from this run's own pace."""
        new = self.done - self.resumed
        left = self.total - self.done - self.failed
        return self.seconds / new * left if new > 0 else None

    def __str__(self) -> str:
        eta = self.eta_seconds
        left = f"{int(eta // 60):02d}:{int(eta % 60):02d}" if eta is not None else "--:--"
        failed = f" failed {self.failed}" if self.failed else ""
        return (
            f"block {self.done}/{self.total} {100 * self.fraction:.0f}% "
            f"{self.gb_per_s:.2f} GB/s eta {left} workers {self.workers}{failed}"
        )


def progress_path(out: Path, part: tuple[int, int] | None = None) -> Path:
    """Return the file of a run's events; each part has its own.

    Lines that several nodes append to one file over a network can overwrite each other.
    """
    if part is None:
        return out / "progress.jsonl"
    return out / "parts" / f"{part[0]}-of-{part[1]}.jsonl"


class Progress:
    """Counts blocks, writes ``progress.jsonl`` and tells a display, at most once per interval.

    Parameters
    ----------
    out : Path
        Output directory.
    total : int
        Blocks of the run.
    resumed : int
        Blocks found done in the ledger.
    show : callable, optional
        Called with each `Snapshot`.
    interval : float
        Seconds between events; the first and the last block always give one.
    part : (int, int), optional
        Index and number of parts, if this is one of them.
    """

    def __init__(
        self,
        out: Path,
        total: int,
        resumed: int,
        show: Callable[[Snapshot], None] | None = None,
        interval: float = 1.0,
        part: tuple[int, int] | None = None,
    ) -> None:
        self.path = progress_path(out, part)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.total, self.resumed = total, resumed
        self.done, self.failed, self.read_bytes, self.workers = resumed, 0, 0, 0
        self.show = show
        self.interval = interval
        self.begin = time.monotonic()
        self.last = -float("inf")
        self.emit()

    def finished(self, block: Done) -> None:
        """Count a finished block."""
        self.done += 1
        self.read_bytes += block.read_bytes
        if time.monotonic() - self.last >= self.interval or self.done == self.total:
            self.emit()

    def lost(self) -> None:
        """Count a block that failed for good."""
        self.failed += 1
        self.emit()

    def snapshot(self) -> Snapshot:
        """Return where the run stands now."""
        return Snapshot(
            self.done,
            self.failed,
            self.total,
            self.read_bytes,
            time.monotonic() - self.begin,
            self.workers,
            self.resumed,
        )

    def emit(self) -> None:
        """Write and show the state now."""
        self.last = time.monotonic()
        snapshot = self.snapshot()
        event = {
            "time": round(time.time(), 6),
            **asdict(snapshot),
            "gb_per_s": round(snapshot.gb_per_s, 4),
            "eta_seconds": snapshot.eta_seconds,
        }
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(event) + "\n")
        except OSError as error:
            raise unwritable(self.path, error) from error
        if self.show is not None:
            self.show(snapshot)
