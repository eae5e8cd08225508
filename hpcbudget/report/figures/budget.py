"""The Global Carbon Budget figure: ocean, land and total by latitude band and method family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.ticker import MaxNLocator

from hpcbudget.report.figures.panels import (
    draw_family,
    draw_zero,
    families_legend,
    mark_years,
    new_figure,
    say_empty,
    styled,
)
from hpcbudget.report.places import BANDS, find_region
from hpcbudget.report.style import SIGN, UNIT, component_label, family_rank

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Float = npt.NDArray[np.float64]

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
                    draw_family(axes, family, *_course(own, spread))
                    drawn[family] = max(drawn.get(family, 0), int(own["n"].max()))
                draw_zero(axes)
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
        mark_years(axes)
    if not years.empty:
        first, last = int(years.min()), int(years.max())
        grid[0, 0].set_xlim(first - 0.5, max(last, first + 1) + 0.5)
    figure.align_ylabels(grid[:, 0])
    families_legend(figure, drawn, "mean ± 1 SD of models" if spread == "sd" else "range of models")
    return figure


def _course(own: pd.DataFrame, spread: str) -> tuple[Float, Float, Float, Float]:
    """Return years, mean and ends of the band; absent years become gaps."""
    whole = own.set_index("year").sort_index()
    whole = whole.reindex(range(int(whole.index.min()), int(whole.index.max()) + 1))
    mean, sd, low, high = (
        whole[name].to_numpy(dtype=np.float64) for name in ("mean", "sd", "min", "max")
    )
    if spread == "sd":
        low, high = mean - sd, mean + sd
    return whole.index.to_numpy(dtype=np.float64), mean, low, high


def _why_empty(series: pd.DataFrame, component: str, region: str | None, name: str) -> str:
    if not (series["component"] == component).any():
        return f"no member gives\n“{component}” in this run"
    if region is None:
        return f"no region\n“{name}” in this run"
    return "no complete year"
