"""The kinds of adjustment: rivers, fossil priors, amounts, factors, and combined components.

Each takes a copy of the fluxes (Pg C/yr, positive to the atmosphere), changes the members that
its step names, and returns it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr

from hpcbudget.errors import ConfigError
from hpcbudget.options import Add, AnyAdjustment, Combine, Fossil, Rivers, Scale
from hpcbudget.science.amounts import UNASSIGNED, by_region, from_table, of_edition
from hpcbudget.science.ensemble import FloatArray
from hpcbudget.science.total import GLOBE, LAND, OCEAN, coarsest

FOSSIL = "fossil"


def rivers(fluxes: xr.Dataset, step: Rivers, root: Path) -> xr.Dataset:
    """Move natural river carbon between land and ocean; the globe's land + ocean stays.

    Raises
    ------
    ConfigError
        Amounts are absent, given twice, or do not cancel over the globe.
    """
    given = {LAND: step.land_pgc_yr, OCEAN: step.ocean_pgc_yr}
    if step.edition is not None:
        if any(given.values()):
            raise ConfigError("amounts are given twice", fix="give the edition, or amounts")
        given = dict(of_edition(step.edition, fluxes))
    globe = [amounts[GLOBE] for amounts in given.values() if amounts and GLOBE in amounts]
    if len(globe) == 2 and abs(sum(globe)) > 1e-12 * max(map(abs, globe)):
        raise ConfigError(
            f"river amounts of land and ocean do not cancel over the globe: {globe}",
            why="rivers move carbon between land and ocean, they make none",
        )
    positions = {part: chosen(fluxes, step, part) for part in given}
    if not any(positions.values()):
        raise _nobody(step, f"{LAND} or {OCEAN}")
    for part, amounts in given.items():
        if not positions[part]:
            continue
        if not amounts:
            raise ConfigError(f"no river amounts of the {part}", fix=f"give {part}_pgc_yr")
        added = by_region(amounts, fluxes, unlisted=step.unlisted)[:, None]
        for position in positions[part]:
            _put(fluxes, position, _flux(fluxes, position) + added)
    return fluxes


def fossil(fluxes: xr.Dataset, step: Fossil, root: Path) -> xr.Dataset:
    """Replace each member's fossil prior by a common one: land += own - common.

    What the air has seen, land + fossil, stays in every region and month.

    Raises
    ------
    ConfigError
        A member does not tell its own fossil flux, or the common one is not there.
    """
    common = _common_fossil(fluxes, step)
    where = where_is(fluxes)
    positions = _chosen_or_raise(fluxes, step, LAND)
    for position in positions:
        family, member = names(fluxes)[position]
        if (family, member, FOSSIL) not in where:
            raise ConfigError(
                f"{family} {member} has no component {FOSSIL}",
                why="its land flux is what remains of the air's signal after its own fossil prior",
                fix="give the member's own fossil flux as a component",
            )
        own = where[family, member, FOSSIL]
        _put(fluxes, position, _flux(fluxes, position) + (_flux(fluxes, own) - common))
        _put(fluxes, own, common)
    return fluxes


def add(fluxes: xr.Dataset, step: Add, root: Path) -> xr.Dataset:
    """Add amounts to a component: trade, cement carbonation, fire, a land-use term.

    Raises
    ------
    ConfigError, InputError
        Amounts are absent, given twice, or their table cannot be read.
    """
    if (step.amounts_pgc_yr is None) == (step.table is None):
        raise ConfigError("give either amounts_pgc_yr or table")
    if step.table is not None:
        amounts = from_table(root / step.table, fluxes, unlisted=step.unlisted)
    else:
        amounts = by_region(step.amounts_pgc_yr or {}, fluxes, unlisted=step.unlisted)[:, None]
    for position in _chosen_or_raise(fluxes, step, step.component):
        _put(fluxes, position, _flux(fluxes, position) + step.factor * amounts)
    return fluxes


def scale(fluxes: xr.Dataset, step: Scale, root: Path) -> xr.Dataset:
    """Multiply a component, such as an ocean product that misses part of the ice-free area.

    With factors by region the globe is the sum of the scaled regions and the unscaled rest of
    the set that ``rebuild_globe_from`` names.

    Raises
    ------
    ConfigError
        A region has no factor, or the set to rebuild the globe from is not in the run.
    """
    positions = _chosen_or_raise(fluxes, step, step.component)
    if not isinstance(step.factors, dict):
        for position in positions:
            _put(fluxes, position, _flux(fluxes, position) * step.factors)
        return fluxes
    listed = dict(step.factors)
    inside = np.flatnonzero(fluxes["region_set"].values.astype(str) == step.rebuild_globe_from)
    if step.rebuild_globe_from is not None:
        if not inside.size:
            raise ConfigError(f"no region set called {step.rebuild_globe_from!r} in this run")
        listed |= {GLOBE: 1.0}
        listed.setdefault(f"{step.rebuild_globe_from}/{UNASSIGNED}", 1.0)
    factors = by_region(listed, fluxes, unlisted=step.unlisted, neutral=1.0)[:, None]
    globe = fluxes["region"].values.astype(str).tolist().index(GLOBE)
    for position in positions:
        scaled = _flux(fluxes, position) * factors
        if step.rebuild_globe_from is not None:
            empty = fluxes["valid_area_m2"].values[position, inside] == 0
            parts = np.where(np.isnan(scaled[inside]) & empty, 0.0, scaled[inside])
            scaled[globe] = np.where(np.isnan(scaled[globe]), np.nan, parts.sum(axis=0))
        _put(fluxes, position, scaled)
    return fluxes


def combine(fluxes: xr.Dataset, step: Combine, root: Path) -> xr.Dataset:
    """Make a component of others, such as land = S2 land + E_LUC.

    Raises
    ------
    ConfigError
        A member lacks a term, or has the new component already.
    """
    where = where_is(fluxes)
    members = list(dict.fromkeys(names(fluxes)[i] for i in chosen(fluxes, step, None)))
    if not members:
        raise _nobody(step, " and ".join(step.terms))
    lacking = [
        f"{family} {member} has no {term}"
        for family, member in members
        for term in step.terms
        if (family, member, term) not in where
    ]
    if lacking:
        raise ConfigError("\n".join(lacking), fix="leave such members out with 'exclude'")
    if step.into not in step.terms and any((*name, step.into) in where for name in members):
        raise ConfigError(
            f"component {step.into!r} exists already",
            fix=f"choose another name for 'into', or make {step.into!r} one of the terms",
        )
    made = fluxes.isel(series=[where[*name, next(iter(step.terms))] for name in members])
    resolution = fluxes["resolution"].values.tolist()
    made = made.copy(deep=True).assign_coords(
        component=("series", [step.into] * len(members)),
        resolution=(
            "series", [coarsest(resolution[where[*n, t]] for t in step.terms) for n in members]
        ),
    )  # fmt: skip
    for row, name in enumerate(members):
        parts = [factor * _flux(fluxes, where[*name, t]) for t, factor in step.terms.items()]
        _put(made, row, np.sum(parts, axis=0))
    replaced = {t for t in step.terms if step.drop_terms or t == step.into}
    gone = {where[*name, term] for name in members for term in replaced}
    kept = fluxes.isel(series=[i for i in range(fluxes.sizes["series"]) if i not in gone])
    return xr.concat([kept, made], dim="series", data_vars="minimal", coords="minimal",
                     compat="override", join="exact", combine_attrs="override")  # fmt: skip


STEPS: Final[dict[str, Callable[[xr.Dataset, Any, Path], xr.Dataset]]] = {
    "rivers": rivers,
    "fossil": fossil,
    "add": add,
    "scale": scale,
    "combine": combine,
}
"""Kind of an adjustment -> what it does."""


def chosen(fluxes: xr.Dataset, step: AnyAdjustment, component: str | None) -> list[int]:
    """Return the rows that a step applies to, of one component or (None) of all."""
    components = fluxes["component"].values.astype(str).tolist()
    return [
        position
        for position, ((family, member), own) in enumerate(
            zip(names(fluxes), components, strict=True)
        )
        if family in step.families
        and (step.members is None or member in step.members)
        and member not in step.exclude
        and component in (None, own)
    ]


def names(fluxes: xr.Dataset) -> list[tuple[str, str]]:
    """Return family and member of each row."""
    columns = (fluxes[c].values.astype(str).tolist() for c in ("family", "member"))
    return list(zip(*columns, strict=True))


def where_is(fluxes: xr.Dataset) -> dict[tuple[str, str, str], int]:
    """Return the row of each (family, member, component)."""
    components = fluxes["component"].values.astype(str).tolist()
    return {(*n, c): i for i, (n, c) in enumerate(zip(names(fluxes), components, strict=True))}


def _common_fossil(fluxes: xr.Dataset, step: Fossil) -> FloatArray:
    """(region, time) fossil flux that takes the place of the members' own."""
    if (step.common is None) == (step.common_pgc_yr is None):
        raise ConfigError("give either common or common_pgc_yr")
    n_time = fluxes.sizes["time"]
    if step.common is None:
        amounts = by_region(step.common_pgc_yr or {}, fluxes, unlisted=step.unlisted)
        return np.repeat(amounts[:, None], n_time, axis=1)
    family, _, member = step.common.partition("/")
    where = where_is(fluxes)
    if (family, member, FOSSIL) not in where:
        having = ", ".join(f"{f}/{m}" for f, m, c in where if c == FOSSIL) or "none"
        raise ConfigError(
            f"{step.common!r} has no component {FOSSIL}", fix=f"members that have: {having}"
        )
    return _flux(fluxes, where[family, member, FOSSIL]).copy()


def _flux(fluxes: xr.Dataset, position: int) -> FloatArray:
    """(region, time) of one row, in Pg C/yr."""
    return np.asarray(fluxes["flux_pgc_yr"].values[position])


def _put(fluxes: xr.Dataset, position: int, flux: FloatArray) -> None:
    """Set one row; where its flux is no longer known, neither is the area behind it."""
    lost = np.isfinite(_flux(fluxes, position)) & ~np.isfinite(flux)
    lost |= lost.any(axis=1, keepdims=True) & ~np.isfinite(flux).any(axis=1, keepdims=True)
    fluxes["flux_pgc_yr"].values[position] = flux
    for area in ("valid_area_m2", "missing_area_m2"):
        if area in fluxes:
            fluxes[area].values[position][lost] = np.nan


def _chosen_or_raise(fluxes: xr.Dataset, step: AnyAdjustment, component: str) -> list[int]:
    found = chosen(fluxes, step, component)
    if not found:
        raise _nobody(step, component)
    return found


def _nobody(step: AnyAdjustment, component: str) -> ConfigError:
    return ConfigError(
        f"it applies to nobody: no chosen member of {', '.join(step.families)} has {component}",
        fix="correct families, members, exclude or component; or take the step out",
    )
