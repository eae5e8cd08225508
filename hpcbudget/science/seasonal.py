"""The mean seasonal cycle of a flux: how large it is and when it peaks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hpcbudget.science.ensemble import FloatArray

MONTHS = 12

_MID_MONTH = (np.arange(MONTHS) + 0.5) * (2 * np.pi / MONTHS)
"""Middle of each month as an angle of the year."""


@dataclass(frozen=True)
class SeasonalCycle:
    """Mean seasonal cycles; arrays without the axes of years and months."""

    peak_to_trough_pgc_yr: FloatArray
    """Largest minus smallest monthly mean."""
    amplitude_pgc_yr: FloatArray
    """Of the annual harmonic: half its range."""
    peak_month: FloatArray
    """When the annual harmonic is largest (strongest source), in months from 1 January, 0 to 12."""


def seasonal_cycle(flux_pgc_yr: npt.ArrayLike) -> SeasonalCycle:
    """Measure the mean seasonal cycle.

    The harmonic c = (1/6) sum_m F_m exp(i w_m), w_m the middle of month m, gives amplitude |c|
    and time of the maximum arg(c).

    Parameters
    ----------
    flux_pgc_yr : array_like
        (..., year, month) in Pg C/yr; only years with all months count.

    Returns
    -------
    SeasonalCycle
        NaN without a complete year.

    Examples
    --------
    >>> july = np.cos(2 * np.pi * (np.arange(12) - 6) / 12)  # largest in mid-July
    >>> cycle = seasonal_cycle(july[None])
    >>> round(float(cycle.amplitude_pgc_yr), 12), round(float(cycle.peak_month), 12)
    (1.0, 6.5)
    """
    flux = np.asarray(flux_pgc_yr, dtype=np.float64)
    whole = np.asarray(np.isfinite(flux).all(axis=-1))
    n = whole.sum(axis=-1)
    total = np.where(whole[..., None], flux, 0.0).sum(axis=-2)
    mean = np.where((n > 0)[..., None], total / np.maximum(n, 1)[..., None], np.nan)
    harmonic = (mean * np.exp(1j * _MID_MONTH)).sum(axis=-1) / (MONTHS / 2)
    return SeasonalCycle(
        peak_to_trough_pgc_yr=mean.max(axis=-1) - mean.min(axis=-1),
        amplitude_pgc_yr=np.abs(harmonic),
        peak_month=np.mod(np.angle(harmonic) * MONTHS / (2 * np.pi), MONTHS),
    )


def direction(months: npt.ArrayLike) -> npt.NDArray[np.complex128]:
    """Return times of the year (0 to 12 months) as points on the unit circle."""
    return np.asarray(np.exp(2j * np.pi / MONTHS * np.asarray(months, dtype=np.float64)))


def circular_mean_sd(months: npt.ArrayLike) -> tuple[float, float]:
    """Average times of the year, so that December and January lie next to each other.

    Parameters
    ----------
    months : array_like
        (n,) times in months, 0 to 12.

    Returns
    -------
    (float, float)
        Circular mean and circular standard deviation sqrt(-2 ln R) in months; NaN without values.

    Examples
    --------
    >>> mean, sd = circular_mean_sd([11.5, 0.5])
    >>> round(mean % 12, 9) % 12, round(sd, 2)
    (0.0, 0.5)
    """
    points = direction(months)
    if not points.size:
        return float("nan"), float("nan")
    mean = points.mean()
    length = min(float(np.abs(mean)), 1.0)
    sd = np.sqrt(-2 * np.log(length)) if length > 0 else np.inf
    factor = MONTHS / (2 * np.pi)
    return float(np.mod(np.angle(mean) * factor, MONTHS)), float(sd * factor)
