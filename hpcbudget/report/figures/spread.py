"""Taylor-like summary: how strongly and how much in step the models vary from year to year."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from hpcbudget.report.figures.panels import legend_below, new_figure, say_empty, styled
from hpcbudget.report.style import (
    INK,
    MUTED,
    UNIT,
    component_label,
    family_rank,
    family_style,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.projections.polar import PolarAxes

_TICKS = (-0.9, -0.6, -0.3, 0.0, 0.3, 0.6, 0.8, 0.9, 0.95, 0.99)


@styled
def spread_figure(agreement: pd.DataFrame, *, components: Sequence[str]) -> Figure:
    """Draw one point a model: distance is its standard deviation, angle its correlation.

    The distance from the origin is the standard deviation of the model's annual fluxes, the angle
    the correlation with the mean of all other models of the component over the same years
    (Taylor 2001, doi:10.1029/2000JD900719).  The ring is the mean standard deviation of those
    references.

    Parameters
    ----------
    agreement : pandas.DataFrame
        family, component, model, years, sd, sd_others, correlation, from
        `hpcbudget.report.model_years.agreement_in_time`.
    components : sequence of str
        One panel each.

    Returns
    -------
    matplotlib.figure.Figure
        Quarter circles where no correlation is negative, half circles otherwise.
    """
    figure = new_figure(height_inches=3.3)
    panels = figure.subplots(
        1, max(len(components), 1), squeeze=False, subplot_kw={"projection": "polar"}
    )[0]
    shown: dict[str, int] = {}
    for axes, component in zip(panels, components, strict=True):
        own = agreement[agreement["component"] == component]
        axes.set_title(f"{component_label(component)}, globe", fontweight="bold", pad=12)
        if own.empty:
            say_empty(axes, f"fewer than two models\nof “{component}”")
            axes.set_xticks([])
            continue
        _frame(axes, own)
        for family in sorted(own["family"].astype(str).unique(), key=family_rank):
            group = own[own["family"] == family]
            style = family_style(family)
            axes.scatter(
                np.arccos(group["correlation"]), group["sd"], s=24, marker=style.marker,
                color=style.colour, edgecolors="none", zorder=4, clip_on=False,
            )  # fmt: skip
            shown[family] = max(shown.get(family, 0), len(group))
    _legend(figure, shown)
    return figure


def _frame(axes: PolarAxes, own: pd.DataFrame) -> None:
    lowest = float(own["correlation"].min())
    span = np.pi if lowest < 0 else np.pi / 2
    axes.set_thetamin(0)
    axes.set_thetamax(float(np.degrees(span)))
    ticks = [r for r in _TICKS if np.arccos(r) <= span + 1e-9]
    axes.set_xticks(np.arccos(ticks), [f"{r:g}".replace("-", "−") for r in ticks])
    reference = float(own["sd_others"].mean())
    axes.set_ylim(0, 1.12 * max(float(own["sd"].max()), reference))
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]))
    axes.grid(visible=True, axis="both")
    theta = np.linspace(0, span, 200)
    axes.plot(theta, np.full(theta.size, reference), color=INK, linewidth=0.8, linestyle=":")
    axes.plot([0], [reference], marker="*", color=INK, markersize=8, clip_on=False, zorder=5)
    axes.text(
        span / 2, axes.get_ylim()[1] * 1.22, "correlation", color=MUTED,
        rotation=np.degrees(span / 2) - 90, ha="center", va="center", fontsize=6.5,
    )  # fmt: skip
    below = -0.15 if span < np.pi else 0.12
    axes.text(0.5, below, f"SD of annual flux, {UNIT}", transform=axes.transAxes,
              ha="center", va="top")  # fmt: skip
    axes.spines["polar"].set_color(MUTED)


def _legend(figure: Figure, shown: dict[str, int]) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=style.colour, marker=style.marker, linestyle="none",
               label=f"{style.label} ({shown[family]})")
        for family in sorted(shown, key=family_rank)
        for style in (family_style(family),)
    ]  # fmt: skip
    star = Line2D(
        [], [], color=INK, marker="*", linestyle=":", markersize=8, label="mean of the other models"
    )
    legend_below(figure, [*handles, star])
