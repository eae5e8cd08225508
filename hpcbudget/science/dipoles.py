"""Dipoles: regions whose fluxes compensate each other across the members of an ensemble."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import xarray as xr
from scipy import special

from hpcbudget.science.annual import Periods
from hpcbudget.science.ensemble import FloatArray, Span, period_votes

DIPOLE_COLUMNS = (
    "family", "component", "region_a", "region_b", "period",
    "n", "correlation", "p_value", "variance_ratio",
)  # fmt: skip


PAIRED_AT_MOST = 40
"""Regions of a set beyond which its pairs are left out: of the 28 000 pairs of all countries more
than a thousand compensate each other significantly by chance."""


def dipoles(fluxes: xr.Dataset, periods: Periods, *, span: Span = "common") -> pd.DataFrame:
    """Correlate the regional fluxes of all pairs of regions across models.

    An inversion that puts too much of a sink into one region has to take it from another, since
    the atmosphere fixes the sum. Across members this shows as a negative correlation r of the two
    regions and as a variance of their sum that falls below the sum of their variances:
    ratio = Var(A + B) / (Var A + Var B), 1 for independent regions, 0 for perfect compensation.

    Parameters
    ----------
    fluxes : xarray.Dataset
        Monthly fluxes of a run.
    periods : mapping of str to (int, int)
        Names with first and last year.
    span : {"common", "all"}
        See `hpcbudget.science.ensemble.period_means`.

    Returns
    -------
    pandas.DataFrame
        Columns `DIPOLE_COLUMNS` for all pairs of regions of one set (also of its unassigned
        rest; sets of more than `PAIRED_AT_MOST` regions are left out): n models that have both
        regions, Pearson's r and its two-sided p value from Student's t with n - 2 degrees of
        freedom (NaN below three models), variance ratio (NaN below two).
    """
    pairs = region_pairs(fluxes)
    regions = fluxes["region"].values.astype(str).tolist()
    rows = []
    by_period = period_votes(fluxes, periods, span)
    for key in sorted({key for group in by_period.values() for key in group}):
        for a, b in pairs:
            for period in periods:
                values = by_period[period][key].values_pgc_yr
                measured = compensation(values[:, a], values[:, b])
                rows.append((*key, regions[a], regions[b], period, *measured))
    return pd.DataFrame(rows, columns=list(DIPOLE_COLUMNS))


def compensation(a_pgc_yr: FloatArray, b_pgc_yr: FloatArray) -> tuple[int, float, float, float]:
    """Measure how far two regions compensate each other across models.

    Parameters
    ----------
    a_pgc_yr, b_pgc_yr : ndarray
        (model,) fluxes of two regions in Pg C/yr; models that lack one of them are left out.

    Returns
    -------
    (int, float, float, float)
        n, correlation, p value, variance ratio.

    Examples
    --------
    >>> compensation(np.array([0.0, 1.0, 2.0]), np.array([2.0, 1.0, 0.0]))
    (3, -1.0, 0.0, 0.0)
    """
    both = np.isfinite(a_pgc_yr) & np.isfinite(b_pgc_yr)
    a, b = a_pgc_yr[both], b_pgc_yr[both]
    n = int(both.sum())
    if n < 2:
        return n, np.nan, np.nan, np.nan
    a, b = a - a.mean(), b - b.mean()
    squares_a, squares_b, product = float(a @ a), float(b @ b), float(a @ b)
    if squares_a + squares_b == 0:
        return n, np.nan, np.nan, np.nan
    ratio = max(0.0, 1 + 2 * product / (squares_a + squares_b))
    if n < 3 or squares_a == 0 or squares_b == 0:
        return n, np.nan, np.nan, ratio
    r = float(np.clip(product / np.sqrt(squares_a * squares_b), -1.0, 1.0))
    return n, r, correlation_p_value(r, n), ratio


def correlation_p_value(r: float, n: int) -> float:
    """Return the two-sided p value of Pearson's r of n independent pairs (Student's t, n - 2).

    Examples
    --------
    >>> round(correlation_p_value(0.5, 11), 4)
    0.1173
    """
    # P(|t| > x) is the regularised incomplete beta function at dof / (dof + x^2) = 1 - r^2
    return float(special.betainc((n - 2) / 2, 0.5, 1 - r * r))


def region_pairs(fluxes: xr.Dataset) -> list[tuple[int, int]]:
    """Positions of all pairs of regions of one set; never of the globe, nor of very large sets."""
    sets = fluxes["region_set"].values.astype(str)
    pairs: list[tuple[int, int]] = []
    for name in dict.fromkeys(s for s in sets.tolist() if s):
        inside = np.flatnonzero(sets == name).tolist()
        if len(inside) <= PAIRED_AT_MOST:
            pairs += combinations(inside, 2)
    return pairs
