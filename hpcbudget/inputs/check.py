"""What ``hpcbudget check`` shows: one row per series, and all problems and warnings."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from hpcbudget.config import Config
from hpcbudget.errors import HpcBudgetError, Problems
from hpcbudget.inputs.catalogue import Opened, open_members
from hpcbudget.inputs.inspect import Findings
from hpcbudget.inputs.member import Member
from hpcbudget.inputs.notice import Notice
from hpcbudget.inputs.preset import fit, shipped_presets
from hpcbudget.inputs.series import Series
from hpcbudget.inputs.source import open_source

COLUMNS = (
    "member", "component", "variable", "grid", "calendar", "period", "units", "sign",
    "area basis", "chunks", "problems",
)  # fmt: skip
"""Columns of the table of one ensemble."""


@dataclass(frozen=True)
class Row:
    """One series, or one member that yields none.

    Attributes
    ----------
    family, member, component, variable : str
    grid, calendar, period : str
        As found in the files.
    units : str
        Units of the file and what becomes of them.
    sign, area_basis : str
    chunks : str
        Steps and decoded bytes of a stored chunk.
    problems : str
        "ok", or the number of problems and warnings.
    explanation : tuple of str
        Every step that is applied and where it comes from (``--explain``).
    """

    family: str
    member: str
    component: str = ""
    variable: str = ""
    grid: str = ""
    calendar: str = ""
    period: str = ""
    units: str = ""
    sign: str = ""
    area_basis: str = ""
    chunks: str = ""
    problems: str = "ok"
    explanation: tuple[str, ...] = field(default=(), repr=False)

    def cells(self) -> tuple[str, ...]:
        """Return the cells of the row in the order of `COLUMNS`."""
        return (
            self.member, self.component, self.variable, self.grid, self.calendar, self.period,
            self.units, self.sign, self.area_basis, self.chunks, self.problems,
        )  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """Return the row for ``--json``."""
        return {**self.__dict__, "explanation": list(self.explanation)}


@dataclass(frozen=True)
class CheckReport:
    """Everything that `check_table` found.

    Attributes
    ----------
    rows : tuple of Row
        In the order of the configuration.
    problems : tuple of HpcBudgetError
        What has to be mended before a run.
    notices : tuple of Notice
        What should be looked at.
    series : tuple of Series
        All that could be made, sorted by key.
    """

    rows: tuple[Row, ...]
    problems: tuple[HpcBudgetError, ...]
    notices: tuple[Notice, ...]
    series: tuple[Series, ...] = field(default=(), repr=False)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Each notice by itself, for programs."""
        return tuple(map(str, self.notices))

    @property
    def exit_status(self) -> int:
        """0, or the exit status of the problems: 2 configuration, 3 data."""
        return Problems(self.problems).exit_status if self.problems else 0

    def by_family(self) -> dict[str, tuple[Row, ...]]:
        """Return the rows of each ensemble's table."""
        families = dict.fromkeys(row.family for row in self.rows)
        return {f: tuple(row for row in self.rows if row.family == f) for f in families}


def check_table(config: Config) -> CheckReport:
    """Open all inputs, look at a year of values of each series, and report on all of them.

    Parameters
    ----------
    config : Config

    Returns
    -------
    CheckReport
        Complete also where members have problems; nothing is raised for them.
    """
    rows: list[Row] = []
    problems: list[HpcBudgetError] = []
    notices: list[Notice] = []
    series: list[Series] = []
    for one in open_members(config, whole_year=True):
        rows.extend(_rows(one))
        problems.extend(one.problems)
        notices.extend(one.warnings)
        series.extend(found for found, _ in one.series)
    in_order = tuple(sorted(series, key=lambda one: one.key))
    return CheckReport(tuple(rows), tuple(problems), tuple(notices), in_order)


def _rows(one: Opened) -> list[Row]:
    family, member = one.member.ensemble.family, one.member.name
    wrong = f"{len(one.problems)} problem" + ("s" if len(one.problems) > 1 else "")
    if not one.series:
        return [Row(family, member, problems=wrong)]
    rows = [_row(series, found, one.member) for series, found in one.series]
    return [*rows, Row(family, member, problems=wrong)] if one.problems else rows


def _row(series: Series, found: Findings | None, member: Member) -> Row:
    flux = series.flux
    edges = series.store.time_chunks()
    longest = max(b - a for a, b in pairwise(edges))
    size = longest * series.store.step_bytes
    told = len(found.warnings) if found else 0
    return Row(
        family=series.key.family,
        member=series.key.member,
        component=series.key.component,
        variable=series.store.variable,
        grid=series.grid.describe(),
        calendar=series.times.calendar,
        period=f"{series.times} ({series.times.resolution})",
        units=f"{flux.units} -> kg C s-1",
        sign="+ to atmosphere" if flux.sign == "to_atmosphere" else "+ to surface, reversed",
        area_basis=flux.area_basis,
        chunks=f"{longest} x {_bytes(size / longest)}, {len(series.store.parts)} file"
        + ("s" if len(series.store.parts) > 1 else ""),
        problems="ok" if not told else f"{told} warning" + ("s" if told > 1 else ""),
        explanation=(*series.history, *_seen(series, found), *_suggestions(series, member)),
    )


def _seen(series: Series, found: Findings | None) -> list[str]:
    """Tell what a look at the values has shown."""
    if found is None:
        return []
    first, last = (series.times.label(step) for step in (found.steps[0], found.steps[1] - 1))
    span = first if first == last else f"{first}..{last}"
    return [f"looked at {span}: {1 - found.missing_share:.1%} of the area that counts has values"]


def _suggestions(series: Series, member: Member) -> list[str]:
    """Name the presets that a member's files match, if it does not use one."""
    if member.preset is not None:
        return []
    with open_source(series.store.parts[0].path, series.store.group) as source:
        fits = [fit(preset, source) for preset in shipped_presets()]
    return [f"not used: {str(f).replace(':', ' would fit:', 1)}" for f in fits if f.matches]


def _bytes(n: float) -> str:
    for unit in ("B", "kB", "MB"):
        if n < 1000:
            return f"{n:.3g} {unit}"
        n /= 1000
    return f"{n:.3g} GB"
