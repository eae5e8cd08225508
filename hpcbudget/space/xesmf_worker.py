"""The child process that makes weights with xESMF; run by `hpcbudget.space.xesmf_backend`.

Needs numpy, xarray, xESMF and ESMF, and nothing of this package, so that the Python of another
environment can run it: ``python - GRIDS.npz WEIGHTS.npz METHOD < xesmf_worker.py``. It must not
import netCDF4 or h5py: once ESMF is loaded, they crash.
"""

from __future__ import annotations

import sys
from typing import Any

MISSING = 4
"""Exit code for: xESMF or ESMF cannot be imported."""


def make(request: str, answer: str, method: str) -> int:
    """Read grids, write weights (S, row, col; zero-based, C order); return the exit code."""
    try:
        import esmpy  # before xESMF, which would hide what is wrong with it
        import numpy as np
        import xarray as xr
        import xesmf
    except Exception as error:  # a broken ESMF raises what it likes
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return MISSING
    esmpy.Manager(debug=True)  # ESMF writes down what went wrong
    with np.load(request, allow_pickle=False) as arrays:
        grids = [_dataset(xr, arrays, side) for side in ("source", "destination")]
        options: dict[str, Any] = {}
        if method in {"bilinear", "nearest_s2d"}:
            options["periodic"] = bool(arrays["periodic"])
    weights = xesmf.Regridder(*grids, method, ignore_degenerate=True, **options).weights.data
    rows, columns = weights.coords
    there = np.isfinite(weights.data)  # NaN stands for a destination that gets nothing
    np.savez(answer, allow_pickle=False, row=rows[there], col=columns[there], S=weights.data[there])
    return 0


def _dataset(xr: Any, arrays: Any, side: str) -> Any:
    centre, corner = ("y", "x"), ("y_b", "x_b")
    ds = xr.Dataset(
        coords={
            "lat": (centre, arrays[f"{side}_lat"]),
            "lon": (centre, arrays[f"{side}_lon"]),
            "lat_b": (corner, arrays[f"{side}_lat_b"]),
            "lon_b": (corner, arrays[f"{side}_lon_b"]),
        }
    )
    if f"{side}_mask" in arrays:
        ds["mask"] = centre, arrays[f"{side}_mask"]
    return ds


if __name__ == "__main__":
    sys.exit(make(*sys.argv[1:4]))
