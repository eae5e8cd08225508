from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from hpcbudget.errors import RegionError
from hpcbudget.options import FieldRef, RegionSetOptions
from hpcbudget.space.grid import Grid
from hpcbudget.space.named_grids import healpix
from hpcbudget.space.regions import RegionSet, load_region_set, shipped_region_sets
from hpcbudget.space.shipped import coastline
from hpcbudget.space.zones import Zones

DEGREE = Grid.regular(1.0)


def areas(region_set: RegionSet, grid: Grid = DEGREE) -> dict[str, float]:
    """Areas in 1e6 km2, the unassigned rest included."""
    zones = Zones.build(grid, [region_set])
    found = grid.area_m2() @ zones.membership()[zones.labels] / 1e12
    return dict(zip(zones.regions, found.tolist(), strict=True))


@pytest.mark.parametrize("name", shipped_region_sets())
def test_every_shipped_set_shares_out_every_cell(name):
    for grid in (Grid.regular(2.0), Grid.gaussian(24)):
        zones = Zones.build(
            grid,
            [load_region_set(name), load_region_set("gcb_bands")]
            if name != "gcb_bands"
            else [load_region_set(name)],
        )
        table = zones.membership()[zones.labels]
        for ids in zones.region_sets.values():
            columns = [zones.regions.index(i) for i in ids]
            np.testing.assert_allclose(table[:, columns].sum(axis=1), 1, atol=1e-12)


def test_areas_do_not_depend_on_the_grid():
    region_set = load_region_set("reccap2_countries")
    one, other = areas(region_set), areas(region_set, Grid.gaussian(20))
    for name in region_set.regions:
        assert other[name] == pytest.approx(one[name], rel=1e-6)


def test_well_known_areas():
    """Round numbers of any atlas, in 1e6 km2."""
    countries = areas(load_region_set("countries"))
    for name, area in {"Russia": 16.9, "Canada": 9.9, "Brazil": 8.5, "Antarctica": 12.2}.items():
        assert countries[name] == pytest.approx(area, rel=0.012)
    assert countries["Fiji"] == pytest.approx(0.0183, rel=0.02)
    assert countries["Lesotho"] == pytest.approx(0.0304, rel=0.02)
    nine, land = areas(load_region_set("kondo9")), areas(load_region_set("land"))
    assert nine["Europe"] + nine["Boreal Asia"] > countries["Russia"]
    assert land["Land"] == pytest.approx(147.9, rel=0.01)
    assert sum(countries.values()) - countries["countries/unassigned"] - countries["Globe"] == (
        pytest.approx(land["Land"], rel=1e-6)
    )


def test_oceans_and_land_share_out_the_globe():
    """Areas of any atlas in 1e6 km2; Atlantic and Pacific without their southern parts."""
    oceans, land = areas(load_region_set("oceans")), areas(load_region_set("land"))
    caspian = oceans["oceans/unassigned"] - land["Land"]
    assert caspian == pytest.approx(0.39, abs=0.05)
    for name, area in {"Arctic": 13.5, "Atlantic": 70, "Pacific": 141, "Southern": 94}.items():
        assert oceans[name] == pytest.approx(area, rel=0.01)


def test_members_lie_where_everybody_knows():
    points = {
        "Fiji": (178.0, -17.8), "Russia": (-175.0, 66.5), "Antarctica": (0.0, -89.9),
        "Lesotho": (28.3, -29.5), "South Africa": (25.0, -30.0), "France": (2.3, 47.0),
    }  # fmt: skip
    countries = load_region_set("countries")
    lon, lat = np.array(list(points.values())).T
    corners = np.array([-0.01, 0.01, 0.01, -0.01]), np.array([-0.01, -0.01, 0.01, 0.01])
    grid = Grid.polygons(lat[:, None] + corners[1], lon[:, None] + corners[0])
    members = countries.geometry.members(grid)
    assert [countries.regions[m] for m in members] == list(points)
    cell, region, share = countries.geometry.fractions(grid)
    assert [countries.regions[r] for r in region[np.argsort(cell)]] == list(points)
    np.testing.assert_allclose(share, 1)


def test_coastal_cells_can_go_whole_to_their_land():
    plain, coast = load_region_set("kondo9"), load_region_set("kondo9+coast")
    cell, _, share = coast.geometry.fractions(DEGREE)
    np.testing.assert_allclose(np.bincount(cell, share)[np.unique(cell)], 1)
    assert areas(coast)["Southeast Asia"] > 1.3 * areas(plain)["Southeast Asia"]
    assert coast.content_hash() != plain.content_hash()


RECCAP2 = {
    "North America": 24.25, "South America": 17.93, "Europe": 6.02, "Africa": 15.54 + 14.63,
    "North Asia": 16.84, "West and Central Asia": 10.74, "East Asia": 11.68, "South Asia": 4.49,
    "Southeast Asia": 5.32, "Oceania": 8.13,
}  # fmt: skip
"""Areas in 1e6 km2 of the classes of RECCAP2's mask (see PROVENANCE.md), Africa's two joined."""


@pytest.mark.parametrize("degrees", [1.0, 0.5, 0.25])
def test_reccap2_has_the_areas_of_reccap2(degrees):
    found = areas(load_region_set("reccap2"), Grid.regular(degrees))
    for name, area in RECCAP2.items():
        assert found[name] == pytest.approx(area, rel=0.01)
        assert found[name] == pytest.approx(area, rel=0.002)  # the half of a cell of South Asia


@pytest.mark.parametrize(
    ("grid", "accuracy"), [(DEGREE, 1e-11), (Grid.gaussian(31), 1e-11), (healpix(8), 1e-6)],
    ids=["1", "n31", "hp8"],
)  # fmt: skip
def test_outlines_have_the_areas_that_cells_add_up_to(grid, accuracy):
    for name in ("reccap2", "reccap2_countries", "oceans", "kondo9"):
        region_set = load_region_set(name)
        found = areas(region_set, grid)
        for number, region in enumerate(region_set.regions):
            exact = region_set.geometry.rings.of_region(number).area_sr() * 6.371**2
            assert found[region] == pytest.approx(exact, rel=accuracy)


@pytest.mark.parametrize("grid", [Grid.regular(1.0), Grid.regular(0.25)], ids=["1", "0.25"])
def test_reccap2_is_whole_cells_of_one_degree(grid):
    region_set = load_region_set("reccap2")
    cell, region, share = region_set.geometry.fractions(grid)
    assert (share == 1.0).all()
    assert len(np.unique(cell)) == len(cell)  # no cell is of two regions
    members = region_set.geometry.members(grid)
    assert (members[cell] == region).all()
    assert (members >= 0).sum() == len(cell)
    coast = load_region_set("reccap2+coast").geometry.fractions(grid)
    assert (coast.cell == cell).all()
    assert (coast.share == 1.0).all()


def test_reccap2_keeps_what_is_in_no_region():
    zones = Zones.build(DEGREE, [load_region_set("reccap2"), load_region_set("reccap2_countries")])
    table = zones.membership()[zones.labels]
    for ids in zones.region_sets.values():
        np.testing.assert_allclose(
            table[:, [zones.regions.index(i) for i in ids]].sum(axis=1), 1, rtol=0, atol=1e-12
        )
    lat, _ = DEGREE.centres()
    rest = zones.regions.index("reccap2/unassigned")
    assert (table[lat < -60, rest] == 1).all()  # Antarctica is in none
    assert table[:, rest] @ DEGREE.area_m2() / 1e12 == pytest.approx(510.06 - 135.56, abs=0.05)


def mask_of_reccap2(shared_data):
    """Grid of the mask and the number of the region (cell,) in our order, -1 for none."""
    ds = xr.open_dataset(shared_data / "reccap2/RECCAP_AfricaSplit_MASK11_Mask_regridded.nc")
    region = np.array([-1, 0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9, -1])
    return Grid.from_dataset(ds, "Region_Map"), region[ds["Region_Map"].values.astype(int).ravel()]


def test_reccap2_is_made_of_the_cells_of_the_mask(shared_data):
    grid, mask = mask_of_reccap2(shared_data)
    area = grid.area_m2() / 1e12
    members = load_region_set("reccap2").geometry.members(grid)
    for number, expected in enumerate(RECCAP2.values()):
        theirs = area[mask == number].sum()
        assert theirs == pytest.approx(expected, abs=0.0051)
        assert area[(mask == number) & (members == number)].sum() > 0.93 * theirs
    assert area[(mask >= 0) & (members == mask)].sum() > 0.98 * area[mask >= 0].sum()


def test_reccap2_countries_agree_with_the_mask_where_both_see_land(shared_data):
    grid, mask = mask_of_reccap2(shared_data)
    cell, region, share = load_region_set("reccap2_countries").geometry.fractions(grid)
    table = np.zeros((grid.size, 10))
    table[cell, region] = share
    land = table.sum(axis=1)
    both = (mask >= 0) & (land > 0.5)  # the mask also holds cells with specks of land, or none
    table[both] /= land[both, None]
    area = grid.area_m2()
    for number in range(10):
        theirs = area[both & (mask == number)].sum()
        assert (area * table[:, number])[both].sum() == pytest.approx(theirs, rel=0.01)


def test_each_country_is_in_the_region_that_has_most_of_it_in_the_mask(shared_data):
    """But small Pacific islands, which the mask gives to Southeast Asia if it has them at all.

    France is left out: its parts lie in four regions.
    """
    grid, mask = mask_of_reccap2(shared_data)
    countries = load_region_set("countries")
    ours = load_region_set("reccap2_countries").geometry.fractions(grid)
    table = np.zeros((grid.size, 10))
    table[ours.cell, ours.region] = ours.share
    exceptions = {"France", "Fiji", "Fr. Polynesia", "Guam", "New Caledonia", "Niue", "Palau",
                  "Solomon Is.", "Wallis and Futuna Is."}  # fmt: skip
    cell, country, share = countries.geometry.fractions(grid)
    area = share * grid.area_m2()[cell]
    compared = 0
    for number, name in enumerate(countries.regions):
        own = country == number
        theirs = [area[own & (mask[cell] == k)].sum() for k in range(10)]
        if max(theirs) > 0 and name not in exceptions:
            assert (table[cell[own], np.argmax(theirs)] > share[own] - 1e-6).all(), name
            compared += 1
    assert compared > 180


def test_the_coastline_stays_on_the_map():
    lines = np.concatenate(coastline())
    assert np.abs(lines[:, 0]).max() <= 180
    assert max(np.abs(np.diff(line[:, 0])).max() for line in coastline()) < 30


def square(west, south, size=10):
    ring = [[west, south], [west + size, south], [west + size, south + size], [west, south + size]]
    return [*ring, ring[0]]


def collection(*features):
    return {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": p, "geometry": {"type": t, "coordinates": c}}
            for p, t, c in features
        ],
    }


SQUARES = collection(
    ({"NAME": "A", "id": 1}, "Polygon", [square(0, 0), square(2, 2, 5)]),
    ({"NAME": "B", "id": 2}, "MultiPolygon", [[square(20, 0)], [square(2, 2, 5)]]),
    ({"NAME": "A", "id": 3}, "Polygon", [square(100, 0)]),
)


@pytest.mark.parametrize("suffix", [".geojson", ".gpkg", ".shp"])
def test_polygon_files(tmp_path, suffix):
    import pyogrio.raw
    import shapely

    path = tmp_path / f"regions{suffix}"
    if suffix == ".geojson":
        path.write_text(json.dumps(SQUARES))
    else:
        shapes = [shapely.from_geojson(json.dumps(f["geometry"])) for f in SQUARES["features"]]
        pyogrio.raw.write(
            path, shapely.to_wkb([shapely.multipolygons([s]) if s.geom_type == "Polygon" else s
                                  for s in shapes]),
            [np.array(["A", "B", "A"], object)], ["NAME"],
            geometry_type="MultiPolygon", crs="EPSG:4326",
        )  # fmt: skip
    spec = RegionSetOptions(name="mine", polygons=path.name, field="NAME")
    region_set = load_region_set(spec, tmp_path)
    assert region_set.regions == ("A", "B")
    found = areas(region_set, Grid.regular(5.0))

    def box(s, n, d):
        return 6.371**2 * np.radians(d) * np.ptp(np.sin(np.radians([s, n])))

    lake = box(2, 7, 5)
    assert found["A"] == pytest.approx(2 * box(0, 10, 10) - lake, rel=1e-9)
    assert found["B"] == pytest.approx(box(0, 10, 10) + lake, rel=1e-9)


def test_bad_input_polygon_files(tmp_path):
    (tmp_path / "a.geojson").write_text(json.dumps(SQUARES))
    (tmp_path / "b.geojson").write_text("{")
    (tmp_path / "c.geojson").write_text(json.dumps(collection(({"n": 1}, "Point", [0, 0]))))
    (tmp_path / "d.geojson").write_text(
        json.dumps({**SQUARES, "crs": {"properties": {"name": "EPSG:3035"}}})
    )
    for name, field, says in (
        ("none.geojson", None, "no such file"),
        ("a.geojson", "title", "NAME, id"),
        ("b.geojson", None, "cannot be read"),
        ("c.geojson", None, "no polygons"),
        ("d.geojson", "NAME", "reproject"),
    ):
        with pytest.raises(RegionError, match=says):
            load_region_set(RegionSetOptions(name="m", polygons=name, field=field), tmp_path)


def mask_file(path, values, lat, lon, **attrs):
    ds = xr.Dataset({"mask": (("lat", "lon"), values, attrs)}, coords={"lat": lat, "lon": lon})
    ds.to_netcdf(path, engine="netcdf4")


def test_labels_on_their_own_and_on_other_grids(tmp_path):
    lat, lon = np.arange(-75.0, 90, 30), np.arange(30.0, 360, 60)
    values = np.arange(36).reshape(6, 6) % 4.0
    values[0, 0] = np.nan
    mask_file(tmp_path / "m.nc", values, lat, lon)
    labels = FieldRef(paths="m.nc", variable="mask")
    spec = RegionSetOptions(name="m", labels=labels, names={1: "A", 2: "B", 3: "A"})
    region_set = load_region_set(spec, tmp_path)
    own = Grid.boxes(np.linspace(-90, 90, 7), np.linspace(0, 360, 7))
    exact = own.area_m2() / 1e12
    expected = {
        "A": exact[np.isin(values.ravel(), [1, 3])].sum(),
        "B": exact[values.ravel() == 2].sum(),
    }
    for grid in (own, Grid.regular(7.5), Grid.gaussian(5)):
        found = areas(region_set, grid)
        for name in ("A", "B"):
            assert found[name] == pytest.approx(expected[name], rel=1e-12)
    assert load_region_set(RegionSetOptions(name="m", labels=labels), tmp_path).regions == (
        "1", "2", "3",
    )  # fmt: skip
    members = region_set.geometry.members(Grid.regular(30.0))
    assert set(members) == {-1, 0, 1}


def test_land_and_ocean_from_a_land_fraction(tmp_path):
    lat, lon = np.array([-45.0, 45]), np.arange(45.0, 360, 90)
    percent = np.array([[100.0, 50, 0, 25], [0, 0, np.nan, 100]])
    mask_file(tmp_path / "f.nc", percent, lat, lon, units="%")
    field = FieldRef(paths="f.nc", variable="mask")
    region_set = load_region_set(RegionSetOptions(name="sea", fraction=field), tmp_path)
    found = areas(region_set)
    eighth = 4 * np.pi * 6.371**2 / 8
    assert found["Land"] == pytest.approx(2.75 * eighth)
    assert found["Ocean"] == pytest.approx(4.25 * eighth)
    assert found["sea/unassigned"] == pytest.approx(eighth)


def test_bad_input_masks(tmp_path):
    lat, lon = np.array([-45.0, 45]), np.arange(45.0, 360, 90)
    mask_file(tmp_path / "m.nc", np.full((2, 4), 0.5), lat, lon)
    field = FieldRef(paths="m.nc", variable="mask")
    percent = FieldRef(paths="m.nc", variable="mask", scale="percent")
    mask_file(tmp_path / "w.nc", np.full((2, 4), 2.0), lat, lon)
    whole = FieldRef(paths="w.nc", variable="mask", scale="fraction")
    for options, says in (
        ({"labels": field}, "not whole"),
        ({"fraction": field}, "fraction or percent"),
        ({"fraction": whole}, "runs from 2"),
        ({"labels": whole, "names": {7: "A"}}, "label 7"),
        ({"labels": FieldRef(paths="x.nc", variable="mask")}, "no such file"),
    ):
        with pytest.raises(RegionError, match=says):
            load_region_set(RegionSetOptions(name="m", **options), tmp_path)
    assert load_region_set(RegionSetOptions(name="m", fraction=percent), tmp_path).regions
