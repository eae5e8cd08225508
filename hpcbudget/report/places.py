"""Which regions a figure shows: the Global Carbon Budget columns and the regions of one set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import pandas as pd
import xarray as xr

BANDS: Final[dict[str, str]] = {
    "Globe": "Global",
    "North": "North (> 30° N)",
    "Tropics": "Tropics (30° S–30° N)",
    "South": "South (< 30° S)",
}
"""Region name and title of the four columns of the Global Carbon Budget figure."""

MOST_REGIONS: Final = 40
"""A figure shows the largest fluxes of a set that has more: paper is not wider."""


def plain_name(region: str) -> str:
    """Return a region's name without its set.

    Examples
    --------
    >>> plain_name("kondo9/Europe"), plain_name("Globe"), plain_name("gcb_bands/unassigned")
    ('Europe', 'Globe', 'unassigned')
    """
    return region.rsplit("/", 1)[-1]


def find_region(regions: Iterable[str], name: str, prefer: str = "gcb_bands") -> str | None:
    """Return the id under which a region is listed: plain, or ``set/name`` where sets share it.

    Parameters
    ----------
    regions : iterable of str
        Ids of the run.
    name : str
        Name without its set.
    prefer : str
        Set that wins where several have the name.

    Examples
    --------
    >>> find_region(["Globe", "kondo9/North", "gcb_bands/North"], "North")
    'gcb_bands/North'
    >>> find_region(["Globe"], "North") is None
    True
    """
    listed = list(regions)
    same = [region for region in listed if plain_name(region) == name]
    for wanted in (name, f"{prefer}/{name}"):
        if wanted in same:
            return wanted
    return same[0] if same else None


def region_groups(fluxes: xr.Dataset) -> dict[str, tuple[str, ...]]:
    """Return the region ids of every set in stored order, without the unassigned rest.

    Parameters
    ----------
    fluxes : xarray.Dataset
        Has the coordinate ``region_set(region)``; the globe belongs to no set.
    """
    groups: dict[str, list[str]] = {}
    sets = fluxes["region_set"].values.astype(str)
    for region, name in zip(fluxes["region"].values.astype(str), sets, strict=True):
        if name and plain_name(region) != "unassigned":
            groups.setdefault(name, []).append(region)
    return {name: tuple(members) for name, members in groups.items()}


def largest(rows: pd.DataFrame, regions: Sequence[str]) -> tuple[str, ...]:
    """Return the regions of the largest fluxes by either method, in the order of their set.

    Parameters
    ----------
    rows : pandas.DataFrame
        Of the table ``reconciliation``.
    regions : sequence of str
        All regions of a set; at most `MOST_REGIONS` are kept.
    """
    if len(regions) <= MOST_REGIONS:
        return tuple(regions)
    means = rows.set_index("region")[["top_down_mean", "bottom_up_mean"]].abs().max(axis=1)
    size = means.groupby(level=0).max().reindex(list(regions)).fillna(0.0)
    kept = set(size.sort_values(ascending=False, kind="stable").index[:MOST_REGIONS])
    return tuple(region for region in regions if region in kept)


def agreement(rows: pd.DataFrame) -> tuple[pd.Series[bool], pd.Series[bool]]:
    """Return where top-down and bottom-up agree, and where that can be judged at all.

    A side of a single model has no spread to judge a gap by.

    Parameters
    ----------
    rows : pandas.DataFrame
        Of the table ``reconciliation``.
    """
    known = rows["gap_sd"].notna()
    return known & (rows["agree"].map(str) == "True"), known


def only_largest(groups: Mapping[str, Sequence[str]]) -> str:
    """Say of which sets a figure shows a part."""
    most = max(map(len, groups.values()), default=0)
    return f" Of {most} regions the {MOST_REGIONS} with the largest fluxes." * (most > MOST_REGIONS)


def listed(names: Sequence[str], most: int = 12) -> str:
    """Name a few of many."""
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
