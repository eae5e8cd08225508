"""What a measurement is: work against a limit of the machine, timed in turn in the same process."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

PACKAGES = ("hpcbudget", "numba", "numpy", "xarray", "zarr", "zarrs", "netCDF4", "dask", "flox",
            "scipy", "xarray-regrid", "xesmf", "esmpy")  # fmt: skip

Work = Callable[[], object]


@dataclass(frozen=True)
class Row:
    """One measurement.

    Attributes
    ----------
    bench, name : str
        Which suite, and which of its problems.
    gb_per_s : float
        Rate of the program's own work, in 1e9 decoded bytes per second.
    limit_gb_per_s : float
        Rate at which this machine could do it at best, measured in the same minute.
    limit : str
        What that limit is.
    peers : mapping of str to float
        How many times as fast as each peer the program is.
    details : mapping of str to float
        Other figures worth keeping.
    """

    bench: str
    name: str
    gb_per_s: float
    limit_gb_per_s: float
    limit: str
    peers: Mapping[str, float] = field(default_factory=dict)
    details: Mapping[str, float] = field(default_factory=dict)

    @property
    def ratio_to_limit(self) -> float:
        """Share of the limit that is reached."""
        return self.gb_per_s / self.limit_gb_per_s

    def as_dict(self) -> dict[str, Any]:
        """Return the row as it goes into a file of JSON lines."""
        return {
            "bench": self.bench,
            "name": self.name,
            "gb_per_s": self.gb_per_s,
            "limit_gb_per_s": self.limit_gb_per_s,
            "ratio_to_limit": self.ratio_to_limit,
            "limit": self.limit,
            "peers": dict(self.peers),
            "details": dict(self.details),
            "versions": versions(),
        }


def side_by_side(
    works: Mapping[str, Work], rounds: int = 5, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Time several works in turn and return the shortest time of each, in seconds.

    Turns, not blocks: a machine that is busy for a while slows all of them alike. The shortest of
    several times is what the work takes when nothing else interferes. Each work is called once
    beforehand, so that compiling and first touches of memory are not timed. With
    ``time.process_time`` as the clock, waiting for a core that others use is not counted.

    Examples
    --------
    >>> times = side_by_side({"little": lambda: sum(range(10)), "much": lambda: sum(range(10**5))})
    >>> times["little"] < times["much"]
    True
    """
    for work in works.values():
        work()
    shortest = dict.fromkeys(works, float("inf"))
    for _ in range(rounds):
        for name, work in works.items():
            begin = clock()
            work()
            shortest[name] = min(shortest[name], clock() - begin)
    return shortest


def once(work: Work) -> float:
    """Time a work that is too long to be repeated."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def versions() -> dict[str, str]:
    """Return the versions that a measurement depends on, and the machine."""
    found = {"python": platform.python_version(), "machine": _processor()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as cpuinfo:
            names = [line.split(":", 1)[1].strip() for line in cpuinfo if "model name" in line]
    except OSError:
        names = []
    return f"{len(names) or '?'} x {names[0] if names else platform.processor()}"
