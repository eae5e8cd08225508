"""Annual means: the step from calendar months to whole years, and what a period is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr

from hpcbudget.errors import InputError

MONTHS_PER_YEAR = 12

Periods = Mapping[str, tuple[int, int]]
"""Names of periods with their first and last year, both included."""


def annual(fluxes: xr.Dataset) -> xr.Dataset:
    """Average months to years, each month weighted with its length in the member's own calendar.

    F(year) = sum_m F(m) s(m) / sum_m s(m) over the twelve months of a year, s in seconds.
    A year that lacks a month is NaN: a partial year is no annual flux.

    Parameters
    ----------
    fluxes : xarray.Dataset
        ``flux_pgc_yr(series, region, time)`` in Pg C/yr and ``month_seconds(series, time)``.

    Returns
    -------
    xarray.Dataset
        ``flux_pgc_yr(series, region, year)`` in Pg C/yr with the coordinates of `fluxes`.

    Raises
    ------
    InputError
        A calendar month stands twice on the time axis.

    Examples
    --------
    >>> months = pd.date_range("2001-01", periods=14, freq="MS")
    >>> seconds = months.days_in_month.to_numpy() * 86400.0
    >>> fluxes = xr.Dataset(
    ...     {
    ...         "flux_pgc_yr": (("series", "region", "time"), np.full((1, 1, 14), -2.0)),
    ...         "month_seconds": (("series", "time"), seconds[None]),
    ...     },
    ...     coords={"time": months, "region": ["Globe"]},
    ... )
    >>> annual(fluxes)["flux_pgc_yr"].values.squeeze().tolist()
    [-2.0, nan]
    """
    flux = fluxes["flux_pgc_yr"].transpose("series", "region", "time")
    monthly = by_month(flux.values, fluxes["time"].values)
    seconds = fluxes["month_seconds"].transpose("series", "time")
    lengths = by_month(seconds.values, fluxes["time"].values)[:, None]
    with np.errstate(invalid="ignore"):
        means = (monthly * lengths).sum(axis=-1) / lengths.sum(axis=-1)
    years = np.unique(_years(fluxes["time"].values))
    kept = {k: v for k, v in fluxes.coords.items() if "time" not in v.dims}
    variable = xr.Variable(
        ("series", "region", "year"), means, {"units": "Pg C yr-1", "long_name": "annual flux"}
    )
    return xr.Dataset({"flux_pgc_yr": variable}, {**kept, "year": years}, fluxes.attrs)


def decades(fluxes: xr.Dataset) -> dict[str, tuple[int, int]]:
    """Name the decades that at least one series covers whole; else all its complete years.

    Parameters
    ----------
    fluxes : xarray.Dataset
        Monthly, as for `annual`.

    Returns
    -------
    dict of str to (int, int)
        For example ``{"1990s": (1990, 1999)}``; for a record without a whole decade one period
        from the first to the last complete year; empty if there is no complete year.

    Examples
    --------
    >>> months = pd.date_range("1998-01", "2011-06", freq="MS")
    >>> fluxes = xr.Dataset(
    ...     {
    ...         "flux_pgc_yr": (("series", "region", "time"), np.ones((1, 1, months.size))),
    ...         "month_seconds": (("series", "time"), np.ones((1, months.size))),
    ...     },
    ...     coords={"time": months, "region": ["Globe"]},
    ... )
    >>> decades(fluxes)
    {'2000s': (2000, 2009)}
    """
    years = annual(fluxes)
    complete = np.isfinite(years["flux_pgc_yr"].values).any(axis=1)  # (series, year)
    year = years["year"].values.astype(int)
    if not complete.any():
        return {}
    whole = {}
    for start in range(int(year[0]) // 10 * 10, int(year[-1]) + 1, 10):
        within = (year >= start) & (year < start + 10)
        if (complete[:, within].sum(axis=1) == 10).any():
            whole[f"{start}s"] = (start, start + 9)
    if whole:
        return whole
    covered = year[complete.any(axis=0)]
    first, last = int(covered[0]), int(covered[-1])
    return {f"{first}-{last}" if last > first else f"{first}": (first, last)}


def _years(time: np.ndarray) -> np.ndarray:
    return np.asarray(pd.DatetimeIndex(time).year, dtype=np.int64)


def by_month(values: np.ndarray, time: np.ndarray) -> np.ndarray:
    """Spread (..., time) over (..., year, month); months that are not on the axis are NaN.

    Raises
    ------
    InputError
        A calendar month stands twice on the time axis.
    """
    stamps = pd.DatetimeIndex(time)
    if stamps.has_duplicates:
        doubled = stamps[stamps.duplicated()][0]
        raise InputError(
            f"month {doubled:%Y-%m} stands twice on the time axis of the fluxes",
            why="its flux would count twice in the annual mean",
        )
    years, row = np.unique(_years(time), return_inverse=True)
    spread = np.full((*values.shape[:-1], years.size, MONTHS_PER_YEAR), np.nan)
    spread[..., row, np.asarray(stamps.month) - 1] = values
    return spread
