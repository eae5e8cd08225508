"""Overlap of two grids of any kind along great circles.

Cells are polygons whose corners are joined by great circles, as in ESMF; so are boxes here, whose
northern and southern edges are then not quite their parallels. Destination cells are worked on in
stretches. A stretch carries the source cells that may touch it and nothing else, so that threads or
the workers of a cluster can share them out, and none of them holds more than its own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpcbudget.errors import RegridError
from hpcbudget.kernels import sphere
from hpcbudget.space.grid import Array, Grid
from hpcbudget.space.overlap import Table

LARGEST = 16384
"""Destination cells per stretch at most; fewer where the source is finer."""
SMALLEST = 1024
"""Fewer are not worth the search for their source cells."""
MOST_ROWS = 600
"""Bins along latitude at most."""


@dataclass(frozen=True)
class Stretch:
    """Destination cells that follow each other, and the source cells that may touch them.

    Attributes
    ----------
    lat_deg, lon_deg : array (destination, vertex)
        Corners of the destination cells.
    cells : int32 (source,)
        Numbers of the source cells, ascending.
    source_lat_deg, source_lon_deg : array (source, vertex)
        Their corners.
    boxes, areas : array (source, 4), (source,)
        Their extents and areas (see `hpcbudget.kernels.sphere.extents`).
    rows : int
        Bins along latitude that they are looked up in.
    """

    lat_deg: Array
    lon_deg: Array
    cells: NDArray[np.int32]
    source_lat_deg: Array
    source_lon_deg: Array
    boxes: Array
    areas: Array
    rows: int


Piece: TypeAlias = tuple[Table, Array]
"""Overlap (stretch, source) in sr, and the areas of the stretch's cells in sr."""
Mapper: TypeAlias = Callable[[Callable[[Stretch], Piece], Iterable[Stretch]], Iterable[Piece]]
"""Does as the builtin ``map``, here or elsewhere; `in_turn` makes one."""


def great_circle_overlap(
    source: Grid, destination: Grid, *, threads: int = 1, mapper: Mapper | None = None
) -> tuple[Table, Array, Array]:
    """Overlap two grids.

    Parameters
    ----------
    source, destination : Grid
        Of any kind; boxes must be narrower than half a circle.
    threads : int
        Stretches worked on at once.
    mapper : callable, optional
        Works on stretches elsewhere, in the place of threads. The result depends on neither.

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

    Examples
    --------
    >>> table, of_source, of_destination = great_circle_overlap(Grid.regular(30), Grid.regular(10))
    >>> len(table.data), bool(abs(table.data.sum() - of_source.sum()) < 1e-12)
    (792, True)
    """
    for grid in (source, destination):
        _refuse_wide(grid)
    lat, lon = (np.ascontiguousarray(a) for a in source.corners())
    boxes, areas = sphere.extents(lat, lon)
    work = _stretches(lat, lon, boxes, areas, destination)
    if mapper is None and threads > 1:
        with ThreadPoolExecutor(threads) as pool:
            parts = list(in_turn(pool.submit, lambda: 2 * threads)(overlap_stretch, work))
    else:
        parts = list((mapper or map)(overlap_stretch, work))
    tables, destination_areas = zip(*parts, strict=True)
    return join_tables(tables), areas, np.concatenate(destination_areas)


def overlap_stretch(stretch: Stretch) -> Piece:
    """Overlap the cells of one stretch."""
    rows = stretch.rows
    indptr, indices, data, areas = sphere.overlap_cells(
        stretch.lat_deg,
        stretch.lon_deg,
        stretch.source_lat_deg,
        stretch.source_lon_deg,
        stretch.boxes,
        stretch.areas,
        *sphere.index_cells(stretch.boxes, rows, 2 * rows),
        rows,
        2 * rows,
    )
    return Table(indptr, stretch.cells[indices], data), areas


def in_turn(submit: Callable[..., Any], ahead: Callable[[], int]) -> Mapper:
    """Make a mapper of the ``submit`` of an executor or of a dask client.

    Results come in the order of the stretches.

    Parameters
    ----------
    submit : callable
        Takes a function and its argument, returns a future.
    ahead : callable
        Tells how many stretches may be on their way now; the number of workers can change.
    """

    def mapper(work: Callable[[Stretch], Piece], items: Iterable[Stretch]) -> Iterator[Piece]:
        waiting: deque[Any] = deque()
        for item in items:
            waiting.append(submit(work, item))
            while len(waiting) >= ahead():
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    return mapper


def join_tables(tables: Sequence[Table]) -> Table:
    """Put tables of consecutive stretches below each other."""
    counts = np.concatenate([np.diff(t.indptr) for t in tables])
    return Table(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        np.concatenate([t.indices for t in tables]),
        np.concatenate([t.data for t in tables]),
    )


def _stretches(
    lat_deg: Array, lon_deg: Array, boxes: Array, areas: Array, destination: Grid
) -> Iterator[Stretch]:
    """Cut a destination into stretches, each with about as many source cells as its own."""
    size = LARGEST * destination.size // max(len(areas), 1)
    size = min(max(size, SMALLEST), LARGEST)
    # about two cells per bin, and no more bins than are emptied in no time
    rows = int(np.clip(np.sqrt(len(areas)) / 2, 18, MOST_ROWS))
    for start in range(0, destination.size, size):
        lat, lon = destination.corners(start, min(start + size, destination.size))
        lat, lon = np.ascontiguousarray(lat), np.ascontiguousarray(lon)
        cells = np.flatnonzero(_near(boxes, sphere.extents(lat, lon)[0]))
        yield Stretch(
            lat,
            lon,
            cells.astype(np.int32),
            lat_deg[cells],
            lon_deg[cells],
            boxes[cells],
            areas[cells],
            rows,
        )


def _near(boxes: Array, others: Array) -> NDArray[np.bool_]:
    """Return which boxes (cell, 4) may touch any of the others, all of them taken together.

    A box is south, north, west, width in degrees; NaN touches nothing.
    """
    pad = 1e-9
    others = others[np.isfinite(others[:, 2])]
    if not len(others):
        return np.zeros(len(boxes), np.bool_)
    south, north = others[:, 0].min() - pad, others[:, 1].max() + pad
    near: NDArray[np.bool_] = (boxes[:, 1] >= south) & (boxes[:, 0] <= north)
    # the others' longitudes, counted from the west of the first
    west = (others[:, 2] - others[0, 2] + 180.0) % 360.0 - 180.0
    width = float((west + others[:, 3]).max() - west.min())
    if width < 360.0 - 2 * pad:
        first = others[0, 2] + west.min() - pad
        beyond = (boxes[:, 2] - first) % 360.0 > width + 2 * pad
        before = (first - boxes[:, 2]) % 360.0 > boxes[:, 3]
        near &= ~(beyond & before)
    return near


def _refuse_wide(grid: Grid) -> None:
    if grid.lon_edges_deg is not None:
        widest = float((grid.lon_edges_deg[:, 1] - grid.lon_edges_deg[:, 0]).max())
        if widest >= 180.0:
            raise RegridError(
                f"cells of {grid.describe()} are {widest:g} degrees wide",
                why="no great circle runs along their edges",
                fix="use a grid with cells narrower than 180 degrees",
            )
