"""Regional bars: top-down beside bottom-up, their spread, and whether they agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hpcbudget.report.figures.panels import (
    Names,
    draw_zero,
    fit_names,
    legend_below,
    new_figure,
    say_empty,
    styled,
)
from hpcbudget.report.places import agreement, plain_name
from hpcbudget.report.style import (
    INK,
    SIGN,
    UNIT,
    WIDTH_INCHES,
    component_label,
    family_style,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BOTTOM_UP: Final[dict[str, str]] = {
    "land": "land_process",
    "ocean": "ocean_process",
    "total": "process",
}
"""Family whose colour the bottom-up bar of a component takes."""

SCALE_INCHES: Final = 0.7
"""Room of the vertical scale and its label, about; only how names are broken depends on it."""


@styled
def regional_bars_figure(
    reconciliation: pd.DataFrame,
    period: str,
    groups: Mapping[str, Sequence[str]],
    *,
    component: str = "land",
) -> Figure:
    """Draw mean and spread of both methods for every region of every region set.

    Parameters
    ----------
    reconciliation : pandas.DataFrame
        The table of that name [Pg C/yr, + to the atmosphere].
    period : str
        Which of its periods.
    groups : mapping of str to sequence of str
        Region set to its region ids, in the order of the axis.
    component : str
        ``land``, ``ocean`` or ``total``.

    Returns
    -------
    matplotlib.figure.Figure
        One panel a region set; a filled dot below a pair means that the two agree, no dot that a
        side has no spread to judge by.
    """
    chosen = reconciliation[
        (reconciliation["period"] == period) & (reconciliation["component"] == component)
    ].set_index("region")
    shown = {name: [r for r in ids if _has_any(chosen, r)] for name, ids in groups.items()}
    shown = {name: ids for name, ids in shown.items() if ids}
    if not shown:
        figure = new_figure(height_inches=2.95)
        say_empty(figure.subplots(), f"no region has both methods for “{component}” in {period}")
        return figure
    names = {
        name: fit_names([plain_name(r) for r in ids], (WIDTH_INCHES - SCALE_INCHES) / len(ids))
        for name, ids in shown.items()
    }
    heights = [2.45 + written.inches for written in names.values()]
    figure = new_figure(height_inches=sum(heights) + 0.45)
    panels = figure.subplots(len(shown), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, (name, ids) in zip(panels, shown.items(), strict=True):
        _draw_set(axes, chosen.loc[ids], component, names[name])
        axes.set_title(f"{component_label(component)}, {period} · {name}", loc="left")
        axes.set_ylabel(f"{UNIT}, {SIGN}")
    _legend(figure, component)
    return figure


def _has_any(chosen: pd.DataFrame, region: str) -> bool:
    if region not in chosen.index:
        return False
    row = chosen.loc[region]
    return bool(np.isfinite(row["top_down_mean"]) or np.isfinite(row["bottom_up_mean"]))


def _draw_set(axes: Axes, rows: pd.DataFrame, component: str, names: Names) -> None:
    position = np.arange(len(rows), dtype=np.float64)
    sides = (
        (-0.2, "top_down", family_style("inversion").colour),
        (0.2, "bottom_up", family_style(BOTTOM_UP.get(component, component)).colour),
    )
    for shift, method, colour in sides:
        mean = rows[f"{method}_mean"].to_numpy(dtype=np.float64)
        spread = rows[f"{method}_sd"].to_numpy(dtype=np.float64)
        axes.bar(position + shift, mean, width=0.36, color=colour, alpha=0.9, zorder=2)
        axes.errorbar(
            position + shift, mean, yerr=np.nan_to_num(spread), fmt="none",
            ecolor=INK, elinewidth=0.8, capsize=2, capthick=0.8, zorder=3,
        )  # fmt: skip
    draw_zero(axes)
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.12 * (high - low), high)
    base = low - 0.06 * (high - low)
    for x, verdict, comparable in zip(position, *agreement(rows), strict=True):
        if comparable:
            axes.plot(
                x, base, marker="o", markersize=5, markeredgewidth=0.9, color=INK, clip_on=False,
                markerfacecolor=INK if verdict else "none", linestyle="none",
            )  # fmt: skip
    axes.set_xlim(-0.6, len(rows) - 0.4)
    names.put(axes, position)


def _legend(figure: Figure, component: str) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    top_down = family_style("inversion")
    bottom_up = family_style(BOTTOM_UP.get(component, component))
    dot = partial(Line2D, [], [], marker="o", linestyle="none", color=INK, markersize=5)
    handles: list[Artist] = [
        Patch(color=top_down.colour, label="Top-down: inversions, ± 1 SD"),
        Patch(color=bottom_up.colour, label=f"Bottom-up: {bottom_up.label}, ± 1 SD"),
        dot(label="agree"),
        dot(markerfacecolor="none", label="gap beyond the spread"),
    ]
    legend_below(figure, handles, most_columns=4)
