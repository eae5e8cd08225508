from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from hpcbudget.errors import RegridError
from hpcbudget.space.cf_write import grid_dataset
from hpcbudget.space.grid import Grid
from hpcbudget.space.regrid import regrid_store
from hpcbudget.space.weight_files import read_weights, write_weights
from hpcbudget.space.weights import make_weights


@pytest.fixture
def store(tmp_path):
    grid = Grid.regular(20.0)
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, 2, *grid.shape)).astype("f4")
    values[:, :, 0] = np.nan
    ds = grid_dataset(grid).drop_vars("cell_area")
    ds = ds.assign(
        flux=(("time", "member", "lat", "lon"), values, {"units": "kg m-2 s-1"}),
        mask=(("lat", "lon"), np.ones(grid.shape)),
        count=("time", np.arange(5)),
        time_bnds=(("time", "bnds"), np.stack([np.arange(5.0), np.arange(5.0) + 1], 1)),
    ).assign_coords(
        time=(
            "time",
            np.arange(5) + 0.5,
            {"units": "days since 2000-01-01", "bounds": "time_bnds"},
        ),
        member=["a", "b"],
    )
    path = tmp_path / "in.nc"
    ds.to_netcdf(path, engine="netcdf4")
    return path


def test_totals_are_kept_through_a_store(store, tmp_path, monkeypatch):
    monkeypatch.setattr("hpcbudget.space.regrid.STRETCH_BYTES", 8 * 6000)
    told = []
    reports = regrid_store(
        store, Grid.parse("15"), tmp_path / "out.zarr", preserve="integral",
        progress=lambda *args: told.append(args),
    )  # fmt: skip
    assert {r.name for r in reports} == {"flux", "mask"}
    assert all(r.total_change < 1e-12 for r in reports)
    assert told[-1][1] == told[-1][2]
    old = xr.open_dataset(store)
    with xr.open_zarr(tmp_path / "out.zarr", consolidated=False, chunks=None) as new:
        assert new["flux"].dims == ("time", "member", "lat", "lon")
        assert new["flux"].attrs["units"] == "kg m-2 s-1"
        np.testing.assert_array_equal(new["time"], old["time"])
        assert list(new["member"].values) == ["a", "b"]
        area = Grid.regular(20.0).area_m2().reshape(9, 18)
        before = np.nansum(old["flux"].values.astype("f8") * area, axis=(2, 3))
        after = np.nansum(new["flux"].values * new["cell_area"].values, axis=(2, 3))
        np.testing.assert_allclose(after, before, atol=1e-12 * area.sum())
        valid = new["flux_valid_fraction"].values
        assert np.isnan(new["flux"].values[:, :, 0]).all()
        assert (valid[:, :, 0] == 0).all()
        assert (valid[:, :, 2:] > 0.999).all()
        assert Grid.from_dataset(new, "flux") == Grid.regular(15.0)
    assert not list(tmp_path.glob(".*"))


def test_weights_and_threshold(store, tmp_path):
    weights = make_weights(Grid.regular(20.0), Grid.gaussian(8))
    (report,) = regrid_store(
        store, weights, tmp_path / "o.zarr", preserve="mean", min_valid=0.5, variables=["flux"],
        dtype="float32",
    )  # fmt: skip
    assert 0 < report.missing < 0.3
    with xr.open_zarr(tmp_path / "o.zarr", consolidated=False, chunks=None) as new:
        low = new["flux_valid_fraction"].values < 0.5
        np.testing.assert_array_equal(np.isnan(new["flux"].values), low)


def test_weights_of_a_file_fit_the_same_cells_only(store, tmp_path):
    weights = make_weights(Grid.regular(20.0), Grid.regular(30.0))
    write_weights(weights, tmp_path / "w.nc")
    read = read_weights(tmp_path / "w.nc", destination=Grid.regular(30.0))
    assert read.source != weights.source  # polygons of the file, not the boxes of the store
    (report,) = regrid_store(
        store, read, tmp_path / "o.zarr", preserve="integral", variables=["flux"]
    )
    assert report.total_change < 1e-12
    shifted = Grid.boxes(weights.source.lat_edges_deg, weights.source.lon_edges_deg + 20.0)
    with pytest.raises(RegridError, match="another grid"):
        read.with_source(shifted)


def test_bad_input_is_refused_and_leaves_nothing(store, tmp_path):
    weights = make_weights(Grid.regular(10.0), Grid.regular(30.0))
    out = tmp_path / "o.zarr"
    with pytest.raises(RegridError, match="another grid"):
        regrid_store(store, weights, out, preserve="mean")
    with pytest.raises(RegridError, match="no such file"):
        regrid_store(tmp_path / "x.nc", weights, out, preserve="mean")
    xr.Dataset({"a": ("t", [1.0])}).to_netcdf(tmp_path / "t.nc", engine="netcdf4")
    with pytest.raises(RegridError, match="no floating-point variable"):
        regrid_store(tmp_path / "t.nc", weights, out, preserve="mean")
    assert not out.exists()
    assert not list(tmp_path.glob(".*"))


def test_a_curvilinear_grid_can_be_written_and_read():
    nodes = np.meshgrid(np.linspace(-20, 40, 9), np.linspace(30, 70, 7))
    grid = Grid.curvilinear(nodes[1], nodes[0])
    assert Grid.from_dataset(grid_dataset(grid), "cell_area") == grid
