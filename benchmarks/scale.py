"""What blocks and workers cost the driver: empty blocks, so that nothing else is measured.

    python benchmarks/scale.py [--blocks 1000 10000 100000] [--workers 1 2 4 8]

Prints JSON lines: seconds per block on the driver, resident memory of the driver before and after.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from distributed import Client, LocalCluster

from hpcbudget import __version__
from hpcbudget.engine.execute import execute
from hpcbudget.engine.progress import Progress
from hpcbudget.engine.work import Done


@dataclass(frozen=True)
class EmptyBlock:
    """A unit of work in which nothing is to be done."""

    number: int

    @property
    def name(self) -> str:
        """Name of the unit."""
        return f"empty/{self.number:06d}"


@dataclass(frozen=True)
class NoWork:
    """Does nothing, as fast as possible."""

    out: Path

    def run(self, unit: EmptyBlock, /) -> Done:
        """Return at once."""
        return Done(unit, 0, 0.0)


def blocks(count: int) -> Iterator[EmptyBlock]:
    """Yield units one by one: nobody holds all of them."""
    return (EmptyBlock(i) for i in range(count))


def resident_mb() -> float:
    """Return this process's resident memory now, in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def measure(count: int, workers: int) -> dict[str, float | int | str]:
    """Run `count` empty blocks on `workers` processes."""
    with (
        tempfile.TemporaryDirectory() as folder,
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as cluster,
        Client(cluster) as client,
    ):
        out = Path(folder)
        execute(client, NoWork(out), blocks(100), Progress(out, 100, 0)).settle()
        before, begin, used = resident_mb(), time.perf_counter(), time.process_time()
        execute(client, NoWork(out), blocks(count), Progress(out, count, 0)).settle()
        seconds, used = time.perf_counter() - begin, time.process_time() - used
        return {
            "bench": "scale",
            "name": f"{count} empty blocks, {workers} workers",
            "blocks": count,
            "workers": workers,
            "ms_per_block": 1e3 * seconds / count,
            "driver_cpu_ms_per_block": 1e3 * used / count,
            "driver_mb_before": before,
            "driver_mb_after": resident_mb(),
            "version": __version__,
        }


def main() -> None:
    """Measure every combination that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8])
    arguments = parser.parse_args()
    for workers in arguments.workers:
        for count in arguments.blocks:
            print(json.dumps(measure(count, workers)), flush=True)


if __name__ == "__main__":
    main()
