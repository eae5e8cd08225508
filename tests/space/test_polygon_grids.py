from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.errors import GridError
from hpcbudget.options import GridOptions
from hpcbudget.space.bent_edges import bent, under_arcs
from hpcbudget.space.grid import Grid
from hpcbudget.space.named_grids import healpix, octahedral, recognise, reduced_gaussian
from hpcbudget.space.regions import load_region_set
from hpcbudget.space.weights import make_weights
from hpcbudget.space.zones import Zones

SPHERE = 4 * np.pi


def rotated_nodes(ny, nx, pole_lat=39.25, west=-20.0, south=-20.0, size=40.0):
    """Nodes of a regional rotated-pole grid."""
    x, y = np.meshgrid(
        np.linspace(west, west + size, nx + 1), np.linspace(south, south + size, ny + 1)
    )
    a, b, tilt = np.radians(y), np.radians(x), np.radians(90 - pole_lat)
    p = np.stack([np.cos(a) * np.cos(b), np.cos(a) * np.sin(b), np.sin(a)], axis=-1)
    turn = np.array([[np.cos(tilt), 0, np.sin(tilt)], [0, 1, 0], [-np.sin(tilt), 0, np.cos(tilt)]])
    q = p @ turn
    return np.degrees(np.arcsin(q[..., 2])), np.degrees(np.arctan2(q[..., 1], q[..., 0]))


def points(lat, lon):
    """Unit vectors (..., 3)."""
    a, b = np.radians(lat), np.radians(lon)
    return np.stack([np.cos(a) * np.cos(b), np.cos(a) * np.sin(b), np.sin(a)], axis=-1)


def corners_of(nodes):
    return np.stack([nodes[:-1, :-1], nodes[:-1, 1:], nodes[1:, 1:], nodes[1:, :-1]], axis=-1)


def curvilinear_dataset(dims=("y", "x"), bounds=True):
    lat, lon = rotated_nodes(12, 10)
    grid = Grid.curvilinear(lat, lon)
    ds = xr.Dataset(
        {"flux": (("time", *dims), np.zeros((2, 12, 10) if dims[0] == "y" else (2, 10, 12)))},
        coords={
            "lat": (("y", "x"), grid.lat_deg.reshape(12, 10), {"units": "degrees_north"}),
            "lon": (("y", "x"), grid.lon_deg.reshape(12, 10), {"units": "degrees_east"}),
        },
    )
    if bounds:
        for name, nodes in (("lat", lat), ("lon", lon)):
            ds[f"{name}_vertices"] = (("y", "x", "vertices"), corners_of(nodes))
            ds[name].attrs["bounds"] = f"{name}_vertices"
    return ds, grid


def test_corners_of_a_file():
    ds, grid = curvilinear_dataset()
    assert Grid.from_dataset(ds, "flux") == grid
    turned, _ = curvilinear_dataset(("x", "y"))
    other = Grid.from_dataset(turned, "flux")
    assert other.shape == (10, 12)
    np.testing.assert_allclose(
        other.area_m2().reshape(10, 12), grid.area_m2().reshape(12, 10).T, rtol=1e-13
    )


def test_corners_of_another_file(tmp_path):
    ds, grid = curvilinear_dataset()
    ds.to_netcdf(tmp_path / "grid.nc", engine="netcdf4")
    bare = xr.Dataset({"flux": (("time", "j", "i"), np.zeros((2, 12, 10)))})
    corners = {"paths": str(tmp_path / "grid.nc"), "variable": "flux"}
    found = Grid.from_dataset(bare, "flux", GridOptions(corners=corners))
    assert found == grid
    assert found.dims == ("j", "i")
    with pytest.raises(GridError, match="shape"):
        Grid.from_dataset(bare.isel(i=slice(5)), "flux", GridOptions(corners=corners))


def test_inferred_corners_meet_halfway():
    ds, grid = curvilinear_dataset(bounds=False)
    inferred = Grid.from_dataset(ds, "flux")
    assert "inferred" in inferred.rule
    np.testing.assert_allclose(inferred.area_m2(), grid.area_m2(), rtol=0.01)
    assert inferred.area_m2().sum() == pytest.approx(grid.area_m2().sum(), rel=2e-3)


def test_a_global_curvilinear_grid_closes_round_the_earth():
    lon, lat = np.meshgrid(np.arange(0.5, 360, 5), np.arange(-87.5, 88, 5))
    lat = lat + 1e-3 * np.sin(np.radians(lon))  # just not rectilinear
    ds = xr.Dataset(
        {"v": (("j", "i"), lat)}, coords={"lat": (("j", "i"), lat), "lon": (("j", "i"), lon)}
    )
    grid = Grid.from_dataset(ds, "v")
    assert grid.kind == "curvilinear"
    assert grid.area_m2(1.0).sum() == pytest.approx(SPHERE, rel=2e-3)


def test_two_dimensional_coordinates_of_boxes_are_boxes():
    lon, lat = np.meshgrid(np.arange(5.0, 360, 10), np.arange(85.0, -90, -10))
    for dims, y, x in ((("j", "i"), lat, lon), (("i", "j"), lat.T, lon.T)):
        ds = xr.Dataset({"v": (dims, y)}, coords={"lat": (dims, y), "lon": (dims, x)})
        grid = Grid.from_dataset(ds, "v")
        assert grid.is_boxes
        assert grid.shape == y.shape
        assert grid.area_m2(1.0).sum() == pytest.approx(SPHERE)


def test_junk_corners_of_masked_cells_have_no_area():
    lat, lon = rotated_nodes(6, 6)
    corner_lat, corner_lon = corners_of(lat).copy(), corners_of(lon).copy()
    corner_lat[0, 0], corner_lon[0, 0] = 1e20, 1e20
    corner_lat[1, 1], corner_lon[1, 1] = np.nan, np.nan
    corner_lat[2, 2], corner_lon[2, 2] = 0.0, 0.0
    corner_lat[3, 3], corner_lon[3, 3] = -999.0, -999.0
    grid = Grid.polygons(corner_lat, corner_lon)
    area = grid.area_m2().reshape(6, 6)
    assert (area[[0, 1, 2, 3], [0, 1, 2, 3]] == 0).all()
    assert (area > 0).sum() == 32
    zones = Zones.build(grid, [load_region_set("gcb_bands"), load_region_set("land")])
    assert (zones.labels.reshape(6, 6)[[0, 1, 2, 3], [0, 1, 2, 3]] == -1).all()
    assert (zones.labels >= 0).sum() == 32
    weights = make_weights(grid, Grid.regular(5.0))
    values = np.full((6, 6), 2.0)
    kept = weights.apply(values, "integral").values
    total = np.nansum(kept * Grid.regular(5.0).area_m2().reshape(kept.shape))
    assert total == pytest.approx(2.0 * area.sum(), rel=1e-12)


@pytest.mark.parametrize("nside", [1, 2, 4, 16])
def test_healpix_cells_are_of_one_size(nside):
    for order in ("nested", "ring"):
        grid = healpix(nside, order)
        area = grid.area_m2(1.0)
        assert area.sum() == pytest.approx(SPHERE, rel=1e-13)
        np.testing.assert_allclose(area, SPHERE / grid.size, rtol=1e-11)
        np.testing.assert_allclose(healpix(nside, order, 4).area_m2(1.0), area, rtol=1e-10)
        assert recognise(grid.lat_deg, grid.lon_deg) == healpix(nside, order)
    assert (np.diff(healpix(nside, "ring").lat_deg) < 1e-9).all()


def test_healpix_neighbours_share_their_edges():
    """To the bit or nearly: nothing of the sphere lies between cells or in two of them."""
    grid = healpix(4)
    p = points(*grid.corners())
    middles = (p + np.roll(p, -1, axis=1)).reshape(-1, 3)
    near = (middles @ middles.T > (middles**2).sum(axis=1) - 1e-13).sum(axis=1)
    # the middle of each step belongs to one step of one other cell
    assert (near == 2).all()
    one = make_weights(grid, healpix(8, "ring"))
    np.testing.assert_allclose(one.source_fraction, 1, atol=1e-9)
    np.testing.assert_allclose(one.destination_fraction, 1, atol=1e-9)


@given(
    st.floats(-80, 80), st.floats(-80, 80), st.floats(1, 60), st.integers(2, 9), st.floats(-1, 1)
)
def test_bent_edges_have_the_area_that_is_asked_for(south, north, width, steps, curve):
    """Edges from one point to another that bow to one side by up to a twentieth of their width."""
    along = np.linspace(0, 1, steps + 1)
    lat = south + (north - south) * along
    lon = width * along + 0.05 * curve * width * along * (1 - along)
    arcs = points(lat, lon)
    area = under_arcs(arcs) + 1e-3 * curve * np.radians(width) * np.cos(np.radians(south))
    bent_lat, bent_lon = bent(lat, lon, np.array(area))
    assert under_arcs(points(bent_lat, bent_lon)) == pytest.approx(area, abs=1e-9)
    np.testing.assert_allclose(bent_lat[[0, -1]], lat[[0, -1]], atol=1e-12)
    np.testing.assert_allclose(bent_lon[[0, -1]], lon[[0, -1]], atol=1e-12)


def test_healpix_centres_of_the_paper():
    """nside 1: four cells at asin(2/3), four on the equator, four at -asin(2/3)."""
    grid = healpix(1, "ring")
    polar = np.degrees(np.arcsin(2 / 3))
    np.testing.assert_allclose(grid.lat_deg, [polar] * 4 + [0] * 4 + [-polar] * 4, atol=1e-12)
    np.testing.assert_allclose(
        grid.lon_deg, [45, 135, 225, 315, 0, 90, 180, 270, 45, 135, 225, 315]
    )


def test_healpix_by_its_grid_mapping():
    ds = xr.Dataset(
        {"v": (("time", "cell"), np.zeros((2, 192)), {"grid_mapping": "crs"}),
         "crs": ((), 0, {"grid_mapping_name": "healpix", "healpix_nside": 4,
                         "healpix_order": "ring"})}
    )  # fmt: skip
    assert Grid.from_dataset(ds, "v") == healpix(4, "ring")
    ds.crs.attrs["healpix_nside"] = 8
    with pytest.raises(GridError, match="768 cells"):
        Grid.from_dataset(ds, "v")


def test_reduced_gaussian_rows_have_gaussian_weights():
    grid = octahedral(8)
    columns = np.concatenate([np.arange(20, 52, 4), np.arange(20, 52, 4)[::-1]])
    assert grid.size == columns.sum()
    _, weights = np.polynomial.legendre.leggauss(16)
    by_row = np.add.reduceat(grid.area_m2(1.0), np.cumsum(columns) - columns)
    np.testing.assert_allclose(by_row, 2 * np.pi * weights, rtol=1e-12)
    np.testing.assert_allclose(
        grid.area_m2(1.0), (by_row / columns)[np.repeat(np.arange(16), columns)], rtol=1e-11
    )
    assert recognise(grid.lat_deg.round(3), grid.lon_deg) == grid
    assert recognise(grid.lat_deg + 1, grid.lon_deg) is None
    assert reduced_gaussian(columns) == grid


def test_healpix_to_boxes_keeps_totals_and_regions():
    grid, boxes = healpix(8), Grid.regular(6.0)
    weights = make_weights(grid, boxes)
    np.testing.assert_allclose(weights.source_fraction, 1, atol=1e-9)
    zones = Zones.build(grid, [load_region_set("gcb_bands")])
    share = grid.area_m2(1.0) @ zones.membership()[zones.labels] / SPHERE
    np.testing.assert_allclose(share, [1, 0.25, 0.5, 0.25, 0], atol=1e-3)


def ugrid_dataset(start_index):
    lat, lon = rotated_nodes(3, 4)
    number = np.arange(20).reshape(4, 5) + start_index
    faces = corners_of(number).reshape(-1, 4)
    faces = np.concatenate([faces, np.full((12, 1), -999)], axis=1)
    return xr.Dataset(
        {
            "mesh": ((), 0, {"cf_role": "mesh_topology", "node_coordinates": "nlon nlat",
                             "face_node_connectivity": "faces", "face_dimension": "face"}),
            "faces": (("face", "corner"), faces.astype(np.int32), {"start_index": start_index,
                                                                 "_FillValue": -999}),
            "nlat": ("node", lat.ravel(), {"units": "degrees_north"}),
            "nlon": ("node", lon.ravel(), {"units": "degrees_east"}),
            "flat": ("face", corners_of(lat).mean(-1).ravel(), {"units": "degrees_north"}),
            "flon": ("face", corners_of(lon).mean(-1).ravel(), {"units": "degrees_east"}),
            "v": (("time", "face"), np.zeros((1, 12))),
        }
    ).set_coords(["flat", "flon"]), Grid.curvilinear(lat, lon)  # fmt: skip


@pytest.mark.parametrize("start_index", [0, 1])
def test_ugrid_faces(start_index, tmp_path):
    ds, same = ugrid_dataset(start_index)
    grid = Grid.from_dataset(ds, "v")
    assert grid.dims == ("face",)
    np.testing.assert_allclose(grid.area_m2(), same.area_m2(), rtol=1e-13)
    ds.to_netcdf(tmp_path / "mesh.nc", engine="netcdf4")
    again = Grid.parse(tmp_path / "mesh.nc")
    np.testing.assert_allclose(again.area_m2(), same.area_m2(), rtol=1e-13)


@pytest.mark.parametrize("nside", [3, 5, 6, 11])
def test_healpix_of_any_size_in_ring_order(nside):
    grid = healpix(nside, "ring")
    np.testing.assert_allclose(grid.area_m2(1.0) * grid.size, 4 * np.pi, rtol=1e-11)
    np.testing.assert_allclose(
        healpix(nside, "ring", 3).area_m2(1.0) * grid.size, 4 * np.pi, rtol=1e-11
    )
    # rings of the caps: i-th cell of ring r at 90 (i + 1/2) / r degrees, 4 r of them
    lat, lon = grid.lat_deg, grid.lon_deg
    for r in range(1, nside):
        own = slice(2 * r * (r - 1), 2 * r * (r + 1))
        np.testing.assert_allclose(np.sin(np.radians(lat[own])), 1 - (r / nside) ** 2 / 3)
        np.testing.assert_allclose(lon[own], 90 * (np.arange(4 * r) + 0.5) / r)


def test_nodes_are_what_they_say_and_not_what_their_names_contain():
    ds, same = ugrid_dataset(0)
    ds = ds.rename({"nlat": "platform_y", "nlon": "platform_x"})  # both names hold "lat"
    ds["mesh"].attrs["node_coordinates"] = "platform_x platform_y"
    np.testing.assert_allclose(Grid.from_dataset(ds, "v").area_m2(), same.area_m2(), rtol=1e-13)


def test_scrip_grid_files(tmp_path):
    lat, lon = rotated_nodes(3, 4)
    ds = xr.Dataset(
        {
            "grid_dims": ("rank", np.array([4, 3], np.int32)),
            "grid_corner_lat": (("cell", "corner"), np.radians(corners_of(lat).reshape(-1, 4)),
                                {"units": "radians"}),
            "grid_corner_lon": (("cell", "corner"), np.radians(corners_of(lon).reshape(-1, 4)),
                                {"units": "radians"}),
        }
    )  # fmt: skip
    ds.to_netcdf(tmp_path / "s.nc", engine="netcdf4")
    grid = Grid.parse(tmp_path / "s.nc")
    assert grid.shape == (3, 4)
    np.testing.assert_allclose(grid.area_m2(), Grid.curvilinear(lat, lon).area_m2(), rtol=1e-12)


def test_bad_input_cells_without_corners_are_refused():
    ds = xr.Dataset(
        {"v": ("cell", np.zeros(5))},
        coords={"lat": ("cell", np.arange(5.0)), "lon": ("cell", np.array([3.0, 1, 4, 1, 5]))},
    )
    with pytest.raises(GridError, match="no corners"):
        Grid.from_dataset(ds, "v")
    with pytest.raises(GridError, match="nside 3"):
        healpix(3)
