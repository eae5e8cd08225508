"""What one would use instead, as its own documentation recommends; each is optional.

Every function returns regional totals [step, zone] of values[step, cell] without missing values,
so that each peer may do the least it can.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Totals = Callable[[NDArray[Any], NDArray[np.int32], Array, int], Array]


def with_bincount(
    values: NDArray[Any], labels: NDArray[np.int32], weight: Array, n_zones: int
) -> Array:
    """Use ``numpy.bincount`` with weights, step by step."""
    return np.stack([np.bincount(labels, field * weight, n_zones) for field in values])


def with_sparse_matrix(
    values: NDArray[Any], labels: NDArray[np.int32], weight: Array, n_zones: int
) -> Array:
    """Use a ``scipy.sparse`` matrix of zones by cells, made beforehand by whoever is clever."""
    from scipy import sparse

    matrix = sparse.csr_array((weight, labels, np.arange(labels.size + 1)), (labels.size, n_zones))
    return np.stack([matrix.T @ field for field in values])


def with_flox(
    values: NDArray[Any], labels: NDArray[np.int32], weight: Array, n_zones: int
) -> Array:
    """Use ``flox.groupby_reduce`` on values times weights, groups known beforehand."""
    from flox import groupby_reduce

    totals, *_ = groupby_reduce(
        values * weight, labels, func="sum", expected_groups=np.arange(n_zones)
    )
    return np.asarray(totals)


def with_weighted(
    values: NDArray[Any], labels: NDArray[np.int32], weight: Array, n_zones: int
) -> Array:
    """Use xarray: ``where`` a region is, ``weighted`` by area, ``sum``; one region at a time."""
    import xarray as xr

    fields = xr.DataArray(values, dims=("time", "cell"))
    zones = xr.DataArray(labels, dims="cell")
    areas = xr.DataArray(weight, dims="cell")
    totals = [fields.where(zones == z).weighted(areas).sum("cell") for z in range(n_zones)]
    return np.stack([np.asarray(total) for total in totals], axis=1)


def integrators() -> dict[str, Totals]:
    """Return the peers of the integration kernel that are installed, slow ones last."""
    found: dict[str, Totals] = {
        "scipy.sparse": with_sparse_matrix,
        "numpy.bincount": with_bincount,
    }
    if find_spec("flox"):
        found["flox"] = with_flox
    found["xarray.weighted"] = with_weighted
    return found
