"""Which months a map is the mean of, and which steps of a member hold them.

A span is a run of whole years with a name; a season is a choice of calendar months within it. Maps
of every month are those of the twelve months of each single year. December counts with January and
February of the same calendar year, so every mean over a period rests on the period's own months.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hpcbudget.inputs.times import TimeAxis
from hpcbudget.options import MapsOptions

Rule = str
Mask = npt.NDArray[np.bool_]

ALL: Final = "annual"
MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
SEASONS: Final[dict[str, tuple[int, ...]]] = {
    ALL: tuple(range(1, 13)),
    "DJF": (1, 2, 12),
    "MAM": (3, 4, 5),
    "JJA": (6, 7, 8),
    "SON": (9, 10, 11),
    **{name: (number,) for number, name in enumerate(MONTHS, start=1)},
}
"""Calendar months of each season."""


@dataclass(frozen=True)
class Span:
    """A run of years that maps are means within.

    Attributes
    ----------
    name : str
    first, stop : int
        Half-open range of months, as ``year * 12 + month - 1``.
    seasons : tuple of str
        Keys of `SEASONS`.
    """

    name: str
    first: int
    stop: int
    seasons: tuple[str, ...]

    def months(self, season: str) -> npt.NDArray[np.int64]:
        """Return the months of a season within the span, in order."""
        every = np.arange(self.first, self.stop)
        return every[np.isin(every % 12 + 1, SEASONS[season])]


def spans_of(
    options: MapsOptions,
    periods: Mapping[str, tuple[int, int]],
    axes: Iterable[tuple[TimeAxis, tuple[int, int]]],
) -> tuple[Span, ...]:
    """Return the spans that a configuration asks for.

    Parameters
    ----------
    options : MapsOptions
    periods : mapping of str to (int, int)
        First and last year of each period; empty means the decades (else all the years) that some
        member covers whole.
    axes : iterable of (TimeAxis, (int, int))
        Of all members, with the steps that count.
    """
    axes = list(axes)
    chosen = dict(options.periods or periods) or _decades(axes)
    within = [name for name in options.seasons if name != "every_month"]
    seasons = tuple(
        season
        for kind, members in (
            ("annual", (ALL,)),
            ("seasons", ("DJF", "MAM", "JJA", "SON")),
            ("months", MONTHS),
        )
        if kind in within
        for season in members
    )
    spans = [
        Span(name, first * 12, (last + 1) * 12, seasons)
        for name, (first, last) in chosen.items()
        if seasons
    ]
    if "every_month" in options.seasons:
        taken = {span.name for span in spans}
        years = {year for first, last in chosen.values() for year in range(first, last + 1)}
        for year in sorted(years):
            name = f"{year:04d}" if f"{year:04d}" not in taken else f"{year:04d} by month"
            spans.append(Span(name, year * 12, (year + 1) * 12, MONTHS))
    return tuple(spans)


def steps_of(
    axis: TimeAxis, steps: tuple[int, int], span: Span, season: str, rule: Rule
) -> Mask | None:
    """Choose the steps of a member that a map is the mean of.

    Parameters
    ----------
    axis : TimeAxis
    steps : (int, int)
        Half-open range of the steps that count.
    span : Span
    season : str
    rule : {"common", "all"}
        ``common``: the member must have every month; ``all``: the mean over those calendar years
        of which it has every month of the season.

    Returns
    -------
    ndarray of bool, shape (len(axis),), or None
        None if the member has no mean to give: its maps are not made.

    Examples
    --------
    >>> axis = TimeAxis.of_months(2000 * 12 + np.arange(23), "noleap")
    >>> span = Span("2000-2001", 24000, 24024, (ALL,))
    >>> steps_of(axis, (0, 23), span, ALL, "common") is None
    True
    >>> int(steps_of(axis, (0, 23), span, ALL, "all").sum())
    12
    """
    here = np.zeros(len(axis), dtype=bool)
    here[steps[0] : steps[1]] = True
    first = axis.first_month
    wanted = span.months(season)
    if axis.resolution in ("year", "period"):
        if season != ALL:
            return None
        chosen = here & (first >= span.first) & (first + axis.span_months <= span.stop)
        covered = int(axis.span_months[chosen].sum())
        enough = covered == wanted.size if rule == "common" else covered > 0
        return chosen if enough else None
    chosen = here & np.isin(first, wanted)
    found, place = np.unique(first[chosen], return_inverse=True)
    seconds = np.bincount(place, weights=axis.seconds[chosen], minlength=found.size)
    expected = np.zeros(found.size)
    expected[place] = axis.month_seconds[chosen]
    whole = found[np.abs(seconds - expected) < 1.0]
    if rule == "common":
        return chosen if whole.size == wanted.size and wanted.size else None
    counts = {year: int((wanted // 12 == year).sum()) for year in np.unique(wanted // 12)}
    years = [year for year, n in counts.items() if int((whole // 12 == year).sum()) == n]
    chosen &= np.isin(first // 12, years)
    return chosen if chosen.any() else None


def classes_of(masks: Mapping[str, Mask]) -> tuple[npt.NDArray[np.int64], dict[str, list[int]]]:
    """Sort steps into classes, so that each season is a sum of whole classes.

    Returns
    -------
    class_of_step : int64[step]
        -1 for steps that no season asks for.
    classes_of_season : dict of str to list of int
    """
    member = np.stack(list(masks.values()))
    kinds, class_of_step = np.unique(member, axis=1, return_inverse=True)
    class_of_step = class_of_step.reshape(-1).astype(np.int64)
    class_of_step[~member.any(axis=0)] = -1
    seasons = {season: np.flatnonzero(kinds[row]).tolist() for row, season in enumerate(masks)}
    return class_of_step, seasons


def _decades(axes: list[tuple[TimeAxis, tuple[int, int]]]) -> dict[str, tuple[int, int]]:
    covered = [set(_whole_years(axis, steps)) for axis, steps in axes]
    years = sorted(set().union(*covered))
    if not years:
        return {}
    starts = range(years[0] // 10 * 10, years[-1] + 1, 10)
    decades = {
        f"{start}s": (start, start + 9)
        for start in starts
        if any(set(range(start, start + 10)) <= own for own in covered)
    }
    if decades:
        return decades
    first, last = years[0], years[-1]
    return {f"{first}-{last}" if last > first else f"{first}": (first, last)}


def _whole_years(axis: TimeAxis, steps: tuple[int, int]) -> Iterator[int]:
    first = axis.first_month[steps[0] : steps[1]]
    spans = axis.span_months[steps[0] : steps[1]]
    months = np.unique(
        np.concatenate([np.arange(m, m + n) for m, n in zip(first, spans, strict=True)])
    )
    years, counts = np.unique(months // 12, return_counts=True)
    yield from (int(year) for year in years[counts == 12])
