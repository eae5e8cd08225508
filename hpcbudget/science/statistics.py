"""Ensemble statistics, declared as data: one row per family, component, region and period."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from hpcbudget.options import StatisticsOptions
from hpcbudget.science.annual import Periods, annual, decades
from hpcbudget.science.ensemble import (
    PARTS_OF_PROCESS,
    PROCESS,
    EnsembleKey,
    FloatArray,
    Sample,
    samples,
    summarise,
    votes,
)
from hpcbudget.science.total import TOTAL, with_totals, within_reach
from hpcbudget.science.verdict import verdict

__all__ = [
    "ENSEMBLE_COLUMNS",
    "STATISTICS",
    "STATISTICS_COLUMNS",
    "annual",
    "decades",
    "ensemble_series",
    "ensemble_statistics",
    "quantile",
    "with_totals",
]

Statistic = Callable[[Sample], float]


def quantile(share: float) -> Statistic:
    """Return the statistic that gives the `share` quantile (linear interpolation) in Pg C/yr."""
    return lambda sample: sample.quantile(share)


STATISTICS: Final[dict[str, Statistic]] = {
    "n": lambda sample: sample.n,
    "mean": lambda sample: sample.mean,
    "sd": lambda sample: sample.sd,
    "min": quantile(0.0),
    "max": quantile(1.0),
    "median": quantile(0.5),
    "q25": quantile(0.25),
    "q75": quantile(0.75),
    "sink_votes": lambda sample: int((sample.votes_pgc_yr < 0).sum()),
}
"""Columns of the statistics table and what computes them from the votes."""

STATISTICS_COLUMNS = ("family", "component", "region", "period", *STATISTICS, "verdict")
ENSEMBLE_COLUMNS = ("family", "component", "region", "year", "n", "mean", "sd", "min", "max")


def ensemble_statistics(
    fluxes: xr.Dataset, periods: Periods, rules: StatisticsOptions
) -> pd.DataFrame:
    """Describe what each family says about each region in each period.

    A member's value is the mean of its annual fluxes; a model's value is the mean over its
    realisations; every model has one vote. The SD is thus that over the models' period means,
    as the Global Carbon Budget gives it for decades, not a mean of annual SDs.

    Parameters
    ----------
    fluxes : xarray.Dataset
        The monthly fluxes of a run (``flux_pgc_yr(series, region, time)``, Pg C/yr).
    periods : mapping of str to (int, int)
        Names with first and last year.
    rules : StatisticsOptions
        ddof of the SD, span (``common``: only members with every year of the period), and the
        rule of the verdict.

    Returns
    -------
    pandas.DataFrame
        family, component, region, period, n (number of votes), mean, sd, min, max, median, q25,
        q75 (Pg C/yr), sink_votes (the **number** of votes below zero, out of n), verdict.
        Family ``process`` holds the totals of land and ocean process models: every pair of a
        land and an ocean model is a vote, its SD is both SDs in quadrature. An ensemble without
        a vote has n = 0 and NaN. Rows by family, component, region and period as stored.
    """
    rows = [
        (
            *key,
            *(compute(sample) for compute in STATISTICS.values()),
            verdict(sample, rules.verdict),
        )
        for key, sample in samples(fluxes, periods, rules)
    ]
    return pd.DataFrame(rows, columns=list(STATISTICS_COLUMNS))


def ensemble_series(fluxes: xr.Dataset, rules: StatisticsOptions | None = None) -> pd.DataFrame:
    """Give mean and spread of every family for each single year, for figures.

    Parameters
    ----------
    fluxes : xarray.Dataset
        The monthly fluxes of a run.
    rules : StatisticsOptions, optional
        Say the delta degrees of freedom of the SD.

    Returns
    -------
    pandas.DataFrame
        family, component, region, year, n, mean, sd, min, max in Pg C/yr over the models that
        have the year complete; years without any have no row. Family ``process`` as in
        `ensemble_statistics`.
    """
    years = annual(with_totals(fluxes))
    rules = rules or StatisticsOptions()
    summaries = _summaries(years, rules)
    if set(PARTS_OF_PROCESS) <= set(summaries):
        parts = _summaries(annual(within_reach(fluxes, *PARTS_OF_PROCESS)), rules)
        summaries[EnsembleKey(PROCESS, TOTAL)] = _pairs(*(parts[key] for key in PARTS_OF_PROCESS))
    regions, year = years["region"].values.astype(str), years["year"].values
    frames = []
    for (family, component), columns in summaries.items():
        present = columns["n"] > 0
        row, column = np.nonzero(present)
        frame = pd.DataFrame({name: values[present] for name, values in columns.items()})
        frame = frame.assign(
            family=family, component=component, region=regions[row], year=year[column]
        )
        frames.append(frame[list(ENSEMBLE_COLUMNS)])
    if not frames:
        return pd.DataFrame(columns=list(ENSEMBLE_COLUMNS))
    return pd.concat(frames, ignore_index=True)


def _summaries(
    years: xr.Dataset, rules: StatisticsOptions
) -> dict[EnsembleKey, dict[str, FloatArray]]:
    flux = years["flux_pgc_yr"].transpose("series", "region", "year").values
    return {
        key: summarise(group.values_pgc_yr, rules.ddof_of(key.family))
        for key, group in votes(years, flux).items()
    }


def _pairs(land: dict[str, FloatArray], ocean: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Combine two summaries as all pairs of their votes: extremes and means add, SDs as squares."""
    added = {name: land[name] + ocean[name] for name in ("mean", "min", "max")}
    return {"n": land["n"] * ocean["n"], **added, "sd": np.hypot(land["sd"], ocean["sd"])}
