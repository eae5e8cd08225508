"""Sums of regions: their uncertainty with and without correlation, and what merging gains."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from hpcbudget.errors import ConfigError
from hpcbudget.options import StatisticsOptions
from hpcbudget.science.annual import Periods
from hpcbudget.science.dipoles import region_pairs
from hpcbudget.science.ensemble import FloatArray, period_votes

MERGED_COLUMNS = (
    "family", "component", "regions", "period", "n", "sd_independent", "sd_merged", "reduction",
)  # fmt: skip


def combined_sd(sd_pgc_yr: npt.ArrayLike, correlation: npt.ArrayLike | None = None) -> float:
    """Return the SD of a sum: sqrt(s^T R s), or quadrature without correlation.

    Parameters
    ----------
    sd_pgc_yr : array_like
        (region,) SDs of the parts.
    correlation : array_like, optional
        (region, region) correlation R of the parts; by default they are independent.

    Raises
    ------
    ValueError
        R is no correlation matrix of that many parts.

    Examples
    --------
    >>> combined_sd([3.0, 4.0])
    5.0
    >>> combined_sd([3.0, 4.0], [[1.0, -1.0], [-1.0, 1.0]])
    1.0
    """
    sd = np.asarray(sd_pgc_yr, dtype=np.float64)
    if correlation is None:
        return float(np.sqrt(np.square(sd).sum()))
    r = np.asarray(correlation, dtype=np.float64)
    if r.shape != (sd.size, sd.size) or not np.allclose(r, r.T) or not np.allclose(np.diag(r), 1):
        raise ValueError(
            f"a correlation matrix of {sd.size} parts is symmetric with a unit diagonal"
        )
    return float(np.sqrt(max(0.0, float(sd @ r @ sd))))


def merged_spread(
    fluxes: xr.Dataset,
    periods: Periods,
    options: StatisticsOptions,
    groups: Mapping[str, Sequence[str]] | Iterable[Sequence[str]] | None = None,
) -> pd.DataFrame:
    """Measure how much of an ensemble's spread vanishes when regions are merged.

    The spread of the sum over models holds their correlation; the quadrature of the regions'
    spreads does not. Where regions compensate each other, the merged region is better known than
    its parts: reduction = 1 - sd_merged / sd_independent, negative where they vary together.

    Parameters
    ----------
    fluxes, periods
        See `hpcbudget.science.dipoles.dipoles`.
    options : StatisticsOptions
        ddof and span.
    groups : iterable of sequences of str, optional
        Regions to merge; by default every pair within a set, and each set whole.

    Returns
    -------
    pandas.DataFrame
        family, component, regions (joined by `` + ``), period, n models that have all of them,
        sd_independent, sd_merged (Pg C/yr), reduction; the most compensating first within each
        family, component and period. Groups with fewer than two models have no row.

    Raises
    ------
    ConfigError
        A region that the run does not have.
    """
    regions = fluxes["region"].values.astype(str).tolist()
    if groups is None:
        chosen = _all_groups(fluxes)
    else:
        listed = groups.values() if isinstance(groups, Mapping) else groups
        chosen = [[_index(region, regions) for region in group] for group in listed]
    rows = []
    for period, found in period_votes(fluxes, periods, options.span).items():
        for key, group in found.items():
            ddof = options.ddof_of(key.family)
            for columns in chosen:
                n, *measured = _spreads(group.values_pgc_yr[:, columns], ddof)
                if n > 1:
                    name = " + ".join(regions[c] for c in columns)
                    rows.append((*key, name, period, n, *measured))
    table = pd.DataFrame(rows, columns=list(MERGED_COLUMNS))
    order = table.sort_values("reduction", ascending=False, kind="stable")
    return order.sort_values(["family", "component", "period"], kind="stable", ignore_index=True)


def compensating_pairs(dipoles: pd.DataFrame, *, level: float = 0.05) -> pd.DataFrame:
    """Rank the pairs of regions that compensate each other significantly.

    Parameters
    ----------
    dipoles : pandas.DataFrame
        From `hpcbudget.science.dipoles.dipoles`.
    level : float
        Largest p value of a negative correlation; of many pairs, this share is found by chance.

    Returns
    -------
    pandas.DataFrame
        The same columns and ``rank`` within family, component and period: the smallest variance
        ratio is 1.
    """
    found = dipoles[(dipoles["correlation"] < 0) & (dipoles["p_value"] <= level)]
    by = ["family", "component", "period"]
    ranked = found.sort_values([*by, "variance_ratio"], kind="stable", ignore_index=True)
    return ranked.assign(rank=ranked.groupby(by).cumcount() + 1)


def _spreads(values: FloatArray, ddof: int) -> tuple[int, float, float, float]:
    """n, SD of independent parts, SD of the sum and reduction, from (model, region)."""
    known = values[np.isfinite(values).all(axis=1)]
    n = len(known)
    if n < 2:
        return n, np.nan, np.nan, np.nan
    apart = combined_sd(known.std(axis=0, ddof=ddof))
    merged = float(known.sum(axis=1).std(ddof=ddof))
    return n, apart, merged, 1 - merged / apart if apart > 0 else np.nan


def _all_groups(fluxes: xr.Dataset) -> list[list[int]]:
    sets = fluxes["region_set"].values.astype(str)
    whole = [np.flatnonzero(sets == name).tolist() for name in dict.fromkeys(sets.tolist()) if name]
    pairs = [list(pair) for pair in region_pairs(fluxes)]
    return pairs + [group for group in whole if len(group) > 2]


def _index(region: str, regions: list[str]) -> int:
    if region in regions:
        return regions.index(region)
    raise ConfigError(f"no region called {region!r}", fix=f"regions: {', '.join(regions)}")
