"""Maps of top-down minus bottom-up: where the two differ, and by how much of their spread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from hpcbudget.report.figures.maps import (
    KG_PER_SECOND_TO_G_PER_YEAR,
    cell_edges,
    coarse,
    draw_frame,
    equal_earth,
)
from hpcbudget.report.figures.panels import new_figure, styled
from hpcbudget.report.style import INK, component_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Float = npt.NDArray[np.float64]

DOTS_DEG: Final = 5.0
"""Distance of the dots of the stippling."""

MOST_SPREADS: Final = 3.0
"""End of the scale of the right column."""


@styled
def gap_maps_figure(maps: xr.Dataset, period: str, *, components: Sequence[str]) -> Figure:
    """Draw the gap of each component, dotted where both agree, and the gap over their spread.

    Parameters
    ----------
    maps : xarray.Dataset
        ``gap``, ``gap_sd`` [kg m-2 s-1], ``gap_agrees`` with the dimensions component, period,
        season, lat, lon, and the bounds of lat and lon.
    period : str
        Which of its periods; the annual mean is drawn.
    components : sequence of str
        One row each.

    Returns
    -------
    matplotlib.figure.Figure
        180 mm wide; Equal Earth projection.
    """
    chosen = maps.sel(period=period, season="annual")
    figure = new_figure(height_inches=1.95 * len(components) + 0.85)
    grid = figure.subplots(len(components), 2, squeeze=False)
    longitude, latitude = cell_edges(maps)
    x, y = equal_earth(longitude[None, :], latitude[:, None])
    rows = [
        _fields(chosen.sel(component=component), longitude, latitude) for component in components
    ]
    known = np.abs(np.concatenate([gap[np.isfinite(gap) & (gap != 0)] for gap, _, _ in rows]))
    high = float(np.quantile(known, 0.98)) if known.size else 1.0
    for (left, right), component, (gap, spreads, agree) in zip(grid, components, rows, strict=True):
        first = left.pcolormesh(
            x, y, np.ma.masked_invalid(gap), cmap="PuOr_r", vmin=-high, vmax=high,
            rasterized=True, shading="flat",
        )  # fmt: skip
        second = right.pcolormesh(
            x, y, np.ma.masked_invalid(spreads), cmap="PuOr_r", vmin=-MOST_SPREADS,
            vmax=MOST_SPREADS, rasterized=True, shading="flat",
        )  # fmt: skip
        _stipple(left, agree, longitude, latitude)
        for axes in (left, right):
            draw_frame(axes)
        left.text(-0.03, 0.5, component_label(component), transform=left.transAxes,
                  rotation=90, ha="right", va="center")  # fmt: skip
    grid[0, 0].set_title("Top-down minus bottom-up; dots: they agree", fontweight="bold")
    grid[0, 1].set_title("... over their combined SD", fontweight="bold")
    for image, column, label in (
        (first, 0, "g C m$^{-2}$ yr$^{-1}$, + to atmosphere"),
        (second, 1, "SDs"),
    ):
        bar = figure.colorbar(
            image, ax=list(grid[:, column]), orientation="horizontal", shrink=0.75, aspect=32,
            pad=0.03, extend="both",
        )  # fmt: skip
        bar.set_label(label)
        bar.outline.set_visible(False)
    figure.suptitle(f"Inversions minus surface models, {period}", x=0.01, ha="left", fontsize=8)
    return figure


def with_gaps(maps: xr.Dataset, period: str) -> tuple[str, ...]:
    """Return the components that have a gap somewhere in a period."""
    if "gap" not in maps or not {"lat", "lon"} <= set(maps["gap"].dims):
        return ()
    known = maps["gap_agrees"].sel(period=period, season="annual").max(dim=("lat", "lon"))
    return tuple(str(c) for c in maps["component"].values if int(known.sel(component=c)) >= 0)


def _fields(chosen: xr.Dataset, longitude: Float, latitude: Float) -> tuple[Float, Float, Float]:
    """Return gap [g m-2 yr-1], gap over its SD, and the share of agreeing cells."""
    shape = len(latitude) - 1, len(longitude) - 1
    gap, sd, agrees = (
        chosen[name].transpose("lat", "lon").values.astype(np.float64)
        for name in ("gap", "gap_sd", "gap_agrees")
    )
    agrees[agrees < 0] = np.nan
    spreads = np.divide(gap, sd, out=np.full_like(gap, np.nan), where=sd > 0)
    return (
        coarse(gap * KG_PER_SECOND_TO_G_PER_YEAR, *shape),
        coarse(spreads, *shape),
        coarse(np.where(gap == 0, np.nan, agrees), *shape),
    )


def _stipple(axes: Axes, agree: Float, longitude: Float, latitude: Float) -> None:
    """Put dots at equal distances where most cells agree."""
    lat = np.arange(-90 + DOTS_DEG / 2, 90, DOTS_DEG)
    for row, centre in enumerate(lat):
        step = DOTS_DEG / max(np.cos(np.radians(centre)), 0.1)
        lon = np.arange(-180 + step / 2 * (1 + row % 2) % 360, 180, step)
        at_lat = int(np.clip(np.searchsorted(latitude, centre) - 1, 0, agree.shape[0] - 1))
        within = longitude[0] + (lon - longitude[0]) % 360.0
        at_lon = np.clip(np.searchsorted(longitude, within) - 1, 0, agree.shape[1] - 1)
        dotted = agree[at_lat, at_lon] > 0.5
        x, y = equal_earth(lon[dotted], np.full(dotted.sum(), centre))
        axes.plot(x, y, ".", color=INK, markersize=1.1, markeredgewidth=0, zorder=3)
