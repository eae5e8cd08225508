from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.kernels import sphere
from hpcbudget.space.grid import Grid


def area(*corners):
    lon, lat = np.array(corners, np.float64).T
    return sphere.polygon_areas(lat[None], lon[None])[0]


def overlap(window, subject):
    (wx, wy), (sx, sy) = (np.array(p, np.float64).T for p in (window, subject))
    boxes, areas = sphere.extents(sy[None], sx[None])
    index = sphere.index_cells(boxes, 18, 36)
    _, _, common, _ = sphere.overlap_cells(
        wy[None], wx[None], sy[None], sx[None], boxes, areas, *index, 18, 36
    )
    return common.sum()


def test_areas_by_hand():
    assert area((0, 0), (90, 0), (0, 90)) == pytest.approx(np.pi / 2, rel=1e-15)
    # one corner on the pole, told twice with different longitudes
    assert area((0, 0), (90, 0), (90, 90), (0, 90)) == pytest.approx(np.pi / 2, rel=1e-15)
    assert area((0, 0), (0, 0), (1, 1)) == 0
    assert area((0, 0), (1, 0), (np.nan, np.nan)) == 0
    # around the pole, and the same polygon told the other way round
    assert area(*[(lon, 60) for lon in range(0, 360, 90)]) == pytest.approx(
        area(*[(lon, 60) for lon in range(270, -1, -90)]), rel=1e-15
    )


def test_a_small_cell_keeps_its_digits():
    side = 1e-5
    flat = np.radians(side) ** 2
    assert area((10, 0), (10 + side, 0), (10 + side, side), (10, side)) == pytest.approx(
        flat, rel=1e-10
    )


def test_a_hollow_polygon_counts_what_it_encloses():
    whole = area((0, 0), (10, 0), (10, 10), (0, 10))
    notch = area((0, 0), (10, 0), (5, 5))
    arrow = [(0, 0), (5, 5), (10, 0), (10, 10), (0, 10)]
    assert area(*arrow) == pytest.approx(whole - notch, rel=1e-13)
    for window, subject in (
        (arrow, [(0, 0), (10, 0), (10, 10), (0, 10)]),
        ([(0, 0), (10, 0), (10, 10), (0, 10)], arrow),
    ):
        assert overlap(window, subject) == pytest.approx(whole - notch, rel=1e-12)


@given(
    st.floats(-89, 89), st.floats(-400, 400), st.floats(0.01, 20), st.floats(-1, 1), st.booleans()
)
def test_a_polygon_overlaps_itself_wholly_anywhere(lat, lon, size, skew, clockwise):
    """Also over poles and the date line: corners are turned there in three dimensions."""
    corners = np.array([[-1, -1], [1, -1], [1 + skew / 2, 1], [-1, 1 - skew / 3]]) * size / 2
    y, x = np.radians(corners.T)
    p = np.stack([np.cos(x) * np.cos(y), np.sin(y), np.sin(x)])
    a, b = np.radians(lat), np.radians(lon)
    tilt = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    turn = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    p = turn @ tilt @ p
    lats, lons = np.degrees(np.arcsin(p[2])), np.degrees(np.arctan2(p[1], p[0]))
    ring = list(zip(lons, lats, strict=True))
    exact = area(*ring)
    assert exact > 0
    assert overlap(ring[::-1] if clockwise else ring, ring) == pytest.approx(exact, rel=1e-9)


@given(
    st.integers(2, 12), st.integers(3, 12), st.integers(2, 12), st.integers(3, 12), st.floats(0, 90)
)
def test_overlaps_share_out_the_sphere(rows, columns, rows2, columns2, shift):
    """Every cell of both grids is covered exactly once."""
    one = Grid.boxes(np.linspace(-90, 90, rows + 1), np.linspace(0, 360, columns + 1))
    two = Grid.boxes(np.linspace(-90, 90, rows2 + 1), np.linspace(shift, shift + 360, columns2 + 1))
    lat, lon = (np.ascontiguousarray(c) for c in one.corners())
    lat2, lon2 = (np.ascontiguousarray(c) for c in two.corners())
    boxes, areas = sphere.extents(lat, lon)
    index = sphere.index_cells(boxes, 18, 36)
    indptr, cell, common, windows = sphere.overlap_cells(
        lat2, lon2, lat, lon, boxes, areas, *index, 18, 36
    )
    rows_of = np.repeat(np.arange(len(windows)), np.diff(indptr))
    np.testing.assert_allclose(np.bincount(rows_of, common, len(windows)), windows, rtol=1e-10)
    np.testing.assert_allclose(np.bincount(cell, common, len(areas)), areas, rtol=1e-10)


def test_kernels_run_in_many_threads_at_once():
    grid = Grid.regular(10.0)
    lat, lon = (np.ascontiguousarray(c) for c in grid.corners())
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: sphere.polygon_areas(lat, lon), range(64)))
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])
