from __future__ import annotations

import pickle

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from strategies import global_grids

from hpcbudget.errors import GridError, GridNameError
from hpcbudget.options import GridOptions
from hpcbudget.space.grid import Grid

SPHERE = 4 * np.pi


@given(global_grids())
def test_cells_add_up_to_the_sphere(grid):
    assert grid.area_m2(1.0).sum() == pytest.approx(SPHERE, rel=1e-13)
    assert grid.area_m2(1.0).min() > 0


@given(global_grids())
def test_hash_follows_content_and_survives_pickling(grid):
    copy = pickle.loads(pickle.dumps(grid))
    assert copy == grid
    assert hash(copy) == hash(grid)
    shifted = Grid.boxes(grid.lat_edges_deg, grid.lon_edges_deg + 7.0, lat_axis=grid.lat_axis)
    assert shifted.shape == grid.shape
    assert shifted != grid


@given(global_grids())
def test_centres_lie_between_corners(grid):
    lat, lon = grid.centres()
    corner_lat, corner_lon = grid.corners()
    assert (corner_lat.min(axis=1) <= lat).all()
    assert (lat <= corner_lat.max(axis=1)).all()
    np.testing.assert_allclose(corner_lon.mean(axis=1), lon, atol=1e-9)


def test_three_by_four_by_hand():
    grid = Grid.boxes([-90, -30, 30, 90], [0, 90, 180, 270, 360])
    strip = np.pi / 2
    expected = np.repeat([strip * 0.5, strip * 1.0, strip * 0.5], 4)
    np.testing.assert_allclose(grid.area_m2(1.0), expected, rtol=1e-15)
    assert grid.row_length == 4
    assert grid.describe() == "60x90 deg rectilinear, S-N, 3x4"


def test_thin_rows_keep_their_digits():
    grid = Grid.boxes([[89.0, 89.0 + 1e-9]], [[0.0, 1.0]])
    width = np.radians(grid.lat_edges_deg[0, 1] - 89.0)
    expected = np.radians(1.0) * np.cos(np.radians(89.0)) * width
    assert grid.area_m2(1.0)[0] == pytest.approx(expected, rel=1e-7)


def dataset(lat, lon, dims=("time", "lat", "lon"), **extra):
    sizes = {"time": 2, "lat": len(lat), "lon": len(lon) if lon is not None else 0}
    coords = {"lat": ("lat", lat, {"units": "degrees_north", **extra})}
    if lon is not None:
        coords["lon"] = ("lon", lon, {"units": "degrees_east"})
    data = np.zeros([sizes[d] for d in dims])
    return xr.Dataset({"flux": (dims, data)}, coords=coords)


def test_longitude_first_files_keep_their_order():
    lat, lon = np.array([-45.0, 45]), np.array([60.0, 180, 300])
    straight = Grid.from_dataset(dataset(lat, lon), "flux")
    turned = Grid.from_dataset(dataset(lat, lon, ("lon", "time", "lat")), "flux")
    assert turned.dims == ("lon", "lat")
    assert turned.shape == (3, 2)
    np.testing.assert_array_equal(
        turned.area_m2().reshape(3, 2), straight.area_m2().reshape(2, 3).T
    )


def test_zonal_rows_and_declared_width():
    ds = dataset(np.linspace(-90, 90, 96), None, ("time", "lat"))
    grid = Grid.from_dataset(ds, "flux")
    assert grid.kind == "zonal"
    assert grid.lat_width_deg().sum() == pytest.approx(180)
    assert grid.area_m2(1.0).sum() == pytest.approx(SPHERE)
    declared = Grid.from_dataset(ds, "flux", GridOptions(lat_width_deg=180 / 95))
    np.testing.assert_array_equal(declared.lat_width_deg(), 180 / 95)
    np.testing.assert_array_equal(declared.area_m2(), grid.area_m2())
    assert declared != grid


def test_bounds_of_the_file_win_unless_set_aside():
    ds = dataset(np.array([-60.0, 60]), np.array([90.0, 270]), bounds="lat_bnds")
    ds["lat_bnds"] = (("lat", "two"), np.array([[-90.0, -30], [30, 90]]))
    assert Grid.from_dataset(ds, "flux").lat_edges_deg.tolist() == [[-90, -30], [30, 90]]
    inferred = Grid.from_dataset(ds, "flux", GridOptions(bounds="infer"))
    assert inferred.lat_edges_deg.tolist() == [[-90, 0], [0, 90]]


def test_named_coordinates():
    ds = dataset(np.array([-45.0, 45]), np.array([60.0, 180, 300])).rename(lat="a", lon="b")
    for name in "ab":
        del ds[name].attrs["units"]
    with pytest.raises(GridError, match="no latitude"):
        Grid.from_dataset(ds, "flux")
    assert Grid.from_dataset(ds, "flux", GridOptions(latitude="a", longitude="b")).shape == (2, 3)


@pytest.mark.parametrize(
    ("ds", "says"),
    [
        (dataset(np.array([0.0, 1]), np.array([0.0, 90, 180, 270, 360])), "go round 450"),
        (dataset(np.array([0.0, np.nan]), np.array([0.0, 180])), "NaN"),
        (dataset(np.array([0.0, 1]), np.array([0.0, 180])).drop_vars("lat"), "no latitude"),
    ],
)
def test_bad_input_coordinates_are_refused(ds, says):
    with pytest.raises(GridError, match=says) as caught:
        Grid.from_dataset(ds, "flux")
    assert caught.value.fix


def test_bad_input_width_for_a_map_is_refused():
    ds = dataset(np.array([-45.0, 45]), np.array([60.0, 180, 300]))
    with pytest.raises(GridError, match="zonal data"):
        Grid.from_dataset(ds, "flux", GridOptions(lat_width_deg=1.0))
    with pytest.raises(GridError, match="no latitude width"):
        Grid.regular(10.0).lat_width_deg()


@pytest.mark.parametrize(
    ("text", "shape"),
    [("1", (180, 360)), ("0.5", (360, 720)), ("1x1.25", (180, 288)), ("n80", (160, 320))],
)
def test_named_grids(text, shape):
    assert Grid.parse(text).shape == shape


def test_bad_input_grid_names(tmp_path):
    for text in ("0.7", "spam", str(tmp_path / "none.nc"), "0", "n0", "hp3", "n8r"):
        with pytest.raises(GridNameError) as caught:
            Grid.parse(text)
        assert caught.value.exit_code == 2


def test_grid_of_a_file_or_store(tmp_path):
    ds = dataset(np.arange(-85.0, 90, 10), np.arange(5.0, 360, 10))
    ds.to_netcdf(tmp_path / "a.nc", engine="netcdf4")
    ds.to_zarr(tmp_path / "a.zarr", zarr_format=2)
    only_coordinates = ds.drop_vars("flux")
    only_coordinates.to_netcdf(tmp_path / "b.nc", engine="netcdf4")
    expected = Grid.from_dataset(ds, "flux")
    for name in ("a.nc", "a.zarr", "b.nc"):
        assert Grid.parse(tmp_path / name) == expected
