from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcbudget.errors import ConfigError
from hpcbudget.options import StatisticsOptions
from hpcbudget.science.pairs import CHANGE_COLUMNS, agreement_change, pairwise_differences
from hpcbudget.science.reconcile import reconciliation

few = settings(max_examples=15)  # each takes tens of milliseconds

PERIODS = {"first": (2000, 2000), "second": (2001, 2001)}


@few
@given(seed=st.integers(0, 999))
def test_mean_of_all_pairs_is_the_gap(make_ensemble, seed):
    fluxes = make_ensemble(seed)
    pairs = pairwise_differences(fluxes, PERIODS, StatisticsOptions())
    gaps = reconciliation(fluxes, PERIODS, StatisticsOptions())
    means = pairs.groupby(["component", "region", "period"])["difference"].agg(["mean", "size"])
    merged = gaps.merge(means, left_on=["component", "region", "period"], right_index=True)
    assert set(merged["component"]) == {"land", "ocean"}
    assert (merged["size"] == 16).all()
    np.testing.assert_allclose(merged["gap"], merged["mean"], atol=1e-12)


def test_agreement_that_is_gained_lost_kept_or_never_there(make_fluxes):
    near, far = np.repeat([0.0, 9.0], 12), np.repeat([9.0, 0.0], 12)
    regions = {
        "Globe": np.zeros(24), "North": near, "South": far, "bands/unassigned": np.full(24, 9.0),
    }  # fmt: skip
    series = {
        ("inversion", f"i{k}", f"i{k}", "land"): np.stack(list(regions.values())) + k
        for k in (0, 1)
    }
    series |= {("land_process", f"m{k}", f"m{k}", "land"): float(k) for k in (0, 1)}
    table = reconciliation(make_fluxes(series, n_years=2), PERIODS, StatisticsOptions())
    changes = agreement_change(table, [("first", "second")])
    assert tuple(changes.columns) == CHANGE_COLUMNS
    assert dict(zip(changes["region"], changes["agreement"], strict=True)) == {
        "Globe": "kept", "North": "lost", "South": "gained", "bands/unassigned": "never",
    }  # fmt: skip
    south = changes[changes["region"] == "South"].iloc[0]
    assert south["gap_change"] == pytest.approx(-9)


def test_unknown_gap_has_no_change_of_agreement(make_fluxes):
    series = {
        ("inversion", "i", "i", "land"): 1.0,
        ("land_process", "m", "m", "land"): 1.0,
    }
    table = reconciliation(make_fluxes(series, n_years=2), PERIODS, StatisticsOptions())
    assert set(agreement_change(table, [("first", "second")])["agreement"]) == {"unknown"}
    with pytest.raises(ConfigError, match="no period called third"):
        agreement_change(table, [("first", "third")])
    assert agreement_change(table, []).empty


def test_large_sets_have_pairs_where_the_sides_differ_most(make_ensemble):
    many = {"Globe": "", **{f"R{i}": "many" for i in range(9)}, "A": "few", "B": "few"}
    fluxes = make_ensemble(1, regions=many)
    whole = pairwise_differences(fluxes, PERIODS, StatisticsOptions())
    part = pairwise_differences(fluxes, PERIODS, StatisticsOptions(paired_regions=3))
    keys = ["component", "period", "region"]
    gaps = whole.groupby(keys)["difference"].mean().abs()
    for (component, period), own in part.groupby(keys[:2]):
        kept = set(own["region"])
        assert {"Globe", "A", "B"} < kept
        chosen = kept - {"Globe", "A", "B"}
        of_set = gaps[component, period].filter(like="R")
        assert chosen == set(of_set.sort_values().index[-3:])
    both = part.merge(whole, how="left", indicator=True)
    assert (both["_merge"] == "both").all()
    assert part.equals(part.sort_index())
