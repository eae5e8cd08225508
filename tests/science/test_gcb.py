from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hpcbudget.errors import ConfigError, InputError
from hpcbudget.science.gcb import (
    BUDGET_TERMS,
    Members,
    budget,
    editions,
    imbalance,
    land_sink,
    multi_model,
    net_land,
    ocean_sink,
    period_budget,
    period_mean,
    recipe,
    spreads,
)
from hpcbudget.science.sheet import read_sheet
from hpcbudget.science.workbook import read_workbook

FILES = {2021: "Global_Carbon_Budget_2021v1.0.xlsx", 2023: "Global_Carbon_Budget_2023v1.1.xlsx"}
YEARS = np.arange(1985, 2025)


@pytest.fixture(scope="module", params=sorted(FILES))
def edition(request, shared_data):
    path = shared_data / "gcb" / FILES[request.param]
    rules = recipe(request.param)
    return request.param, rules, read_workbook(path, rules), path


def column(path, sheet, name):
    table = read_sheet(path, sheet)
    return table.frame([table.find(name)]).iloc[:, 0]


def test_workbook_members(edition):
    year, _, members, _ = edition
    expected = {2021: (8, 8, 17, 17, 3), 2023: (10, 8, 20, 20, 3)}[year]
    assert expected == tuple(
        frame.shape[1]
        for frame in (members.ocean_models, members.products, members.land_models,
                      members.eluc_models, members.bookkeeping)
    )  # fmt: skip
    assert members.eluc_models.loc[1990:].mean().mean() > 1  # emissions positive in both editions


@pytest.mark.parametrize(
    ("sheet", "frame", "mean", "sd"),
    [
        ("Ocean Sink", "ocean_models", "Multi-model mean", "Model Spread (sd)"),
        ("Ocean Sink", "products", "Average data-products (excl. Watson.)",
         "sd data-products (excl. Watson.)"),
        ("Terrestrial Sink", "land_models", "Multi-model mean", "Model Spread (sd)"),
    ],
)  # fmt: skip
def test_published_means_and_spreads(edition, sheet, frame, mean, sd):
    _, rules, members, path = edition
    excluded = rules.ocean.exclude if frame == "products" else ()
    computed = multi_model(getattr(members, frame), exclude=excluded)
    start = 1990 if frame == "products" else 1959
    for name, published in (("mean", column(path, sheet, mean)), ("sd", column(path, sheet, sd))):
        np.testing.assert_allclose(
            computed[name].loc[start:], published.loc[start:], rtol=0, atol=1e-9
        )


def test_published_budget_is_rebuilt_from_its_members(edition):
    _, rules, members, path = edition
    rebuilt = budget(rules, members)
    for term in BUDGET_TERMS:
        np.testing.assert_allclose(rebuilt[term], members.budget[term], rtol=0, atol=1e-9)
    # the sheet of the short record rounds its imbalance; that of the long one does not
    long_record = column(path, "Historical Budget", "budget imbalance").loc[1959:]
    np.testing.assert_allclose(rebuilt["imbalance"], long_record, rtol=0, atol=1e-9)
    np.testing.assert_allclose(rebuilt["imbalance"], members.budget["imbalance"], rtol=0, atol=2e-9)


def test_decadal_means(edition):
    year, rules, members, _ = edition
    first, last = {2021: (2011, 2020), 2023: (2013, 2022)}[year]
    rebuilt = budget(rules, members).loc[first:last].mean()
    expected = {
        2021: (9.696, 1.130, 5.061, 2.780, 3.063, -0.275),
        2023: (9.837, 1.274, 5.157, 2.847, 3.349, -0.439),
    }[year]
    terms = ["fossil", "eluc", "growth", "ocean", "land", "imbalance"]
    np.testing.assert_allclose(rebuilt[terms], expected, atol=5.1e-4)
    products = members.products[[c for c in members.products if "Watson" not in c]]
    spread = {
        "ocean": period_mean(members.ocean_models, first, last),
        "products": period_mean(products, first, last),
        "land": period_mean(members.land_models, first, last),
        "eluc": period_mean(members.eluc_models, first, last),
        "net": period_mean(net_land(members.land_models, members.eluc_models), first, last),
    }
    published = {
        2021: {"ocean": (2.453, 0.293), "products": (3.107, 0.149), "land": (3.063, 0.602),
               "eluc": (1.487, 0.541), "net": (1.576, 0.550)},
        2023: {"ocean": (2.560, 0.397), "products": (3.134, 0.238), "land": (3.349, 0.845),
               "eluc": (1.691, 0.648), "net": (1.658, 0.617)},
    }[year]  # fmt: skip
    for name, (mean, sd) in published.items():
        np.testing.assert_allclose(spread[name][:2], (mean, sd), atol=6e-4, err_msg=name)


def test_published_table_of_a_decade(edition):
    year, rules, members, _ = edition
    first, last = {2021: (2011, 2020), 2023: (2013, 2022)}[year]
    table = period_budget(rules, members, first, last)
    assert table.loc["ocean", "sd"] == 0.4
    assert table.loc["fossil", "sd"] == pytest.approx(0.05 * table.loc["fossil", "mean"])
    assert table.loc["land", "sd"] == pytest.approx({2021: 0.602, 2023: 0.845}[year], abs=5e-4)
    assert np.isnan(table.loc["growth", "sd"])
    assert period_budget(rules, members, last, last + 1).isna().all(axis=None)


def test_spreads_follow_the_edition():
    ones = pd.DataFrame({"A": [1.0], "B": [3.0], "C-Watson": [9.0]}, index=[2000])
    members = Members(pd.DataFrame(), ones, ones, ones, ones, ones)
    found = {y: {f: t["sd"].item() for f, t in spreads(recipe(y), members).items()}
             for y in (2019, 2020, 2021)}  # fmt: skip
    assert np.isnan(list(found[2019].values())).all()
    full = np.array([1.0, 3.0, 9.0])
    assert found[2020]["ocean_process"] == pytest.approx(full.std(ddof=0))
    assert found[2020]["ocean_product"] == pytest.approx(np.sqrt(2))  # without Watson, ddof 1
    assert found[2021]["land_process"] == pytest.approx(full.std(ddof=1))


def test_every_edition_has_a_recipe():
    assert sorted(editions()) == list(range(2019, 2026))
    with pytest.raises(ConfigError, match="no recipe"):
        recipe(2010)


def constant(**members: float) -> pd.DataFrame:
    return pd.DataFrame({name: np.full(YEARS.size, v) for name, v in members.items()}, index=YEARS)


@pytest.mark.parametrize("year", [2019, 2020])
def test_early_editions_take_the_models(year):
    sink = ocean_sink(recipe(year), constant(A=2.0, B=3.0), constant(P=9.0))
    assert (sink == 2.5).all()


@pytest.mark.parametrize("year", [2021, 2022, 2023, 2024])
def test_later_editions_take_models_and_products_without_watson(year):
    models = constant(A=2.0, B=3.0)
    products = constant(**{"P": 3.0, "UOEx-Watson": 99.0})
    products.loc[:1989] = np.nan
    products.loc[1990:2001, "P"] = 4.5  # 2.0 above the models in the window of the offset
    sink = ocean_sink(recipe(year), models, products)
    assert sink.loc[2002:].eq((2.5 + 3.0) / 2).all()
    assert sink.loc[1990:2001].eq((2.5 + 4.5) / 2).all()
    assert sink.loc[:1989].eq(2.5 + 1.0).all()


def test_edition_2025_counts_all_products_and_has_adjusted_sinks():
    rules = recipe(2025)
    models, land = constant(A=2.0, B=3.0), constant(L=4.0)
    products = constant(**{"P": 3.0, "JMA-MLR": 2.0, "UExP-FNN-U": 4.0})
    np.testing.assert_allclose(ocean_sink(rules, models, products), (2.5 + 3.0) / 2)
    adjusted = ocean_sink(rules, models, products, adjusted=True)
    np.testing.assert_allclose(adjusted, (2.75 + 3.0 + 0.18 / 3) / 2)
    land_adjusted = land_sink(rules, land, adjusted=True)
    np.testing.assert_allclose(land_adjusted.loc[:2014], 0.81 * 4)
    np.testing.assert_allclose(land_adjusted.loc[2015:2024], 0.81 * 4 - 0.07)
    with pytest.raises(ConfigError, match="no adjusted estimates"):
        land_sink(recipe(2024), land, adjusted=True)


def test_a_year_without_products_is_refused():
    products = constant(P=3.0)
    products.loc[2000] = np.nan
    with pytest.raises(InputError, match="no fCO2 product"):
        ocean_sink(recipe(2023), constant(A=2.0), products)


def test_period_mean_leaves_out_members_with_gaps():
    members = constant(A=1.0, B=3.0)
    members.loc[2000, "B"] = np.nan
    assert period_mean(members, 1999, 2000) == (1.0, pytest.approx(np.nan, nan_ok=True), 1)
    assert period_mean(members, 2001, 2002) == (2.0, pytest.approx(np.sqrt(2)), 2)


def test_imbalance_is_unknown_where_a_term_is():
    terms = pd.DataFrame(np.ones((1, 6)), columns=list(BUDGET_TERMS))
    terms.loc[0, "growth"] = np.nan
    assert imbalance(terms).isna().all()


def write_book(path, groups, cement):
    """Write a workbook of two years as an edition lays it out, in the words of `groups`."""
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    fluxes = ["fossil emissions", "land-use change emissions", "atmospheric growth"]
    sinks = ["ocean sink", "land sink", *["cement carbonation sink"] * cement, "budget imbalance"]
    sheets = {
        "Global Carbon Budget": ([], [], [*fluxes, *sinks]),
        "Ocean Sink": ([groups[0], "", "", groups[1]], [], ["A", "B", "", "P", "average products"]),
        "Terrestrial Sink": ([groups[2]], [], ["L"]),
        "Land-Use Change Emissions": (
            ["Bookkeeping methods", "", groups[2]], ["Net", "", ""], ["BLUE", "", "L"],
        ),
    }  # fmt: skip
    for name, (above, below, titles) in sheets.items():
        sheet = book.create_sheet(name)
        sheet.append(["note: (+) means sink"])
        sheet.append(["", *above])
        sheet.append(["Year", *titles])
        sheet.append(["", *below])
        for year in (2001, 2002):
            sheet.append([year, *(float(i) if title else None for i, title in enumerate(titles))])
    book.save(path)


@pytest.mark.parametrize(
    "groups",
    [
        ("Individual ocean models", "Data products", "Individual models"),
        ("GOBMs", "fCO2-products", "DGVMs"),
    ],
)
def test_other_words_of_other_editions(groups, tmp_path):
    write_book(tmp_path / "book.xlsx", groups, cement=True)
    members = read_workbook(tmp_path / "book.xlsx", recipe(2022))
    assert list(members.ocean_models) == ["A", "B"]
    assert list(members.products) == ["P"]
    assert list(members.land_models) == list(members.eluc_models) == ["L"]
    assert list(members.bookkeeping) == ["BLUE"]
    assert members.budget["cement"].tolist() == [5.0, 5.0]


def test_edition_without_carbonation_of_cement(tmp_path):
    write_book(tmp_path / "book.xlsx", ("Individual models", "Data-based products", "DGVM"), False)
    assert (read_workbook(tmp_path / "book.xlsx", recipe(2019)).budget["cement"] == 0).all()
    with pytest.raises(InputError, match="cement"):
        read_workbook(tmp_path / "book.xlsx", recipe(2022))
