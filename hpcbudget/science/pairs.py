"""Member by member: all pairs of two sides, and how their agreement changes with time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from hpcbudget.errors import ConfigError
from hpcbudget.options import StatisticsOptions
from hpcbudget.science.annual import Periods
from hpcbudget.science.ensemble import PROCESS, EnsembleKey, Votes, period_votes

Sides = Mapping[tuple[int, str], tuple[dict[str, float], dict[str, float]]]
"""Values of top-down and bottom-up models by region and period."""

PAIR_COLUMNS = ("component", "region", "period", "top_down", "bottom_up", "difference")
CHANGE_COLUMNS = (
    "component", "region", "first", "second", "gap_first", "gap_second", "gap_change",
    "gap_sd_first", "gap_sd_second", "agree_first", "agree_second", "agreement",
)  # fmt: skip


def pairwise_differences(
    fluxes: xr.Dataset, periods: Periods, options: StatisticsOptions
) -> pd.DataFrame:
    """Subtract every bottom-up model from every top-down model (Bastos et al. 2020).

    Parameters
    ----------
    fluxes, periods
        See `hpcbudget.science.reconcile.reconciliation`.
    options : StatisticsOptions
        ``top_down``, ``bottom_up`` and ``span``. Family ``process`` has no single models: its
        pairs are those of land and ocean. ``paired_regions``: of a set with more regions than
        that, those have pairs in which the means of both sides differ most, for each component
        and period anew.

    Returns
    -------
    pandas.DataFrame
        component, region, period, top_down, bottom_up (``family/model``) and difference in
        Pg C/yr, where both models have the region and period.
    """
    by_period = period_votes(fluxes, periods, options.span)
    regions = fluxes["region"].values.astype(str).tolist()
    sets = fluxes["region_set"].values.astype(str).tolist()
    rows = []
    for component, families in sorted(options.bottom_up.items()):
        singles = [family for family in families if family != PROCESS]
        sides = {
            (column, period): (
                _models(found, options.top_down, component, column),
                _models(found, singles, component, column),
            )
            for column in range(len(regions))
            for period, found in by_period.items()
        }
        kept = {p: _furthest_apart(sides, sets, p, options.paired_regions) for p in by_period}
        rows += [
            (component, regions[column], period, a, b, x - y)
            for (column, period), (top, bottom) in sides.items()
            if column in kept[period]
            for a, x in top.items()
            for b, y in bottom.items()
        ]
    return pd.DataFrame(rows, columns=list(PAIR_COLUMNS))


def _furthest_apart(sides: Sides, sets: Sequence[str], period: str, most: int) -> set[int]:
    """Return the regions of each set in which the means of both sides differ most."""
    gaps = {
        column: abs(np.mean([*top.values()]) - np.mean([*bottom.values()]))
        for (column, of_period), (top, bottom) in sides.items()
        if of_period == period and top and bottom
    }
    kept: set[int] = set()
    for name in set(sets):
        inside = [column for column in gaps if sets[column] == name]
        kept.update(sorted(inside, key=lambda column: (-gaps[column], column))[:most])
    return kept


def agreement_change(
    reconciliation: pd.DataFrame, changes: Iterable[tuple[str, str]]
) -> pd.DataFrame:
    """Compare gap and agreement of two periods.

    Parameters
    ----------
    reconciliation : pandas.DataFrame
        From `hpcbudget.science.reconcile.reconciliation`.
    changes : iterable of (str, str)
        Pairs of period names.

    Returns
    -------
    pandas.DataFrame
        Gaps and their SDs in both periods, gap_change = |gap_second| - |gap_first| (Pg C/yr,
        negative: closer together), and agreement: ``kept``, ``gained``, ``lost``, ``never``;
        ``unknown`` where a gap or its SD is.

    Raises
    ------
    ConfigError
        A period that the reconciliation does not have.
    """
    known = list(dict.fromkeys(reconciliation["period"]))
    tables = []
    for first, second in changes:
        absent = [period for period in (first, second) if period not in known]
        if absent and known:
            raise ConfigError(
                f"no period called {', '.join(absent)}",
                where="statistics.change",
                fix=f"periods: {', '.join(known)}",
            )
        before, after = (reconciliation[reconciliation["period"] == p] for p in (first, second))
        both = before.merge(after, on=["component", "region"], suffixes=("_first", "_second"))
        agree = [both[f"agree_{time}"].astype(bool) for time in ("first", "second")]
        numbers = both[["gap_first", "gap_second", "gap_sd_first", "gap_sd_second"]]
        both = both.assign(
            first=first,
            second=second,
            gap_change=both["gap_second"].abs() - both["gap_first"].abs(),
            agreement=np.select(
                [numbers.isna().any(axis=1), agree[0] & agree[1], agree[1], agree[0]],
                ["unknown", "kept", "gained", "lost"],
                "never",
            ),
        )
        tables.append(both[list(CHANGE_COLUMNS)])
    if not tables:
        return pd.DataFrame(columns=list(CHANGE_COLUMNS))
    return pd.concat(tables, ignore_index=True)


def _models(
    found: dict[EnsembleKey, Votes], families: Iterable[str], component: str, column: int
) -> dict[str, float]:
    """``family/model`` -> value of the models that have one."""
    result = {}
    for family in families:
        group = found.get(EnsembleKey(family, component))
        if group is None:
            continue
        for model, value in zip(group.models, group.values_pgc_yr[:, column], strict=True):
            if np.isfinite(value):
                result[f"{family}/{model}"] = float(value)
    return result
