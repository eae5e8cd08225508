"""Regional carbon balances with lateral transport, after RECCAP (Ciais et al. 2021).

What a region's land exchanges with the atmosphere is not what its stocks lose: crops, wood and
river carbon leave the region and are respired elsewhere; and of what rivers carry, the part that
comes from rocks did not come out of the region's ecosystems.  Hence

    NEE = dC - (wood export + crop export + river export to the ocean - bedrock carbon export)

with sigma in quadrature.  Signs: NEE and dC positive to the atmosphere (a growing stock is a
negative dC), exports positive out of the region.  Source: Ciais et al. 2021, National Science
Review, doi:10.1093/nsr/nwaa145.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from hpcbudget.errors import InputError


@dataclass(frozen=True)
class Estimate:
    """A mean and its standard uncertainty, both in the unit of the balance (Tg C/yr)."""

    mean: float
    sd: float

    def __add__(self, other: Estimate) -> Estimate:
        """Add independent estimates: means add, sigmas in quadrature."""
        return Estimate(self.mean + other.mean, float(np.hypot(self.sd, other.sd)))

    def __neg__(self) -> Estimate:
        return Estimate(-self.mean, self.sd)

    def __sub__(self, other: Estimate) -> Estimate:
        """Subtract independent estimates: sigmas in quadrature all the same."""
        return self + (-other)


@dataclass(frozen=True)
class Lateral:
    """Carbon that leaves a region other than through the air (positive = out)."""

    wood_export: Estimate
    crop_export: Estimate
    river_export: Estimate
    """To the ocean, all carbon."""
    bedrock_export: Estimate
    """That part of the river export that comes from rocks."""

    @property
    def total(self) -> Estimate:
        """Carbon taken from the air in the region that leaves it sideways."""
        return self.wood_export + self.crop_export + self.river_export - self.bedrock_export


def net_ecosystem_exchange(stock_change: Estimate, lateral: Lateral) -> Estimate:
    """Return NEE = dC - lateral exports, sigma in quadrature.

    Parameters
    ----------
    stock_change : Estimate
        dC of the territory, negative where stocks grow.
    lateral : Lateral
        Exports, positive out of the region.

    Examples
    --------
    North America in the 2000s, Tg C/yr:

    >>> lateral = Lateral(Estimate(-5, 36), Estimate(35, 7), Estimate(55, 24), Estimate(15, 8))
    >>> nee = net_ecosystem_exchange(Estimate(-348, 285), lateral)
    >>> nee.mean, round(nee.sd)
    (-418, 288)
    """
    return stock_change - lateral.total


def stock_change(nee: Estimate, lateral: Lateral) -> Estimate:
    """Return dC = NEE + lateral exports: what an inversion says about stocks, sigma in quadrature.

    Parameters
    ----------
    nee : Estimate
        Flux to the atmosphere without fossil emissions, for example of an inversion.
    lateral : Lateral
        Exports, positive out of the region.
    """
    return nee + lateral.total


def sum_of(estimates: list[Estimate]) -> Estimate:
    """Add independent estimates, such as those of all regions.

    Examples
    --------
    >>> sum_of([Estimate(1.0, 3.0), Estimate(2.0, 4.0)])
    Estimate(mean=3.0, sd=5.0)
    """
    return sum(estimates, Estimate(0.0, 0.0))


TERMS = {
    "stock_change": ("∆C", "ΔC", "dC"),
    "wood_export": ("Wood export",),
    "crop_export": ("Crop export",),
    "river_export": ("River export to ocean",),
    "bedrock_export": ("Bedrock C export to rivers",),
}
"""Terms of the balance and what published tables call them."""


def balances(table: pd.DataFrame) -> pd.DataFrame:
    """Apply the balance to a long table of regional terms.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns Region, Name, Mean, Uncert; one row per region and term (names in `TERMS`).

    Returns
    -------
    pandas.DataFrame
        By region, in the unit of the table: ``nee``, ``nee_sd``, ``lateral``, ``lateral_sd``,
        ``stock_change``, ``stock_change_sd``.

    Raises
    ------
    InputError
        A region lacks a term, or has it twice.
    """
    rows = {}
    for region, group in table.groupby("Region", sort=False):
        terms = {term: _term(group, names, str(region)) for term, names in TERMS.items()}
        change = terms.pop("stock_change")
        lateral = Lateral(**terms)
        nee, moved = net_ecosystem_exchange(change, lateral), lateral.total
        rows[region] = (nee.mean, nee.sd, moved.mean, moved.sd, change.mean, change.sd)
    columns = ["nee", "nee_sd", "lateral", "lateral_sd", "stock_change", "stock_change_sd"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns).rename_axis("region")


def _term(group: pd.DataFrame, names: tuple[str, ...], region: str) -> Estimate:
    found = group[group["Name"].str.strip().isin(names)]
    if len(found) != 1:
        raise InputError(
            f"{len(found)} rows instead of one for {names[0]!r}",
            where=f"region {region}",
            why="the balance needs each term once: a missing one is not zero",
        )
    row = found.iloc[0]
    return Estimate(float(row["Mean"]), float(row["Uncert"]))
