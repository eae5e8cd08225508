"""Every table that follows from the fluxes of a run, by name."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from hpcbudget.options import StatisticsOptions
from hpcbudget.science.annual import Periods
from hpcbudget.science.bootstrap import bootstrap
from hpcbudget.science.dipoles import dipoles
from hpcbudget.science.merged import compensating_pairs, merged_spread
from hpcbudget.science.pairs import agreement_change, pairwise_differences
from hpcbudget.science.reconcile import reconciliation
from hpcbudget.science.statistics import ensemble_statistics
from hpcbudget.science.total import with_totals
from hpcbudget.science.variability import variability
from hpcbudget.science.verdict import verdict_table


def science_tables(
    fluxes: xr.Dataset, periods: Periods, options: StatisticsOptions
) -> dict[str, pd.DataFrame]:
    """Compute all tables of the science.

    Parameters
    ----------
    fluxes : xarray.Dataset
        The (adjusted) monthly fluxes of a run.
    periods : mapping of str to (int, int)
        Names with first and last year.
    options : StatisticsOptions
        The rules.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``statistics``, ``reconciliation``, ``dipoles`` (promised for every run), and
        ``verdicts`` (all rules side by side), ``variability``, ``merged`` (spread of merged
        regions), ``compensating`` (ranked dipoles), ``pairs`` (member by member), and where
        options ask for them ``changes`` and ``bootstrap``.
    """
    fluxes = with_totals(fluxes)
    compared = reconciliation(fluxes, periods, options)
    poles = dipoles(fluxes, periods, span=options.span)
    tables = {
        "statistics": ensemble_statistics(fluxes, periods, options),
        "reconciliation": compared,
        "dipoles": poles,
        "verdicts": verdict_table(fluxes, periods, options),
        "variability": variability(fluxes, periods, options),
        "merged": merged_spread(fluxes, periods, options),
        "compensating": compensating_pairs(poles),
        "pairs": pairwise_differences(fluxes, periods, options),
    }
    if options.change:
        tables["changes"] = agreement_change(compared, options.change)
    if options.bootstrap:
        tables["bootstrap"] = bootstrap(fluxes, periods, options)
    return tables
