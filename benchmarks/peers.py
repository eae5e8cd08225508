"""The program beside what one would use instead, on problems with names.

    python benchmarks/peers.py                                # all problems
    python benchmarks/peers.py IntegrateMonthly010x36zones    # one of them
    python benchmarks/peers.py --json peers.jsonl --folder /scratch/bench

Each problem says which peers it is held against; those that are not installed are left out. Peers
are used as their documentation recommends, with everything that can be made beforehand made
beforehand. Prints the table of ratios; all rates of a row come from the same minute.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpcbudget import bench


@dataclass(frozen=True)
class Problem:
    """A suite on a shape.

    Attributes
    ----------
    suite : str
        As of ``hpcbudget bench``.
    shape : str
        Grid, steps and regions, as of `hpcbudget.bench.shapes`.
    peers : tuple of str
        Who else can solve it.
    """

    suite: str
    shape: str
    peers: tuple[str, ...]


IN_MEMORY = ("numpy.bincount", "scipy.sparse", "flox", "xarray.weighted")
REGRIDDERS = ("scipy.sparse", "xarray-regrid", "cdo remap (files)", "xesmf")
WEIGHERS = ("cdo gencon", "xesmf", "scipy.sparse")
READERS = ("xarray+flox", "cdo fldsum")

PROBLEMS = {
    "IntegrateMonthly100x36zones": Problem("kernels", "Monthly100x36zones", IN_MEMORY),
    "IntegrateMonthly025x36zones": Problem("kernels", "Monthly025x36zones", IN_MEMORY),
    "IntegrateMonthly010x36zones": Problem("kernels", "Monthly010x36zones", IN_MEMORY),
    "RegridMonthly100": Problem("regrid", "Monthly100x36zones", REGRIDDERS),
    "RegridMonthly025": Problem("regrid", "Monthly025x36zones", REGRIDDERS),
    # weights made and applied; xESMF in a process of its own, also $HPCBUDGET_ESMF_PYTHON
    "WeightsBox025to100": Problem("regrid", "Box025to100", WEIGHERS),
    "WeightsBox010to025": Problem("regrid", "Box010to025", ("scipy.sparse",)),
    "WeightsOcean100to100": Problem("regrid", "Ocean100to100", WEIGHERS),
    "WeightsOcean025to100": Problem("regrid", "Ocean025to100", WEIGHERS),
    "WeightsRotated011to025": Problem("regrid", "Rotated011to025", WEIGHERS),
    "ReadMonthly025x36zones": Problem("read", "Monthly025x36zones", READERS),
}
ON_REQUEST = {
    # ESMF needs minutes and gigabytes
    "WeightsBox010to025WithAll": Problem("regrid", "Box010to025WithAll", WEIGHERS),
}


def solve(
    name: str, *, shape: str | None = None, folder: Path | None = None
) -> list[dict[str, Any]]:
    """Return the rows of a problem, or of the same problem on another shape."""
    problem = (PROBLEMS | ON_REQUEST)[name]
    rows = bench.run(problem.suite, shape=shape or problem.shape, folder=folder)
    return [{**row, "problem": name} for row in rows]


def main(arguments: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Solve the problems that are named, show and keep the rows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "problems", nargs="*", choices=[[], *PROBLEMS, *ON_REQUEST], default=list(PROBLEMS)
    )
    parser.add_argument("--json", type=Path, help="also write JSON lines to this file")
    parser.add_argument("--compare", type=Path, help="such a file, of an earlier time")
    parser.add_argument("--folder", type=Path, help="where stores are written and kept")
    parser.add_argument("--shape", help="take this shape instead (Tiny: to see that all works)")
    options = parser.parse_args(arguments)
    rows = []
    for name in options.problems:
        rows += solve(name, shape=options.shape, folder=options.folder)
    if options.json:
        bench.save(rows, options.json)
    if options.compare:
        rows = bench.compare(rows, bench.load(options.compare))
    print(bench.table(rows))
    return rows


if __name__ == "__main__":
    main()
