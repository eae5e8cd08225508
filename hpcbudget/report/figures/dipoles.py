"""Dipole matrix: how the members of a family trade one region's flux for another's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle

from hpcbudget.report.places import plain_name
from hpcbudget.report.style import (
    INK,
    WIDTH_INCHES,
    component_label,
    family_style,
    new_figure,
    say_empty,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage


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
    matrix_inches = min(0.42 * len(regions), WIDTH_INCHES / 2 - 1.3)
    figure = new_figure(
        height_inches=max(matrix_inches + 0.9, 2.3),
        width_inches=min(WIDTH_INCHES, len(families) * (matrix_inches + 1.1) + 0.5),
    )
    panels = figure.subplots(1, max(len(families), 1), squeeze=False)[0]
    image: AxesImage | None = None
    for axes, family in zip(panels, families, strict=True):
        own = chosen[chosen["family"] == family]
        label = family_style(family).label
        counts = own["n"].dropna()
        if own["correlation"].notna().any():
            axes.set_title(f"{label}, n = {_span(counts)}", loc="left")
            image = _draw_matrix(axes, own, regions, significance)
        else:
            axes.set_title(label, loc="left")
            say_empty(axes, f"fewer than three members\nfor “{component}” in {period}")
            axes.set_xticks([])
    if image is not None:
        bar = figure.colorbar(image, ax=list(panels), shrink=0.7, aspect=25, pad=0.02)
        bar.set_label("Correlation across members")
        figure.supxlabel(
            f"{component_label(component)} flux, {period}; outlined: p < {significance:g}",
            fontsize=7,
        )
        bar.outline.set_visible(False)
    return figure


def _span(counts: pd.Series[int]) -> str:
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low}–{high}"


def _draw_matrix(
    axes: Axes, own: pd.DataFrame, regions: Sequence[str], significance: float
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
    small = len(regions) > 10
    for (i, j), value in np.ndenumerate(matrix):
        if np.isfinite(value):
            # the cells keep their colours in the dark, so their numbers keep theirs as well
            dark = abs(value) > 0.62
            axes.text(
                j, i, f"{value:+.1f}".replace("-", "−"), ha="center", va="center",
                fontsize=4.5 if small else 6, color="#fefefe" if dark else "#101010",
            )  # fmt: skip
    names = [plain_name(region) for region in regions]
    axes.set_xticks(range(len(regions) - 1), names[:-1], rotation=40, ha="right",
                    rotation_mode="anchor")  # fmt: skip
    axes.set_yticks(range(1, len(regions)), names[1:])
    axes.set_xlim(-0.5, len(regions) - 1.5)
    axes.set_ylim(len(regions) - 0.5, 0.5)
    axes.grid(visible=False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_facecolor("none")
    return image
