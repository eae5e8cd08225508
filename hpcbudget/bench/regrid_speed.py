"""``bench regrid``: weights applied to fields in memory, against the rate of reading them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from hpcbudget.bench.limits import plain_sum
from hpcbudget.bench.measure import Row, side_by_side
from hpcbudget.bench.shapes import Shape
from hpcbudget.space.grid import Grid
from hpcbudget.space.weights import Weights, make_weights

LIMIT = "plain numba sum of the source, one core"


def measure(shape: Shape, rounds: int = 3) -> Iterator[Row]:
    """Yield a row for box weights, which are products of two small tables, and one for any others.

    The destination has cells 2.5 times as large, so that few of them match.
    """
    source = Grid.regular(180.0 / shape.n_lat, 360.0 / shape.n_lon)
    destination = Grid.regular(450.0 / shape.n_lat, 900.0 / shape.n_lon)
    separable = make_weights(source, destination)
    general = replace(separable, overlap=separable.table)
    values = shape.values()
    for kind, weights in (("separable", separable), ("general", general)):
        yield _row(shape, kind, weights, values, rounds)


def _row(shape: Shape, kind: str, weights: Weights, values: NDArray[Any], rounds: int) -> Row:
    works: dict[str, Callable[[], object]] = {
        "limit": partial(plain_sum, values.reshape(-1)),
        "ours": partial(weights.apply, values.reshape(-1, *weights.source.shape), "mean"),
    }
    works |= regridders(shape, weights, values)
    seconds = side_by_side(works, rounds, time.process_time)
    gigabytes = values.nbytes / 1e9
    ours = seconds.pop("ours")
    limit = seconds.pop("limit")
    peers = {peer: time / ours for peer, time in seconds.items()}
    name = f"{shape.name}-{kind}"
    return Row("regrid", name, gigabytes / ours, gigabytes / limit, LIMIT, peers)


def regridders(
    shape: Shape, weights: Weights, values: NDArray[Any]
) -> dict[str, Callable[[], object]]:
    """Return the peers that are installed, weights made beforehand where they allow it."""
    from scipy import sparse

    table = weights.table
    matrix = sparse.csr_array(
        (weights.normalised, table.indices, table.indptr),
        (weights.destination.size, weights.source.size),
    )
    found: dict[str, Callable[[], object]] = {
        "scipy.sparse": lambda: (matrix @ values.T).T,
    }
    fields = as_fields(shape, values)
    n_lat, n_lon = weights.destination.shape
    target = as_fields(replace(shape, n_lat=n_lat, n_lon=n_lon), None).to_dataset()
    if find_spec("xarray_regrid"):
        import_module("xarray_regrid")  # adds the accessor
        found["xarray-regrid"] = lambda: fields.regrid.conservative(target, latitude_coord="lat")
    if find_spec("xesmf"):
        import xesmf

        regridder = xesmf.Regridder(fields, target, "conservative")
        found["xesmf"] = lambda: regridder(fields)
    return found


def as_fields(shape: Shape, values: NDArray[Any] | None) -> xr.DataArray:
    """Return fields with coordinates, as peers take them; zeros for a grid alone."""
    if values is None:
        values = np.zeros((1, shape.n_cells), np.float32)
    return xr.DataArray(
        values.reshape(-1, shape.n_lat, shape.n_lon),
        dims=("time", "lat", "lon"),
        coords={"lat": shape.lat_deg, "lon": shape.lon_deg},
        name="flux",
    )
