"""The answer's own arithmetic, and the comparison of a run with it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.inputs.synthetic_fields import RADIUS_M, GridName, SyntheticGrid, land_fraction
from hpcbudget.inputs.synthetic_truth import BANDS, BOXES, BoxSums, SyntheticTruth

GRIDS: list[GridName] = ["half", "one_0_360", "one_180", "two_by_two_and_half", "gaussian"]


@given(name=st.sampled_from(GRIDS), resolution=st.sampled_from([2.0, 3.0, 5.0, 7.5, 11.0]))
def test_boxes_have_their_analytic_area_on_every_grid(name: GridName, resolution: float) -> None:
    grid = SyntheticGrid.build(name, resolution)
    sums = BoxSums.build(grid).totals(np.ones((1, *grid.shape)), grid.area_m2())
    assert sums["Globe"][0] == pytest.approx(4 * math.pi * RADIUS_M**2, rel=1e-13)
    bands = {key: (-180.0, 180.0, *edges) for key, edges in BANDS.items()}
    for key, (west, east, south, north) in {**bands, **BOXES}.items():
        sines = math.sin(math.radians(north)) - math.sin(math.radians(south))
        exact = RADIUS_M**2 * math.radians(east - west) * sines
        assert sums[key][0] == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize("name", GRIDS)
def test_about_three_tenths_of_the_sphere_are_land(name: GridName) -> None:
    grid = SyntheticGrid.build(name, 1.0)
    area = grid.area_m2()
    assert 0.28 < (land_fraction(grid) * area).sum() / area.sum() < 0.31


def test_missing_cells_are_left_out_and_empty_regions_are_nan() -> None:
    grid = SyntheticGrid.build("one_180", 5.0)  # 18 rows of 10 degrees
    values = np.ones((2, *grid.shape))
    values[0, grid.lat_deg > 30] = np.nan
    values[1, grid.lat_deg > 60] = np.nan
    sums = BoxSums.build(grid).totals(values, grid.area_m2())
    half = 2 * math.pi * RADIUS_M**2
    assert np.isnan(sums["North"][0])
    assert sums["North"][1] == pytest.approx(half * (math.sqrt(0.75) - 0.5), rel=1e-13)
    assert sums["Globe"][0] == pytest.approx(half * 1.5, rel=1e-13)


def answer() -> SyntheticTruth:
    table = pd.DataFrame(
        {
            "family": "inversion",
            "member": "A",
            "component": ["land"] * 4 + ["ocean"] * 2,
            "region": ["Globe"] * 2 + ["NA"] * 2 + ["Globe"] * 2,
            "year": 2000,
            "month": [1, 2] * 3,
            "flux_pgc_yr": [-2.0, 4.0, np.nan, np.nan, 1 / 3, 0.0],
        }
    )
    return SyntheticTruth(table, Path("config.yaml"))


def relative(truth: SyntheticTruth, found: pd.DataFrame, tmp_path: Path) -> list[float]:
    found.to_csv(tmp_path / "monthly.csv", index=False)
    return truth.compare(tmp_path / "monthly.csv").relative_error.tolist()


def test_a_perfect_run_has_no_error(tmp_path: Path) -> None:
    truth = answer()
    found = truth.table.assign(valid_area_m2=1.0).sample(frac=1.0, random_state=1)
    assert relative(truth, found, tmp_path) == [0.0, 0.0, 0.0]


def test_the_largest_relative_error_of_each_series_is_reported(tmp_path: Path) -> None:
    truth = answer()
    found = truth.table.copy()
    found.loc[1, "flux_pgc_yr"] += 4e-3
    found.loc[5, "flux_pgc_yr"] = 1e-12  # true value is zero: absolute
    assert relative(truth, found, tmp_path) == pytest.approx([1e-3, 0.0, 1e-12])


def test_lost_rows_and_nan_on_one_side_are_infinite_errors(tmp_path: Path) -> None:
    truth = answer()
    found = truth.table.drop(index=0)
    found.loc[2, "flux_pgc_yr"] = 0.0  # a region without data must not become zero
    found.loc[4, "flux_pgc_yr"] = np.nan
    assert relative(truth, found, tmp_path) == [math.inf] * 3


def test_answers_survive_the_file(tmp_path: Path) -> None:
    truth = answer()
    truth.write(tmp_path / "truth.csv")
    again = SyntheticTruth.read(tmp_path / "truth.csv")
    pd.testing.assert_frame_equal(again.table, truth.table, check_dtype=False)
    assert again.table.flux_pgc_yr[4] == 1 / 3
    assert again.config == tmp_path / "config.yaml"
