"""Overlap of two grids of any kind along great circles.

Cells are polygons whose corners are joined by great circles, as in ESMF; so are boxes here, whose
northern and southern edges are then not quite their parallels. Candidates are found through bins of
latitude and longitude; destination cells are worked on in stretches, which bounds the memory and
is what threads or workers share out.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from hpcbudget.errors import RegridError
from hpcbudget.kernels import sphere
from hpcbudget.space.grid import Array, Grid
from hpcbudget.space.overlap import Table

STRETCH = 65536
"""Destination cells per stretch."""


class GreatCircleSource:
    """A source grid made ready for overlap with stretches of any destination.

    Attributes
    ----------
    areas : array (source,)
        Great-circle areas in sr; 0 for a cell without a shape.

    Examples
    --------
    >>> source = GreatCircleSource(Grid.regular(30.0))
    >>> table, areas = source.stretch(Grid.regular(10.0), 0, 36)
    >>> len(table.data), len(areas)
    (36, 36)
    """

    def __init__(self, source: Grid) -> None:
        _refuse_wide(source)
        corners = source.corners()
        self._lat, self._lon = np.ascontiguousarray(corners[0]), np.ascontiguousarray(corners[1])
        self._boxes, self.areas = sphere.extents(self._lat, self._lon)
        # about two cells per bin
        self._rows = int(np.clip(np.sqrt(source.size) / 2, 18, 1800))
        self._index = sphere.index_cells(self._boxes, self._rows, 2 * self._rows)

    def stretch(self, destination: Grid, start: int, stop: int) -> tuple[Table, Array]:
        """Overlap destination cells start:stop; return (stretch, source) in sr and their areas."""
        lat, lon = destination.corners(start, stop)
        indptr, indices, data, areas = sphere.overlap_cells(
            np.ascontiguousarray(lat),
            np.ascontiguousarray(lon),
            self._lat,
            self._lon,
            self._boxes,
            self.areas,
            *self._index,
            self._rows,
            2 * self._rows,
        )
        return Table(indptr, indices, data), areas


def great_circle_overlap(
    source: Grid, destination: Grid, *, threads: int = 1
) -> tuple[Table, Array, Array]:
    """Overlap two grids.

    Parameters
    ----------
    source, destination : Grid
        Of any kind; boxes must be narrower than half a circle.
    threads : int
        Stretches worked on at once; the result does not depend on it.

    Returns
    -------
    overlap : Table
        (destination, source) in sr.
    source_area, destination_area : array
        Great-circle areas in sr.

    Raises
    ------
    RegridError
        Cells too wide to have great-circle edges.
    """
    _refuse_wide(destination)
    ready = GreatCircleSource(source)
    starts = range(0, destination.size, STRETCH)

    def work(start: int) -> tuple[Table, Array]:
        return ready.stretch(destination, start, min(start + STRETCH, destination.size))

    if threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            parts = list(pool.map(work, starts))
    else:
        parts = [work(start) for start in starts]
    tables, areas = zip(*parts, strict=True)
    return join_tables(tables), ready.areas, np.concatenate(areas)


def join_tables(tables: Sequence[Table]) -> Table:
    """Put tables of consecutive stretches below each other."""
    counts = np.concatenate([np.diff(t.indptr) for t in tables])
    return Table(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.concatenate([t.indices for t in tables]),
        np.concatenate([t.data for t in tables]),
    )


def _refuse_wide(grid: Grid) -> None:
    if grid.lon_edges_deg is not None:
        widest = float((grid.lon_edges_deg[:, 1] - grid.lon_edges_deg[:, 0]).max())
        if widest >= 180.0:
            raise RegridError(
                f"cells of {grid.describe()} are {widest:g} degrees wide",
                why="no great circle runs along their edges",
                fix="use a grid with cells narrower than 180 degrees",
            )
