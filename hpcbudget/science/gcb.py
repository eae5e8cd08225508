"""The Global Carbon Budget by the recipe of an edition (see `hpcbudget.science.recipes`).

Sinks are positive in this module, as in the budget's tables: ``E`` emissions and ``S`` sinks in
Pg C/yr, B_IM = E_FOS + E_LUC - G_ATM - S_OCEAN - S_LAND - S_CEMENT.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hpcbudget.errors import InputError
from hpcbudget.science.recipes import Recipe, adjusted_rules, editions, recipe

__all__ = [
    "BUDGET_TERMS",
    "Members",
    "Recipe",
    "budget",
    "editions",
    "imbalance",
    "land_sink",
    "multi_model",
    "net_land",
    "ocean_sink",
    "period_budget",
    "period_mean",
    "recipe",
    "spreads",
]

SINKS = ("growth", "ocean", "land", "cement")
SOURCES = ("fossil", "eluc")
BUDGET_TERMS = (*SOURCES, *SINKS)


@dataclass(frozen=True)
class Members:
    """What an edition is made of: years by names, Pg C/yr, sinks and emissions positive."""

    budget: pd.DataFrame
    """`BUDGET_TERMS` (and ``imbalance``) as published."""
    ocean_models: pd.DataFrame
    products: pd.DataFrame
    land_models: pd.DataFrame
    eluc_models: pd.DataFrame
    """E_LUC of the vegetation models, emissions positive."""
    bookkeeping: pd.DataFrame
    """Net E_LUC of the bookkeeping models."""


def multi_model(
    members: pd.DataFrame, *, ddof: int | None = 1, exclude: Iterable[str] = ()
) -> pd.DataFrame:
    """Average the members of a family year by year, over those that have the year.

    Parameters
    ----------
    members : pandas.DataFrame
        Years by members, Pg C/yr; NaN where a member has no value.
    ddof : int or None
        Of the SD; None leaves it out (NaN).
    exclude : iterable of str
        Members whose name contains one of these (case ignored) do not count.

    Returns
    -------
    pandas.DataFrame
        mean, sd (Pg C/yr) and n by year.

    Examples
    --------
    >>> products = pd.DataFrame({"A": [1.0, 2.0], "B": [np.nan, 4.0], "Watson": [9.0, 9.0]})
    >>> multi_model(products, exclude=["watson"])["mean"].tolist()
    [1.0, 3.0]
    """
    counted = members[[c for c in members.columns if not _named(str(c), exclude)]]
    sd = counted.std(axis=1, ddof=ddof) if ddof is not None else np.nan
    return pd.DataFrame({"mean": counted.mean(axis=1), "sd": sd, "n": counted.count(axis=1)})


def period_mean(
    members: pd.DataFrame, first: int, last: int, *, ddof: int = 1
) -> tuple[float, float, int]:
    """Return mean, SD and n of the members' means over a period.

    Members that lack a year of the period are left out; the SD is that over the members'
    period means.

    Parameters
    ----------
    members : pandas.DataFrame
        Years by members, Pg C/yr.
    first, last : int
        Years, both included.
    ddof : int
        Of the SD.

    Examples
    --------
    >>> members = pd.DataFrame({"A": [1.0, 3.0], "B": [4.0, 4.0]}, index=[2000, 2001])
    >>> period_mean(members, 2000, 2001, ddof=0)
    (3.0, 1.0, 2)
    """
    years = np.arange(first, last + 1)
    means = members.reindex(years).mean(axis=0, skipna=False).dropna()
    n = len(means)
    sd = float(means.std(ddof=ddof)) if n > ddof else np.nan
    return float(means.mean()) if n else np.nan, sd, n


def ocean_sink(
    rules: Recipe, models: pd.DataFrame, products: pd.DataFrame, *, adjusted: bool = False
) -> pd.Series:
    """Make an edition's ocean sink of its models and fCO2 products.

    From ``products_from`` on (mean of models + mean of products) / 2; before, mean of models
    plus half the mean of (products - models) over ``offset_window``. Products must already hold
    the river flux (see `hpcbudget.science.adjust`), as those of the workbooks do.

    Parameters
    ----------
    rules : Recipe
        Of the edition.
    models, products : pandas.DataFrame
        Years by members, sinks positive, Pg C/yr.
    adjusted : bool
        The edition's adjusted estimate.

    Returns
    -------
    pandas.Series
        S_OCEAN by year of `models`, Pg C/yr.

    Raises
    ------
    ConfigError
        The edition has no adjusted estimate.
    InputError
        A year of the products' era, or of the offset window, has no product.
    """
    if adjusted:
        change = adjusted_rules(rules)
        models = models * change.ocean_model_factor
        raised = [c for c in products.columns if not _named(str(c), change.product_amount_not_for)]
        products = products.assign(**{c: products[c] + change.product_amount for c in raised})
    of_models = multi_model(models)["mean"]
    if rules.ocean.estimate == "models":
        return of_models
    of_products = multi_model(products, exclude=rules.ocean.exclude)["mean"]
    excess = of_products.reindex(of_models.index) - of_models
    first, last = rules.ocean.offset_window
    era = of_models.index >= rules.ocean.products_from
    if excess[era].isna().any() or excess.loc[first:last].empty:
        raise InputError(
            f"no fCO2 product in some year from {rules.ocean.products_from} on",
            why="the ocean sink of these years is the mean of models and products",
            fix="give products that cover these years, or cut the period",
        )
    offset = excess.loc[first:last].mean()
    return of_models + excess.where(era, offset) / 2


def land_sink(rules: Recipe, models: pd.DataFrame, *, adjusted: bool = False) -> pd.Series:
    """Make an edition's land sink of its vegetation models (simulation S2): their mean.

    Parameters
    ----------
    rules : Recipe
        Of the edition.
    models : pandas.DataFrame
        Years by models, sinks positive, Pg C/yr.
    adjusted : bool
        The edition's adjusted estimate.

    Raises
    ------
    ConfigError
        The edition has no adjusted estimate.
    """
    mean = multi_model(models)["mean"]
    if not adjusted:
        return mean
    change = adjusted_rules(rules)
    first, last = change.land_amount_years
    amount = np.where((mean.index >= first) & (mean.index <= last), change.land_amount, 0.0)
    return mean * change.land_factor + amount


def imbalance(terms: pd.DataFrame) -> pd.Series:
    """Return B_IM, what the budget's estimates leave over.

    Parameters
    ----------
    terms : pandas.DataFrame
        Columns `BUDGET_TERMS` by year, Pg C/yr: emissions and sinks positive.

    Examples
    --------
    >>> values = dict(zip(BUDGET_TERMS, (10.0, 1.0, 5.0, 3.0, 2.5, 0.25)))
    >>> imbalance(pd.DataFrame(values, index=[2020])).tolist()
    [0.25]
    """
    return terms[list(SOURCES)].sum(axis=1, skipna=False) - terms[list(SINKS)].sum(
        axis=1, skipna=False
    )


def budget(rules: Recipe, members: Members, *, adjusted: bool = False) -> pd.DataFrame:
    """Rebuild an edition's budget from its members.

    Emissions from fossil fuels, atmospheric growth and the cement sink are taken as published;
    land-use emissions are the mean of the bookkeeping models, the sinks follow the recipe.

    Parameters
    ----------
    rules : Recipe
        Of the edition.
    members : Members
        For example from `hpcbudget.science.workbook.read_workbook`.
    adjusted : bool
        The edition's adjusted sinks.

    Returns
    -------
    pandas.DataFrame
        Columns `BUDGET_TERMS` and ``imbalance`` by year, Pg C/yr.
    """
    terms = members.budget[list(BUDGET_TERMS)].assign(
        eluc=multi_model(members.bookkeeping)["mean"],
        ocean=ocean_sink(rules, members.ocean_models, members.products, adjusted=adjusted),
        land=land_sink(rules, members.land_models, adjusted=adjusted),
    )
    return terms.assign(imbalance=imbalance(terms))


def spreads(rules: Recipe, members: Members) -> dict[str, pd.DataFrame]:
    """Return what an edition publishes beside its members: mean and SD of each family by year.

    Parameters
    ----------
    rules : Recipe
        Of the edition: ddof by family, and products that are shown but not averaged.
    members : Members
        Of the edition or of a run.

    Returns
    -------
    dict of str to pandas.DataFrame
        Family -> mean, sd (NaN where the edition has no spread) and n by year, Pg C/yr.
    """
    frames = {
        "ocean_process": (members.ocean_models, ()),
        "ocean_product": (members.products, rules.ocean.exclude),
        "land_process": (members.land_models, ()),
    }
    return {
        family: multi_model(frame, ddof=rules.ddof[family], exclude=excluded)
        for family, (frame, excluded) in frames.items()
    }


def period_budget(rules: Recipe, members: Members, first: int, last: int) -> pd.DataFrame:
    """Give the budget of a period as an edition's table does: mean and one sigma.

    Sigma is judged by experts for E_FOS (a fraction of it), E_LUC and S_OCEAN; that of S_LAND is
    the SD over the models' period means. What an edition does not state is NaN.

    Parameters
    ----------
    rules : Recipe
        Of the edition.
    members : Members
        Of the edition or of a run.
    first, last : int
        Years, both included; a year that is not there leaves the mean unknown.

    Returns
    -------
    pandas.DataFrame
        mean and sd in Pg C/yr by term: `BUDGET_TERMS` and ``imbalance``.
    """
    years = range(first, last + 1)
    mean = budget(rules, members).reindex(years).mean(skipna=False)
    sd = pd.Series(np.nan, index=mean.index)
    sd["fossil"] = rules.expert_sd["fossil_fraction"] * mean["fossil"]
    sd["eluc"], sd["ocean"] = rules.expert_sd["eluc"], rules.expert_sd["ocean"]
    sd["land"] = period_mean(members.land_models, first, last)[1]
    return pd.DataFrame({"mean": mean, "sd": sd.where(mean.notna())})


def net_land(land_sinks: pd.DataFrame, eluc: pd.DataFrame) -> pd.DataFrame:
    """Return the net land sink of models, S2 - E_LUC, for the models that have both.

    Parameters
    ----------
    land_sinks, eluc : pandas.DataFrame
        Years by models, Pg C/yr: sinks of simulation S2 positive, emissions positive.

    Examples
    --------
    >>> net_land(pd.DataFrame({"A": [3.0], "B": [2.0]}), pd.DataFrame({"A": [1.5]}))
         A
    0  1.5
    """
    both = [c for c in land_sinks.columns if c in set(eluc.columns)]
    return land_sinks[both] - eluc[both]


def _named(name: str, parts: Iterable[str]) -> bool:
    return any(part in name.casefold() for part in parts)
