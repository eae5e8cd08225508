"""Small files with one known flux, written in whatever convention a test asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np

from hpcbudget.config import Config, parse_config
from hpcbudget.inputs.series import Series

RADIUS_M = 6371e3
LAT = np.arange(-75.0, 90.0, 30.0)
LON = np.arange(15.0, 360.0, 30.0)


def write_netcdf(
    path: Path,
    *,
    name: str = "nbp",
    values: np.ndarray | None = None,
    units: str | None = "kg C m-2 s-1",
    attrs: Mapping[str, Any] | None = None,
    dims: Sequence[str] = ("time", "lat", "lon"),
    lat: np.ndarray = LAT,
    lon: np.ndarray = LON,
    time: Sequence[float] | np.ndarray | None = None,
    time_units: str | None = "days since 2001-01-01",
    calendar: str | None = "noleap",
    bounds: np.ndarray | None = None,
    dtype: str = "f8",
    fill: float | None = None,
    group: str | None = None,
    format: str = "NETCDF4",
    chunks: tuple[int, ...] | None = None,
    extra: Callable[[netCDF4.Dataset], None] | None = None,
) -> Path:
    """Write one variable; by default twelve noleap months of 1e-9 kg C m-2 s-1 on 6 x 12 cells."""
    if time is None:
        time = np.cumsum([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30]) + 14.0
    time = np.asarray(time)
    sizes = {"time": len(time), "lat": len(lat), "lon": len(lon)}
    with netCDF4.Dataset(path, "w", format=format) as root:
        held = root.createGroup(group) if group else root
        for dim in dims:
            length = sizes.get(dim)
            if length is None:
                assert values is not None
                length = values.shape[list(dims).index(dim)]
            root.createDimension(dim, length)
        if "time" in dims:
            t = root.createVariable(
                "time", time.dtype if time.dtype.kind in "iuf" else "f8", "time"
            )
            t[:] = time
            if time_units is not None:
                t.units = time_units
            if calendar is not None:
                t.calendar = calendar
            if bounds is not None:
                root.createDimension("bnds", 2)
                t.bounds = "time_bnds"
                root.createVariable("time_bnds", "f8", ("time", "bnds"))[:] = bounds
        for dim, values_deg, degrees in (
            ("lat", lat, "degrees_north"),
            ("lon", lon, "degrees_east"),
        ):
            if dim in dims:
                coordinate = root.createVariable(dim, "f8", dim)
                coordinate[:] = values_deg
                coordinate.units = degrees
        variable = held.createVariable(name, dtype, tuple(dims), fill_value=fill, chunksizes=chunks)
        variable.set_auto_maskandscale(False)
        if units is not None:
            variable.units = units
        for key, value in (attrs or {}).items():
            variable.setncattr(key, value)
        shape = tuple(len(root.dimensions[d]) for d in dims)
        variable[:] = np.full(shape, 1e-9) if values is None else values
        if extra is not None:
            extra(root)
    return path


def make_config(
    folder: Path, member: str, *, family: str = "land_process", top: str = ""
) -> Config:
    """Configuration with one member ``M`` whose options are the YAML flow mapping `member`."""
    text = f"name: test\n{top}\nensembles:\n- family: {family}\n  members: {{M: {member}}}\n"
    return parse_config(text, origin=folder / "test.yaml")


def pgc_yr(series: Series) -> np.ndarray:
    """Global Pg C/yr of every step, summed here without any kernel."""
    weight, _ = series.measure(RADIUS_M)
    values = series.store.read(0, series.store.n_steps).astype(np.float64)
    totals = np.nansum(values.reshape(len(values), -1) * weight, axis=1)
    return totals * series.factor * series.times.year_seconds * 1e-12
