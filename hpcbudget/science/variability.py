"""Beyond the mean: variability, trend, season and cumulative flux of members and ensembles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from hpcbudget.options import StatisticsOptions
from hpcbudget.science.annual import Periods, annual, by_month
from hpcbudget.science.ensemble import (
    EnsembleKey,
    FloatArray,
    Sample,
    Span,
    Votes,
    mean_of_finite,
    summarise,
    votes,
)
from hpcbudget.science.seasonal import (
    MONTHS,
    SeasonalCycle,
    circular_mean_sd,
    direction,
    seasonal_cycle,
)
from hpcbudget.science.total import with_totals
from hpcbudget.science.trend import Trend, linear_trend

VARIABILITY_COLUMNS = (
    "family", "component", "region", "period", "statistic", "n", "mean", "sd", "min", "max",
)  # fmt: skip


@dataclass(frozen=True)
class Block:
    """All series and regions over the years of one period."""

    years: FloatArray
    """(year,)"""
    annual_pgc_yr: FloatArray
    """(series, region, year) in Pg C/yr; NaN everywhere where a series must not count."""
    monthly_pgc_yr: FloatArray
    """(series, region, year, month); NaN for series whose months are not independent."""

    @cached_property
    def trend(self) -> Trend:
        """Lines through the annual fluxes."""
        return linear_trend(self.years, self.annual_pgc_yr)

    @cached_property
    def season(self) -> SeasonalCycle:
        """Mean seasonal cycles."""
        return seasonal_cycle(self.monthly_pgc_yr)


@dataclass(frozen=True)
class MemberStatistic:
    """Something measured on each member before the ensemble is looked at."""

    units: str
    of: Callable[[Block], npt.NDArray[np.inexact]]
    """Block -> (series, region); times of the year as directions on the unit circle."""


MEMBER_STATISTICS: Final[dict[str, MemberStatistic]] = {
    "iav": MemberStatistic("Pg C yr-1", lambda b: b.trend.iav_pgc_yr),
    "trend": MemberStatistic("Pg C yr-2", lambda b: b.trend.slope_pgc_yr2),
    "trend_standard_error": MemberStatistic("Pg C yr-2", lambda b: b.trend.standard_error_pgc_yr2),
    "cumulative": MemberStatistic("Pg C", lambda b: _sum_of_all(b.annual_pgc_yr)),
    "seasonal_peak_to_trough": MemberStatistic(
        "Pg C yr-1", lambda b: b.season.peak_to_trough_pgc_yr
    ),
    "seasonal_amplitude": MemberStatistic("Pg C yr-1", lambda b: b.season.amplitude_pgc_yr),
    "seasonal_peak_month": MemberStatistic(
        "months from 1 January", lambda b: direction(b.season.peak_month)
    ),
}
"""What is measured on members: the SD of detrended annual fluxes, the trend with its standard
error, the cumulative flux of a period that a member covers whole, and the mean seasonal cycle."""


def variability(fluxes: xr.Dataset, periods: Periods, options: StatisticsOptions) -> pd.DataFrame:
    """Measure each member's variability and summarise it over models, one vote each.

    Parameters
    ----------
    fluxes : xarray.Dataset
        The monthly fluxes of a run.
    periods : mapping of str to (int, int)
        Names with first and last year.
    options : StatisticsOptions
        ddof and span; ``quantiles`` adds columns such as ``q05``.

    Returns
    -------
    pandas.DataFrame
        family, component, region, period, statistic (a key of `MEMBER_STATISTICS`, or ``mean``
        where quantiles are asked for), n, mean, sd, min, max and the quantiles. Times of the year
        have circular mean and SD, and no extremes. Ensembles without a value have no row.
    """
    fluxes = with_totals(fluxes)
    regions = fluxes["region"].values.astype(str).tolist()
    quantiles = {f"q{100 * q:04.1f}".removesuffix(".0"): q for q in options.quantiles}
    frames = []
    for period, name, key, group in member_votes(fluxes, periods, options):
        ddof = options.ddof_of(key.family)
        summary = pd.DataFrame(_summary(group.values_pgc_yr, ddof, quantiles))
        named = summary.assign(
            family=key.family, component=key.component, region=regions, period=period,
            statistic=name,
        )  # fmt: skip
        frames.append(named[named["n"] > 0])
    columns = [*VARIABILITY_COLUMNS, *quantiles]
    frames = [frame for frame in frames if len(frame)]
    if not frames:
        return pd.DataFrame(columns=columns)
    table = pd.concat(frames, ignore_index=True)[columns]
    order = {region: position for position, region in enumerate(regions)}
    return table.sort_values(
        ["family", "component", "region"], kind="stable", ignore_index=True,
        key=lambda column: column.map(order) if column.name == "region" else column,
    )  # fmt: skip


def member_votes(
    fluxes: xr.Dataset, periods: Periods, options: StatisticsOptions
) -> Iterator[tuple[str, str, EnsembleKey, Votes]]:
    """Yield period, statistic, ensemble and its votes (model, region), for `variability`.

    The votes of ``seasonal_peak_month`` are directions on the unit circle (complex), realisations
    of a model averaged; ``mean`` comes first where quantiles are asked for.
    """
    for period, (first, last) in periods.items():
        block = _block(fluxes, first, last, options.span)
        measured = {name: s.of(block) for name, s in MEMBER_STATISTICS.items()}
        if options.quantiles:
            measured = {"mean": mean_of_finite(block.annual_pgc_yr), **measured}
        for name, values in measured.items():
            for key, group in votes(fluxes, values).items():
                yield period, name, key, group


def _summary(
    values: npt.NDArray[np.inexact], ddof: int, quantiles: dict[str, float]
) -> dict[str, npt.ArrayLike]:
    """n, mean, sd, min, max and quantiles by region of (model, region); complex are directions."""
    if np.iscomplexobj(values):
        found = [column[np.isfinite(column)] for column in values.T]
        circular = [circular_mean_sd(np.angle(one) * MONTHS / (2 * np.pi)) for one in found]
        return {
            "n": [one.size for one in found],
            "mean": [mean for mean, _ in circular],
            "sd": [sd for _, sd in circular],
            **dict.fromkeys(("min", "max", *quantiles), np.nan),
        }
    real = np.real(values)
    samples = [Sample.of_models(column, ddof) for column in real.T] if quantiles else []
    more = {name: [one.quantile(q) for one in samples] for name, q in quantiles.items()}
    return {**summarise(real, ddof), **more}


def _block(fluxes: xr.Dataset, first: int, last: int, span: Span) -> Block:
    known = annual(fluxes)
    found = known["flux_pgc_yr"].transpose("series", "region", "year").values
    by_year = by_month(
        fluxes["flux_pgc_yr"].transpose("series", "region", "time").values, fluxes["time"].values
    )
    # every year of the period, also those that the time axis of the run does not reach
    years = np.arange(first, last + 1)
    flux = np.full((*found.shape[:2], years.size), np.nan)
    monthly = np.full((*flux.shape, MONTHS), np.nan)
    _, here, there = np.intersect1d(years, known["year"].values, return_indices=True)
    flux[..., here], monthly[:, :, here] = found[..., there], by_year[:, :, there]
    monthly[fluxes["resolution"].values != "month"] = np.nan
    if span == "common":
        partial = ~np.isfinite(flux).all(axis=-1)
        flux[partial], monthly[partial] = np.nan, np.nan
    return Block(years.astype(np.float64), flux, monthly)


def _sum_of_all(flux: FloatArray) -> FloatArray:
    """Sum over years in Pg C; a missing year leaves the sum unknown."""
    return np.asarray(flux.sum(axis=-1))
