"""Members on curvilinear grids with areas of their own, by our weights and by those of a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from gridded import configure, make_maps, plan

from hpcbudget.space.cf_write import grid_dataset
from hpcbudget.space.grid import Grid
from hpcbudget.space.weight_files import write_weights
from hpcbudget.space.weights import make_weights
from hpcbudget.workflow import merge, run_part


def rotated(rows: int, columns: int, pole_deg: float = 55.0) -> Grid:
    """Return a global grid whose poles lie aside, as those of ocean models do."""
    lat, lon = np.meshgrid(
        np.radians(np.linspace(-90, 90, rows + 1)),
        np.radians(np.linspace(-180, 180, columns + 1)),
        indexing="ij",
    )
    x, y, z = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)
    tilt = np.radians(90 - pole_deg)
    x, z = np.cos(tilt) * x + np.sin(tilt) * z, np.cos(tilt) * z - np.sin(tilt) * x
    nodes = np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))
    return Grid.curvilinear(*nodes)


@pytest.fixture
def member(tmp_path: Path) -> tuple[Path, np.ndarray, np.ndarray]:
    grid = rotated(30, 40)
    random = np.random.default_rng(2)
    values = random.normal(-1e-9, 5e-9, (12, *grid.shape))
    values[:, 8:13, 3:30] = np.nan
    area = grid.area_m2().reshape(grid.shape) * random.uniform(0.999, 1.001, grid.shape)
    stamps = (np.datetime64("2001-01", "M") + np.arange(12)).astype("datetime64[ns]")
    attributes = {"units": "kg m-2 s-1", "coordinates": "lat lon"}
    dataset = grid_dataset(grid).drop_vars("cell_area")
    dataset = dataset.reset_coords(drop=False).set_coords(["lat", "lon"])
    dataset["flux"] = (("time", *grid.dims), values)
    dataset["areacello"] = (grid.dims, area, {"units": "m2"})
    dataset = dataset.assign_coords(time=stamps)
    dataset["flux"].attrs["units"] = attributes["units"]
    dataset.to_netcdf(tmp_path / "A.nc", engine="netcdf4")
    return tmp_path, values, area


@pytest.mark.parametrize("weights", ["native", "file"])
def test_totals_over_the_models_own_areas_are_kept(
    member: tuple[Path, np.ndarray, np.ndarray], tmp_path: Path, weights: str
) -> None:
    folder, values, area = member
    maps: dict[str, object] = {"grid": "6", "periods": {"x": [2001, 2001]}}
    if weights == "file":
        made = make_weights(rotated(30, 40), Grid.regular(6.0))
        write_weights(made, folder / "weights.nc")
        maps["weights"] = {"A": "weights.nc"}
    facts = {"cell_area": {"paths": "A.nc", "variable": "areacello"}}
    config = configure(folder, {"ocean_process": {"A": facts}}, maps)
    out = tmp_path / "out"
    (how,) = plan(config, out).weights.values()
    assert ("weights.nc" if weights == "file" else "native, polygons, great circles") in how
    run_part(config, out, (1, 1))
    account = merge(out, with_report=False).closure
    own = account[account["check"].str.contains("map")]
    assert len(own) == 3
    assert own["value"].max() < 1e-13
    with xr.open_zarr(out / "maps.zarr", chunks=None) as found:
        total = float((found["mean"].squeeze() * found["cell_area"]).sum())
    days = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]) / 365
    amounts = np.einsum("t,tij->ij", days, values) * area
    assert abs(total - np.nansum(amounts)) < 1e-13 * np.nansum(np.abs(amounts))


def test_a_curvilinear_common_grid(
    member: tuple[Path, np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    folder, values, _ = member
    maps = {"grid": "A.nc", "periods": {"x": [2001, 2001]}, "seasons": "every_month"}
    config = configure(folder, {"ocean_process": {"A": {}}}, maps)
    found = make_maps(config, tmp_path / "out")
    assert found["mean"].dims[-2:] == ("y", "x")
    assert Grid.from_dataset(found, "cell_area") == rotated(30, 40)
    here = found["mean"].squeeze().isel(season=6).values
    assert here == pytest.approx(values[6], rel=1e-9, abs=1e-16, nan_ok=True)
