"""Maps of an ensemble: mean, spread, and how many models share the sign."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import xarray as xr

from hpcbudget.report.figures.panels import new_figure, styled
from hpcbudget.report.style import MUTED, RULE, component_label, family_style
from hpcbudget.space.shipped import coastline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Float = npt.NDArray[np.float64]

KG_PER_SECOND_TO_G_PER_YEAR: Final = 1e3 * 365.2425 * 86400
"""kg m-2 s-1 to g m-2 yr-1 of a mean Gregorian year."""

MOST_COLUMNS: Final = 720
"""Finer maps are averaged to at most this many columns: paper shows no more."""


class Layer(NamedTuple):
    """One column of the figure: which variable, and how it is coloured."""

    variable: str
    title: str
    unit: str
    scale: float
    colours: str
    centred: bool
    limit: float | None


LAYERS: Final = (
    Layer("mean", "Mean", "g C m$^{-2}$ yr$^{-1}$, + to atmosphere",
          KG_PER_SECOND_TO_G_PER_YEAR, "RdBu_r", True, None),
    Layer("sd", "SD of models", "g C m$^{-2}$ yr$^{-1}$",
          KG_PER_SECOND_TO_G_PER_YEAR, "YlOrBr", False, None),
    Layer("agreement", "Models of one sign", "share", 1.0, "BuGn", False, 1.0),
)  # fmt: skip


@styled
def maps_figure(
    maps: xr.Dataset, period: str, *, component: str, families: Sequence[str]
) -> Figure:
    """Draw mean, SD and sign agreement of each family on an equal-area map.

    Parameters
    ----------
    maps : xarray.Dataset
        ``mean``, ``sd`` [kg m-2 s-1], ``agreement`` with the dimensions family, component, period,
        season, lat, lon, and the bounds of lat and lon.
    period : str
        Which of its periods; the annual mean is drawn.
    component : str
        Which of its components.
    families : sequence of str
        One row each.

    Returns
    -------
    matplotlib.figure.Figure
        180 mm wide; Equal Earth projection (Savric et al. 2018, doi:10.1080/13658816.2018.1504949).
    """
    chosen = maps.sel(component=component, period=period, season="annual")
    figure = new_figure(height_inches=1.35 * len(families) + 0.85)
    grid = figure.subplots(len(families), len(LAYERS), squeeze=False)
    longitude, latitude = cell_edges(maps)
    x, y = equal_earth(longitude[None, :], latitude[:, None])
    for column, layer in enumerate(LAYERS):
        panels = [
            coarse(_field(chosen, layer, family), len(latitude) - 1, len(longitude) - 1)
            for family in families
        ]
        low, high = _limits(panels, layer)
        image = None
        for axes, family, values in zip(grid[:, column], families, panels, strict=True):
            image = axes.pcolormesh(
                x, y, np.ma.masked_invalid(values), cmap=layer.colours, vmin=low, vmax=high,
                rasterized=True, shading="flat",
            )  # fmt: skip
            draw_frame(axes)
            if column == 0:
                axes.text(-0.03, 0.5, family_style(family).label, transform=axes.transAxes,
                          rotation=90, ha="right", va="center")  # fmt: skip
        grid[0, column].set_title(layer.title, fontweight="bold")
        if image is not None:
            open_end = "both" if layer.centred else "max"
            bar = figure.colorbar(
                image, ax=list(grid[:, column]), orientation="horizontal", shrink=0.85, aspect=28,
                pad=0.03, extend="neither" if layer.limit is not None else open_end,
            )  # fmt: skip
            bar.set_label(layer.unit)
            bar.outline.set_visible(False)
    figure.suptitle(f"{component_label(component)}, {period}", x=0.01, ha="left", fontsize=8)
    return figure


def drawable(maps: xr.Dataset, period: str) -> dict[str, tuple[str, ...]]:
    """Return the components that can be drawn, with their families.

    Parameters
    ----------
    maps : xarray.Dataset
        As for `maps_figure`.
    period : str
        Wanted period; nothing is returned if the maps do not have it, or lack annual means, or
        lie on a grid without rows and columns.
    """
    known = {"lat_bnds", "lon_bnds", "mean", "agreement"} <= set(maps.variables)
    if not known or not {"lat", "lon"} <= set(maps["mean"].dims):
        return {}
    if period not in maps["period"].values or "annual" not in maps["season"].values:
        return {}
    count = maps["n"].sel(period=period, season="annual").max(dim=("lat", "lon"))
    found = {
        str(component): tuple(
            str(family)
            for family in maps["family"].values
            if int(count.sel(family=family, component=component)) > 0
        )
        for component in maps["component"].values
    }
    return {component: families for component, families in found.items() if families}


def equal_earth(longitude_deg: Float, latitude_deg: Float) -> tuple[Float, Float]:
    """Project to the Equal Earth map (unit sphere).

    Parameters
    ----------
    longitude_deg, latitude_deg : ndarray
        Broadcast against each other.

    Examples
    --------
    >>> x, y = equal_earth(np.array([180.0]), np.array([0.0]))
    >>> x.round(4).tolist(), y.tolist()
    ([2.7066], [0.0])
    """
    a1, a2, a3, a4 = 1.340264, -0.081106, 0.000893, 0.003796
    theta = np.arcsin(np.sqrt(3) / 2 * np.sin(np.radians(latitude_deg)))
    square = theta**2
    slope = a1 + 3 * a2 * square + square**3 * (7 * a3 + 9 * a4 * square)
    x = 2 * np.sqrt(3) / 3 * np.radians(longitude_deg) * np.cos(theta) / slope
    y = theta * (a1 + a2 * square + square**3 * (a3 + a4 * square))
    return np.broadcast_arrays(x, y)  # type: ignore[return-value]


def cell_edges(maps: xr.Dataset) -> tuple[Float, Float]:
    """Edges of the drawn rows and columns, those of the coarse map where the grid is finer."""
    edges = []
    for name in ("lon", "lat"):
        bounds = maps[f"{name}_bnds"].values.astype(np.float64)
        line = np.append(bounds[:, 0], bounds[-1, 1])
        if line[0] > line[-1]:
            line = np.append(bounds[:, 1], bounds[-1, 0])
        edges.append(line)
    longitude, latitude = edges
    step = -(-(len(longitude) - 1) // MOST_COLUMNS)
    return _thinned(longitude, step), _thinned(latitude, step)


def _thinned(edges: Float, step: int) -> Float:
    kept = edges[::step]
    return kept if kept[-1] == edges[-1] else np.append(kept, edges[-1])


def _field(chosen: xr.Dataset, layer: Layer, family: str) -> Float:
    field = chosen[layer.variable].sel(family=family).transpose("lat", "lon")
    return field.values.astype(np.float64) * layer.scale


def coarse(values: Float, rows: int, columns: int) -> Float:
    """Average blocks of cells; a block without any value stays empty."""
    if values.shape == (rows, columns):
        return values
    step = -(-values.shape[1] // columns)
    at = [np.arange(0, n, step) for n in values.shape]
    known = np.isfinite(values)
    total, count = (
        np.add.reduceat(np.add.reduceat(part, at[0], axis=0), at[1], axis=1)
        for part in (np.where(known, values, 0.0), known.astype(np.float64))
    )
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _limits(panels: Sequence[Float], layer: Layer) -> tuple[float, float]:
    """One scale for all families, cut at the 98th percentile of what is not zero."""
    if layer.limit is not None:
        return 0.0, layer.limit
    values = np.abs(np.concatenate([p[np.isfinite(p) & (p != 0)] for p in panels]))
    high = float(np.quantile(values, 0.98)) if values.size else 1.0
    return (-high, high) if layer.centred else (0.0, high)


def draw_frame(axes: Axes) -> None:
    """Draw coasts and the rim of the map."""
    for line in coastline():
        x, y = equal_earth(line[:, 0], line[:, 1])
        axes.plot(x, y, color=MUTED, linewidth=0.35, zorder=3, rasterized=True)
    edge = np.linspace(-90, 90, 181)
    for side in (-180.0, 180.0):
        x, y = equal_earth(np.full(edge.size, side), edge)
        axes.plot(x, y, color=RULE, linewidth=0.6, zorder=2)
    axes.set_aspect("equal")
    axes.axis("off")
