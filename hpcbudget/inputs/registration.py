"""Suspect grids whose cells cannot lie where their coordinates say."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from hpcbudget.errors import GridError
from hpcbudget.space.grid import Grid

NEAR = 1e-3
"""Share of a row by which a latitude may miss a pole that it means."""


REPEATED = 4
"""Cells that may share one place: those of a halo and a fold."""


def refuse_gaps(coordinates: Mapping[str, xr.Variable]) -> None:
    """Refuse cells without a place where corners would be inferred from their neighbours'.

    Parameters
    ----------
    coordinates : mapping of str to xarray.Variable
        What tells the grid of a field, NaN where nothing is told.

    Raises
    ------
    GridError
    """
    if any(variable.ndim == 3 for variable in coordinates.values()):
        return  # corners of their own
    for name, variable in coordinates.items():
        if variable.ndim == 2 and (gaps := int((~np.isfinite(variable.values)).sum())):
            raise GridError(
                f"{gaps} cells have no value of {name}",
                why="corners of their neighbours would be misplaced, and areas and regions wrong",
                fix="name a file with all places or corners of the model's grid,"
                " grid: {corners: {paths: FILE, variable: NAME}}",
            )


def suspect_edges(grid: Grid) -> str | None:
    """Return a warning if evenly spaced rows begin at one pole and stop a row short of the other.

    No global grid of middles does so; one whose coordinates are the lower (or upper) edges of its
    cells does. Taken for middles, such rows lie half a row off, and those at the poles have wrong
    areas.

    Parameters
    ----------
    grid : Grid
        Of the flux; only boxes without bounds of the file's own can be mistaken.

    Examples
    --------
    >>> edges = np.array([-90, *np.arange(-89.5, 90)])  # round centres at -90, -89 ... 89
    >>> suspect_edges(Grid.zonal(edges)).split(":")[0]
    'latitudes from -90 to 89 look like edges of rows, not their middles'
    >>> suspect_edges(Grid.regular(1.0))
    """
    if grid.kind not in ("rectilinear", "zonal") or grid.lat_edges_deg is None:
        return None
    south, north = grid.lat_edges_deg.min(axis=1), grid.lat_edges_deg.max(axis=1)
    heights = (north - south)[np.argsort(south)]
    step = float(np.median(heights))
    gaps = (south.min() + 90.0, 90.0 - north.max())
    for gap_here, gap_there, outermost in ((*gaps, heights[0]), (*gaps[::-1], heights[-1])):
        found = np.array([gap_here, gap_there - step / 2, outermost - step / 2])
        if heights.size > 2 and np.abs(found).max() < NEAR * step:
            break
    else:
        return None
    first = -90.0 if gaps[0] < gaps[1] else -90.0 + step
    return (
        f"latitudes from {first:g} to {first + step * (heights.size - 1):g} look like edges of"
        " rows, not their middles: bands and areas are half a row off if so; add lat_bnds to the"
        " file, or shift its latitudes (and longitudes) by half a cell"
    )


def suspect_places(grid: Grid) -> str | None:
    """Return a warning if many cells of a model's own grid are said to lie at one place.

    Models write 0 or -1 for latitude and longitude where they have no ocean, which misplaces the
    corners of the cells beside it. A halo or a fold repeats a place once.

    Parameters
    ----------
    grid : Grid
        Of the flux; only cells in rows and columns whose corners were inferred can suffer.
    """
    if grid.kind != "curvilinear" or not grid.rule.startswith("inferred"):
        return None
    places, counts = np.unique(grid.lat_deg + 1j * grid.lon_deg, return_counts=True)
    most = int(counts.argmax())
    if counts[most] <= REPEATED:
        return None
    return (
        f"{counts[most]} cells are said to lie at {places[most].real:g} N, {places[most].imag:g} E:"
        " areas and regions of the cells beside them are wrong if values stand there; name a file"
        " with all places, grid: {corners: {paths: FILE, variable: NAME}}"
    )
