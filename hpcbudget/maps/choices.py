"""Choices: what the options of the maps ask for, among what the inputs have."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from hpcbudget.errors import ConfigError, GridError, raise_all
from hpcbudget.inputs.catalogue import Catalogue
from hpcbudget.inputs.series import Series
from hpcbudget.maps.member import MemberKey, MemberUnit
from hpcbudget.maps.votes import PARTS_OF_PROCESS, PROCESS, TOTAL, Vote
from hpcbudget.options import AnyAdjustment, MapsOptions
from hpcbudget.space.grid import Grid


def refuse_unknown(options: MapsOptions, catalogue: Catalogue, root: Path) -> None:
    """Raise for every name in the options that nothing in the run has.

    Raises
    ------
    ConfigError, Problems
        With the nearest name that there is.
    """
    keys = [series.key for series in catalogue.series]
    checks = (
        ("families", options.families, {k.family for k in keys}),
        ("components", options.components, {k.component for k in keys} | {TOTAL}),
        ("weights", tuple(options.weights), {k.member for k in keys}),
    )
    problems = []
    for name, given, known in checks:
        for one in sorted(set(given) - known):
            near = difflib.get_close_matches(one, sorted(known), n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            fix = f"{hint}There are: {', '.join(sorted(known))}"
            where = f"maps.{name}"
            problems.append(ConfigError(f"nothing is named {one!r}", where=where, fix=fix))
    for member, how in sorted(options.weights.items()):
        if how not in ("native", "xesmf") and not (root / how).exists():
            where = f"maps.weights.{member}"
            fix = "give native, xesmf, or the path of a weights file below the data root"
            problems.append(ConfigError(f"no such file: {root / how}", where=where, fix=fix))
    raise_all(problems)


def common_grid(options: MapsOptions, root: Path) -> Grid:
    """Return the grid that is asked for.

    Raises
    ------
    ConfigError
        It is neither a grid's name nor a file with one.
    """
    path = root / options.grid
    try:
        return Grid.parse(path if path.exists() else options.grid)
    except GridError as error:
        raise ConfigError(error.what, where="maps.grid", why=error.why, fix=error.fix) from error


def mappable(
    catalogue: Catalogue, options: MapsOptions
) -> tuple[dict[MemberKey, tuple[Series, ...]], tuple[str, ...]]:
    """Return the terms of every component that is asked for, and who has no place on a map."""
    found: dict[MemberKey, tuple[Series, ...]] = {}
    left_out: list[str] = []

    def key_of(series: Series) -> MemberKey:
        k = series.key
        return MemberKey(k.family, k.component, k.model, k.member)

    for key, group in groupby(sorted(catalogue.series, key=lambda s: s.key), key=key_of):
        terms = tuple(group)
        if options.families and key.family not in options.families:
            continue
        wanted = options.components
        needed_for_total = TOTAL in wanted and key.component in ("land", "ocean")
        if wanted and key.component not in wanted and not needed_for_total:
            continue
        if any(series.grid.kind == "zonal" for series in terms):
            left_out.append(f"{key}: zonal means have no place along a parallel")
            continue
        if any(series.times.carried_seconds is not None for series in terms):
            left_out.append(f"{key}: steps of several days are split over months in tables only")
            continue
        found[key] = terms
    return found, tuple(left_out)


def votes_of(units: tuple[MemberUnit, ...]) -> tuple[Vote, ...]:
    """Return who votes where: each component, and the total of members with land and ocean."""
    keys = sorted({unit.key for unit in units})
    votes = [Vote(k.family, k.component, k.model, k.member, (k,)) for k in keys]
    has = {(k.family, k.model, k.member, k.component): k for k in keys}
    for k in keys:
        other = has.get((k.family, k.model, k.member, "ocean"))
        own = (k.family, k.model, k.member, TOTAL)
        if k.component == "land" and other is not None and own not in has:
            votes.append(Vote(k.family, TOTAL, k.model, k.member, (k, other)))
    return tuple(sorted(votes))


def families_of(votes: tuple[Vote, ...]) -> tuple[str, ...]:
    """Return the families with maps, and the process models' total if it can be made."""
    present = {(vote.family, vote.component) for vote in votes}
    found = {family for family, _ in present}
    if set(PARTS_OF_PROCESS) <= present:
        found.add(PROCESS)
    return tuple(sorted(found))


def components_of(votes: tuple[Vote, ...]) -> tuple[str, ...]:
    """Return the components with maps."""
    total = {TOTAL} if PROCESS in families_of(votes) else set()
    return tuple(sorted({vote.component for vote in votes} | total))


def unadjusted(steps: Sequence[AnyAdjustment]) -> str:
    """Say that maps show fluxes as they were read, and what was done to the tables alone.

    Amounts of adjustments are those of regions: where in a region they lie, nobody says.

    Examples
    --------
    >>> unadjusted(())
    'none: maps and tables show fluxes as they were read'
    """
    if not steps:
        return "none: maps and tables show fluxes as they were read"
    listed = "\n".join(f"{step.name}: {step.source}" for step in steps)
    return f"not applied to maps, which show fluxes as they were read; only to tables:\n{listed}"
