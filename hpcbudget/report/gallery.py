"""Which figures a run has: each with its title, its caption and a text for who cannot see it."""

from __future__ import annotations

from calendar import month_name
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import pandas as pd

from hpcbudget.report.figures.budget import budget_figure
from hpcbudget.report.figures.coverage import coverage_figure
from hpcbudget.report.figures.cumulative import cumulative_figure
from hpcbudget.report.figures.dipoles import dipole_figure
from hpcbudget.report.figures.gap_maps import gap_maps_figure, with_gaps
from hpcbudget.report.figures.maps import drawable, maps_figure
from hpcbudget.report.figures.regions import regional_bars_figure
from hpcbudget.report.figures.scatter import scatter_figure
from hpcbudget.report.figures.seasons import seasons_figure
from hpcbudget.report.figures.spread import spread_figure
from hpcbudget.report.model_years import (
    agreement_in_time,
    cumulated,
    model_years,
    seasonal_cycles,
)
from hpcbudget.report.numbers import flux_text, mean_text
from hpcbudget.report.places import agreement, largest, listed, only_largest
from hpcbudget.report.run import Run
from hpcbudget.report.style import component_label, family_rank, family_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


SECTIONS: Final = ("budget", "regions", "dipoles", "seasons", "spread", "maps", "members")
"""Parts of the page that show figures."""


LEAST_REGIONS: Final = 3
"""A matrix of fewer regions is a single number, which the table gives."""


@dataclass(frozen=True)
class Drawing:
    """A figure that can be drawn.

    Attributes
    ----------
    name : str
        Of its files.
    section : str
        Where the page shows it, one of `SECTIONS`.
    title : str
        One line.
    caption : str
        What is drawn, how it was computed.
    alternative : str
        What a reader would see, with its main numbers.
    draw : callable
        Draws it.
    """

    name: str
    section: str
    title: str
    caption: str
    alternative: str
    draw: Callable[[], Figure]


def drawings(run: Run) -> Iterator[Drawing]:
    """Yield every figure that the run has data for, in the order of the page.

    Parameters
    ----------
    run : Run
        A finished run.
    """
    yield _budget(run)
    yield from _course(run)
    yield from _regions(run)
    yield from _dipoles(run)
    yield from _seasons(run)
    yield from _spread(run)
    yield from _maps(run)


def _budget(run: Run) -> Drawing:
    years = "no complete year" if run.years is None else "{}–{}".format(*run.years)
    return Drawing(
        "global_carbon_budget",
        "budget",
        "Annual fluxes by component, latitude band and method",
        f"Annual surface–atmosphere carbon flux, {years}. Lines: mean over models; bands: ± 1 SD "
        f"over models (ddof = {run.ddof}). Process totals are land plus ocean models, their SDs "
        "added in quadrature. The global column has its own scale in each row.",
        f"Twelve line charts: ocean, land and total flux in the globe and three latitude bands, "
        f"{years}, + to the atmosphere. " + _in_words(run),
        partial(budget_figure, run.series),
    )


def _course(run: Run) -> Iterator[Drawing]:
    """Cumulative fluxes and the number of models behind every year."""
    sums = cumulated(model_years(run.fluxes), run.rules)
    components = [c for c in ("ocean", "land", "total") if (sums["component"] == c).any()]
    if components:
        last = sums[sums["component"].isin(components)].sort_values("year")
        ends = last.groupby(["component", "family"]).tail(1).to_dict("records")
        words = "; ".join(
            f"{r['component']} by {_short(r['family'])} {flux_text(r['mean'], 0)} Pg C "
            f"({r['since']} to {r['year']})"
            for r in ends
        )
        yield Drawing(
            "cumulative_fluxes",
            "budget",
            "Cumulative global fluxes",
            "Annual fluxes added up from the first year that every model of a component has, as "
            "long as all models of the family go on. Lines: mean; bands: ± 1 SD over models.",
            f"Line charts of cumulative flux, + to the atmosphere: {words}.",
            partial(cumulative_figure, sums, components=components),
        )
    counts = run.series[(run.series["region"] == "Globe") & (run.series["family"] != "process")]
    if not counts.empty:
        most = counts.groupby(["family", "component"])["n"].agg(["min", "max"]).reset_index()
        words = "; ".join(
            f"{_short(r['family'])} {r['component']} {r['min']} to {r['max']}"
            for r in most.to_dict("records")
        )
        yield Drawing(
            "models_per_year",
            "members",
            "Models behind each year",
            "Number of models with a complete year, by method and component; it stands where it "
            "changes.",
            f"Bars over the years with the number of models: {words}.",
            partial(coverage_figure, run.series),
        )


def _seasons(run: Run) -> Iterator[Drawing]:
    if run.period not in run.spans:
        return
    first, last = run.spans[run.period]
    cycles = seasonal_cycles(run.fluxes, first, last, run.rules)
    components = [c for c in ("ocean", "land") if (cycles["component"] == c).any()]
    if not components:
        return
    globe = cycles[(cycles["region"] == "Globe") & cycles["component"].isin(components)]
    lows = globe.loc[globe.groupby(["component", "family"])["mean"].idxmin()].to_dict("records")
    words = "; ".join(
        f"{r['component']} by {_short(r['family'])} {flux_text(r['mean'], 1)} Pg C/yr in "
        f"{month_name[int(r['month'])]}"
        for r in lows
    )
    yield Drawing(
        "seasonal_cycle",
        "seasons",
        f"Mean seasonal cycle, {first}–{last}",
        "Mean flux of each calendar month over models that have every month of the period; bands: "
        "± 1 SD over models. Annual members are left out.",
        f"Line charts of the flux by calendar month. Strongest global uptake: {words}.",
        partial(seasons_figure, cycles, components=components),
    )


def _spread(run: Run) -> Iterator[Drawing]:
    agreement = agreement_in_time(model_years(run.fluxes))
    components = [c for c in ("land", "ocean") if (agreement["component"] == c).sum() > 1]
    if not components:
        return
    own = agreement[agreement["component"].isin(components)]
    words = "; ".join(
        f"{component}: SD {group['sd'].min():.2f} to {group['sd'].max():.2f} Pg C/yr, correlation "
        f"{group['correlation'].min():.2f} to {group['correlation'].max():.2f}"
        for component, group in own.groupby("component", sort=True)
    )
    yield Drawing(
        "spread",
        "spread",
        "Strength and timing of year-to-year variations",
        "One point a model: its distance from the origin is the SD of its annual global flux, its "
        "angle the correlation with the mean of all other models of the component over their "
        "common years. The dotted ring is the SD of those means.",
        f"Taylor-like diagram. {words}.",
        partial(spread_figure, agreement, components=components),
    )


def _maps(run: Run) -> Iterator[Drawing]:
    if run.maps is None:
        return
    periods = [run.period, *map(str, run.maps["period"].values)]
    period = next((p for p in periods if drawable(run.maps, p)), None)
    if period is None:
        return
    for component, families in drawable(run.maps, period).items():
        if component not in ("land", "ocean", "total", "eluc"):
            continue
        yield Drawing(
            f"maps_{component}",
            "maps",
            f"{component_label(component)}: mean, spread and agreement, {period}",
            "Annual mean over models on the common grid, standard deviation over models, and the "
            "share of models that have the sign of the mean. Equal Earth projection; colours end "
            "at the 98th percentile." + _as_read(run),
            f"Maps of the {component} flux {period} for "
            f"{', '.join(_short(family) for family in families)}: mean, SD of models, sign "
            "agreement.",
            partial(maps_figure, run.maps, period, component=component, families=families),
        )
    gaps = with_gaps(run.maps, period)
    if gaps:
        yield Drawing(
            "maps_gap",
            "maps",
            f"Top-down minus bottom-up, {period}",
            "Mean of the inversions minus that of the surface models; dots where the two agree by "
            "the rule of the run. Right: the gap over both standard deviations in quadrature."
            + _as_read(run),
            f"Maps of top-down minus bottom-up {period} for {', '.join(gaps)}.",
            partial(gap_maps_figure, run.maps, period, components=gaps),
        )


def _as_read(run: Run) -> str:
    """Say what maps do not show, where the tables do."""
    steps = [str(step.get("name")) for step in run.config.get("adjustments") or []]
    said = f" Fluxes as read: {', '.join(steps)} are applied to tables and other figures only."
    return said if steps else ""


def _short(family: str) -> str:
    return family_style(family).short.replace("$_2$", "2")


def _in_words(run: Run) -> str:
    """Global means of the headline period as a sentence for the alternative text."""
    table = run.tables.get("statistics")
    if table is None or not run.period:
        return ""
    rows = table[(table["region"] == "Globe") & (table["period"] == run.period) & (table["n"] > 0)]
    rows = rows[rows["component"].isin(["ocean", "land", "total"])]
    parts = [
        f"{component_label(row['component']).lower()} by "
        f"{_short(row['family'])} "
        f"{mean_text(row['mean'], row['sd'])}"
        for row in sorted(
            rows.to_dict("records"), key=lambda r: (str(r["component"]), family_rank(r["family"]))
        )
    ]
    return f"Global means {run.period} in Pg C/yr: " + "; ".join(parts) + "." if parts else ""


def _regions(run: Run) -> Iterator[Drawing]:
    table = run.tables.get("reconciliation")
    if table is None or not run.period:
        return
    both = table[(table["n_td"] > 0) & (table["n_bu"] > 0) & (table["period"] == run.period)]
    regional = both[both["region"] != "Globe"]
    for component in ("land", "ocean", "total"):
        own = regional[regional["component"] == component]
        if own.empty:
            continue
        agree, known = agreement(own)
        gaps = own.loc[known & ~agree, "region"].astype(str)
        yield Drawing(
            f"regions_{component}",
            "regions",
            f"{component_label(component)}: top-down against bottom-up, {run.period}",
            "Bars: mean over models; whiskers: ± 1 SD. A filled dot marks regions whose gap is "
            "within the combined spread; none, that a side has no spread."
            + only_largest(run.groups),
            f"Bar chart of regional {component} fluxes {run.period}, inversions beside process "
            f"models. {int(agree.sum())} of {len(own)} regions agree"
            + (f"; a gap remains in {listed(gaps.tolist())}" if len(gaps) else "")
            + (f"; {int((~known).sum())} cannot be judged." if not known.all() else "."),
            partial(
                regional_bars_figure,
                table,
                run.period,
                {name: largest(own, ids) for name, ids in run.groups.items()},
                component=component,
            ),
        )

    for name, ids in run.groups.items():
        regions = largest(regional, ids)
        own = regional[regional["region"].isin(regions)]
        moving = own[own["top_down_mean"].abs() + own["bottom_up_mean"].abs() > 0]
        components = [c for c in ("land", "ocean") if (moving["component"] == c).sum() > 1]
        if not components:
            continue
        yield Drawing(
            f"scatter_{name}",
            "regions",
            f"Both methods region by region, {name}, {run.period}",
            "Points on the diagonal are regions where both methods give the same mean; bars: "
            "± 1 SD over models. Filled points agree within their combined spread, grey ones "
            "have none. Points are named where there is room." + only_largest({name: ids}),
            f"Scatter of top-down against bottom-up flux of {len(own['region'].unique())} regions "
            f"for {' and '.join(components)}, {run.period}.",
            partial(scatter_figure, table, run.period, regions, components=components),
        )


def _dipoles(run: Run) -> Iterator[Drawing]:
    table = run.tables.get("dipoles")
    if table is None or not run.period:
        return
    own = table[(table["period"] == run.period) & (table["component"] == "land")]
    both = run.tables.get("reconciliation", pd.DataFrame(columns=["component", "period"]))
    land = both[(both["period"] == run.period) & (both["component"] == "land")]
    for name, ids in run.groups.items():
        regions = largest(land, ids)
        inside = own[own["region_a"].isin(regions) & own["region_b"].isin(regions)]
        inside = inside[inside["correlation"].notna()]
        if inside.empty or len(regions) < LEAST_REGIONS:
            continue
        families = sorted(inside["family"].astype(str).unique(), key=family_rank)[:2]
        yield Drawing(
            f"dipoles_{name}",
            "dipoles",
            f"Dipoles between regions of {name}, {run.period}",
            "Correlation across members between the land fluxes of two regions. Strongly negative "
            "pairs are dipoles: members agree on the sum and disagree on how it is shared."
            + only_largest({name: ids}),
            f"Matrix of correlations. {_strongest(inside)}",
            partial(dipole_figure, own, run.period, regions, families=families),
        )


def _strongest(pairs: pd.DataFrame) -> str:
    lowest = pairs.sort_values("correlation").iloc[0]
    return (
        f"Most negative pair: {lowest['region_a']} and {lowest['region_b']} in "
        f"{family_style(lowest['family']).label}, r = {flux_text(lowest['correlation'])}."
    )
