"""A picture of a region set, and its areas as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hpcbudget.space.grid import EARTH_RADIUS_M, Grid
from hpcbudget.space.regions import RegionSet
from hpcbudget.space.shipped import coastline
from hpcbudget.space.zones import Zones

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def region_areas(
    region_set: RegionSet, grid: Grid | None = None, radius_m: float = EARTH_RADIUS_M
) -> dict[str, float]:
    """Return the area in m2 of each region and of the unassigned rest, by region id.

    Parameters
    ----------
    region_set : RegionSet
        The regions.
    grid : Grid, optional
        Measured on its cells. Default: one degree; outlines are measured exactly on any.
    radius_m : float
        Radius of the sphere.

    Examples
    --------
    >>> from hpcbudget.space.regions import load_region_set
    >>> areas = region_areas(load_region_set("gcb_bands"))
    >>> round(areas["North"] / areas["Globe"], 12)
    0.25
    """
    grid = Grid.regular(1.0) if grid is None else grid
    zones = Zones.build(grid, [region_set])
    by_zone = np.bincount(
        zones.labels[zones.labels >= 0],
        weights=grid.area_m2(radius_m)[zones.labels >= 0],
        minlength=zones.n_zones,
    )
    return dict(zip(zones.regions, (by_zone @ zones.membership()).tolist(), strict=True))


def draw_regions(region_set: RegionSet, degrees: float = 0.25) -> Figure:
    """Draw the regions on a map of longitude and latitude, with their names.

    Parameters
    ----------
    region_set : RegionSet
        The regions.
    degrees : float
        Size of the cells that are coloured by the region that holds their centre.
    """
    from matplotlib.colors import BoundaryNorm, ListedColormap
    from matplotlib.figure import Figure
    from matplotlib.patheffects import withStroke

    grid = Grid.regular(degrees)
    members = region_set.geometry.members(grid).reshape(grid.shape)
    count = len(region_set.regions)
    colours = _colours(count)
    figure = Figure(figsize=(9.0, 4.9), layout="constrained")
    axes = figure.add_subplot()
    shown = np.ma.masked_less(members, 0)
    axes.imshow(
        shown,
        origin="lower",
        extent=(-180, 180, -90, 90),
        cmap=ListedColormap(colours),
        norm=BoundaryNorm(np.arange(count + 1) - 0.5, max(count, 1)),
        interpolation="nearest",
    )
    for line in coastline():
        axes.plot(line[:, 0], line[:, 1], color="0.25", linewidth=0.4)
    if count <= 30:
        lat, lon = grid.centres()
        weight = np.cos(np.radians(lat))
        for number, name in enumerate(region_set.regions):
            inside = np.flatnonzero(members.ravel() == number)
            if len(inside):
                x, y = _middle(lon[inside], lat[inside], weight[inside])
                name_of = axes.text(x, y, name, ha="center", va="center", fontsize=8)
                name_of.set_path_effects([withStroke(linewidth=2.0, foreground=(1, 1, 1, 0.6))])
    axes.set(xlim=(-180, 180), ylim=(-90, 90), xlabel="longitude", ylabel="latitude")
    axes.set_xticks(range(-180, 181, 60))
    axes.set_yticks(range(-90, 91, 30))
    axes.set_title(f"{region_set.name}: {region_set.source}", fontsize=10, loc="left")
    return figure


def _colours(count: int) -> np.ndarray:
    """Pale colours that differ from one region to the next."""
    from matplotlib import colormaps

    order = np.arange(20).reshape(10, 2).T.ravel()  # dark ones first, then their pale twins
    hues = colormaps["tab20"](order[np.arange(max(count, 1)) % 20])
    mixed: np.ndarray = 0.55 * hues + 0.45
    return mixed


def _middle(lon: np.ndarray, lat: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Return the cell nearest to the mean direction of cells (n,): a name lies on its region."""
    x, y = np.radians(lon), np.radians(lat)
    p = np.stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)])
    mean = (p * weight).sum(axis=1)
    if np.linalg.norm(mean[:2]) < 0.05 * weight.sum():  # all the way round
        return 0.0, float(np.average(lat, weights=weight))
    nearest = int((mean @ p).argmax())
    return float(lon[nearest]), float(lat[nearest])
