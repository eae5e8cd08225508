from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcbudget.errors import ConfigError
from hpcbudget.options import StatisticsOptions
from hpcbudget.science.dipoles import dipoles
from hpcbudget.science.merged import (
    MERGED_COLUMNS,
    combined_sd,
    compensating_pairs,
    merged_spread,
)

few = settings(max_examples=15)  # each takes tens of milliseconds

PERIODS = {"p": (2000, 2001)}


@given(seed=st.integers(0, 999), n=st.integers(2, 6), models=st.integers(2, 30))
def test_combined_sd_with_the_correlation_of_members_is_the_sd_of_their_sum(seed, n, models):
    values = np.random.default_rng(seed).normal(size=(models, n))
    sd = values.std(axis=0, ddof=1)
    r = np.atleast_2d(np.corrcoef(values.T))
    assert combined_sd(sd, r) == pytest.approx(values.sum(axis=1).std(ddof=1), abs=1e-6)
    assert combined_sd(sd) == pytest.approx(combined_sd(sd, np.eye(n)))


def test_what_is_no_correlation_is_refused():
    with pytest.raises(ValueError, match="unit diagonal"):
        combined_sd([1.0, 2.0], [[1.0, 0.5], [0.4, 1.0]])
    assert combined_sd([1.0, 1.0], [[1.0, -1.0], [-1.0, 1.0]]) == 0


def test_spread_that_merging_removes(make_fluxes):
    north = np.array([-2.0, -1.0, 0.0, 1.0])
    series = {
        ("inversion", f"m{k}", f"m{k}", "land"): np.array([[-1.0], [v], [-1.0 - v], [0.0]])
        for k, v in enumerate(north)
    }
    fluxes = make_fluxes(series)
    table = merged_spread(fluxes, {"p": (2000, 2000)}, StatisticsOptions())
    assert tuple(table.columns) == MERGED_COLUMNS
    first = table.iloc[0]
    assert first["reduction"] == pytest.approx(1.0)
    assert "North + South" in first["regions"]
    assert first["sd_independent"] == pytest.approx(np.sqrt(2) * north.std(ddof=1))
    chosen = merged_spread(
        fluxes, {"p": (2000, 2000)}, StatisticsOptions(), [("North", "bands/unassigned")]
    )
    assert chosen["regions"].tolist() == ["North + bands/unassigned"]
    assert chosen["reduction"].item() == pytest.approx(0.0)
    with pytest.raises(ConfigError, match="no region called 'Mars'"):
        merged_spread(fluxes, {"p": (2000, 2000)}, StatisticsOptions(), [("Mars",)])


@few
@given(seed=st.integers(0, 99))
def test_two_regions_agree_with_their_variance_ratio(make_ensemble, seed):
    fluxes = make_ensemble(seed)
    merged = merged_spread(fluxes, PERIODS, StatisticsOptions())
    poles = dipoles(fluxes, PERIODS)
    poles["regions"] = poles["region_a"] + " + " + poles["region_b"]
    both = merged.merge(poles, on=["family", "component", "regions", "period"])
    assert len(both) == len(poles)
    np.testing.assert_allclose(
        (both["sd_merged"] / both["sd_independent"]) ** 2, both["variance_ratio"], atol=1e-9
    )


def test_ranked_pairs(make_fluxes):
    rng = np.random.default_rng(3)
    series = {}
    for k in range(8):
        v, noise = rng.normal(), 0.05 * rng.normal()
        parts = np.array([v, -v + noise, rng.normal()])
        series["inversion", f"m{k}", f"m{k}", "land"] = np.array([parts.sum(), *parts])[:, None]
    ranked = compensating_pairs(dipoles(make_fluxes(series), {"p": (2000, 2000)}))
    best = ranked.iloc[0]
    assert (best["region_a"], best["region_b"], best["rank"]) == ("North", "South", 1)
    assert (ranked["p_value"] <= 0.05).all()
    assert ranked["variance_ratio"].is_monotonic_increasing
