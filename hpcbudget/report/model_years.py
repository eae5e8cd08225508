"""What each model says year by year and month by month: one model, one vote, as in the statistics.

These are rearrangements of the totals for figures; no statistic of the tables is computed here.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from hpcbudget.options import StatisticsOptions
from hpcbudget.science.annual import annual
from hpcbudget.science.ensemble import votes
from hpcbudget.science.total import with_totals


def model_years(fluxes: xr.Dataset, region: str = "Globe") -> pd.DataFrame:
    """Return the annual flux of every model in one region.

    Parameters
    ----------
    fluxes : xarray.Dataset
        Monthly fluxes ``(series, region, time)`` [Pg C/yr, + to the atmosphere].
    region : str
        One of its regions.

    Returns
    -------
    pandas.DataFrame
        family, component, model, year, flux_pgc_yr; complete years only; realisations of a model
        are averaged.  Series that are constant over longer periods are left out: they have no
        years of their own.
    """
    whole = with_totals(fluxes).sel(region=[region])
    years = annual(whole.isel(series=np.flatnonzero(whole["resolution"].values != "period")))
    flux = years["flux_pgc_yr"].transpose("series", "region", "year").values[:, 0]
    columns = ["family", "component", "model", "year", "flux_pgc_yr"]
    rows = [
        (*key, model, int(year), value)
        for key, group in votes(years, flux).items()
        for model, values in zip(group.models, group.values_pgc_yr, strict=True)
        for year, value in zip(years["year"].values, values, strict=True)
        if np.isfinite(value)
    ]
    return pd.DataFrame(rows, columns=columns)


def seasonal_cycles(
    fluxes: xr.Dataset, first: int, last: int, rules: StatisticsOptions | None = None
) -> pd.DataFrame:
    """Return the mean flux of each calendar month over a period, by family.

    Parameters
    ----------
    fluxes : xarray.Dataset
        As for `model_years`; only truly monthly series are used.
    first, last : int
        First and last year, both included.
    rules : StatisticsOptions, optional
        Say the delta degrees of freedom of the SD.

    Returns
    -------
    pandas.DataFrame
        family, component, region, month, n, mean, sd [Pg C/yr]: mean and SD over models that have
        every month of the period.
    """
    rules = rules or StatisticsOptions()
    year = fluxes["time"].dt.year.values
    monthly = with_totals(fluxes).isel(time=np.flatnonzero((year >= first) & (year <= last)))
    monthly = monthly.isel(series=np.flatnonzero(monthly["resolution"].values == "month"))
    columns = ["family", "component", "region", "month", "n", "mean", "sd"]
    if monthly.sizes["time"] != 12 * (last - first + 1) or not monthly.sizes["series"]:
        return pd.DataFrame(columns=columns)
    flux = monthly["flux_pgc_yr"].transpose("series", "region", "time").values
    by_month = flux.reshape(*flux.shape[:2], -1, 12).mean(axis=2)
    regions = monthly["region"].values.astype(str)
    frames = []
    for (family, component), group in votes(monthly, by_month).items():
        values = group.values_pgc_yr  # (model, region, month)
        complete = np.isfinite(values).all(axis=2).any(axis=0)
        lost = rules.ddof_of(family)
        for index in np.flatnonzero(complete):
            own = values[np.isfinite(values[:, index]).all(axis=1), index]
            spread = own.std(axis=0, ddof=lost) if len(own) > lost else np.full(12, np.nan)
            facts = {"family": family, "component": component, "region": regions[index]}
            numbers = {"n": len(own), "mean": own.mean(axis=0), "sd": spread}
            frames.append(pd.DataFrame({**facts, "month": np.arange(1, 13), **numbers}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def cumulated(models: pd.DataFrame, rules: StatisticsOptions | None = None) -> pd.DataFrame:
    """Add up annual fluxes from the first year that every model of a component has.

    Parameters
    ----------
    models : pandas.DataFrame
        From `model_years`.
    rules : StatisticsOptions, optional
        Say the delta degrees of freedom of the SD.

    Returns
    -------
    pandas.DataFrame
        family, component, since, year, n, mean, sd [Pg C]: over all models of a family, from
        ``since`` on, as long as all of them go on without a gap; the sum runs to the end of
        ``year``. A component whose models have no year in common has no rows.
    """
    rules = rules or StatisticsOptions()
    columns = ["family", "component", "since", "year", "n", "mean", "sd"]
    frames = []
    for component, own in models.groupby("component", sort=True):
        wide = own.pivot_table(index="year", columns=["family", "model"], values="flux_pgc_yr")
        shared = wide.dropna().index
        if shared.empty:
            continue
        since = int(shared[0])
        wide = wide.reindex(range(since, int(wide.index.max()) + 1))
        for family in sorted(own["family"].unique()):
            group = wide[family]
            # what comes after a missing year lacks its flux
            total = group[np.logical_and.accumulate(group.notna().all(axis=1))].cumsum()
            sd = total.std(axis=1, ddof=rules.ddof_of(family))
            facts = {"family": family, "component": component, "since": since}
            numbers = {"n": total.shape[1], "mean": total.mean(axis=1), "sd": sd}
            frames.append(pd.DataFrame({**facts, "year": total.index, **numbers}))
    if not frames:
        return pd.DataFrame(columns=columns)
    return pd.concat(frames, ignore_index=True)[columns]


def agreement_in_time(models: pd.DataFrame, *, least_years: int = 5) -> pd.DataFrame:
    """Compare the year-to-year course of each model with the mean of all others.

    Parameters
    ----------
    models : pandas.DataFrame
        From `model_years`.
    least_years : int
        Fewer common years give no answer.

    Returns
    -------
    pandas.DataFrame
        family, component, model, years, sd [Pg C/yr], sd_others, correlation: standard deviation
        of the model's annual fluxes, that of the mean of the other models over the same years,
        and their correlation (Taylor 2001, doi:10.1029/2000JD900719, with a reference that leaves
        the model out).
    """
    rows = []
    for component, own in models.groupby("component", sort=True):
        wide = own.pivot_table(index="year", columns=["family", "model"], values="flux_pgc_yr")
        for key in wide.columns:
            others = wide.drop(columns=[key]).dropna(axis=1, how="all")
            # the same models in every year, or the mean would jump where one begins
            both = pd.concat([wide[key].rename("own"), others], axis=1).dropna()
            if len(both) < least_years or both.shape[1] < 2:
                continue
            series, mean = both["own"], both.drop(columns="own").mean(axis=1)
            varies = series.std() > 0 and mean.std() > 0  # a constant correlates with nothing
            correlation = float(np.corrcoef(series, mean)[0, 1]) if varies else np.nan
            rows.append(
                (key[0], component, key[1], len(both), series.std(), mean.std(), correlation)
            )
    columns = ["family", "component", "model", "years", "sd", "sd_others", "correlation"]
    return pd.DataFrame(rows, columns=columns)
