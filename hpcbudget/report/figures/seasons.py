"""Mean seasonal cycle by component, latitude band and method family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hpcbudget.report.figures.panels import (
    draw_family,
    draw_zero,
    families_legend,
    new_figure,
    say_empty,
    styled,
)
from hpcbudget.report.places import BANDS, find_region
from hpcbudget.report.style import SIGN, UNIT, component_label, family_rank

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INITIALS: Final = tuple("JFMAMJJASOND")


@styled
def seasons_figure(
    cycles: pd.DataFrame,
    *,
    bands: Mapping[str, str] = BANDS,
    components: Sequence[str] = ("ocean", "land"),
) -> Figure:
    """Draw the mean flux of each calendar month, one line and band a family.

    Parameters
    ----------
    cycles : pandas.DataFrame
        family, component, region, month, n, mean, sd [Pg C/yr, + to the atmosphere], from
        `hpcbudget.report.model_years.seasonal_cycles`.
    bands : mapping of str to str
        Region name to column title.
    components : sequence of str
        Rows.

    Returns
    -------
    matplotlib.figure.Figure
        180 mm wide; the panels of a row share their scale.
    """
    figure = new_figure(height_inches=1.75 * len(components) + 0.5)
    grid = figure.subplots(len(components), len(bands), squeeze=False, sharex=True, sharey="row")
    regions = list(dict.fromkeys(cycles["region"].astype(str)))
    drawn: dict[str, int] = {}
    for row, component in zip(grid, components, strict=True):
        for axes, name in zip(row, bands, strict=True):
            here = cycles[
                (cycles["component"] == component)
                & (cycles["region"] == find_region(regions, name))
            ]
            if here.empty:
                say_empty(axes, "no monthly data\nfor the whole period")
            for family in sorted(here["family"].astype(str).unique(), key=family_rank):
                own = here[here["family"] == family].sort_values("month")
                month, mean, sd = (
                    own[c].to_numpy(dtype=np.float64) for c in ("month", "mean", "sd")
                )
                draw_family(axes, family, month, mean, mean - sd, mean + sd)
                drawn[family] = max(drawn.get(family, 0), int(own["n"].max()))
            draw_zero(axes)
            axes.set_xlim(0.6, 12.4)
            axes.set_xticks(range(1, 13), INITIALS)
        row[0].set_ylabel(f"{component_label(component)}\n{UNIT}, {SIGN}")
    for axes, title in zip(grid[0], bands.values(), strict=True):
        axes.set_title(title, fontweight="bold")
    figure.align_ylabels(grid[:, 0])
    families_legend(figure, drawn, "mean ± 1 SD of models")
    return figure
