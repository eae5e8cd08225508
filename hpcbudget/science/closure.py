"""The closure account: what must add up, how far it is off, and whether that is tolerable."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
import xarray as xr

from hpcbudget.errors import ClosureError
from hpcbudget.science.ensemble import FloatArray
from hpcbudget.science.total import GLOBE, LAND, OCEAN, TOTAL, parts_of_total

CLOSURE_COLUMNS = ("family", "member", "component", "check", "value", "tolerance", "ok")

Row = tuple[str, str, str, str, float, float, bool]


def closure_account(
    fluxes: xr.Dataset, tolerance: float, extra_rows: Iterable[Row] = ()
) -> pd.DataFrame:
    """Check that regions add up to the globe and components to the total.

    The value of a check is the largest difference of any month, relative to the sum of the
    magnitudes that were added: max_t |sum_i x_i - y| / (sum_i |x_i| + |y|). It is infinite where
    a part is unknown although it has data, or a sum is unknown although its parts are not.

    Parameters
    ----------
    fluxes : xarray.Dataset
        ``flux_pgc_yr`` and ``valid_area_m2`` (series, region, time) of a run.
    tolerance : float
        Largest relative difference that passes.
    extra_rows : iterable of tuple
        Further checks, already judged, with the seven columns of the account: integrations done
        another way, regridding, adjustments.

    Returns
    -------
    pandas.DataFrame
        family, member, component, check, value, tolerance, ok; sorted. Checks: ``regions of SET
        = Globe`` and ``area of SET = Globe`` for every region set (its unassigned rest counts as
        a region), ``land + ocean = total``.
        A set with a region that a series says nothing about (neither flux nor area: tables) has no
        sum to check.
    """
    rows = [*_regions(fluxes, tolerance), *_components(fluxes, tolerance), *extra_rows]
    account = pd.DataFrame(rows, columns=list(CLOSURE_COLUMNS))
    return account.sort_values(list(CLOSURE_COLUMNS[:4]), ignore_index=True, kind="stable")


def require_closure(account: pd.DataFrame) -> None:
    """Raise if any check of a closure account failed.

    Raises
    ------
    ClosureError
        Names the failed checks and by how much.
    """
    failed = account[~account["ok"].astype(bool)]
    if failed.empty:
        return
    lines = [
        f"{row.family} {row.member} {row.component}: {row.check}: "
        f"{row.value:.3g} > {row.tolerance:.3g}"
        for row in failed.head(20).itertuples()
    ]
    more = f"\n... and {len(failed) - 20} more" if len(failed) > 20 else ""
    raise ClosureError(
        f"the budget does not close: {len(failed)} of {len(account)} checks failed",
        where="\n".join(lines) + more,
        why="some carbon is counted twice or not at all",
        fix="see tables/closure.csv",
    )


def relative_difference(parts: FloatArray, whole: FloatArray) -> float:
    """Return the largest |sum of parts - whole| relative to the sum of magnitudes.

    Parameters
    ----------
    parts : ndarray
        (part, ...) without NaN where it counts; a NaN part makes the sum unknown.
    whole : ndarray
        (...) what the parts must add up to; points where it and the sum are NaN do not count.

    Returns
    -------
    float
        NaN if nothing can be compared; infinite where only one side is known.

    Examples
    --------
    >>> relative_difference(np.array([[1.0], [-3.0]]), np.array([-2.0]))
    0.0
    >>> relative_difference(np.array([[1.0], [np.nan]]), np.array([-2.0]))
    inf
    """
    total = parts.sum(axis=0)
    known = np.isfinite(total), np.isfinite(whole)
    if (known[0] != known[1]).any():
        return float("inf")
    if not known[0].any():
        return float("nan")
    difference = np.abs(total - whole)[known[0]]
    magnitude = (np.abs(parts).sum(axis=0) + np.abs(whole))[known[0]]
    return float(np.max(difference / np.where(magnitude > 0, magnitude, 1.0)))


def _regions(fluxes: xr.Dataset, tolerance: float) -> Iterator[Row]:
    flux = fluxes["flux_pgc_yr"].transpose("series", "region", "time").values
    area = fluxes["valid_area_m2"].transpose("series", "region", "time").values
    sets = fluxes["region_set"].values.astype(str)
    globe = fluxes["region"].values.astype(str).tolist().index(GLOBE)
    for name in dict.fromkeys(s for s in sets.tolist() if s):
        inside = np.flatnonzero(sets == name)
        for position, identity in enumerate(_identities(fluxes)):
            parts, areas = flux[position, inside], area[position, inside]
            # a region without any data adds nothing: its NaN says so, and its area is zero
            parts = np.where(np.isnan(parts) & (areas == 0), 0.0, parts)
            # ... unless the whole globe has none at that time
            whole = flux[position, globe]
            parts = np.where(np.isnan(whole) & (area[position, globe] == 0), np.nan, parts)
            unknown = np.isnan(parts).all(axis=1) & np.isnan(areas).all(axis=1)
            if unknown.any():
                continue  # a table, or an adjustment without an amount here: no sum is known
            for check, value in (
                (f"regions of {name} = {GLOBE}", relative_difference(parts, whole)),
                (f"area of {name} = {GLOBE}", relative_difference(areas, area[position, globe])),
            ):
                # the union of a total's two areas does not follow from their sizes by region
                if not np.isnan(value) and not (check.startswith("area") and identity[2] == TOTAL):
                    yield (*identity, check, value, tolerance, value <= tolerance)


def _components(fluxes: xr.Dataset, tolerance: float) -> Iterator[Row]:
    flux = fluxes["flux_pgc_yr"].transpose("series", "region", "time").values
    where = {identity: i for i, identity in enumerate(_identities(fluxes))}
    for (family, member, component), position in where.items():
        parts = [where[i] for i in ((family, member, LAND), (family, member, OCEAN)) if i in where]
        if component != TOTAL or len(parts) < 2:
            continue
        land, ocean = (fluxes.isel(series=[part]) for part in parts)
        value = relative_difference(parts_of_total(land, ocean)[:, 0], flux[position])
        if not np.isnan(value):
            check = f"{LAND} + {OCEAN} = {TOTAL}"
            yield (family, member, TOTAL, check, value, tolerance, value <= tolerance)


def _identities(fluxes: xr.Dataset) -> list[tuple[str, str, str]]:
    columns = (fluxes[c].values.astype(str).tolist() for c in ("family", "member", "component"))
    return list(zip(*columns, strict=True))
