"""Lines through annual fluxes: trends with their uncertainty, and what varies about them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from hpcbudget.science.ensemble import FloatArray

FEWEST_YEARS = 3
"""A line through fewer points leaves nothing to judge it by."""


@dataclass(frozen=True)
class Trend:
    """Least-squares lines through annual fluxes; arrays without the axis of years."""

    slope_pgc_yr2: FloatArray
    """Pg C/yr per year."""
    standard_error_pgc_yr2: FloatArray
    """Of the slope."""
    p_value: FloatArray
    """Two-sided, of no trend."""
    iav_pgc_yr: FloatArray
    """Interannual variability: SD of the fluxes about the line."""
    n_years: npt.NDArray[np.int64]
    """Years that have a flux."""


def linear_trend(
    years: npt.ArrayLike,
    flux_pgc_yr: npt.ArrayLike,
    *,
    ddof: int = 1,
    autocorrelated: bool = False,
) -> Trend:
    """Fit lines to annual fluxes.

    slope = sum (t - tm)(F - Fm) / sum (t - tm)^2, its standard error from the residuals with
    n - 2 degrees of freedom. With `autocorrelated`, n is replaced there by the effective number
    n (1 - r) / (1 + r), r the lag-one autocorrelation of the residuals where that is positive
    (Santer et al. 2000, doi:10.1029/1999JD901105).

    Parameters
    ----------
    years : array_like
        (year,), without gaps.
    flux_pgc_yr : array_like
        (..., year) in Pg C/yr; NaN years are left out.
    ddof : int
        Delta degrees of freedom of the interannual SD.
    autocorrelated : bool
        Whether to widen the standard error for persistence.

    Returns
    -------
    Trend
        NaN where fewer than three years are there.

    Examples
    --------
    >>> trend = linear_trend([2000, 2001, 2002, 2003], [0.0, 1.5, 1.5, 3.0])
    >>> float(trend.slope_pgc_yr2), round(float(trend.iav_pgc_yr), 3)
    (0.9, 0.387)
    """
    flux = np.asarray(flux_pgc_yr, dtype=np.float64)
    time = np.broadcast_to(np.asarray(years, dtype=np.float64), flux.shape)
    known = np.isfinite(flux)
    n = known.sum(axis=-1)
    enough = n >= FEWEST_YEARS
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.where(known, time - _mean(time, known)[..., None], 0.0)
        f = np.where(known, flux - _mean(flux, known)[..., None], 0.0)
        spread = np.square(t).sum(axis=-1)
        slope = np.where(enough, (t * f).sum(axis=-1) / spread, np.nan)
        residual = np.where(known, f - slope[..., None] * t, 0.0)
        squares = np.square(residual).sum(axis=-1)
        counted = n.astype(np.float64)
        if autocorrelated:
            both = known[..., 1:] & known[..., :-1]
            lagged = np.where(both, residual[..., 1:] * residual[..., :-1], 0.0).sum(axis=-1)
            r = np.clip(np.where(squares > 0, lagged / squares, 0.0), 0.0, 0.99)
            counted = n * (1 - r) / (1 + r)
        dof = counted - 2
        error = np.where(enough & (dof > 0), np.sqrt(squares / dof / spread), np.nan)
        p_value = special.betainc(dof / 2, 0.5, dof / (dof + np.square(slope / error)))
        iav = np.where(enough, np.sqrt(squares / (n - ddof)), np.nan)
    return Trend(slope, error, np.where(np.isfinite(error), p_value, np.nan), iav, n)


def _mean(values: FloatArray, known: npt.NDArray[np.bool_]) -> FloatArray:
    total = np.where(known, values, 0.0).sum(axis=-1)
    return np.asarray(total / np.maximum(known.sum(axis=-1), 1))
