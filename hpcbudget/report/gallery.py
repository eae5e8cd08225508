"""Which figures a run has: each with its title, its caption and a text for who cannot see it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import pandas as pd

from hpcbudget.report.figures.budget import budget_figure
from hpcbudget.report.figures.dipoles import dipole_figure
from hpcbudget.report.figures.regions import regional_bars_figure
from hpcbudget.report.numbers import flux_text, mean_text
from hpcbudget.report.run import Run
from hpcbudget.report.style import component_label, family_rank, family_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


SECTIONS: Final = ("budget", "regions", "dipoles", "seasons", "spread", "maps")
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
    yield from _regions(run)
    yield from _dipoles(run)


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


def _in_words(run: Run) -> str:
    """Global means of the headline period as a sentence for the alternative text."""
    table = run.tables.get("statistics")
    if table is None or not run.period:
        return ""
    rows = table[(table["region"] == "Globe") & (table["period"] == run.period) & (table["n"] > 0)]
    rows = rows[rows["component"].isin(["ocean", "land", "total"])]
    parts = [
        f"{component_label(row['component']).lower()} by "
        f"{family_style(row['family']).short.replace('$_2$', '2')} "
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
        agreeing = own["agree"].map(lambda v: str(v) == "True")
        gaps = own.loc[~agreeing, "region"].astype(str)
        yield Drawing(
            f"regions_{component}",
            "regions",
            f"{component_label(component)}: top-down against bottom-up, {run.period}",
            "Bars: mean over models; whiskers: ± 1 SD. A filled dot marks regions whose gap is "
            "within the combined spread.",
            f"Bar chart of regional {component} fluxes {run.period}, inversions beside process "
            f"models. {int(agreeing.sum())} of {len(own)} regions agree"
            + (f"; a gap remains in {', '.join(gaps)}." if len(gaps) else "."),
            partial(regional_bars_figure, table, run.period, run.groups, component=component),
        )


def _dipoles(run: Run) -> Iterator[Drawing]:
    table = run.tables.get("dipoles")
    if table is None or not run.period:
        return
    own = table[(table["period"] == run.period) & (table["component"] == "land")]
    for name, regions in run.groups.items():
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
            "pairs are dipoles: members agree on the sum and disagree on how it is shared.",
            f"Matrix of correlations. {_strongest(inside)}",
            partial(dipole_figure, own, run.period, regions, families=families),
        )


def _strongest(pairs: pd.DataFrame) -> str:
    lowest = pairs.sort_values("correlation").iloc[0]
    return (
        f"Most negative pair: {lowest['region_a']} and {lowest['region_b']} in "
        f"{family_style(lowest['family']).label}, r = {flux_text(lowest['correlation'])}."
    )
