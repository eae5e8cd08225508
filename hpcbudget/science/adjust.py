"""Bring fluxes to one definition: an ordered list of adjustments, each with source and check.

Inversions see everything that passes through the air; process models see what they simulate.
Before the two are compared, river carbon, fossil priors, trade and areas must mean the same on
both sides (Kondo et al. 2020, doi:10.1111/gcb.14917; Deng et al. 2022,
doi:10.5194/essd-14-1639-2022).  Every step says what it must not change, and that is checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from hpcbudget.errors import HpcBudgetError
from hpcbudget.options import Add, AnyAdjustment, Fossil, Rivers
from hpcbudget.science.closure import Row, relative_difference
from hpcbudget.science.steps import FOSSIL, STEPS, chosen, names, where_is
from hpcbudget.science.total import GLOBE, LAND, OCEAN, TOTAL, with_totals


@dataclass(frozen=True)
class Adjusted:
    """Fluxes on the new definition and the account of how they got there."""

    fluxes: xr.Dataset
    """As before, with totals; attribute ``adjustments`` lists the steps with their sources."""
    account: tuple[Row, ...] = ()
    """Rows for `hpcbudget.science.closure.closure_account`: what each step had to conserve."""


def adjust(
    fluxes: xr.Dataset,
    steps: Sequence[AnyAdjustment],
    *,
    root: Path = Path(),
    tolerance: float = 1e-12,
) -> Adjusted:
    """Apply adjustments in their order.

    Parameters
    ----------
    fluxes : xarray.Dataset
        Monthly fluxes, Pg C/yr, positive to the atmosphere; totals are made anew at the end.
    steps : sequence of adjustments
        `hpcbudget.options`: Rivers, Fossil, Add, Scale, Combine.
    root : Path
        Folder that relative paths of tables start from.
    tolerance : float
        Of the conservation checks, relative to the sum of magnitudes.

    Returns
    -------
    Adjusted
        The new fluxes; the given ones are left as they are.

    Raises
    ------
    ConfigError
        A step applies to nobody, or lacks an amount or a component.
    InputError
        A table of amounts cannot be read.

    Examples
    --------
    >>> fluxes = xr.Dataset(
    ...     {"flux_pgc_yr": (("series", "region", "time"), [[[-1.0]]])},
    ...     coords={
    ...         "region": ["Globe"], "region_set": ("region", [""]),
    ...         "family": ("series", ["ocean_product"]), "model": ("series", ["A"]),
    ...         "member": ("series", ["A"]), "component": ("series", ["ocean"]),
    ...         "resolution": ("series", ["month"]),
    ...     },
    ... )
    >>> rivers = Rivers(name="rivers", kind="rivers", source="Regnier et al. 2022",
    ...                 families=("ocean_product",), edition=2023)
    >>> adjust(fluxes, [rivers]).fluxes["flux_pgc_yr"].item()
    -1.65
    """
    if not steps:
        return Adjusted(with_totals(fluxes))
    current = _without_totals(fluxes)
    dims = ("series", "region", "time")
    by_region = [name for name in current.data_vars if set(dims) == set(current[name].dims)]
    current = current.assign({name: current[name].transpose(*dims) for name in by_region})
    account: list[Row] = []
    for step in steps:
        before = current
        try:
            current = STEPS[step.kind](before.copy(deep=True), step, root)
        except HpcBudgetError as error:
            raise error.at(f"adjustment {step.name!r}") from None
        account += _conserved(before, current, step, tolerance)
    current.attrs["adjustments"] = [f"{step.name}: {step.source}" for step in steps]
    return Adjusted(with_totals(current), tuple(account))


def _conserved(
    before: xr.Dataset, after: xr.Dataset, step: AnyAdjustment, tolerance: float
) -> Iterator[Row]:
    """Yield one row for each member whose sum the step had to leave as it was."""
    parts: tuple[str, ...]
    if isinstance(step, Rivers):
        parts, globe_only = (LAND, OCEAN), True
    elif isinstance(step, Fossil):
        parts, globe_only = (LAND, FOSSIL), False
    elif isinstance(step, Add) and step.conserve == "globe":
        parts, globe_only = (step.component,), True
    else:
        return
    regions = before["region"].values.astype(str).tolist()
    rows = [regions.index(GLOBE)] if globe_only else list(range(len(regions)))
    old, new = where_is(before), where_is(after)
    for family, member in dict.fromkeys(names(before)[i] for i in chosen(before, step, parts[0])):
        if not all((family, member, part) in old for part in parts):
            continue
        flux_before, flux_after = (
            np.stack([data["flux_pgc_yr"].values[index[family, member, p]][rows] for p in parts])
            for data, index in ((before, old), (after, new))
        )
        known = np.isfinite(flux_after).all(axis=0)  # what was declared missing does not count
        value = relative_difference(flux_after[:, known], flux_before.sum(axis=0)[known])
        if not np.isnan(value):
            check = f"{step.name}: {' + '.join(parts)} as before"
            yield (family, member, parts[0], check, value, tolerance, value <= tolerance)


def _without_totals(fluxes: xr.Dataset) -> xr.Dataset:
    """Leave out the totals that `with_totals` will make anew from adjusted parts."""
    where = where_is(fluxes)
    kept = [
        position
        for (family, member, component), position in where.items()
        if component != TOTAL or not {(family, member, LAND), (family, member, OCEAN)} <= set(where)
    ]
    return fluxes.isel(series=kept)
