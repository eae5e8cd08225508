from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from strategies import global_grids

from hpcbudget.errors import RegridError
from hpcbudget.space.grid import Grid
from hpcbudget.space.overlap import Table
from hpcbudget.space.weights import make_weights

GOLDEN = [
    "displaced_pole_80x120_to_2x2",
    "gaussian_n48_to_2x2",
    "regular_1x1_to_gaussian_n32",
    "regular_2x2.5_to_1x1",
    "rotated_pole_0.88_to_1x1",
]


def golden_grid(lat, lon) -> Grid:
    """The grid of a reference file, from 1-D edges or 2-D corners."""
    if lat.ndim == 1:
        return Grid.boxes(lat, lon)
    return Grid.curvilinear(lat, lon)


def matrix(table: Table, data, shape):
    return csr_matrix((data, table.indices, table.indptr), shape=shape)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_weights_of_esmf(shared_data, name):
    reference = np.load(shared_data / "esmf_golden" / f"{name}.npz")
    source = golden_grid(reference["src_lat_b"], reference["src_lon_b"])
    destination = golden_grid(reference["dst_lat_b"], reference["dst_lon_b"])
    weights = make_weights(source, destination, edges="great_circles")
    shape = (destination.size, source.size)
    ours = matrix(weights.table, weights.normalised, shape)
    theirs = csr_matrix((reference["S"], (reference["row"], reference["col"])), shape=shape)
    assert abs(ours - theirs).max() < 1e-10
    covered = np.asarray(theirs.sum(axis=1)).ravel()
    np.testing.assert_allclose(weights.destination_fraction, covered, atol=1e-10)
    # nothing of the source is lost on a global destination
    np.testing.assert_allclose(weights.source_fraction, 1, atol=1e-10)
    out = weights.apply(reference["src_field"], "mean").values
    expected = reference["dst_field"].ravel()
    inside = covered > 1e-6
    np.testing.assert_allclose(
        out.ravel()[inside], (expected / np.where(inside, covered, 1))[inside], rtol=1e-8
    )
    np.testing.assert_allclose(ours @ reference["src_field"].ravel(), expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("name", GOLDEN[1:4])
def test_golden_boxes_differ_by_the_great_circle_effect_only(shared_data, name):
    reference = np.load(shared_data / "esmf_golden" / f"{name}.npz")
    source = golden_grid(reference["src_lat_b"], reference["src_lon_b"])
    destination = golden_grid(reference["dst_lat_b"], reference["dst_lon_b"])
    shape = (destination.size, source.size)
    exact = make_weights(source, destination)
    theirs = csr_matrix((reference["S"], (reference["row"], reference["col"])), shape=shape)
    ours = matrix(exact.table, exact.normalised, shape)
    assert 1e-6 < abs(ours - theirs).max() < 0.02


@given(global_grids(), global_grids(), st.integers(0, 2**31), st.sampled_from(["f4", "f8"]))
def test_totals_and_constants_are_kept(source, destination, seed, dtype):
    rng = np.random.default_rng(seed)
    weights = make_weights(source, destination)
    values = rng.normal(size=(3, *source.shape)).astype(dtype)
    kept = weights.apply(values, "integral")
    before, after = weights.totals(values, kept.values)
    scale = np.abs(values).reshape(3, -1) @ source.area_m2(1.0)
    np.testing.assert_allclose(after, before, atol=1e-12 * scale.max())
    exact = values.reshape(3, -1).astype("f8") @ source.area_m2(1.0)
    np.testing.assert_allclose(after, exact, atol=1e-12 * scale.max())
    constant = weights.apply(np.full(source.shape, 2.5, dtype), "mean")
    np.testing.assert_allclose(constant.values, 2.5, rtol=1e-13)
    np.testing.assert_allclose(constant.valid_fraction, 1, atol=1e-12)


@given(global_grids(max_rows=8, max_columns=8), global_grids(max_rows=8, max_columns=8))
def test_separable_and_multiplied_weights_agree(source, destination):
    weights = make_weights(source, destination)
    table = weights.table
    dense = np.zeros((destination.size, source.size))
    dense[table.rows, table.indices] = table.data
    np.testing.assert_allclose(dense.sum(axis=1), destination.area_m2(1.0), rtol=1e-12)
    np.testing.assert_allclose(dense.sum(axis=0), source.area_m2(1.0), rtol=1e-12)
    values = np.arange(source.size, dtype=np.float64)
    values[::3] = np.nan
    out = weights.apply(values.reshape(source.shape), "mean")
    there = ~np.isnan(values)
    valid = dense @ there
    with np.errstate(invalid="ignore", divide="ignore"):
        expected = np.where(valid > 0, dense @ np.where(there, values, 0) / valid, np.nan)
    np.testing.assert_allclose(out.values.ravel(), expected, rtol=1e-12)
    np.testing.assert_allclose(
        out.valid_fraction.ravel(), valid / destination.area_m2(1.0), atol=1e-12
    )


@given(st.integers(-400, 400), st.integers(1, 40), st.integers(0, 30), st.booleans())
def test_a_regional_source_or_destination_is_a_part_of_the_globe(west, columns, rows, gap):
    """Overlaps of some cells of a grid are those that the cells have in the whole grid."""
    globe = Grid.boxes(np.linspace(-90, 90, 37), np.linspace(0, 360, 73))
    other = Grid.boxes(np.linspace(90, -90, 22), np.linspace(-183, 177, 49))
    lat = np.add.outer(-90.0 + 5.0 * np.arange(rows, rows + 5), [0, 5])
    lon = np.add.outer(west - west % 5 + 5.0 * np.arange(columns), [0, 5])
    region = Grid.boxes(lat, lon[::2] if gap else lon)
    y, x = region.centres()
    same = ((y + 90) // 5 * 72 + (x % 360) // 5).astype(int)
    for source, destination in ((globe, other), (other, globe)):
        whole = np.zeros((destination.size, source.size))
        table = make_weights(source, destination).table
        whole[table.rows, table.indices] = table.data
        part = whole[:, same] if source is globe else whole[same]
        pair = (region, other) if source is globe else (other, region)
        table = make_weights(*pair).table
        found = np.zeros(part.shape)
        found[table.rows, table.indices] = table.data
        np.testing.assert_allclose(found, part, atol=1e-13)


def test_missing_is_never_zero_by_hand():
    source, destination = Grid.regular(45.0), Grid.regular(90.0)
    values = np.full(source.shape, 4.0)
    values[:2, :2] = np.nan  # the four cells under the first destination cell
    values[0, 2] = np.nan  # the smaller southern cell of the second
    weights = make_weights(source, destination)
    mean, fraction = weights.apply(values, "mean")
    assert np.isnan(mean[0, 0])
    assert fraction[0, 0] == 0
    assert mean[0, 1] == pytest.approx(4)
    lost = 0.5 * (1 - np.sin(np.pi / 4))
    assert fraction[0, 1] == pytest.approx(1 - lost)
    total = weights.apply(values, "integral").values
    assert np.isnan(total[0, 0])
    assert total[0, 1] == pytest.approx(4 * (1 - lost))
    assert np.isnan(weights.apply(values, "mean", min_valid=0.9).values[0, 1])
    assert weights.apply(values, "mean", min_valid=0.8).values[0, 1] == pytest.approx(4)


def test_great_circle_weights_keep_totals_over_the_cells_own_areas():
    source, destination = Grid.regular(15.0), Grid.regular(10.0)
    weights = make_weights(source, destination, edges="great_circles")
    values = np.random.default_rng(1).normal(size=source.shape)
    kept = weights.apply(values, "integral").values
    own = float((values.ravel() * source.area_m2(1.0)).sum())
    assert (kept.ravel() * destination.area_m2(1.0)).sum() == pytest.approx(own, abs=1e-12)
    assert weights.area_mismatch > 1e-4


def test_same_shape_but_other_longitudes_is_another_key():
    source, destination = Grid.regular(10.0), Grid.regular(5.0)
    shifted = Grid.boxes(source.lat_edges_deg, source.lon_edges_deg + 180.0)
    one, other = make_weights(source, destination), make_weights(shifted, destination)
    assert one.key() != other.key()
    assert not np.array_equal(one.table.indices, other.table.indices)


def test_threads_do_not_change_a_bit(monkeypatch):
    monkeypatch.setattr("hpcbudget.space.great_circles.LARGEST", 100)
    monkeypatch.setattr("hpcbudget.space.great_circles.SMALLEST", 100)
    source, destination = Grid.regular(10.0), Grid.gaussian(8)
    one = make_weights(source, destination, edges="great_circles")
    four = make_weights(source, destination, edges="great_circles", threads=4)
    np.testing.assert_array_equal(one.table.data, four.table.data)
    np.testing.assert_array_equal(one.table.indices, four.table.indices)


def test_bad_input_is_refused():
    weights = make_weights(Grid.regular(30.0), Grid.regular(15.0))
    with pytest.raises(RegridError, match="shape"):
        weights.apply(np.zeros((12, 6)), "mean")
    with pytest.raises(RegridError, match="preserve"):
        weights.apply(np.zeros((6, 12)), "total")
    with pytest.raises(RegridError, match="bilinear"):
        make_weights(Grid.regular(30.0), Grid.regular(15.0), method="bilinear")
    with pytest.raises(RegridError, match="wide"):
        make_weights(
            Grid.boxes([-90, 0, 90], [0, 180, 360]), Grid.regular(15.0), edges="great_circles"
        )
