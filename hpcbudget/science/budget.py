"""The Global Carbon Budget of a run: an edition's recipe applied to the run's own members."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from hpcbudget.science.annual import Periods, annual
from hpcbudget.science.closure import Row
from hpcbudget.science.ensemble import EnsembleKey, votes
from hpcbudget.science.gcb import (
    BUDGET_TERMS,
    Members,
    Recipe,
    imbalance,
    land_sink,
    multi_model,
    ocean_sink,
)
from hpcbudget.science.total import GLOBE

INVENTORY = "bookkeeping"
"""Family of everything that is accounted for rather than modelled or measured as a flux."""

_TERMS: Final[dict[str, tuple[str, int]]] = {
    "fossil": ("fossil", 1),
    "eluc": ("eluc", 1),
    "growth": ("growth", 1),
    "cement": ("carbonation", -1),
}
"""Budget term -> component of the inventories and the sign that makes it positive in the budget."""


def members_of_run(fluxes: xr.Dataset, *, region: str = GLOBE, land: str = "land_s2") -> Members:
    """Collect the annual series of a run as an edition's recipe wants them.

    Parameters
    ----------
    fluxes : xarray.Dataset
        Monthly fluxes of a run, positive to the atmosphere.
    region : str
        Whose budget.
    land : str
        Component of the vegetation models' sink without land-use change (simulation S2).

    Returns
    -------
    Members
        Years by models, sinks and emissions positive, Pg C/yr; realisations of a model averaged;
        tables without columns where the run has no such members.
    """
    years = annual(fluxes).sel(region=[region])
    flux = years["flux_pgc_yr"].transpose("series", "region", "year").values
    groups = votes(years, flux)
    index = pd.Index(years["year"].values.astype(int), name="year")

    def frame(family: str, component: str, sign: int) -> pd.DataFrame:
        group = groups.get(EnsembleKey(family, component))
        if group is None:
            return pd.DataFrame(index=index, dtype=np.float64)
        values = sign * group.values_pgc_yr[:, 0].T
        return pd.DataFrame(values, index=index, columns=list(group.models))

    inventories = {
        term: multi_model(frame(INVENTORY, component, sign))["mean"].astype(np.float64)
        for term, (component, sign) in _TERMS.items()
    }
    return Members(
        budget=pd.DataFrame(inventories, index=index),
        ocean_models=frame("ocean_process", "ocean", -1),
        products=frame("ocean_product", "ocean", -1),
        land_models=frame("land_process", land, -1),
        eluc_models=frame("land_process", "eluc", 1),
        bookkeeping=frame(INVENTORY, "eluc", 1),
    )


def run_budget(members: Members, rules: Recipe, *, adjusted: bool = False) -> pd.DataFrame:
    """Make the budget of a run year by year.

    Parameters
    ----------
    members : Members
        From `members_of_run`.
    rules : Recipe
        Of the edition.
    adjusted : bool
        The edition's adjusted sinks.

    Returns
    -------
    pandas.DataFrame
        Columns `BUDGET_TERMS` and ``imbalance`` by year, Pg C/yr, emissions and sinks positive;
        NaN where the run has no members for a term.
    """
    terms = members.budget.copy()
    known = members.ocean_models.dropna(how="all").index
    if len(known):
        ocean = ocean_sink(
            rules, members.ocean_models.loc[known], members.products, adjusted=adjusted
        )
        terms["ocean"] = ocean.reindex(terms.index)
    else:
        terms["ocean"] = np.nan
    has_land = members.land_models.shape[1] > 0
    terms["land"] = land_sink(rules, members.land_models, adjusted=adjusted) if has_land else np.nan
    terms = terms[list(BUDGET_TERMS)]
    return terms.assign(imbalance=imbalance(terms))


def imbalance_rows(table: pd.DataFrame, periods: Periods) -> list[Row]:
    """State the mean imbalance of each period in the closure account; it passes at any size.

    What the estimates leave over measures their own errors: it has no tolerance.

    Parameters
    ----------
    table : pandas.DataFrame
        From `run_budget`.
    periods : mapping of str to (int, int)
        Names with first and last year.
    """
    rows: list[Row] = []
    for name, (first, last) in periods.items():
        mean = table["imbalance"].reindex(range(first, last + 1)).mean(skipna=False)
        if np.isfinite(mean):
            check = f"budget imbalance {name} (Pg C/yr)"
            rows.append(("budget", "", "total", check, float(mean), float("inf"), True))
    return rows
