from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from strategies import global_grids, latitude_bands

from hpcbudget.errors import RegionError
from hpcbudget.options import GridOptions, RegionSetOptions
from hpcbudget.space.boxes import Boxes
from hpcbudget.space.grid import Grid
from hpcbudget.space.regions import RegionSet, load_region_set, region_ids
from hpcbudget.space.zones import Zones

GCB = load_region_set("gcb_bands")


def cell_table(zones: Zones) -> np.ndarray:
    """The (cell, region) table that the zones stand for."""
    return zones.membership()[zones.labels]


@given(global_grids(), latitude_bands(), latitude_bands())
def test_every_set_shares_out_every_cell(grid, one, other):
    sets = [RegionSet.bands("one", one), RegionSet.bands("other", other), GCB]
    for rule in ("fractional", "centre"):
        zones = Zones.build(grid, sets, rule)
        table = cell_table(zones)
        assert zones.regions == region_ids(sets)
        assert (table[:, 0] == 1).all()
        for ids in zones.region_sets.values():
            columns = [zones.regions.index(i) for i in ids]
            np.testing.assert_allclose(table[:, columns].sum(axis=1), 1, atol=1e-12)
        rows = zones.membership()
        assert len(np.unique(rows, axis=0)) == len(rows)


@given(global_grids(), latitude_bands())
def test_band_areas_are_exact_on_any_grid(grid, bands):
    zones = Zones.build(grid, [RegionSet.bands("s", bands)])
    areas = grid.area_m2(1.0) @ cell_table(zones)
    for name, (south, north) in bands.items():
        exact = 2 * np.pi * (np.sin(np.radians(north)) - np.sin(np.radians(south)))
        assert areas[zones.regions.index(name)] == pytest.approx(exact, rel=1e-12, abs=1e-11)


@pytest.mark.parametrize("convention", [-180.0, 0.0, -300.0])
@pytest.mark.parametrize("turned", [0, 1])
def test_a_hemisphere_box_has_its_analytic_area(convention, turned):
    boxes = Boxes.from_boxes({"east": (0.0, 180.0, -90.0, 90.0), "fiji": (-180, -170, -30, 0)})
    lon = convention + np.arange(145) * 2.5 - 0.7
    grid = Grid.boxes(np.linspace(90, -90, 92), lon, lat_axis=turned)
    zones = Zones.build(grid, [RegionSet("halves", ("east", "fiji"), boxes)])
    areas = grid.area_m2(1.0) @ cell_table(zones)
    assert areas[1] == pytest.approx(2 * np.pi, rel=1e-12)
    assert areas[2] == pytest.approx(np.radians(10) * 0.5, rel=1e-12)
    assert areas[3] == pytest.approx(4 * np.pi - areas[1] - areas[2], rel=1e-12)


def test_three_by_four_by_hand():
    # rows -90..-20, -20..40, 40..90: the middle one is cut at 30 N, the first at 30 S
    grid = Grid.boxes([-90, -20, 40, 90], [0, 90, 180, 270, 360])
    zones = Zones.build(grid, [GCB])
    assert zones.n_zones == 3
    sine = {lat: np.sin(np.radians(lat)) for lat in (20, 30, 40)}
    middle = zones.membership()[zones.labels[4]]
    north = (sine[40] - sine[30]) / (sine[40] + sine[20])
    np.testing.assert_allclose(middle, [1, north, 1 - north, 0, 0], atol=1e-15)
    south = (1 - sine[30]) / (1 - sine[20])
    np.testing.assert_allclose(
        zones.membership()[zones.labels[0]], [1, 0, 1 - south, south, 0], atol=1e-15
    )
    np.testing.assert_array_equal(zones.membership()[zones.labels[8]], [1, 1, 0, 0, 0])


def test_a_centre_on_an_edge_belongs_to_the_tropics():
    polar = Grid.from_dataset(
        xr.Dataset(
            {"v": (("lat", "lon"), np.zeros((19, 4)))},
            coords={"lat": np.linspace(-90, 90, 19), "lon": np.arange(0, 360, 90.0)},
        ),
        "v",
    )
    zones = Zones.build(polar, [GCB], "centre")
    lat, _ = polar.centres()
    assert {-30.0, 30.0} <= set(lat)
    table = cell_table(zones)
    np.testing.assert_array_equal(table[:, 1], lat > 30)
    np.testing.assert_array_equal(table[:, 3], lat < -30)
    np.testing.assert_array_equal(table[:, 2], np.abs(lat) <= 30)


def test_ids_are_plain_while_they_are_unique():
    other = RegionSet.bands("halves", {"North": (0, 90), "Low": (-90, 0)})
    assert region_ids([GCB, other]) == (
        "Globe", "gcb_bands/North", "Tropics", "South", "gcb_bands/unassigned",
        "halves/North", "Low", "halves/unassigned",
    )  # fmt: skip


def test_cost_does_not_grow_with_equal_sets():
    grid = Grid.regular(2.0)
    once = Zones.build(grid, [GCB])
    thrice = Zones.build(
        grid, [GCB, *(RegionSet(n, GCB.regions, GCB.geometry) for n in ("b", "c"))]
    )
    assert once.n_zones == thrice.n_zones == 3


def test_zonal_rows_cannot_know_boxes():
    boxes = load_region_set(RegionSetOptions(name="b", boxes={"A": (0, 90, -30, 30)}))
    grid = Grid.zonal(np.linspace(-90, 90, 7))
    zones = Zones.build(grid, [GCB, boxes])
    assert zones.undefined == ("b",)
    table = zones.membership()
    assert np.isnan(table[:, [zones.regions.index(i) for i in ("A", "b/unassigned")]]).all()
    assert np.isfinite(table[:, :5]).all()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"bands": {"A": (0, 40), "B": (30, 60)}}, "overlap"),
        ({"bands": {"A": (0, 0)}}, "no area"),
        ({"bands": {"A": (0, 100)}}, "beyond a pole"),
        ({"boxes": {"A": (170, -170, 0, 10), "B": (175, 185, 5, 8)}}, "overlap"),
        ({"bands": {"Globe": (0, 10)}}, "unusable names"),
    ],
)
def test_bad_input_regions_are_refused(options, says):
    with pytest.raises(RegionError, match=says):
        load_region_set(RegionSetOptions(name="mine", **options))


def test_bad_input_set_name_gets_the_nearest_match():
    with pytest.raises(RegionError, match="gcb_bands"):
        load_region_set("gcb_band")
    with pytest.raises(RegionError, match="one name"):
        region_ids([GCB, GCB])


def test_real_inversions_band_sums(shared_data):
    for system, options, tolerance in (
        ("CAMSv20r1", GridOptions(lat_width_deg=180 / 95), 1e-12),
        ("CT2017", None, 1e-12),
        ("CTE2018", None, 1e-6),
        ("SOM-FFN", None, 1e-12),
    ):
        folder = shared_data / "inversions" / system
        ds = xr.open_dataset(folder / "fluxes_za_ts_monthly.nc", decode_times=False)
        bands = {"far": (-90.0, -45.0), "near": (-45.0, -30.0)}
        names = {"far": "-90_0_to_-45_0", "near": "-45_0_to_-30_0"}
        grid = Grid.from_dataset(ds, "SFCO2_OCN", options)
        zones = Zones.build(grid, [RegionSet.bands("s", bands)], "centre")
        field = np.nan_to_num(ds["SFCO2_OCN"].values.astype(np.float64))
        totals = (field * grid.lat_width_deg()) @ cell_table(zones)
        for band, file in names.items():
            path = folder / f"flux_ts_monthly.lat_range={file}.nc"
            if path.exists():
                theirs = xr.open_dataset(path, decode_times=False)["SFCO2_OCN"].values
                ours = totals[:, zones.regions.index(band)]
                np.testing.assert_allclose(ours, theirs, atol=tolerance)


def test_real_land_use_emission_field(shared_data):
    path = shared_data / "gcb_gridded/Landuse_carbon_flux_gridded_GCB2023_2013-2022_mean.nc"
    ds = xr.open_dataset(path)
    grid = Grid.from_dataset(ds, "Landuse_Cflux")
    zones = Zones.build(grid, [GCB])
    field = np.nan_to_num(ds["Landuse_Cflux"].values.astype(np.float64).ravel())
    totals = (field * grid.area_m2()) @ cell_table(zones) * 1e-12
    np.testing.assert_allclose(totals[:4], [1.284, 0.046, 1.217, 0.020], atol=5.1e-4)
