"""Top-down against bottom-up, one point a region."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from hpcbudget.report.figures.panels import (
    lay_out,
    new_figure,
    say_empty,
    shortened,
    styled,
    text_inches,
)
from hpcbudget.report.figures.regions import BOTTOM_UP
from hpcbudget.report.places import agreement, plain_name
from hpcbudget.report.style import (
    INK,
    MUTED,
    SIGN,
    UNIT,
    component_label,
    family_style,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


Float = npt.NDArray[np.float64]
Shift = tuple[float, float]

NAME_POINTS: Final = 6.5
LONGEST_INCHES: Final = 1.1
"""Of the name of a point."""

_PLACES = tuple(
    (side * across, float(up))
    for up, across in ((5, 5), (-5, 5), (13, 4), (-13, 4), (21, 3), (-21, 3), (29, 3), (-29, 3))
    for side in (1.0, -1.0)
)


@styled
def scatter_figure(
    reconciliation: pd.DataFrame,
    period: str,
    regions: Sequence[str],
    *,
    components: Sequence[str] = ("land", "ocean"),
) -> Figure:
    """Draw regional means of both methods against each other with their spreads.

    Parameters
    ----------
    reconciliation : pandas.DataFrame
        The table of that name [Pg C/yr, + to the atmosphere].
    period : str
        Which of its periods.
    regions : sequence of str
        Regions that get a point.
    components : sequence of str
        One panel each.

    Returns
    -------
    matplotlib.figure.Figure
        Filled points agree within their spread, open ones do not, of grey ones it cannot be said;
        on the line both are equal.
    """
    figure = new_figure(height_inches=3.4)
    panels = figure.subplots(1, len(components), squeeze=False)[0]
    chosen = reconciliation[
        (reconciliation["period"] == period) & reconciliation["region"].isin(list(regions))
    ]
    drawn: list[tuple[Axes, pd.DataFrame]] = []
    for axes, component in zip(panels, components, strict=True):
        rows = chosen[chosen["component"] == component]
        rows = rows[rows[["top_down_mean", "bottom_up_mean"]].notna().all(axis=1)]
        axes.set_title(f"{component_label(component)}, {period}", fontweight="bold")
        if rows.empty:
            say_empty(axes, f"no region has both methods\nfor “{component}”")
            continue
        bottom_up = family_style(BOTTOM_UP.get(component, component))
        _draw(axes, rows, bottom_up.colour)
        axes.set_xlabel(f"Bottom-up: {bottom_up.label}\n{UNIT}, {SIGN}")
        axes.set_ylabel(f"Top-down: inversions\n{UNIT}, {SIGN}")
        drawn.append((axes, rows))
    lay_out(figure)
    for axes, rows in drawn:
        _name(figure, axes, rows)
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, colour: str) -> None:
    x, y, x_sd, y_sd = (
        rows[name].to_numpy(dtype=np.float64)
        for name in ("bottom_up_mean", "top_down_mean", "bottom_up_sd", "top_down_sd")
    )
    x_sd, y_sd = np.nan_to_num(x_sd), np.nan_to_num(y_sd)
    axes.errorbar(x, y, xerr=x_sd, yerr=y_sd, fmt="none", ecolor=MUTED, elinewidth=0.7, zorder=2)
    agree, known = (judged.to_numpy() for judged in agreement(rows))
    for chosen, face, edge in (
        (~known, "none", MUTED),
        (agree, colour, colour),
        (known & ~agree, "none", colour),
    ):
        axes.scatter(
            x[chosen], y[chosen], s=26, marker="o", facecolors=face, edgecolors=edge,
            linewidths=1.1, zorder=3,
        )  # fmt: skip
    low = min((x - x_sd).min(), (y - y_sd).min())
    high = max((x + x_sd).max(), (y + y_sd).max())
    margin = 0.08 * (high - low) if high > low else 1.0
    limits = (low - margin, high + margin)
    axes.plot(limits, limits, color=MUTED, linewidth=0.7, zorder=1)
    axes.set_xlim(limits)
    axes.set_ylim(limits)
    axes.set_aspect("equal")
    axes.grid(visible=True, axis="both")


def _name(figure: Figure, axes: Axes, rows: pd.DataFrame) -> None:
    """Name points where a free place is left for it, those that disagree first."""
    rows = rows.sort_values("agree", key=lambda agree: agree.map(str), kind="stable")
    names = [shortened(plain_name(r), LONGEST_INCHES) for r in rows["region"].astype(str)]
    at = rows[["bottom_up_mean", "top_down_mean"]].to_numpy(dtype=np.float64)
    axes.apply_aspect()
    points = (axes.transData.transform(at) - np.array(axes.bbox.min)) * 72 / figure.dpi
    corner = np.array(axes.bbox.size) * 72 / figure.dpi
    for name, (x, y), shift in zip(names, at, _shifts(names, points, corner), strict=True):
        if shift is not None:
            axes.annotate(name, (x, y), xytext=shift, textcoords="offset points", color=INK,
                          fontsize=NAME_POINTS, va="center",
                          ha="left" if shift[0] > 0 else "right")  # fmt: skip


def _shifts(names: Sequence[str], points: Float, corner: Float) -> list[Shift | None]:
    """Choose for each name the nearest free place around its point (distances in points)."""
    taken: list[tuple[float, float, float, float]] = [
        (x - 3, y - 3, x + 3, y + 3) for x, y in points
    ]
    shifts: list[Shift | None] = []
    for name, (x, y) in zip(names, points, strict=True):
        width, height = 72 * text_inches(name, NAME_POINTS) + 1, 8.0
        for dx, dy in _PLACES:
            left = x + dx if dx > 0 else x + dx - width
            box = (left, y + dy - height / 2, left + width, y + dy + height / 2)
            within = box[0] > 0 and box[1] > 0 and box[2] < corner[0] and box[3] < corner[1]
            if within and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                shifts.append((dx, dy))
                break
        else:
            shifts.append(None)
    return shifts


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
