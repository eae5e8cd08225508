"""Dipole matrix: how the members of a family trade one region's flux for another's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle

from hpcbudget.report.figures.panels import (
    LONGEST_INCHES,
    NAME_POINTS,
    new_figure,
    say_empty,
    shortened,
    styled,
    text_inches,
)
from hpcbudget.report.places import plain_name
from hpcbudget.report.style import INK, WIDTH_INCHES, component_label, family_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

TURNED: Final = 50.0
"""Degrees by which names below a matrix are turned."""

BAR_INCHES: Final = 0.85
"""Room of the colour scale."""


@styled
def dipole_figure(
    dipoles: pd.DataFrame,
    period: str,
    regions: Sequence[str],
    *,
    component: str = "land",
    families: Sequence[str] = ("inversion", "land_process"),
    significance: float = 0.05,
) -> Figure:
    """Draw across-member correlations of region pairs, one lower triangle a family.

    Parameters
    ----------
    dipoles : pandas.DataFrame
        The table of that name.
    period : str
        Which of its periods.
    regions : sequence of str
        Region ids of one set, in the order of the axes.
    component : str
        Usually ``land``.
    families : sequence of str
        One panel each.
    significance : float
        A pair whose p-value is smaller is outlined.

    Returns
    -------
    matplotlib.figure.Figure
        -1 (blue: a pure dipole) to +1 (red: both move together).
    """
    chosen = dipoles[(dipoles["period"] == period) & (dipoles["component"] == component)]
    inside = chosen["region_a"].isin(regions) & chosen["region_b"].isin(regions)
    chosen = chosen[inside]
    names = [shortened(plain_name(region), LONGEST_INCHES) for region in regions]
    figure, panels, cell_inches = _panels(max(len(families), 1), names)
    image: AxesImage | None = None
    for axes, family in zip(panels, families, strict=True):
        own = chosen[chosen["family"] == family]
        label = family_style(family).label
        counts = own["n"].dropna()
        if own["correlation"].notna().any():
            axes.set_title(f"{label}\nn = {_span(counts)}", loc="left")
            image = _draw_matrix(axes, own, regions, significance, cell_inches)
            _name(axes, names)
        else:
            axes.set_title(label, loc="left")
            say_empty(axes, f"fewer than three members\nfor “{component}” in {period}")
            axes.set_xticks([])
            axes.set_aspect("equal")
    if image is not None:
        bar = figure.colorbar(image, ax=list(panels), shrink=0.7, aspect=25, pad=0.02)
        bar.set_label("Correlation across members")
        figure.supxlabel(
            f"{component_label(component)} flux, {period}; outlined: p < {significance:g}",
            fontsize=7,
        )
        bar.outline.set_visible(False)
    return figure


def _panels(families: int, names: Sequence[str]) -> tuple[Figure, list[Axes], float]:
    """Put matrices beside each other, or below where their cells would become too small."""
    beside = max(map(text_inches, names), default=0.0) + 0.2
    below = beside * np.sin(np.radians(TURNED)) + 0.2
    cells = max(len(names) - 1, 1)
    for columns in (families, 1):
        room = (WIDTH_INCHES - BAR_INCHES) / columns - beside
        cell = min(0.42, room / cells)
        if cell >= 0.2:
            break
    rows = families // columns
    title = 0.45
    figure = new_figure(
        height_inches=max(rows * (cell * cells + below + title), 1.9) + 0.25,
        width_inches=min(WIDTH_INCHES, columns * max(cell * cells + beside, 1.9) + BAR_INCHES),
    )
    return figure, list(figure.subplots(rows, columns, squeeze=False).ravel()), cell


def _span(counts: pd.Series[int]) -> str:
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low}–{high}"


def _draw_matrix(
    axes: Axes,
    own: pd.DataFrame,
    regions: Sequence[str],
    significance: float,
    cell_inches: float,
) -> AxesImage:
    index = {region: i for i, region in enumerate(regions)}
    matrix = np.full((len(regions), len(regions)), np.nan)
    columns = (own[name].tolist() for name in ("region_a", "region_b", "correlation", "p_value"))
    for first, second, correlation, p_value in zip(*columns, strict=True):
        if first not in index or second not in index:
            continue
        i, j = sorted((index[first], index[second]), reverse=True)
        matrix[i, j] = correlation
        if p_value < significance:
            axes.add_patch(
                Rectangle((j - 0.44, i - 0.44), 0.88, 0.88, fill=False, edgecolor=INK, linewidth=1)
            )
    image = axes.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
    points = next((size for size in (6.0, 4.5) if 3.1 * size / 72 <= cell_inches), 0.0)
    for (i, j), value in np.ndenumerate(matrix):
        if points and np.isfinite(value):
            # the cells keep their colours in the dark, so their numbers keep theirs as well
            dark = abs(value) > 0.62
            axes.text(
                j, i, f"{value:+.1f}".replace("-", "−"), ha="center", va="center",
                fontsize=points, color="#fefefe" if dark else "#101010",
            )  # fmt: skip
    axes.set_xlim(-0.5, len(regions) - 1.5)
    axes.set_ylim(len(regions) - 0.5, 0.5)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_facecolor("none")
    return image


def _name(axes: Axes, names: Sequence[str]) -> None:
    """Write the regions on both sides of the triangle."""
    axes.set_xticks(range(len(names) - 1), names[:-1], rotation=TURNED, ha="right",
                    rotation_mode="anchor", fontsize=NAME_POINTS)  # fmt: skip
    axes.set_yticks(range(1, len(names)), names[1:], fontsize=NAME_POINTS)
