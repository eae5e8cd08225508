"""The Global Carbon Budget figure: ocean, land and total by latitude band and method family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from hpcbudget.report.places import BANDS, find_region
from hpcbudget.report.style import (
    MUTED,
    SIGN,
    UNIT,
    component_label,
    families_legend,
    family_rank,
    family_style,
    new_figure,
    say_empty,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROWS: Final = ("ocean", "land", "total")


@styled
def budget_figure(
    series: pd.DataFrame,
    *,
    bands: Mapping[str, str] = BANDS,
    components: Sequence[str] = ROWS,
    spread: Literal["sd", "range"] = "sd",
) -> Figure:
    """Draw annual fluxes as 3 rows (ocean, land, total) x 4 columns (globe and bands).

    Each family is a line (mean over its models) in a band (spread); single years without a mean
    break the line.  The globe has its own scale in each row, the three bands share one, so that
    their fluxes can be compared by eye.

    Parameters
    ----------
    series : pandas.DataFrame
        Columns ``family, component, region, year, n, mean, sd, min, max`` [Pg C/yr, + to the
        atmosphere], as `hpcbudget.science.statistics.ensemble_series` gives them.
    bands : mapping of str to str
        Region name to column title.
    components : sequence of str
        Rows from top to bottom.
    spread : {"sd", "range"}
        The band shows mean +- 1 SD, or smallest to largest model.

    Returns
    -------
    matplotlib.figure.Figure
        180 mm wide.
    """
    figure = new_figure(height_inches=1.62 * len(components) + 0.55)
    grid = figure.subplots(len(components), len(bands), squeeze=False, sharex=True)
    regions = list(dict.fromkeys(series["region"].astype(str)))
    years = series.loc[series["mean"].notna(), "year"]
    drawn: dict[str, int] = {}
    for row, component in zip(grid, components, strict=True):
        limits: list[tuple[float, float]] = []
        for column, (axes, name) in enumerate(zip(row, bands, strict=True)):
            region = find_region(regions, name)
            panel = series[(series["component"] == component) & (series["region"] == region)]
            panel = panel[panel["mean"].notna()]
            if panel.empty:
                say_empty(axes, _why_empty(series, component, region, name))
            else:
                for family in sorted(panel["family"].astype(str).unique(), key=family_rank):
                    own = panel[panel["family"] == family].sort_values("year")
                    _draw_family(axes, own, family, spread)
                    drawn[family] = max(drawn.get(family, 0), int(own["n"].max()))
                axes.axhline(0, color=MUTED, linewidth=0.6, zorder=1)
                axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 2.5, 5, 10]))
                if column > 0:
                    limits.append(axes.get_ylim())
        for axes in row[1:]:
            if limits and axes.lines:
                axes.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
        row[0].set_ylabel(f"{component_label(component)}\n{UNIT}, {SIGN}")
    for axes, title in zip(grid[0], bands.values(), strict=True):
        axes.set_title(title, fontweight="bold")
    for axes in grid.ravel():
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
    if not years.empty:
        first, last = int(years.min()), int(years.max())
        grid[0, 0].set_xlim(first - 0.5, max(last, first + 1) + 0.5)
    figure.align_ylabels(grid[:, 0])
    families_legend(figure, drawn, "mean ± 1 SD of models" if spread == "sd" else "range of models")
    return figure


def _draw_family(axes: Axes, own: pd.DataFrame, family: str, spread: str) -> None:
    """Line and band of one family; absent years become gaps, never bridges."""
    style = family_style(family)
    whole = own.set_index("year").sort_index()
    whole = whole.reindex(range(int(whole.index.min()), int(whole.index.max()) + 1))
    year = whole.index.to_numpy(dtype=np.float64)
    mean = whole["mean"].to_numpy(dtype=np.float64)
    if spread == "sd":
        half = whole["sd"].to_numpy(dtype=np.float64)
        low, high = mean - half, mean + half
    else:
        low = whole["min"].to_numpy(dtype=np.float64)
        high = whole["max"].to_numpy(dtype=np.float64)
    axes.fill_between(year, low, high, color=style.colour, alpha=0.22, linewidth=0, zorder=2)
    lonely = len(year) == 1
    axes.plot(
        year, mean, color=style.colour, linestyle=style.line,
        marker=style.marker if lonely else None, zorder=3,
    )  # fmt: skip


def _why_empty(series: pd.DataFrame, component: str, region: str | None, name: str) -> str:
    if not (series["component"] == component).any():
        return f"no member gives\n“{component}” in this run"
    if region is None:
        return f"no region\n“{name}” in this run"
    return "no complete year"
