"""Tiny NetCDF files on a grid whose totals can be worked out on paper, and runs over them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import yaml

#: 4 pi (6.371e6 m)^2 * 1e-9 kg m-2 s-1 * 31 536 000 s * 1e-12
PAPER = 16.085393186147083
SPHERE_M2 = 5.10064471909788e14

VALUES = np.arange(1.0, 13.0).reshape(3, 4) * 1e-9
SOUTH, TROPICS, NORTH, GLOBE = 10 / 16, 26 / 8, 42 / 16, 6.5

THREE_ROWS = {"lat": [-60.0, 0.0, 60.0], "lon": [45.0, 135.0, 225.0, 315.0]}


def write(
    path: Path,
    values: np.ndarray,
    *,
    units: str | None = "kg m-2 s-1",
    calendar: str = "noleap",
    start: str = "2001-01-01",
    stamps: np.ndarray | None = None,
    coords: dict[str, Any] | None = None,
    variable: str = "nbp",
    dtype: str = "f8",
    more: dict[str, tuple[tuple[str, ...], np.ndarray, dict[str, str]]] | None = None,
    time_attrs: dict[str, str] | None = None,
) -> None:
    """Write `values` (row, column), constant over one year, or (step, row, column)."""
    where = dict(coords or THREE_ROWS)
    if values.ndim == len(where):
        values = np.broadcast_to(values, (12, *values.shape))
    if stamps is None:
        days = {"360_day": [30] * 12}.get(
            calendar, [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        )
        if calendar == "standard" and start.startswith("2000"):
            days = [31, 29, *days[2:]]
        stamps = np.cumsum(days) - np.array(days) / 2
    attrs = {"units": units} if units else {}
    time = {"units": f"days since {start}", "calendar": calendar, **(time_attrs or {})}
    dataset = xr.Dataset(
        {variable: (("time", *where), values.astype(dtype), attrs), **(more or {})},
        coords={
            "time": ("time", stamps, time),
            **{
                name: (name, x, {"units": "degrees_north" if name == "lat" else "degrees_east"})
                for name, x in where.items()
            },
        },
    )
    dataset.to_netcdf(path, engine="netcdf4")


FLUX = {"sign": "to_atmosphere", "species": "C", "area_basis": "cell"}


def configure(folder: Path, members: dict[str, dict[str, Any]], **more: Any) -> Path:
    """Write a configuration with members of one family, file NAME.nc each."""
    entries = {
        name: {
            "paths": f"{name}.nc",
            "components": {"land": "nbp"},
            **options,
            "flux": FLUX | options.get("flux", {}),
        }
        for name, options in members.items()
    }
    config = {
        "name": "paper",
        "ensembles": [{"family": "land_process", "members": entries}],
        **more,
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path
