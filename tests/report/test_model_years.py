"""Rearrangements for figures keep the votes and the arithmetic of the statistics."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from hpcbudget.options import StatisticsOptions
from hpcbudget.report.model_years import (
    agreement_in_time,
    cumulated,
    model_years,
    seasonal_cycles,
)


def test_realisations_share_a_vote(fluxes: xr.Dataset, annual: pd.DataFrame) -> None:
    models = model_years(fluxes)
    own = models[(models["model"] == "DGVM-F") & (models["year"] == 2003)]
    runs = annual[
        (annual["model"] == "DGVM-F") & (annual["year"] == 2003) & (annual["region"] == "Globe")
    ]
    assert len(own) == 1
    assert len(runs) == 2
    assert own["flux_pgc_yr"].item() == pytest.approx(runs["flux_pgc_yr"].mean(), rel=1e-13)


def test_mean_over_models_is_the_line_of_the_budget_figure(
    fluxes: xr.Dataset, series: pd.DataFrame
) -> None:
    keys = ["family", "component", "year"]
    mean = model_years(fluxes, "Tropics").groupby(keys)["flux_pgc_yr"].mean()
    line = series[(series["region"] == "Tropics") & (series["family"] != "process")]
    line = line.set_index(keys)["mean"].sort_index()
    np.testing.assert_allclose(mean.sort_index(), line, rtol=0, atol=1e-12)


def test_months_average_to_the_period_mean(fluxes: xr.Dataset) -> None:
    even = fluxes.copy()
    even["month_seconds"] = even["month_seconds"] * 0 + 1
    cycles = seasonal_cycles(even, 2010, 2019)
    models = model_years(even)
    models = models[models["year"].between(2010, 2019)]
    for family, component in (("inversion", "land"), ("ocean_product", "ocean")):
        own = cycles[(cycles["family"] == family) & (cycles["component"] == component)]
        own = own[own["region"] == "Globe"]
        assert own["month"].tolist() == list(range(1, 13))
        chosen = (models["family"] == family) & (models["component"] == component)
        expected = models.loc[chosen, "flux_pgc_yr"].mean()
        assert own["mean"].mean() == pytest.approx(expected, abs=1e-12)


def test_cycles_need_every_month_of_the_period(fluxes: xr.Dataset) -> None:
    cycles = seasonal_cycles(fluxes, 1990, 1999)
    n = cycles[cycles["region"] == "Globe"].groupby(["family", "component"])["n"].max()
    assert n["inversion", "land"] == 1
    assert n["ocean_product", "ocean"] == 3
    assert seasonal_cycles(fluxes, 2015, 2025).empty
    yearly = fluxes.assign_coords(resolution=("series", ["year"] * fluxes.sizes["series"]))
    assert seasonal_cycles(yearly, 2010, 2019).empty


def test_cumulated_by_hand() -> None:
    rows = [("f", "land", m, y, v) for m, y, v in [
        ("a", 2000, 5.0), ("a", 2001, 1.0), ("a", 2002, 2.0), ("a", 2003, 9.0),
        ("b", 2001, 3.0), ("b", 2002, -1.0),
    ]]  # fmt: skip
    models = pd.DataFrame(rows, columns=["family", "component", "model", "year", "flux_pgc_yr"])
    sums = cumulated(models)
    assert sums["since"].unique().tolist() == [2001]
    assert sums["year"].tolist() == [2001, 2002]  # b ends in 2002, and the mean with it
    assert sums["mean"].tolist() == [2.0, 2.5]
    assert sums["n"].tolist() == [2, 2]
    assert sums["sd"].tolist() == pytest.approx([2**0.5, 0.5**0.5])


def test_agreement_of_identical_models_is_perfect() -> None:
    values = [1.0, 3.0, 2.0, 5.0, 4.0, 4.5]
    rows = [("f", "land", m, 2000 + i, s * v) for m, s in (("a", 1), ("b", 1), ("c", 3))
            for i, v in enumerate(values)]  # fmt: skip
    models = pd.DataFrame(rows, columns=["family", "component", "model", "year", "flux_pgc_yr"])
    table = agreement_in_time(models).set_index("model")
    assert table["correlation"].tolist() == pytest.approx([1.0] * 3)
    assert table.loc["c", "sd"] == pytest.approx(3 * table.loc["a", "sd"])
    assert table.loc["c", "sd_others"] == pytest.approx(table.loc["a", "sd"])
    assert agreement_in_time(models[models["model"] == "a"]).empty
    assert agreement_in_time(models[models["year"] < 2003]).empty


def test_a_sum_ends_before_a_missing_year() -> None:
    years = [(m, y) for m in "ab" for y in range(2000, 2010) if (m, y) != ("a", 2005)]
    rows = [("f", "land", m, y, -1.0) for m, y in years]
    rows += [("f", "ocean", "a", 2000, -1.0), ("f", "ocean", "b", 2001, -1.0)]
    models = pd.DataFrame(rows, columns=["family", "component", "model", "year", "flux_pgc_yr"])
    sums = cumulated(models)
    assert sums["year"].tolist() == list(range(2000, 2005))
    assert sums["mean"].tolist() == [-1.0, -2.0, -3.0, -4.0, -5.0]
    assert "ocean" not in set(sums["component"])  # no year is common to both


def test_spreads_have_the_degrees_of_freedom_of_the_run(fluxes: xr.Dataset) -> None:
    models = model_years(fluxes)
    for table in (
        lambda rules=None: cumulated(models, rules),
        lambda rules=None: seasonal_cycles(fluxes, 2010, 2019, rules),
    ):
        one, own = table(), table(StatisticsOptions(ddof_by_family={"inversion": 0}))
        inverted = (own["family"] == "inversion") & (own["n"] > 1)
        assert inverted.any()
        shrunk = np.sqrt(1 - 1 / own["n"][inverted])
        np.testing.assert_allclose(own["sd"][inverted], one["sd"][inverted] * shrunk, rtol=1e-12)
        others = own["family"] != "inversion"
        np.testing.assert_array_equal(own["sd"][others], one["sd"][others])
