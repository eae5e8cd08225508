"""Sink, source or undetermined: the rules by which an ensemble's sign is decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr
from scipy import special

from hpcbudget.options import StatisticsOptions, VerdictRule
from hpcbudget.science.annual import Periods
from hpcbudget.science.ensemble import Sample, samples

Verdict = Literal["sink", "source", "undetermined"]
RuleName = Literal["sd", "votes", "minmax", "quantile", "t"]
Interval = tuple[float, float]

VERDICT_COLUMNS = (
    "family", "component", "region", "period", "rule", "n", "low", "high", "verdict",
)  # fmt: skip

FEWEST = 2
"""Votes below which no rule decides: one model says nothing about the spread of models."""


def _sd(sample: Sample, rule: VerdictRule) -> Interval:
    return sample.mean - rule.k * sample.sd, sample.mean + rule.k * sample.sd


def _minmax(sample: Sample, rule: VerdictRule) -> Interval:
    return sample.quantile(0.0), sample.quantile(1.0)


def _quantile(sample: Sample, rule: VerdictRule) -> Interval:
    return sample.quantile((1 - rule.level) / 2), sample.quantile((1 + rule.level) / 2)


def _t(sample: Sample, rule: VerdictRule) -> Interval:
    width = sample.standard_error * special.stdtrit(sample.degrees_of_freedom, (1 + rule.level) / 2)
    return float(sample.mean - width), float(sample.mean + width)


def _votes(sample: Sample, rule: VerdictRule) -> Interval:
    """Interval that leaves out the dissenters that the rule tolerates on either side."""
    ordered = np.sort(sample.votes_pgc_yr)
    needed = int(np.ceil(rule.share * sample.n - 1e-9))
    return float(ordered[sample.n - needed]), float(ordered[needed - 1])


INTERVALS: Final[dict[RuleName, Callable[[Sample, VerdictRule], Interval]]] = {
    "sd": _sd,
    "votes": _votes,
    "minmax": _minmax,
    "quantile": _quantile,
    "t": _t,
}
"""A rule is an interval (Pg C/yr) of the ensemble; it decides where the interval leaves out 0."""


def interval(sample: Sample, rule: VerdictRule) -> Interval:
    """Return the interval in Pg C/yr by which `rule` judges `sample`; NaN with too few votes."""
    return INTERVALS[rule.name](sample, rule) if sample.n >= FEWEST else (np.nan, np.nan)


def verdict(sample: Sample, rule: VerdictRule) -> Verdict:
    """Decide whether an ensemble is a sink (negative), a source, or undetermined.

    Parameters
    ----------
    sample : Sample
        Votes in Pg C/yr, positive to the atmosphere.
    rule : VerdictRule
        ``sd``: mean -+ k SD leaves out 0; ``votes``: at least `share` of the votes have the
        sign; ``minmax``: all have; ``quantile``: the central `level` of the votes leaves out 0;
        ``t``: the confidence interval of the mean does.

    Examples
    --------
    >>> inversions = Sample.of_models([-2.1, -1.6, -0.9, 0.1, -1.8], ddof=1)
    >>> verdict(inversions, VerdictRule(name="sd"))
    'sink'
    >>> verdict(inversions, VerdictRule(name="minmax"))
    'undetermined'
    """
    low, high = interval(sample, rule)
    if high < 0:
        return "sink"
    return "source" if low > 0 else "undetermined"


def verdict_table(
    fluxes: xr.Dataset,
    periods: Periods,
    options: StatisticsOptions,
    rules: Iterable[VerdictRule] | None = None,
) -> pd.DataFrame:
    """Judge every ensemble by several rules side by side.

    Parameters
    ----------
    fluxes, periods, options
        See `hpcbudget.science.ensemble.samples`.
    rules : iterable of VerdictRule, optional
        One row each; by default the chosen rule first, then the others with their defaults.

    Returns
    -------
    pandas.DataFrame
        family, component, region, period, rule (with its parameter), n, low, high (the rule's
        interval in Pg C/yr), verdict.
    """
    chosen = options.verdict
    others = (VerdictRule(name=name) for name in get_args(RuleName) if name != chosen.name)
    judges = (chosen, *others) if rules is None else tuple(rules)
    rows = [
        (*key, rule_text(rule), sample.n, *interval(sample, rule), verdict(sample, rule))
        for key, sample in samples(fluxes, periods, options)
        for rule in judges
    ]
    return pd.DataFrame(rows, columns=list(VERDICT_COLUMNS))


def rule_text(rule: VerdictRule) -> str:
    """Return a rule in short, such as ``|mean| > 1 SD``, for tables and figures.

    Examples
    --------
    >>> rule_text(VerdictRule(name="votes", share=0.8))
    'sign of 80 % of votes'
    """
    percent = f"{100 * rule.level:g} %"
    return {
        "sd": f"|mean| > {rule.k:g} SD",
        "votes": f"sign of {100 * rule.share:g} % of votes",
        "minmax": "sign of all votes",
        "quantile": f"central {percent} of votes",
        "t": f"{percent} t-interval of the mean",
    }[rule.name]
