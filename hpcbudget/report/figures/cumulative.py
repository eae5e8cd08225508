"""Carbon that has gone to or come from the atmosphere since a common year."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hpcbudget.report.figures.panels import (
    draw_family,
    draw_zero,
    families_legend,
    mark_years,
    new_figure,
    say_empty,
    styled,
)
from hpcbudget.report.style import SIGN, component_label, family_rank

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled
def cumulative_figure(
    sums: pd.DataFrame, *, components: Sequence[str] = ("ocean", "land", "total")
) -> Figure:
    """Draw the global flux added up over the years, one panel a component.

    Parameters
    ----------
    sums : pandas.DataFrame
        family, component, since, year, n, mean, sd [Pg C, + to the atmosphere], from
        `hpcbudget.report.model_years.cumulated`.
    components : sequence of str
        Panels from left to right.

    Returns
    -------
    matplotlib.figure.Figure
        180 mm wide.
    """
    figure = new_figure(height_inches=2.5)
    panels = figure.subplots(1, len(components), squeeze=False)[0]
    drawn: dict[str, int] = {}
    for axes, component in zip(panels, components, strict=True):
        own = sums[sums["component"] == component]
        title = component_label(component)
        if own.empty:
            axes.set_title(title, fontweight="bold")
            say_empty(axes, f"no complete year\nof “{component}”")
            continue
        since = int(own["since"].iloc[0])
        axes.set_title(f"{title} since {since}", fontweight="bold")
        for family in sorted(own["family"].astype(str).unique(), key=family_rank):
            group = own[own["family"] == family].sort_values("year")
            year, mean, sd = (group[c].to_numpy(dtype=np.float64) for c in ("year", "mean", "sd"))
            # the sum of a year stands at its end, and nothing was summed at the beginning
            year, mean, sd = (
                np.concatenate([[start], values])
                for start, values in ((since, year + 1), (0.0, mean), (0.0, np.nan_to_num(sd)))
            )
            draw_family(axes, family, year, mean, mean - sd, mean + sd)
            drawn[family] = max(drawn.get(family, 0), int(group["n"].max()))
        draw_zero(axes)
        mark_years(axes)
    panels[0].set_ylabel(f"Cumulative flux\nPg C, {SIGN}")
    families_legend(figure, drawn, "mean ± 1 SD of models")
    return figure
