"""The child process that makes weights with xESMF; run by `hpcbudget.space.xesmf_backend`.

Needs numpy, xarray, xESMF and ESMF, and nothing of this package, so that the Python of another
environment can run it: ``python xesmf_worker.py GRIDS.npz WEIGHTS.npz METHOD``.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

MISSING = 4
"""Exit code for: xESMF or ESMF cannot be imported."""


def make(request: str, answer: str, method: str) -> int:
    """Read grids, write weights (S, row, col; zero-based, C order); return the exit code."""
    try:
        import xarray as xr
        import xesmf
    except ImportError as error:
        sys.stderr.write(f"{error}\n")
        return MISSING
    with np.load(request, allow_pickle=False) as arrays:
        grids = [_dataset(xr, arrays, side) for side in ("source", "destination")]
    options: dict[str, Any] = {}
    if method in {"bilinear", "nearest_s2d"}:
        lon = grids[0]["lon_b"].values
        options["periodic"] = bool(np.ptp(lon) >= 360.0 - 1e-6)
    weights = xesmf.Regridder(*grids, method, ignore_degenerate=True, **options).weights.data
    rows, columns = weights.coords
    np.savez(answer, allow_pickle=False, row=rows, col=columns, S=weights.data)
    return 0


def _dataset(xr: Any, arrays: Any, side: str) -> Any:
    centre, corner = ("y", "x"), ("y_b", "x_b")
    return xr.Dataset(
        coords={
            "lat": (centre, arrays[f"{side}_lat"]),
            "lon": (centre, arrays[f"{side}_lon"]),
            "lat_b": (corner, arrays[f"{side}_lat_b"]),
            "lon_b": (corner, arrays[f"{side}_lon_b"]),
        }
    )


if __name__ == "__main__":
    sys.exit(make(*sys.argv[1:4]))
