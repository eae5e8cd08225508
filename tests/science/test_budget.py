from __future__ import annotations

import numpy as np
import pytest

from hpcbudget.options import Combine, StatisticsOptions, TableEnsemble
from hpcbudget.science.adjust import adjust
from hpcbudget.science.budget import imbalance_rows, members_of_run, run_budget
from hpcbudget.science.gcb import BUDGET_TERMS, net_land, recipe
from hpcbudget.science.statistics import ensemble_statistics
from hpcbudget.science.tables import with_tables
from hpcbudget.science.workbook import read_workbook

BOOK = "gcb/Global_Carbon_Budget_2023v1.1.xlsx"


def tables(members):
    """The members of the 2023 workbook, each from its sheet, as a configuration would give them."""
    common = {"path": BOOK, "units": "Pg C yr-1"}
    budget = "Global Carbon Budget"
    inventory = {"family": "bookkeeping", "sign": "to_atmosphere"}
    rows = [
        ({"family": "ocean_process", "component": "ocean", "sign": "to_surface"}, "Ocean Sink",
         {n: n for n in members.ocean_models}),
        ({"family": "ocean_product", "component": "ocean", "sign": "to_surface"}, "Ocean Sink",
         {n: n for n in members.products}),
        ({"family": "land_process", "component": "land_s2", "sign": "to_surface"},
         "Terrestrial Sink", {n: n for n in members.land_models}),
        ({"family": "land_process", "component": "eluc", "sign": "to_surface"},
         "Land-Use Change Emissions",
         {n: n if n != "LPX-Bern" else "LPX-Bern#2" for n in members.eluc_models}),
        ({**inventory, "component": "eluc"}, "Land-Use Change Emissions",
         {n: n for n in members.bookkeeping}),
        ({**inventory, "component": "fossil"}, budget,
         {"GCB": "fossil emissions excluding carbonation"}),
        ({**inventory, "component": "growth"}, budget, {"NOAA": "atmospheric growth"}),
        ({**inventory, "component": "carbonation", "sign": "to_surface"}, budget,
         {"GCB": "cement carbonation sink"}),
    ]  # fmt: skip
    return [
        TableEnsemble.model_validate({**common, **key, "sheet": sheet, "members": names})
        for key, sheet, names in rows
    ]


@pytest.fixture(scope="module")
def published(shared_data):
    return read_workbook(shared_data / BOOK, recipe(2023))


@pytest.fixture
def run(make_fluxes, published, shared_data):
    gridded = make_fluxes({("inversion", "A", "A", "land"): -1.0}, first_year=2000)
    return with_tables(gridded, tables(published), root=shared_data, period=(1959, 2022))


def test_run_of_the_published_members_is_the_published_budget(run, published):
    made = run_budget(members_of_run(run), recipe(2023))
    for term in (*BUDGET_TERMS, "imbalance"):
        np.testing.assert_allclose(made[term], published.budget[term], rtol=0, atol=1e-9)
    rows = imbalance_rows(made, {"2013-2022": (2013, 2022), "later": (2020, 2030)})
    assert len(rows) == 1
    assert rows[0][4] == pytest.approx(-0.439, abs=5e-4)


def test_net_land_of_the_vegetation_models(run, published):
    step = Combine(name="net land", kind="combine", source="S2 - E_LUC", families=("land_process",),
                   into="land", terms={"land_s2": 1.0, "eluc": 1.0})  # fmt: skip
    fluxes = adjust(run, [step]).fluxes
    table = ensemble_statistics(fluxes, {"d": (2013, 2022)}, StatisticsOptions())
    row = table[
        (table["family"] == "land_process") & (table["component"] == "land")
        & (table["region"] == "Globe")
    ].iloc[0]  # fmt: skip
    expected = net_land(published.land_models, published.eluc_models).loc[2013:2022].mean()
    assert row["n"] == 20
    assert row["mean"] == pytest.approx(-expected.mean(), abs=1e-12)
    assert row["mean"] == pytest.approx(-1.658, abs=5e-4)
    assert row["sd"] == pytest.approx(0.617, abs=5e-4)


def test_time_axis_grows_and_gridded_members_keep_their_values(run):
    assert run.sizes["time"] == 64 * 12
    inversion = run["flux_pgc_yr"].isel(series=0)
    assert (inversion.sel(time="2000") == -1).all()
    assert np.isnan(inversion.sel(time="2001")).all()


def test_terms_that_a_run_does_not_have_are_unknown(make_fluxes):
    fluxes = make_fluxes({("ocean_process", "A", "A", "ocean"): -2.0}, first_year=1980)
    made = run_budget(members_of_run(fluxes), recipe(2020))
    assert made["ocean"].eq(2.0).all()
    assert made[["land", "fossil", "imbalance"]].isna().all(axis=None)
    assert imbalance_rows(made, {"d": (1980, 1980)}) == []
