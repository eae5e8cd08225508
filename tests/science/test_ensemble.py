from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcbudget.options import StatisticsOptions
from hpcbudget.science.annual import annual
from hpcbudget.science.ensemble import (
    EnsembleKey,
    Sample,
    SampleKey,
    period_means,
    period_votes,
    samples,
)

few = settings(max_examples=15)  # each takes tens of milliseconds

votes_of = st.lists(st.floats(-10, 10), min_size=2, max_size=12)


def test_one_model_one_vote(make_fluxes):
    series = {("inversion", "A", f"A{i}", "land"): float(i) for i in range(10)}  # mean 4.5
    series["inversion", "B", "B", "land"] = -4.5
    fluxes = make_fluxes(series)
    votes = period_votes(fluxes, {"2000": (2000, 2000)}, "common")["2000"]
    group = votes[EnsembleKey("inversion", "land")]
    assert group.models == ("A", "B")
    np.testing.assert_allclose(group.values_pgc_yr[:, 0], [4.5, -4.5])


@few
@given(seed=st.integers(0, 2**32 - 1))
def test_order_of_members_does_not_matter_to_the_last_bit(make_ensemble, seed):
    fluxes = make_ensemble(seed % 5)
    order = np.random.default_rng(seed).permutation(fluxes.sizes["series"])
    periods, rules = {"p": (2000, 2001)}, StatisticsOptions()
    shuffled = dict(samples(fluxes.isel(series=order), periods, rules))
    for key, sample in samples(fluxes, periods, rules):
        assert (shuffled[key].mean, shuffled[key].sd) == (sample.mean, sample.sd)


def test_spans(make_fluxes):
    half = np.array([1.0] * 12 + [np.nan] * 12)
    fluxes = make_fluxes(
        {("inversion", "A", "A", "land"): half, ("inversion", "B", "B", "land"): 3.0}, n_years=2
    )
    years = annual(fluxes)
    np.testing.assert_array_equal(period_means(years, 2000, 2001, "common")[:, 0], [np.nan, 3])
    np.testing.assert_array_equal(period_means(years, 2000, 2001, "all")[:, 0], [1, 3])
    # a period that reaches beyond the record is not covered
    assert np.isnan(period_means(years, 1999, 2001, "common")).all()


def test_realisation_that_does_not_cover_the_period_has_no_part_in_its_models_vote(make_fluxes):
    half = np.array([9.0] * 12 + [np.nan] * 12)
    fluxes = make_fluxes(
        {("inversion", "A", "A1", "land"): half, ("inversion", "A", "A2", "land"): 3.0}, n_years=2
    )
    found = dict(samples(fluxes, {"p": (2000, 2001)}, StatisticsOptions()))
    sample = found[SampleKey("inversion", "land", "Globe", "p")]
    assert (sample.n, sample.mean) == (1, 3.0)
    assert np.isnan(sample.sd)


@given(a=votes_of, b=votes_of)
def test_pairs_have_the_sum_of_means_and_of_variances(a, b):
    pairs = Sample.of_pairs(Sample.of_models(a, 0), Sample.of_models(b, 0))
    assert pairs.n == len(a) * len(b)
    assert pairs.mean == pytest.approx(pairs.votes_pgc_yr.mean(), abs=1e-12)
    assert pairs.sd == pytest.approx(pairs.votes_pgc_yr.std(), abs=1e-7)


def test_welch_degrees_of_freedom():
    # equal variances and sizes: twice those of one sample
    a = Sample.of_models([1.0, 2.0, 3.0], 1)
    assert Sample.of_pairs(a, a).degrees_of_freedom == pytest.approx(4.0)


def test_process_family_needs_both_parts(make_ensemble):
    periods = {"p": (2000, 2001)}
    both = {key.family for key, _ in samples(make_ensemble(), periods, StatisticsOptions())}
    assert "process" in both
    land = make_ensemble(families={"land_process": ("land",)})
    assert {k.family for k, _ in samples(land, periods, StatisticsOptions())} == {"land_process"}


def test_ddof_by_family(make_ensemble):
    fluxes = make_ensemble()
    periods = {"p": (2000, 2001)}
    plain = dict(samples(fluxes, periods, StatisticsOptions(ddof=1)))
    mixed = dict(
        samples(fluxes, periods, StatisticsOptions(ddof=1, ddof_by_family={"inversion": 0}))
    )
    inversion = SampleKey("inversion", "land", "Globe", "p")
    model = SampleKey("land_process", "land", "Globe", "p")
    assert mixed[inversion].sd == pytest.approx(plain[inversion].sd * np.sqrt(3 / 4))
    assert mixed[model].sd == plain[model].sd


@given(votes=st.lists(st.floats(-10, 10), min_size=1, max_size=20), share=st.floats(0, 1))
def test_quantiles_are_numpys(votes, share):
    assert Sample.of_models(votes, 1).quantile(share) == pytest.approx(
        np.quantile(votes, share), abs=1e-12
    )
