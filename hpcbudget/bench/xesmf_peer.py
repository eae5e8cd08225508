"""A process in which xESMF is timed; started by `hpcbudget.bench.regridders`.

Needs numpy, xarray, xESMF and ESMF, and nothing of this package. Reads commands, one a line, and
answers each with the seconds of processor time that it took: ``weights`` and ``apply``.
"""

from __future__ import annotations

import sys
import time
from typing import Any


def serve(request: str) -> None:
    """Answer commands about the grids, weights and values of a file."""
    import esmpy  # noqa: F401  (before xESMF, which would hide what is wrong with it)
    import numpy as np
    import xarray as xr
    import xesmf

    with np.load(request, allow_pickle=False) as arrays:
        held = dict(arrays)
    centre, corner = ("y", "x"), ("y_b", "x_b")
    grids = [
        xr.Dataset(
            coords={
                "lat": (centre, held[f"{side}_lat"]),
                "lon": (centre, held[f"{side}_lon"]),
                "lat_b": (corner, held[f"{side}_lat_b"]),
                "lon_b": (corner, held[f"{side}_lon_b"]),
            }
        )
        for side in ("source", "destination")
    ]
    fields = xr.DataArray(held["values"], dims=("time", "y", "x"))
    made: list[Any] = []
    sys.stdout.write("ready\n")
    for command in sys.stdin:
        if command.strip() == "apply" and not made:
            # the weights that everybody applies
            given = {"row_dst": held["row"], "col_src": held["col"], "weights": held["S"]}
            made.append(xesmf.Regridder(*grids, "conservative", weights=given))
        begin = time.process_time()
        if command.strip() == "apply":
            made[0](fields)
        else:
            xesmf.Regridder(*grids, "conservative", ignore_degenerate=True)
        sys.stdout.write(f"{time.process_time() - begin}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve(sys.argv[1])
