from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.options import AgreementRule, StatisticsOptions
from hpcbudget.science.ensemble import Sample
from hpcbudget.science.reconcile import (
    RECONCILIATION_COLUMNS,
    agreement,
    area_rows,
    reconciliation,
)

PERIODS = {"p": (2000, 2000)}


def fluxes_of(make_fluxes, top, bottom, component="land", family="land_process"):
    series = {("inversion", f"i{k}", f"i{k}", component): v for k, v in enumerate(top)}
    series |= {(family, f"m{k}", f"m{k}", component): v for k, v in enumerate(bottom)}
    return make_fluxes(series)


def test_gap_by_hand(make_fluxes):
    fluxes = fluxes_of(make_fluxes, [-3.0, -2.0, -1.0], [-2.0, -1.0])
    table = reconciliation(fluxes, PERIODS, StatisticsOptions())
    assert tuple(table.columns) == RECONCILIATION_COLUMNS
    row = table[table["region"] == "Globe"].iloc[0]
    assert (row["n_td"], row["n_bu"]) == (3, 2)
    assert row["gap"] == pytest.approx(-0.5)
    assert row["gap_sd"] == pytest.approx(np.sqrt(1 + 0.5))
    assert row["agree"]
    assert row["verdict"] == "sink"


def test_verdict_needs_both_sides(make_fluxes):
    fluxes = fluxes_of(make_fluxes, [-3.0, -2.9], [1.0, 1.1])
    row = reconciliation(fluxes, PERIODS, StatisticsOptions()).iloc[0]
    assert row["verdict"] == "undetermined"
    assert not row["agree"]


def test_unknown_spread_never_agrees(make_fluxes):
    row = reconciliation(fluxes_of(make_fluxes, [-3.0], [-3.0]), PERIODS, StatisticsOptions()).iloc[
        0
    ]
    assert row["gap"] == 0
    assert not row["agree"]


def test_components_appear_only_where_both_sides_are(make_ensemble):
    table = reconciliation(make_ensemble(), {"p": (2000, 2001)}, StatisticsOptions())
    assert table["component"].unique().tolist() == ["land", "ocean", "total"]
    assert set(table.loc[table["component"] == "total", "n_bu"]) == {16}
    alone = make_ensemble(families={"inversion": ("land",), "ocean_process": ("ocean",)})
    assert reconciliation(alone, {"p": (2000, 2001)}, StatisticsOptions()).empty


def test_families_of_a_side_are_pooled(make_fluxes):
    fluxes = fluxes_of(make_fluxes, [0.0, 1.0], [1.0, 3.0], "ocean", "ocean_product")
    rules = StatisticsOptions(bottom_up={"ocean": ("ocean_process", "ocean_product")})
    row = reconciliation(fluxes, PERIODS, rules).iloc[0]
    assert (row["n_bu"], row["bottom_up_mean"]) == (2, 2.0)
    assert reconciliation(fluxes, PERIODS, StatisticsOptions()).empty


@given(
    top=st.lists(st.floats(-5, 5), min_size=2, max_size=8),
    bottom=st.lists(st.floats(-5, 5), min_size=2, max_size=8),
)
def test_agreement_is_symmetric_and_overlap_is_milder(top, bottom):
    a, b = Sample.of_models(top, 1), Sample.of_models(bottom, 1)
    strict, mild = AgreementRule(), AgreementRule(name="overlap")
    assert agreement(a, b, strict) == agreement(b, a, strict)
    assert agreement(a, b, mild) or not agreement(a, b, strict)


def test_areas_of_both_sides_are_stated(make_fluxes):
    fluxes = fluxes_of(make_fluxes, [-3.0, -2.0], [-2.0])
    assert area_rows(fluxes, StatisticsOptions())[0][4] == 0
    fluxes["valid_area_m2"][2] *= 0.75
    (row,) = area_rows(fluxes, StatisticsOptions())
    assert row[2:4] == ("land", "area of top-down = area of bottom-up")
    assert row[4] == pytest.approx(0.25)
    assert row[-1]
    fluxes["valid_area_m2"][:] = np.nan
    assert area_rows(fluxes, StatisticsOptions()) == []
