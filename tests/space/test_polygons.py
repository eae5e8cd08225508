from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import global_grids

from hpcbudget.errors import RegionError
from hpcbudget.space.boxes import Boxes
from hpcbudget.space.grid import Grid
from hpcbudget.space.polygons import Polygons
from hpcbudget.space.regions import RegionSet
from hpcbudget.space.rings import Rings
from hpcbudget.space.zones import Zones


def polygons(*regions) -> Polygons:
    """Polygons from lists of rings; a ring is a list of corners, a tuple of one is a hole."""
    rings = [
        (i, isinstance(ring, tuple), np.array(ring, np.float64))
        for i, region in enumerate(regions)
        for ring in region
    ]
    return Polygons(Rings.of(rings), len(regions))


def areas(geometry, grid) -> np.ndarray:
    cell, region, share = geometry.fractions(grid)
    return np.bincount(region, grid.area_m2(1.0)[cell] * share, geometry.n_regions)


@given(
    global_grids(),
    st.lists(st.tuples(st.floats(5, 85), st.floats(0, 0.6)), min_size=4, max_size=9),
    st.floats(-170, 170),
)
def test_shares_of_any_star_add_up_to_its_area(grid, rays, middle):
    """A star around a point on the equator, over the date line or not, on any grid."""
    reach, late = np.array(rays).T
    turn = 2 * np.pi * (np.arange(len(rays)) + late) / len(rays)
    star = np.stack([middle + reach * np.cos(turn), reach * np.sin(turn)], axis=1)
    geometry = polygons([star])
    exact = geometry.rings.area_sr()
    cell, _, share = geometry.fractions(grid)
    assert share.min() > 0
    assert (grid.area_m2(1.0)[cell] * share).sum() == pytest.approx(exact, rel=1e-8, abs=1e-8)


@given(global_grids(), st.floats(-180, 179), st.floats(1, 180), st.integers(-80, 70))
def test_a_box_drawn_as_a_polygon_is_the_box(grid, west, width, south):
    box = {"A": (west, west + width, float(south), south + 10.0)}
    boxes = Boxes.from_boxes(box)
    ring = [(west, south), (west + width, south), (west + width, south + 10), (west, south + 10)]
    if width == 180:
        ring.insert(1, (west + 90, south))
        ring.insert(4, (west + 90, south + 10))
    one, other = np.zeros(grid.size), np.zeros(grid.size)
    cell, _, share = boxes.fractions(grid)
    one[cell] = share
    cell, _, share = polygons([ring]).fractions(grid)
    other[cell] = share
    np.testing.assert_allclose(other, one, atol=2e-9)


@given(
    global_grids(),
    st.lists(st.tuples(st.integers(-180, 359), st.integers(1, 179)), min_size=2, max_size=6),
)
def test_rings_that_lie_anywhere_keep_their_areas(grid, spans):
    """Boxes one above the other, some through Greenwich or the date line, as one region."""
    rings = []
    for number, (west, width) in enumerate(spans):
        south = -80.0 + 20.0 * number
        middle, east = west + width / 2, west + width
        low = [(west, south), (middle, south), (east, south)]
        rings.append([*low, *((x, south + 20.0) for x, _ in low[::-1])])
    geometry = polygons(rings)
    assert areas(geometry, grid)[0] == pytest.approx(geometry.rings.area_sr(), rel=1e-8)


def test_three_by_four_by_hand():
    """A triangle on 90 degree cells: integrals of the sine along its slanted edge by hand."""
    grid = Grid.boxes([-90, -30, 30, 90], [0, 90, 180, 270, 360])
    # right triangle (0, 0), (60, 0), (0, 60); its slope goes through (30, 30)
    cell, _, share = polygons([[(0, 0), (60, 0), (0, 60)]]).fractions(grid)
    # area above 30 N: from lat = 60 - lon, lon 0..30: sum of (sin lat - sin 30) dlon
    north = (np.cos(np.pi / 6) - np.cos(np.pi / 3)) - 0.5 * np.pi / 6
    whole = 1 - np.cos(np.pi / 3)
    box = np.pi / 2 * np.array([1.0, 0.5])
    assert cell.tolist() == [4, 8]
    np.testing.assert_allclose(share, np.array([whole - north, north]) / box, rtol=1e-12)


def test_holes_islands_and_neighbours():
    grid = Grid.regular(7.5)
    lake = ([(10, 10), (20, 10), (20, 20), (10, 20)],)
    island = [(12, 12), (15, 12), (15, 15), (12, 15)]
    land = [[(0, 0), (30, 0), (30, 30), (0, 30)], tuple(lake[0]), island]
    geometry = polygons(land, [(tuple(lake[0]))[:] and lake[0], tuple(island)])

    def box(s, n, d):
        return np.radians(d) * (np.sin(np.radians(n)) - np.sin(np.radians(s)))

    found = areas(geometry, grid)
    hole = box(10, 20, 10) - box(12, 15, 3)
    assert found[0] == pytest.approx(box(0, 30, 30) - hole, rel=1e-12)
    assert found[1] == pytest.approx(hole, rel=1e-12)
    zones = Zones.build(grid, [RegionSet("s", ("land", "lake"), geometry)])
    inside = np.flatnonzero(zones.membership()[zones.labels][:, 1] > 0)
    rest = zones.membership()[zones.labels][inside][:, 3]
    assert (rest == 0).all()  # no slivers of unassigned between neighbours


@pytest.mark.parametrize("start", [-180.0, 0.0, -300.0])
def test_date_line_and_poles(start):
    grid = Grid.boxes(np.linspace(-90, 90, 37), start + np.linspace(0, 360, 50))
    fiji = [(176, -20), (-178, -20), (-178, -15), (176, -15)]
    cut = [
        [(176, -20), (180, -20), (180, -15), (176, -15)],
        [(-180, -20), (-178, -20), (-178, -15), (-180, -15)],
    ]
    np.testing.assert_allclose(
        areas(polygons([fiji]), grid), areas(polygons(cut), grid), rtol=1e-12
    )
    around = [(lon, -70 - 5 * (lon % 40 == 0)) for lon in range(-180, 180, 20)]
    seam = [*around, (180, around[0][1]), (180, -90), (-180, -90)]
    south, drawn = areas(polygons([around]), grid), areas(polygons([seam]), grid)
    np.testing.assert_allclose(south, drawn, rtol=1e-12)
    cap = 2 * np.pi * (1 - np.sin(np.radians(70)))
    assert 0.7 * cap < south[0] < cap
    assert areas(polygons([around[::-1]]), grid)[0] == pytest.approx(south[0], rel=1e-12)


def test_centres_agree_with_shares_where_cells_are_not_cut():
    grid = Grid.regular(2.0)
    ring = [(170, -30), (-150, 10), (-170, 50), (150, 40)]
    geometry = polygons([ring], [[(0, -10), (20, -10), (20, 60), (0, 60)]])
    cell, region, share = geometry.fractions(grid)
    members = geometry.members(grid)
    whole = share > 1 - 1e-9
    np.testing.assert_array_equal(members[cell[whole]], region[whole])
    outside = np.setdiff1d(np.arange(grid.size), cell)
    assert (members[outside] == -1).all()


def test_polygon_cells_are_cut_as_finely_as_boxes():
    """A rotated grid of small cells and a box grid agree on a region's area, poles included."""
    nodes_lon, nodes_lat = np.meshgrid(np.linspace(0, 360, 181), np.linspace(-90, 90, 91))
    y, x = np.radians(nodes_lat), np.radians(nodes_lon)
    p = np.stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)], axis=-1)
    tilt = np.radians(47.0)
    turned = p @ np.array(
        [[np.cos(tilt), 0, -np.sin(tilt)], [0, 1, 0], [np.sin(tilt), 0, np.cos(tilt)]]
    )
    lat = np.degrees(np.arcsin(np.clip(turned[..., 2], -1, 1)))
    lon = np.degrees(np.arctan2(turned[..., 1], turned[..., 0]))
    grid = Grid.curvilinear(lat, lon)
    ring = [(170, -30), (-150, 10), (-170, 50), (150, 40)]
    lake = [(178, 0), (184, 0), (184, 5), (178, 5)]
    cap = [(lon, 75) for lon in range(-180, 180, 30)]
    geometry = polygons([ring, tuple(lake)], [cap])
    exact = [geometry.rings.of_region(i).area_sr() for i in (0, 1)]
    np.testing.assert_allclose(areas(geometry, grid), exact, rtol=2e-5)
    bands = RegionSet.bands("bands", {"N": (30.0, 90.0), "T": (-30.0, 30.0)})
    zones = Zones.build(grid, [RegionSet("p", ("a", "b"), geometry), bands])
    table = zones.membership()[zones.labels]
    np.testing.assert_allclose(table[:, 1:4].sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(table[:, 4:].sum(axis=1), 1, atol=1e-12)
    found = grid.area_m2(1.0) @ table
    np.testing.assert_allclose(found[4:] / np.pi, [1, 2, 1], rtol=2e-5)
    centre = Zones.build(grid, [bands], "centre")
    np.testing.assert_allclose(
        grid.area_m2(1.0) @ centre.membership()[centre.labels][:, 1] / np.pi, 1, rtol=0.01
    )


def test_bad_input_outlines_are_refused():
    with pytest.raises(RegionError, match="poles"):
        polygons([[(0, 0), (10, 0), (10, 95)]])
    with pytest.raises(RegionError, match="NaN"):
        polygons([[(0, 0), (10, 0), (np.nan, 5)]])
    double = polygons(
        [[(0, 0), (20, 0), (20, 20), (0, 20)]], [[(0, 0), (20, 0), (20, 20), (0, 20)]]
    )
    with pytest.raises(RegionError, match=r"claim 200 %"):
        Zones.build(Grid.regular(10.0), [RegionSet("s", ("a", "b"), double)])


@given(st.integers(0, 359), st.integers(1, 40), st.integers(-90, 80), st.booleans())
def test_a_regional_grid_sees_what_the_globe_sees_there(west, columns, south, gap):
    """Cells of a grid that does not go round, or leaves columns out, have the same shares."""
    globe = Grid.boxes(np.arange(-90, 91, 5), np.arange(0, 361, 5))
    rows = np.add.outer(np.arange(south, min(south + 30, 90), 5.0), [0, 5])
    rows = rows[rows[:, 1] <= 90] - south % 5
    lon = np.add.outer(west - west % 5 + 5.0 * np.arange(columns), [0, 5])
    lon = lon[::2] if gap else lon
    region = Grid.boxes(rows, lon)
    ring = [(170, -80), (-120, 10), (-170, 85), (150, 40)]
    geometry = polygons([ring], [[(-20, -10), (20, -15), (0, 70)]])
    dense = np.zeros((2, globe.size))
    cell, number, share = geometry.fractions(globe)
    dense[number, cell] = share
    lat, lon = region.centres()
    same = ((lat + 90) // 5 * 72 + (lon % 360) // 5).astype(int)
    here = np.zeros((2, region.size))
    cell, number, share = geometry.fractions(region)
    here[number, cell] = share
    np.testing.assert_allclose(here, dense[:, same], atol=1e-9)
