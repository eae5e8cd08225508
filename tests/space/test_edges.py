from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.errors import GridError
from hpcbudget.space import edges as e


@given(st.integers(2, 200))
def test_gaussian_rows_are_legendre_roots_and_weights(n):
    roots, weights = np.polynomial.legendre.leggauss(n)
    lat, edges = e.gaussian_latitudes(n)
    np.testing.assert_allclose(np.sin(np.radians(lat)), roots, atol=1e-14)
    np.testing.assert_allclose(np.diff(np.sin(np.radians(edges))), weights, atol=1e-14)


@given(st.integers(2, 400), st.booleans(), st.sampled_from([np.float32, np.float64]))
def test_inferred_uniform_rows_fill_the_sphere_exactly(n, descending, dtype):
    edges = np.linspace(-90, 90, n + 1)
    centres = (0.5 * (edges[1:] + edges[:-1])).astype(dtype)
    bounds, _ = e.infer_latitude_bounds(centres[::-1] if descending else centres)
    if descending:
        bounds = bounds[::-1]
    assert bounds[0, 0] == -90
    assert bounds[-1, 1] == 90
    if n >= 4:  # two or three rows are Gaussian as well as uniform
        np.testing.assert_allclose(bounds[:, 0], edges[:-1], atol=1e-10)
    np.testing.assert_array_equal(bounds[1:, 0], bounds[:-1, 1])


def test_rows_centred_on_poles_are_half_cells():
    bounds, _ = e.infer_latitude_bounds(np.linspace(-90, 90, 96))
    width = bounds[:, 1] - bounds[:, 0]
    np.testing.assert_allclose(width[1:-1], 180 / 95)
    np.testing.assert_allclose(width[[0, -1]], 90 / 95)


def test_quarter_offset_polar_rows():
    bounds, rule = e.infer_latitude_bounds(np.array([-89.5, *range(-88, 90, 2), 89.5]))
    assert "half cells" in rule
    np.testing.assert_allclose(bounds[0], [-90, -89])
    np.testing.assert_allclose(bounds[1], [-89, -87])
    np.testing.assert_allclose(bounds[-1], [89, 90])


def test_gaussian_is_recognised_from_rounded_centres_and_can_be_refused():
    lat, edges = e.gaussian_latitudes(94)
    bounds, rule = e.infer_latitude_bounds(lat.round(2)[::-1])
    assert "Gaussian" in rule
    np.testing.assert_allclose(bounds[::-1, 0], edges[:-1])
    assert "Gaussian" not in e.infer_latitude_bounds(lat, gaussian=False)[1]


@given(
    st.integers(2, 1440), st.sampled_from([-180.0, 0.0, -300.0, 20.0]), st.booleans(), st.booleans()
)
def test_inferred_uniform_columns_close_the_circle(n, start, centred, descending):
    step = 360 / n
    centres = start + (np.arange(n) + (0.5 if centred else 0.0)) * step
    bounds, _ = e.infer_longitude_bounds(centres[::-1] if descending else centres)
    if descending:
        bounds = bounds[::-1]
    assert bounds[-1, 1] - bounds[0, 0] == pytest.approx(360, abs=1e-11)
    np.testing.assert_allclose(bounds.mean(axis=1), centres, atol=1e-9)


def test_uneven_columns_meet_across_the_seam():
    bounds, _ = e.infer_longitude_bounds(np.array([10.0, 100, 190, 300]))
    np.testing.assert_allclose(bounds, [[-25, 55], [55, 145], [145, 245], [245, 335]])


def test_regional_columns_do_not_close():
    bounds, _ = e.infer_longitude_bounds(np.array([10.0, 11, 12]))
    np.testing.assert_allclose(bounds[[0, -1], [0, 1]], [9.5, 12.5])


def test_single_precision_means_its_shortest_decimal():
    centres = np.arange(-179.95, 180, 0.1).astype(np.float32)
    bounds, _ = e.infer_longitude_bounds(centres)
    np.testing.assert_allclose(bounds[:, 0], np.round(np.arange(3600) * 0.1 - 180, 6), atol=1e-10)


def test_bounds_of_a_file_are_put_in_order_placed_and_welded():
    bounds = e.longitude_bounds_from_file(
        np.array([[0.5, 359.5], [0.50001, 1.5], [1.5, 2.5]]), np.array([0.0, 1, 2])
    )
    np.testing.assert_allclose(bounds[0], [-0.5, 0.5], atol=2e-5)
    assert bounds[0, 1] == bounds[1, 0]
    lat = e.latitude_bounds_from_file(np.array([91.0, 45, 0]), np.array([67.5, 22.5]))
    np.testing.assert_array_equal(lat, [[45, 90], [0, 45]])


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: e.infer_latitude_bounds(np.array([0.0])), "one latitude"),
        (lambda: e.infer_latitude_bounds(np.array([0.0, 10, 5])), "neither ascending"),
        (lambda: e.infer_latitude_bounds(np.array([0.0, np.nan])), "NaN"),
        (lambda: e.infer_latitude_bounds(np.array([0.0, 100])), "beyond the poles"),
        (lambda: e.infer_latitude_bounds(np.arange(5.0), gaussian=True), "Gaussian"),
        (lambda: e.infer_longitude_bounds(np.array([0.0])), "one longitude"),
        (lambda: e.infer_longitude_bounds(np.array([0.0, 10, 5])), "turn back"),
        (lambda: e.infer_longitude_bounds(np.array([0.0, np.inf])), "NaN"),
        (lambda: e.latitude_bounds_from_file(np.zeros((2, 2)), np.array([1.0, 2])), "hold"),
        (lambda: e.latitude_bounds_from_file(np.zeros((3, 2)), np.array([1.0, 2])), "shape"),
        (
            lambda: e.latitude_bounds_from_file(np.array([[0, 3.0], [1, 4]]), np.array([1.0, 2])),
            "overlap",
        ),
    ],
)
def test_bad_input_is_named(call, says):
    with pytest.raises(GridError, match=says):
        call()
