"""The same fields as NetCDF, as zarr the way xarray writes it, and as zarr laid out by `ingest`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import xarray as xr
import yaml

from hpcbudget.bench.shapes import Shape
from hpcbudget.config import Config, parse_config
from hpcbudget.inputs.ingest import ingest

VARIABLE = "nee"
MEMBERS = ("netcdf", "zarr", "ingested")


def write_stores(shape: Shape, folder: Path) -> dict[str, Path]:
    """Write three stores of the same fields, unless an earlier call has; return them by member."""
    stores = {
        "netcdf": folder / f"{shape.name}.nc",
        "zarr": folder / f"{shape.name}.zarr",
        "ingested": folder / f"{shape.name}.ingested.zarr",
    }
    if all(store.exists() for store in stores.values()):
        return stores
    folder.mkdir(parents=True, exist_ok=True)
    time = xr.date_range("2000-01-01", periods=shape.n_steps, freq="MS")
    dataset = xr.Dataset(
        {VARIABLE: (("time", "lat", "lon"), shape.smooth_values(), {"units": "kg m-2 s-1"})},
        {
            "time": time,
            "lat": ("lat", shape.lat_deg, {"units": "degrees_north", "standard_name": "latitude"}),
            "lon": ("lon", shape.lon_deg, {"units": "degrees_east", "standard_name": "longitude"}),
        },
    )
    clock = {"units": "days since 1900-01-01", "dtype": "float64"}
    packed: dict[str, Any] = {"zlib": True, "complevel": 1, "shuffle": True}
    packed["chunksizes"] = (1, shape.n_lat, shape.n_lon)
    dataset.to_netcdf(stores["netcdf"], encoding={VARIABLE: packed, "time": clock})
    year = dataset.chunk(time=12)
    year.to_zarr(
        stores["zarr"], mode="w", encoding={"time": clock}, zarr_format=3, consolidated=False
    )
    if not stores["ingested"].exists():
        ingest([str(stores["netcdf"])], stores["ingested"])
    return stores


def configure(shape: Shape, stores: dict[str, Path], n_sets: int = 1, copies: int = 1) -> Config:
    """Return a configuration that reads every store as a member (or several, all the same)."""
    members = {
        f"{name}-{copy}": {"paths": str(path), "model": f"{name}-{copy}"}
        for name, path in stores.items()
        for copy in range(copies)
    }
    flux = {"sign": "to_atmosphere", "species": "C", "area_basis": "cell"}
    ensemble = {
        "family": "inversion",
        "flux": flux,
        "components": {"land": VARIABLE},
        "members": members,
    }
    sets = [{"name": f"set{n}", "boxes": boxes(shape, n)} for n in range(n_sets)]
    text = yaml.safe_dump({"name": "bench", "regions": sets, "ensembles": [ensemble]})
    return parse_config(text, origin=Path("bench.yaml"), data=next(iter(stores.values())).parent)


def boxes(shape: Shape, number: int = 0) -> dict[str, list[float]]:
    """Return the regions of a shape in degrees, cell-aligned, shifted eastward by `number` / 16."""
    height, width = 180.0 / shape.rows, 360.0 / shape.columns
    cell = 360.0 / shape.n_lon
    shift = round(number * width / 16.0 / cell) * cell
    found = {}
    for row in range(shape.rows):
        for column in range(shape.columns):
            west, south = column * width - 180.0 + shift, row * height - 90.0
            found[f"r{row}c{column}"] = [west, west + width, south, south + height]
    return found
