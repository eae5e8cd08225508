from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.kernels.coverage import cover, ring_area, windings

LAT, LON = np.linspace(-90, 90, 13), np.linspace(0, 360, 19)


def covered(*corners, lat=LAT, lon=LON, sign=1.0, every=None):
    ring = np.array([*corners, corners[0]], np.float64)
    x, y = ring[:, 0].copy(), ring[:, 1].copy()
    ptr = np.array([0, len(ring)])
    return cover(x, y, ptr, np.array([sign]), lat, lon, every or len(lon) - 1)


def fine_sum(corners, lat, lon, n=4000):
    """Area below a straight northern edge within one cell, by many thin columns."""
    (x0, y0), (x1, y1) = corners
    x = x0 + (np.arange(n) + 0.5) * (x1 - x0) / n
    y = y0 + (x - x0) * (y1 - y0) / (x1 - x0)
    inside = (x > lon[0]) & (x < lon[1])
    height = np.sin(np.radians(np.clip(y, *lat))) - np.sin(np.radians(lat[0]))
    return (height * inside).sum() * np.radians((x1 - x0) / n)


@given(st.floats(-60, 80), st.floats(-60, 80), st.floats(0.5, 170))
def test_a_slanted_edge_against_thin_columns(left, right, width):
    """The trapezium between a slanted edge and the parallel 70 S."""
    x0, x1 = 10.0, 10.0 + width
    found = covered((x0, -70.0), (x1, -70.0), (x1, right), (x0, left))
    assert found.min() > -1e-15
    for row in range(12):
        for column in range(18):
            cell = (max(LAT[row], -70.0), max(LAT[row + 1], -70.0)), LON[column : column + 2]
            expected = fine_sum(((x0, left), (x1, right)), *cell)
            assert found[row, column] == pytest.approx(expected, abs=2e-4 * width / 10)


@given(st.floats(-500, 500), st.booleans())
def test_where_a_ring_lies_and_how_it_runs_do_not_matter(shift, backwards):
    ring = [(0, 0), (50, -20), (70, 60), (20, 30)]
    x, y = np.array([*ring, ring[0]], np.float64).T
    area = ring_area(x.copy(), y.copy())
    assert area > 0
    moved = [(lon + shift, lat) for lon, lat in ring]
    found = covered(*(moved[::-1] if backwards else moved), sign=-1.0 if backwards else 1.0)
    assert found.sum() == pytest.approx(area, rel=1e-12)
    assert found.min() > -1e-14


def test_a_ring_partly_outside_the_grid():
    lat, lon = np.array([0.0, 10, 20]), np.array([0.0, 10, 20])
    found = covered((-30, -40), (15, -40), (15, 60), (-30, 60), lat=lat, lon=lon, every=3)
    height = np.diff(np.sin(np.radians(lat)))
    np.testing.assert_allclose(found[:, 0], np.radians(10) * height, rtol=1e-13)
    np.testing.assert_allclose(found[:, 1], np.radians(5) * height, rtol=1e-13)


def test_points_on_a_shared_border_belong_to_one_side():
    one = np.array([(0, 0), (10, 0), (10, 10), (0, 10), (0, 0)], np.float64)
    two = np.add(one, (10, 0))
    point_lon, point_lat = np.array([0.0, 5, 10, 15, 20]), np.full(5, 5.0)
    counts = [
        windings(r[:, 0].copy(), r[:, 1].copy(), np.array([0, 5]), np.ones(1), point_lon, point_lat)
        for r in (one, two)
    ]
    assert [c.tolist() for c in counts] == [[1, 1, 0, 0, 0], [0, 0, 1, 1, 0]]
