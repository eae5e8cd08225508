from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.options import StatisticsOptions, VerdictRule
from hpcbudget.science.ensemble import Sample
from hpcbudget.science.verdict import INTERVALS, interval, rule_text, verdict, verdict_table

names = st.sampled_from(sorted(INTERVALS))


@pytest.mark.parametrize(
    ("votes", "rule", "expected"),
    [
        ([-3, -2, -1], {"name": "sd", "k": 1.9}, "sink"),  # mean -2, SD 1
        ([-3, -2, -1], {"name": "sd", "k": 2.0}, "undetermined"),
        ([3, 2, 1], {"name": "sd"}, "source"),
        ([-1, -1, -1, -1, 1], {"name": "votes", "share": 0.8}, "sink"),
        ([-1, -1, -1, 1], {"name": "votes", "share": 0.8}, "undetermined"),
        ([1, 1, 1, 1, -1], {"name": "votes", "share": 0.8}, "source"),
        ([-1, -2, 0.1], {"name": "minmax"}, "undetermined"),
        ([-1, -2, -0.1], {"name": "minmax"}, "sink"),
        ([-4, -3, -2, -1, 0.5], {"name": "quantile", "level": 0.5}, "sink"),
        ([-4, -3, -2, -1, 0.5], {"name": "quantile", "level": 0.99}, "undetermined"),
        # t(0.95, 2) = 2.919986: half width 2.919986 / sqrt(3) = 1.685854
        ([-2.7, -1.7, -0.7], {"name": "t", "level": 0.9}, "sink"),
        ([-2.68, -1.68, -0.68], {"name": "t", "level": 0.9}, "undetermined"),
        ([-5], {"name": "votes"}, "undetermined"),  # one model is no ensemble
        ([], {"name": "sd"}, "undetermined"),
        ([0, 0, 0], {"name": "votes"}, "undetermined"),
    ],
)
def test_rules_by_hand(votes, rule, expected):
    assert verdict(Sample.of_models(votes, 1), VerdictRule(**rule)) == expected


def test_t_interval_by_hand():
    low, high = interval(Sample.of_models([1.0, 2.0, 3.0], 1), VerdictRule(name="t", level=0.9))
    assert (low, high) == pytest.approx((2 - 1.685854, 2 + 1.685854), abs=1e-6)


@given(votes=st.lists(st.floats(-5, 5), min_size=2, max_size=15), name=names)
def test_opposite_fluxes_have_opposite_verdicts(votes, name):
    rule = VerdictRule(name=name)
    opposite = {"sink": "source", "source": "sink", "undetermined": "undetermined"}
    said = verdict(Sample.of_models(votes, 1), rule)
    assert verdict(Sample.of_models(-np.array(votes), 1), rule) == opposite[said]


@given(
    votes=st.lists(st.floats(-5, 5).filter(bool), min_size=2, max_size=15),
    share=st.floats(0.5, 1, exclude_min=True),
)
def test_vote_rule_is_the_share_of_signs(votes, share):
    said = verdict(Sample.of_models(votes, 1), VerdictRule(name="votes", share=share))
    sinks = sum(v < 0 for v in votes) / len(votes)
    expected = "sink" if sinks >= share else "source" if 1 - sinks >= share else "undetermined"
    if abs(sinks - share) > 1e-6 and abs(1 - sinks - share) > 1e-6:
        assert said == expected


def test_table_says_rule_and_n(make_ensemble):
    table = verdict_table(make_ensemble(), {"p": (2000, 2001)}, StatisticsOptions())
    assert table["rule"].nunique() == 5
    assert set(table.loc[table["family"] == "inversion", "n"]) == {4}
    assert rule_text(VerdictRule()) == "|mean| > 1 SD"
