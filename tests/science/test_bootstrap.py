from __future__ import annotations

import numpy as np
import pytest

from hpcbudget.options import StatisticsOptions
from hpcbudget.science.bootstrap import BOOTSTRAP_COLUMNS, bootstrap
from hpcbudget.science.reconcile import reconciliation
from hpcbudget.science.results import science_tables
from hpcbudget.science.statistics import STATISTICS
from hpcbudget.science.variability import variability

PERIODS = {"p": (2000, 2001)}
OPTIONS = StatisticsOptions(bootstrap=400, seed=7)


def rows(table, **where):
    for column, value in where.items():
        table = table[table[column] == value]
    return table


def test_same_seed_same_numbers_other_seed_others(make_ensemble):
    fluxes = make_ensemble()
    first, again = bootstrap(fluxes, PERIODS, OPTIONS), bootstrap(fluxes, PERIODS, OPTIONS)
    assert tuple(first.columns) == BOOTSTRAP_COLUMNS
    assert first.equals(again)
    other = bootstrap(fluxes, PERIODS, OPTIONS.model_copy(update={"seed": 8}))
    assert not first["low"].equals(other["low"])


def test_draws_do_not_depend_on_order_or_on_other_families(make_ensemble):
    fluxes = make_ensemble()
    whole = bootstrap(fluxes, PERIODS, OPTIONS)
    order = np.random.default_rng(0).permutation(fluxes.sizes["series"])
    assert whole.equals(bootstrap(fluxes.isel(series=order), PERIODS, OPTIONS))
    alone = fluxes.isel(series=np.flatnonzero(fluxes["family"].values == "land_process"))
    expected = rows(whole, family="land_process").reset_index(drop=True)
    assert bootstrap(alone, PERIODS, OPTIONS).equals(expected)


def test_every_statistic_of_the_tables_has_an_interval_around_it(make_ensemble):
    fluxes = make_ensemble(n=6)
    tables = science_tables(fluxes, PERIODS, OPTIONS)
    found = tables["bootstrap"]
    assert set(STATISTICS) - {"n"} <= set(found["statistic"])
    assert {"gap", "correlation", "variance_ratio"} <= set(found["statistic"])
    measured = rows(found, statistic="iav").merge(
        tables["variability"], on=["family", "component", "region", "period", "statistic"]
    )
    assert measured.empty  # two years have no variability about a line
    season = rows(found, statistic="seasonal_peak_to_trough").merge(
        tables["variability"], on=["family", "component", "region", "period", "statistic"]
    )
    assert len(season) == (tables["variability"]["statistic"] == "seasonal_peak_to_trough").sum()
    assert ((season["low"] <= season["mean"]) & (season["mean"] <= season["high"])).all()
    assert (found["low"] <= found["high"]).all()
    means = rows(found, statistic="mean").merge(
        tables["statistics"], on=["family", "component", "region", "period"]
    )
    assert len(means) == len(tables["statistics"])
    assert (means["low"] <= means["mean"] + 1e-12).all()
    assert (means["mean"] <= means["high"] + 1e-12).all()
    gaps = rows(found, statistic="gap").merge(
        tables["reconciliation"], on=["component", "region", "period"]
    )
    assert len(gaps) == len(tables["reconciliation"])
    assert ((gaps["low"] <= gaps["gap"]) & (gaps["gap"] <= gaps["high"])).all()


def test_width_of_the_interval_of_the_mean_is_the_standard_error(make_fluxes):
    votes = np.random.default_rng(2).normal(size=40)
    fluxes = make_fluxes({("inversion", f"m{k}", f"m{k}", "land"): v for k, v in enumerate(votes)})
    options = StatisticsOptions(bootstrap=4000, bootstrap_level=0.6827)
    found = bootstrap(fluxes, {"p": (2000, 2000)}, options)
    row = rows(found, statistic="mean", region="Globe").iloc[0]
    assert row["n"] == 40
    assert (row["high"] - row["low"]) / 2 == pytest.approx(votes.std() / np.sqrt(40), rel=0.06)


def test_off_by_default_and_no_rows_for_single_models(make_fluxes):
    fluxes = make_fluxes({("inversion", "A", "A", "land"): 1.0})
    assert bootstrap(fluxes, {"p": (2000, 2000)}, OPTIONS).empty
    assert bootstrap(fluxes, {"p": (2000, 2000)}, StatisticsOptions()).empty


def test_tables_by_name(make_ensemble):
    fluxes = make_ensemble()
    plain = science_tables(fluxes, PERIODS, StatisticsOptions())
    assert {"statistics", "reconciliation", "dipoles"} < set(plain)
    assert "bootstrap" not in plain
    changed = science_tables(
        fluxes,
        {"a": (2000, 2000), "b": (2001, 2001)},
        StatisticsOptions(change=(("a", "b"),)),
    )
    assert len(changed["changes"]) == 3 * 4


def test_gaps_pool_the_votes_that_the_table_pools(make_fluxes):
    names = [(f, m, m, c) for f, c in (("inversion", "land"), ("land_process", "land"),
             ("ocean_process", "ocean"), ("inversion", "ocean")) for m in "AB"]  # fmt: skip
    values = (-1.0, -2.0, -3.0, -4.0, -5.0, -6.0, -2.0, -2.5)
    fluxes = make_fluxes(dict(zip(names, values, strict=True)))
    # pairs of models are a total: there are none of land alone
    sides = {"land": ("land_process", "process"), "total": ("process",)}
    options = StatisticsOptions(bootstrap=200, bootstrap_level=0.999, bottom_up=sides)
    compared = reconciliation(fluxes, {"p": (2000, 2000)}, options).set_index(
        ["component", "region"]
    )
    gaps = rows(bootstrap(fluxes, {"p": (2000, 2000)}, options), statistic="gap")
    assert len(gaps) == len(compared)
    for row in gaps.itertuples():
        table = compared.loc[(row.component, row.region)]
        assert row.n == table["n_td"] + table["n_bu"]
        assert row.low <= table["gap"] <= row.high
    land = gaps[(gaps["component"] == "land") & (gaps["region"] == "Globe")].iloc[0]
    assert (land["low"], land["high"]) == pytest.approx((1.0, 3.0))


def test_realisations_that_peak_apart_do_not_weaken_their_models_vote(make_fluxes):
    month = np.arange(12)
    peak = {("A", "A1"): 2, ("A", "A2"): 8, ("B", "B1"): 4}  # A peaks at 5 with little resolve
    fluxes = make_fluxes(
        {("f", model, member, "land"): np.cos(2 * np.pi * (month - at) / 12) * (1 + (at == 8))
         + 0.001 * np.cos(2 * np.pi * (month - 5) / 12) for (model, member), at in peak.items()}
    )  # fmt: skip
    options = StatisticsOptions(bootstrap=400, bootstrap_level=0.1)  # the draw of A and B
    keys = {"statistic": "seasonal_peak_month", "region": "Globe"}
    found = rows(bootstrap(fluxes, {"p": (2000, 2000)}, options), **keys).iloc[0]
    table = rows(variability(fluxes, {"p": (2000, 2000)}, options), **keys).iloc[0]
    assert found["low"] == pytest.approx(table["mean"], abs=1e-9)
    assert found["high"] == pytest.approx(table["mean"], abs=1e-9)
