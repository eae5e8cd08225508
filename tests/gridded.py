"""Gridded ensembles small enough to be mapped in memory, and runs that make only maps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import yaml

from hpcbudget.config import Config, parse_config
from hpcbudget.engine.execute import execute_alone
from hpcbudget.engine.progress import Progress
from hpcbudget.inputs.catalogue import open_catalogue
from hpcbudget.maps.plan import MapsPlan, plan_maps

RADIUS_M = 6371e3


def axis(low: float, high: float, step: float) -> np.ndarray:
    return low + step * (np.arange(round((high - low) / step)) + 0.5)


def write_field(
    path: Path,
    values: np.ndarray,
    *,
    start: str = "2000-01",
    variable: str = "flux",
    chunk: int = 4,
) -> None:
    """Write values (step, lat, lon) on a global regular grid, monthly, chunked along time."""
    steps, rows, columns = values.shape
    stamps = np.datetime64(start, "M") + np.arange(steps)
    middle = stamps.astype("datetime64[D]").astype("datetime64[ns]")
    dataset = xr.Dataset(
        {variable: (("time", "lat", "lon"), values, {"units": "kg m-2 s-1"})},
        coords={
            "time": middle,
            "lat": ("lat", axis(-90, 90, 180 / rows), {"units": "degrees_north"}),
            "lon": ("lon", axis(-180, 180, 360 / columns), {"units": "degrees_east"}),
        },
    )
    encoding = {variable: {"chunksizes": (min(chunk, steps), rows, columns), "_FillValue": np.nan}}
    dataset.to_netcdf(path, engine="netcdf4", encoding=encoding)


def configure(
    folder: Path,
    ensembles: Mapping[str, Mapping[str, Mapping[str, Any]]],
    maps: Mapping[str, Any],
    **more: Any,
) -> Config:
    """Configure families of members, each with a file NAME.nc of variables land or ocean."""
    component = {"land_process": "land", "ocean_process": "ocean", "ocean_product": "ocean"}
    listed = [
        {
            "family": family,
            "flux": {"sign": "to_atmosphere", "species": "C", "area_basis": "cell"},
            "components": {component.get(family, "land"): "flux"},
            "members": {name: {"paths": f"{name}.nc", **facts} for name, facts in members.items()},
        }
        for family, members in ensembles.items()
    ]
    text = yaml.safe_dump({"name": "gridded", "ensembles": listed, "maps": dict(maps), **more})
    path = folder / "config.yaml"
    path.write_text(text)
    return parse_config(text, origin=path)


def plan(config: Config, out: Path) -> MapsPlan:
    return plan_maps(config, open_catalogue(config), out)


def make_maps(config: Config, out: Path) -> xr.Dataset:
    """Make the maps alone, in this process, and open them."""
    planned = plan(config, out)
    out.mkdir(exist_ok=True)
    for work, pending in (
        (planned.averager, planned.pending_units),
        (planned.reducer, planned.pending_tiles),
    ):
        left = pending()
        execute_alone(work, left, Progress(out, len(left), 0)).settle()
    planned.publish()
    return xr.open_zarr(out / "maps.zarr", chunks=None)


def overlap(edges: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Lengths that intervals (edges) have in common with others."""
    low = np.maximum(edges[:-1, None], others[None, :-1])
    high = np.minimum(edges[1:, None], others[None, 1:])
    return np.maximum(high - low, 0.0)


def regridded(values: np.ndarray, rows: int, columns: int, preserve: str) -> np.ndarray:
    """Regrid a field (lat, lon) onto a global regular grid, the slow and obvious way."""

    def sines(n: int) -> np.ndarray:
        return np.sin(np.radians(np.linspace(-90, 90, n + 1)))

    def turns(n: int) -> np.ndarray:
        return np.linspace(0, 2 * np.pi, n + 1)

    lat = overlap(sines(rows), sines(values.shape[0]))
    lon = overlap(turns(columns), turns(values.shape[1]))
    known = np.isfinite(values)
    total = lat @ np.where(known, values, 0.0) @ lon.T
    covered = lat @ known @ lon.T
    area = np.outer(np.diff(sines(rows)), np.diff(turns(columns)))
    share = total / area if preserve == "integral" else total / np.where(covered > 0, covered, 1.0)
    return np.where(covered > 1e-12 * area, share, np.nan)


def files_of(folder: Path) -> dict[str, bytes]:
    """Return all files below a folder by name."""
    found = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    assert found, f"nothing in {folder}"
    return found
