"""Maps against the Climate Data Operators, an independent program, on the same files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from gridded import configure, make_maps, write_field

pytestmark = pytest.mark.skipif(shutil.which("cdo") is None, reason="cdo absent (apt: cdo)")

NAMES = ("A", "B", "C", "D")


def cdo(folder: Path, *words: str) -> None:
    command = ["cdo", "-s", "-L", "-b", "F64", *words]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def read(path: Path) -> np.ndarray:
    with xr.open_dataset(path, engine="netcdf4") as opened:
        values: np.ndarray = opened["flux"].values
        return values


def smooth(seed: int, rows: int, columns: int, *, gaps: bool = False) -> np.ndarray:
    random = np.random.default_rng(seed)
    lat = np.radians(-90 + 180 / rows * (np.arange(rows) + 0.5))[:, None]
    lon = np.radians(-180 + 360 / columns * (np.arange(columns) + 0.5))[None]
    waves = [
        random.normal() * np.cos(k * lat) * np.cos(m * lon + random.uniform(0, 6))
        for k in range(3)
        for m in range(4)
    ]
    values = 1e-9 * np.sum(waves, axis=0)
    if gaps:
        values[random.random(values.shape) < 0.2] = np.nan
    return np.broadcast_to(values, (3, rows, columns)) * np.array([1.0, 0.5, -2.0])[:, None, None]


def maps_of(folder: Path, grid: str, **options: object) -> xr.Dataset:
    maps = {"grid": grid, "periods": {"x": [2000, 2000]}, "seasons": "every_month", **options}
    config = configure(folder, {"inversion": {name: {} for name in NAMES}}, maps)
    return make_maps(config, folder / "out").isel(season=slice(0, 3)).squeeze()


def test_mean_and_sd_are_those_of_cdo(tmp_path: Path) -> None:
    for i, name in enumerate(NAMES):
        write_field(tmp_path / f"{name}.nc", smooth(i, 36, 72, gaps=True))
    files = [f"{name}.nc" for name in NAMES]
    found = maps_of(tmp_path, "5")
    for operator, name in (("ensmean", "mean"), ("ensstd1", "sd")):
        cdo(tmp_path, operator, *files, f"{operator}.nc")
        expected = read(tmp_path / f"{operator}.nc")
        ours = found[name].sel(component="land") if "component" in found.dims else found[name]
        both = np.isfinite(expected) & np.isfinite(ours.values)
        # of a single value, CDO's SD is missing or 0, ours is not known
        assert (found["n"].values[np.isfinite(expected) & ~both] == 1).all()
        assert both.mean() > 0.9
        assert np.abs(expected - ours.values)[both].max() < 1e-12 * np.nanmax(np.abs(expected))


def test_regridded_mean_and_sd_are_those_of_cdo(tmp_path: Path) -> None:
    shapes = ((72, 144), (90, 180), (60, 120), (45, 90))
    for i, (name, shape) in enumerate(zip(NAMES, shapes, strict=True)):
        write_field(tmp_path / f"{name}.nc", smooth(i, *shape))
    found = maps_of(tmp_path, "5")
    text = "gridtype=lonlat\nxsize=72\nysize=36\nxfirst=-177.5\nxinc=5\nyfirst=-87.5\nyinc=5\n"
    (tmp_path / "grid.txt").write_text(text)
    for name in NAMES:
        cdo(tmp_path, "remapcon,grid.txt", f"{name}.nc", f"{name}_5.nc")
    files = [f"{name}_5.nc" for name in NAMES]
    for operator, name in (("ensmean", "mean"), ("ensstd1", "sd")):
        cdo(tmp_path, operator, *files, f"{operator}.nc")
        expected = read(tmp_path / f"{operator}.nc")
        # CDO's cells end in great circles, ours in parallels
        off = np.abs(expected - found[name].values)
        assert off.max() < 5e-3 * np.abs(expected).max()
        assert off.mean() < 2e-4 * np.abs(expected).max()


def test_cdo_reads_our_maps_and_finds_our_totals(tmp_path: Path) -> None:
    for i, name in enumerate(NAMES):
        write_field(tmp_path / f"{name}.nc", smooth(i, 36, 72))
    found = maps_of(tmp_path, "4")
    chosen = found[["mean", "cell_area", "lat_bnds", "lon_bnds"]].isel(season=0)
    plain = chosen.drop_vars([n for n in chosen.coords if n not in ("lat", "lon")])
    for name in ("lat", "lon"):
        plain[name].attrs["bounds"] = f"{name}_bnds"
    plain.to_netcdf(tmp_path / "map.nc")
    cdo(tmp_path, "fldint", "-selname,mean", "map.nc", "sum.nc")
    with xr.open_dataset(tmp_path / "sum.nc") as opened:
        total = float(opened["mean"].squeeze())
    amounts = found["mean"].isel(season=0) * found["cell_area"]
    assert abs(total - float(amounts.sum())) < 1e-12 * float(np.abs(amounts).sum())
