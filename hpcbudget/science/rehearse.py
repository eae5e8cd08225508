"""Rehearse the science before anything is integrated: a wrong column should not cost a night."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd
import xarray as xr

from hpcbudget.config import Config
from hpcbudget.errors import ConfigError, HpcBudgetError, raise_all
from hpcbudget.science.adjust import adjust
from hpcbudget.science.annual import MONTHS_PER_YEAR
from hpcbudget.science.recipes import adjusted_rules, recipe
from hpcbudget.science.tables import with_tables

SeriesName = tuple[str, str, str, str]
"""Family, model, member and component."""


def rehearse(
    config: Config, series: Iterable[SeriesName], region_set_of: Mapping[str, str]
) -> None:
    """Read the tables and apply the adjustments to a year of zeros, as the run will do at its end.

    Parameters
    ----------
    config : Config
        The analysis.
    series : iterable of (family, model, member, component)
        What the gridded members give.
    region_set_of : mapping of str to str
        Region id -> its set ("" for the Globe), in their order.

    Raises
    ------
    HpcBudgetError, Problems
        Every table, column, region, adjustment, edition or period name that would stop the run.
    """
    problems: list[HpcBudgetError] = []
    try:
        fluxes = _zeros(sorted(set(series)), region_set_of, config)
        fluxes = with_tables(fluxes, config.tables, root=config.data_root)
        adjust(fluxes, config.adjustments, root=config.data_root)
    except HpcBudgetError as error:
        problems.append(error)
    try:
        if config.budget is not None:
            rules = recipe(config.budget.edition)
            if config.budget.adjusted:
                adjusted_rules(rules)
    except HpcBudgetError as error:
        problems.append(error.at("key budget"))
    named = {period for pair in config.statistics.change for period in pair}
    unknown = sorted(named - set(config.periods))
    if config.periods and unknown:
        problems.append(
            ConfigError(
                f"no period called {', '.join(unknown)}",
                where="key statistics.change",
                fix=f"periods: {', '.join(config.periods)}",
            )
        )
    raise_all(problems)


def _zeros(
    series: list[SeriesName], region_set_of: Mapping[str, str], config: Config
) -> xr.Dataset:
    """Fluxes of a year without any flux, of the members that the run will have."""
    first = config.period[0] if config.period is not None else 2000
    time = pd.date_range(f"{first:04d}-01", periods=MONTHS_PER_YEAR, freq="MS")
    shape = (len(series), len(region_set_of), time.size)
    dims = ("series", "region", "time")
    columns = list(zip(*series, strict=True)) or [()] * 4
    names = dict(zip(("family", "model", "member", "component"), columns, strict=True))
    return xr.Dataset(
        {
            "flux_pgc_yr": (dims, np.zeros(shape)),
            "valid_area_m2": (dims, np.ones(shape)),
            "missing_area_m2": (dims, np.zeros(shape)),
            "month_seconds": (("series", "time"), np.ones((len(series), time.size))),
        },
        coords={
            "time": time,
            "region": list(region_set_of),
            "region_set": ("region", list(region_set_of.values())),
            "resolution": ("series", np.array(["month"] * len(series), dtype=str)),
            **{name: ("series", np.array(column, dtype=str)) for name, column in names.items()},
        },
    )
