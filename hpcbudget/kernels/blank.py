"""Fill values into NaN, in one pass over the numbers and in place."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from hpcbudget.kernels.jit import kernel

TILE = 4096
"""Numbers held against all fill values while they are in the nearest cache."""


@kernel
def _blank(values: npt.NDArray[np.floating], fills: npt.NDArray[np.floating]) -> None:
    """values[n] and fills[m] of one float type; what equals a fill becomes NaN."""
    missing = values.dtype.type(np.nan)
    for start in range(0, values.size, TILE):
        stop = min(start + TILE, values.size)
        for fill in fills:
            # looked for before anything is written: most tiles hold none, and counting runs in
            # vector registers as long as nothing hangs on the outcome
            hits = np.int32(0)
            for i in range(start, stop):
                hits += np.int32(values[i] == fill)
            if hits:
                for i in range(start, stop):
                    value = values[i]
                    values[i] = missing if value == fill else value


def blank(values: npt.NDArray[np.floating], fills: npt.NDArray[np.floating]) -> None:
    """Set NaN where `values` equals one of `fills`, in place.

    Parameters
    ----------
    values : ndarray of float32 or float64, C-contiguous
    fills : ndarray, shape (m,)
        Of the same type: a fill value is what the file's own type makes of it.

    Examples
    --------
    >>> values = np.array([1.0, 1e20, -999.0], np.float32)
    >>> blank(values, np.array([1e20, -999.0], np.float32))
    >>> values
    array([ 1., nan, nan], dtype=float32)
    """
    if not values.flags.c_contiguous or values.dtype != fills.dtype:
        raise ValueError("values and fills must be contiguous and of one type")
    _blank(values.reshape(-1), fills)
