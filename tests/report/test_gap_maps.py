"""The maps of the gap show what they were given, and dots where both agree."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from hpcbudget.report.figures.gap_maps import gap_maps_figure, with_gaps
from hpcbudget.report.figures.maps import KG_PER_SECOND_TO_G_PER_YEAR
from hpcbudget.space.cf_write import grid_dataset
from hpcbudget.space.grid import Grid


@pytest.fixture
def maps() -> xr.Dataset:
    dataset = grid_dataset(Grid.regular(10.0))
    shape = (2, 1, 1, 18, 36)
    dims = ("component", "period", "season", "lat", "lon")
    gap = np.random.default_rng(0).normal(0, 1e-9, shape)
    gap[1] = np.nan
    agrees = np.where(np.isnan(gap), -1, 0)
    agrees[0, ..., :9, :] = 1
    dataset["gap"] = (dims, gap)
    dataset["gap_sd"] = (dims, np.full(shape, 1e-9))
    dataset["gap_agrees"] = (dims, agrees)
    return dataset.assign_coords(component=["land", "ocean"], period=["x"], season=["annual"])


def test_components_without_a_gap_are_left_out(maps: xr.Dataset) -> None:
    assert with_gaps(maps, "x") == ("land",)
    assert with_gaps(maps.drop_vars("gap"), "x") == ()


def test_values_and_dots(maps: xr.Dataset) -> None:
    figure = gap_maps_figure(maps, "x", components=["land"])
    left, right = figure.axes[:2]
    drawn = left.collections[0].get_array().reshape(18, 36)
    gap = maps["gap"].sel(component="land").values.squeeze()
    assert np.allclose(drawn, gap * KG_PER_SECOND_TO_G_PER_YEAR)
    assert np.allclose(right.collections[0].get_array().reshape(18, 36), gap / 1e-9)
    dots = [line for line in left.lines if line.get_marker() == "."]
    assert sum(len(line.get_xdata()) for line in dots) > 200
    assert max(np.max(line.get_ydata(), initial=-9) for line in dots) < 0
