from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hpcbudget.options import StatisticsOptions
from hpcbudget.science.statistics import (
    ENSEMBLE_COLUMNS,
    STATISTICS_COLUMNS,
    ensemble_series,
    ensemble_statistics,
)

PERIODS = {"2000s": (2000, 2001)}


def one(table: pd.DataFrame, **where: object) -> pd.Series:
    rows = table
    for column, value in where.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1
    return rows.iloc[0]


def test_every_statistic_by_hand(make_fluxes):
    values = [-4.0, -3.0, -1.0, 2.0, 1.0]
    fluxes = make_fluxes(
        {("inversion", m, m, "land"): v for m, v in zip("ABCDE", values, strict=True)}, n_years=2
    )
    row = one(ensemble_statistics(fluxes, PERIODS, StatisticsOptions()), region="Globe")
    assert row["n"] == 5
    assert row["mean"] == pytest.approx(-1.0)
    assert row["sd"] == pytest.approx(np.sqrt((9 + 4 + 0 + 9 + 4) / 4))
    assert (row["min"], row["max"], row["median"]) == (-4.0, 2.0, -1.0)
    assert (row["q25"], row["q75"]) == (-3.0, 1.0)
    assert row["sink_votes"] == 3
    assert row["verdict"] == "undetermined"


def test_decadal_sd_is_that_of_decadal_means_not_the_mean_of_annual_sds(make_fluxes):
    up = np.repeat([0.0, 4.0], 12)
    fluxes = make_fluxes(
        {("inversion", "A", "A", "land"): up, ("inversion", "B", "B", "land"): up[::-1]}, n_years=2
    )
    row = one(ensemble_statistics(fluxes, PERIODS, StatisticsOptions()), region="Globe")
    assert row["sd"] == pytest.approx(0.0, abs=1e-14)


def test_columns_order_and_empty_ensembles(make_ensemble):
    fluxes = make_ensemble()
    fluxes["flux_pgc_yr"][:, 2] = np.nan
    table = ensemble_statistics(fluxes, {**PERIODS, "1990s": (1990, 1999)}, StatisticsOptions())
    assert tuple(table.columns) == STATISTICS_COLUMNS
    assert table["period"].unique().tolist() == ["2000s", "1990s"]
    assert table["family"].drop_duplicates().tolist() == [
        "inversion", "land_process", "ocean_process", "process",
    ]  # fmt: skip
    empty = table[(table["region"] == "South") | (table["period"] == "1990s")]
    assert (empty["n"] == 0).all()
    assert empty[["mean", "sd", "min", "q75"]].isna().all(axis=None)
    assert (empty["verdict"] == "undetermined").all()


def test_series_for_figures_agrees_with_the_statistics_of_single_years(make_ensemble):
    fluxes = make_ensemble(3, n=5, n_years=3)
    series = ensemble_series(fluxes)
    assert tuple(series.columns) == ENSEMBLE_COLUMNS
    periods = {str(y): (y, y) for y in (2000, 2001, 2002)}
    table = ensemble_statistics(fluxes, periods, StatisticsOptions())
    table["year"] = table["period"].astype(int)
    both = series.merge(table, on=["family", "component", "region", "year"], suffixes=("", "_t"))
    assert len(both) == len(series) == len(table)
    for column in ("n", "mean", "sd", "min", "max"):
        np.testing.assert_allclose(both[column], both[f"{column}_t"], rtol=1e-12, atol=1e-14)


def test_series_counts_the_members_of_each_year(make_fluxes):
    late = np.repeat([np.nan, 2.0], 12)
    fluxes = make_fluxes(
        {("inversion", "A", "A", "land"): late, ("inversion", "B", "B", "land"): 4.0}, n_years=2
    )
    series = ensemble_series(fluxes)
    globe = series[series["region"] == "Globe"]
    assert globe["n"].tolist() == [1, 2]
    assert globe["mean"].tolist() == [4.0, 3.0]
    assert np.isnan(globe["sd"].iloc[0])


def test_no_data_gives_an_empty_table(make_fluxes):
    fluxes = make_fluxes({("inversion", "A", "A", "land"): np.nan})
    assert ensemble_series(fluxes).empty


def test_series_for_figures_take_the_ddof_of_the_tables(make_fluxes):
    names = [("land_process", m, m, "land") for m in "AB"]
    names += [("ocean_process", m, m, "ocean") for m in "AB"]
    fluxes = make_fluxes(dict(zip(names, (-1.0, -2.0, -3.0, -6.0), strict=True)))
    rules = StatisticsOptions(ddof_by_family={"land_process": 0})
    table = ensemble_statistics(fluxes, {"2000": (2000, 2000)}, rules)
    series = ensemble_series(fluxes, rules)
    keys = ["family", "component", "region"]
    expected, drawn = table.set_index(keys)["sd"], series.set_index(keys)["sd"]
    np.testing.assert_allclose(drawn.reindex(expected.index), expected, rtol=1e-15)
    assert drawn["land_process", "land", "Globe"] == 0.5
