"""What an adjustment adds in each region: from the configuration, a table, or shipped data."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr
import yaml

from hpcbudget.errors import ConfigError, InputError
from hpcbudget.science.ensemble import FloatArray
from hpcbudget.science.total import GLOBE

UNASSIGNED = "unassigned"

Unlisted = Literal["error", "missing", "unadjusted"]


def by_region(
    amounts: Mapping[str, float],
    fluxes: xr.Dataset,
    *,
    unlisted: Unlisted,
    neutral: float = 0.0,
    where: str = "",
) -> FloatArray:
    """Lay out amounts by region; the unassigned rest of a complete set is what is left over.

    Parameters
    ----------
    amounts : mapping of str to float
        Region -> amount. Where the globe and all regions of a set are given, the amount of the
        set's unassigned rest is their difference.
    fluxes : xarray.Dataset
        Has the coordinates ``region`` and ``region_set``.
    unlisted : {"error", "missing", "unadjusted"}
        For the other regions: refuse, NaN, or `neutral`.
    neutral : float
        Amount that changes nothing.
    where : str
        Name of the adjustment, for messages.

    Returns
    -------
    ndarray
        (region,) amounts.

    Raises
    ------
    ConfigError
        An amount for a region that the run does not have, or a region without one.
    """
    regions = fluxes["region"].values.astype(str).tolist()
    sets = fluxes["region_set"].values.astype(str).tolist()
    unknown = sorted(set(amounts) - set(regions))
    if unknown:
        raise ConfigError(
            f"no region called {', '.join(unknown)} in this run",
            where=where,
            fix=f"regions: {', '.join(regions)}",
        )
    known = {region: float(value) for region, value in amounts.items()}
    for name in dict.fromkeys(s for s in sets if s):
        inside = [r for r, s in zip(regions, sets, strict=True) if s == name]
        rest = f"{name}/{UNASSIGNED}"
        others = [r for r in inside if r != rest]
        if neutral == 0 and rest in inside and rest not in known and {GLOBE, *others} <= set(known):
            known[rest] = known[GLOBE] - sum(known[r] for r in others)
    absent = [region for region in regions if region not in known]
    if absent and unlisted == "error":
        raise ConfigError(
            f"no amount for {', '.join(absent)}",
            where=where,
            why="unadjusted and adjusted regions would stand side by side and not add up",
            fix="give the amounts, or choose unlisted: missing (NaN there) or unadjusted",
        )
    other = neutral if unlisted == "unadjusted" else np.nan
    return np.array([known.get(region, other) for region in regions])


def from_table(
    path: Path, fluxes: xr.Dataset, *, unlisted: Unlisted, where: str = ""
) -> FloatArray:
    """Read amounts that change with time.

    Parameters
    ----------
    path : Path
        CSV with the columns region, year, flux_pgc_yr and, for monthly amounts, month.
    fluxes : xarray.Dataset
        The run; its times outside the table become NaN.
    unlisted, where
        See `by_region`.

    Returns
    -------
    ndarray
        (region, time) amounts in Pg C/yr.

    Raises
    ------
    InputError
        No such file or column, or a time twice.
    ConfigError
        See `by_region`.
    """
    try:
        # a region may be called NA: only an empty field is missing
        table = pd.read_csv(path, keep_default_na=False, na_values=[""])
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read the table: {error}", where=f"{where}, {path}") from None
    needed = {"region", "year", "flux_pgc_yr"}
    if not needed <= set(table.columns):
        raise InputError(
            f"the table lacks the columns {', '.join(sorted(needed - set(table.columns)))}",
            where=f"{where}, {path}",
            fix="columns: region, year[, month], flux_pgc_yr",
        )
    when = ["year", "month"] if "month" in table.columns else ["year"]
    if table.duplicated(["region", *when]).any():
        doubled = table.loc[table.duplicated(["region", *when]), ["region", *when]].iloc[0]
        raise InputError(
            f"{' '.join(map(str, doubled))} stands twice in the table", where=f"{where}, {path}"
        )
    time = pd.DatetimeIndex(fluxes["time"].values)
    stamps = pd.MultiIndex.from_arrays([getattr(time, unit) for unit in when], names=when)
    listed = dict.fromkeys(table["region"].astype(str), 0.0)
    mask = by_region(listed, fluxes, unlisted=unlisted, where=where)
    result = np.repeat(mask[:, None], time.size, axis=1)
    regions = fluxes["region"].values.astype(str).tolist()
    for region, rows in table.groupby(table["region"].astype(str)):
        series = rows.set_index(pd.MultiIndex.from_frame(rows[when]))["flux_pgc_yr"]
        result[regions.index(str(region))] = series.reindex(stamps).to_numpy(np.float64)
    for name in sorted({s for s in fluxes["region_set"].values.astype(str).tolist() if s}):
        _fill_rest(result, name, fluxes, set(listed))
    return result


def of_edition(edition: int, fluxes: xr.Dataset) -> dict[str, dict[str, float]]:
    """Return the river amounts of an edition of the Global Carbon Budget for this run's regions.

    Parameters
    ----------
    edition : int
        Year of the edition.
    fluxes : xarray.Dataset
        Bands are recognised by their set, not only by their name.

    Returns
    -------
    dict of str to dict of str to float
        ``land`` and ``ocean``: region -> Pg C/yr to add.

    Raises
    ------
    ConfigError
        The package has no amounts of that edition.
    """
    shipped = _rivers()
    if edition not in shipped["editions"]:
        raise ConfigError(
            f"no river amounts of the Global Carbon Budget {edition}",
            why="their size and split changed between editions",
            fix=f"editions: {', '.join(map(str, shipped['editions']))}; or give land_pgc_yr and "
            "ocean_pgc_yr with their source",
        )
    bands = shipped["regions_of"]
    regions = fluxes["region"].values.astype(str).tolist()
    sets = fluxes["region_set"].values.astype(str).tolist()
    plain = {
        region: region.removeprefix(f"{bands}/") if s == bands else region
        for region, s in zip(regions, sets, strict=True)
        if s == bands or region == GLOBE
    }
    amounts = shipped["editions"][edition]
    return {
        part: {r: amounts[part][name] for r, name in plain.items() if name in amounts[part]}
        for part in ("land", "ocean")
    }


@cache
def _rivers() -> Any:
    text = files("hpcbudget.science").joinpath("data/rivers.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


def _fill_rest(result: FloatArray, name: str, fluxes: xr.Dataset, listed: set[str]) -> None:
    """Set the rest of a completely listed region set to the globe minus its regions."""
    regions = fluxes["region"].values.astype(str).tolist()
    sets = fluxes["region_set"].values.astype(str)
    rest = f"{name}/{UNASSIGNED}"
    others = [regions[i] for i in np.flatnonzero(sets == name) if regions[i] != rest]
    if rest in regions and rest not in listed and {GLOBE, *others} <= listed:
        inside = [regions.index(r) for r in others]
        result[regions.index(rest)] = result[regions.index(GLOBE)] - result[inside].sum(axis=0)
