"""How many models stand behind each year of each line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpcbudget.report.figures.panels import mark_years, new_figure, say_empty, styled
from hpcbudget.report.style import component_label, family_rank, family_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def coverage_figure(series: pd.DataFrame) -> Figure:
    """Draw the number of models by year, one bar a family and component.

    Parameters
    ----------
    series : pandas.DataFrame
        family, component, region, year, n, as for the budget figure; the globe is shown.

    Returns
    -------
    matplotlib.figure.Figure
        The number stands where it changes; darker means more models.
    """
    globe = series[(series["region"] == "Globe") & (series["family"] != "process")]
    keys = sorted(
        set(zip(globe["family"].astype(str), globe["component"].astype(str), strict=True)),
        key=lambda k: (family_rank(k[0]), k[1]),
    )
    figure = new_figure(height_inches=0.24 * max(len(keys), 2) + 0.5)
    axes = figure.subplots()
    if not keys:
        say_empty(axes, "no complete year")
        return figure
    for row, (family, component) in enumerate(keys):
        own = globe[(globe["family"] == family) & (globe["component"] == component)]
        own = own.sort_values("year")
        year, n = own["year"].to_numpy(int), own["n"].to_numpy(int)
        starts = np.flatnonzero(np.r_[True, (np.diff(n) != 0) | (np.diff(year) != 1)])
        for start, stop in zip(starts, np.r_[starts[1:], len(n)], strict=True):
            shade = 0.25 + 0.6 * n[start] / n.max()
            width = year[stop - 1] - year[start] + 1
            axes.barh(row, width, left=year[start] - 0.5, height=0.72, alpha=shade,
                      color=family_style(family).colour, linewidth=0)  # fmt: skip
            axes.text(year[start] - 0.2, row, str(n[start]), va="center", fontsize=6.5)
    labels = [f"{family_style(f).short}, {component_label(c).lower()}" for f, c in keys]
    axes.set_yticks(range(len(keys)), labels)
    axes.set_ylim(len(keys) - 0.4, -0.6)
    axes.grid(visible=False)
    mark_years(axes, most=10)
    axes.set_xlim(globe["year"].min() - 0.6, globe["year"].max() + 0.6)
    axes.spines["left"].set_visible(False)
    return figure
