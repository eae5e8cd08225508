"""Conservative weights between two grids, and how they are applied.

Weights are kept as what they are made of: the area that two cells have in common. From it follow
both promises, between which the caller chooses:

- ``integral``: the total over the areas of `Grid.area_m2` is kept. Where the overlap was measured
  along great circles, a source cell's shares are scaled to its own area, and the sum is divided by
  the destination cell's own area.
- ``mean``: each destination cell gets the mean of the source values that cover it, so a constant
  stays that constant; the total then changes where source and destination do not fully cover.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hpcbudget.errors import RegridError
from hpcbudget.kernels.apply import apply_csr, apply_separable, mend_csr
from hpcbudget.space.grid import Array, Grid
from hpcbudget.space.overlap import BoxOverlap, Table, box_overlap
from hpcbudget.space.same_cells import same_cells

if TYPE_CHECKING:
    from hpcbudget.space.great_circles import Mapper

Method = Literal["conservative", "conservative_normed", "bilinear", "nearest_s2d"]
Preserve = Literal["integral", "mean"]
Edges = Literal["parallels", "great_circles", "file"]

CONSERVATIVE = ("conservative", "conservative_normed")


class Regridded(NamedTuple):
    """Values on the destination grid and what they rest on.

    Attributes
    ----------
    values : float64 (..., *destination shape)
        NaN where no source value is, or fewer than asked for.
    valid_fraction : float64 (..., *destination shape)
        Share of the destination cell's area that source values cover.
    """

    values: Array
    valid_fraction: Array


@dataclass(frozen=True, eq=False)
class Weights:
    """Overlap of a source with a destination grid.

    Attributes
    ----------
    source, destination : Grid
        The grids.
    method : {"conservative", "conservative_normed", "bilinear", "nearest_s2d"}
        How a weights file is normalised; for the last two, `overlap` holds plain weights and the
        total cannot be kept.
    edges : {"parallels", "great_circles", "file"}
        How the cells' edges were taken to run.
    overlap : Table or BoxOverlap
        (destination, source) in sr.
    source_area, destination_area : array
        Cell areas in sr, along the same edges as the overlap.
    """

    source: Grid
    destination: Grid
    method: Method
    edges: Edges
    overlap: Table | BoxOverlap
    source_area: Array
    destination_area: Array

    @cached_property
    def table(self) -> Table:
        """Overlap (destination, source) in sr, multiplied out if it was not."""
        if isinstance(self.overlap, BoxOverlap):
            return self.overlap.table(self.source, self.destination)
        return self.overlap

    @cached_property
    def destination_fraction(self) -> Array:
        """Share (destination,) of each destination cell that the source covers."""
        return _share(self.table.row_sums(), self.destination_area)

    @cached_property
    def source_fraction(self) -> Array:
        """Share (source,) of each source cell that the destination covers."""
        return _share(self.table.column_sums(self.source.size), self.source_area)

    @cached_property
    def normalised(self) -> Array:
        """Weights (entry,) of `table` as files hold them.

        Shares of the destination cell, or of what is covered of it (``conservative_normed``).
        """
        table = self.table
        if self.method not in CONSERVATIVE:
            return table.data
        whole = table.row_sums() if self.method == "conservative_normed" else self.destination_area
        return table.data / whole[table.rows]

    @property
    def area_mismatch(self) -> float:
        """Largest relative difference of the overlap's cell areas to those of `Grid.area_m2`."""
        worst = 0.0
        for ours, grid in (
            (self.source_area, self.source),
            (self.destination_area, self.destination),
        ):
            exact = grid.area_m2(1.0)
            there = (exact > 0) & (ours > 0)
            if there.any():
                worst = max(worst, float(np.abs(ours[there] / exact[there] - 1.0).max()))
        return worst

    def apply(
        self, values: NDArray[np.floating], preserve: Preserve, *, min_valid: float = 0.0
    ) -> Regridded:
        """Regrid fields.

        Parameters
        ----------
        values : float32 or float64 (..., *source shape)
            NaN is missing: it adds nothing to sums, and lowers the valid fraction.
        preserve : {"integral", "mean"}
            What is kept (see the module).
        min_valid : float
            Destination cells with a smaller valid fraction become NaN. With ``integral`` that drops
            what they hold from the total.

        Raises
        ------
        RegridError
            Values of another shape, or a total asked of weights that cannot keep it.

        Examples
        --------
        >>> weights = make_weights(Grid.regular(90.0), Grid.regular(45.0))
        >>> weights.apply(np.ones((2, 4)), "mean").values.shape
        (4, 8)
        """
        if preserve not in ("integral", "mean"):
            raise RegridError(
                f"preserve is {preserve!r}", fix="say 'integral' (totals) or 'mean' (constants)"
            )
        if self.method not in CONSERVATIVE and preserve == "integral":
            raise RegridError(
                f"{self.method} weights do not keep totals",
                fix="use conservative weights, or preserve 'mean' for pictures",
            )
        lead = values.shape[: values.ndim - len(self.source.shape)]
        if values.shape != (*lead, *self.source.shape):
            raise RegridError(
                f"values have shape {values.shape}, the source grid {self.source.shape}",
                fix="put the grid's dimensions last, in the order of the grid",
            )
        steps = values.reshape(int(np.prod(lead)), self.source.size)
        if steps.dtype not in (np.float32, np.float64):
            steps = steps.astype(np.float64)
        steps = np.ascontiguousarray(steps)
        own = self.destination.area_m2(1.0)
        divisor = None if preserve == "mean" else np.where(own > 0, own, np.nan)
        by = self._separable if isinstance(self.overlap, BoxOverlap) else self._general
        result, valid = by(steps, divisor)
        area = self.destination_area
        fraction = valid / np.where(area > 0, area, np.inf)
        low = fraction < min_valid - 1e-9
        if low.any():
            result[np.broadcast_to(low, result.shape)] = np.nan
        fraction = np.broadcast_to(np.minimum(fraction, 1.0), result.shape)
        shape = (*lead, *self.destination.shape)
        return Regridded(result.reshape(shape), fraction.reshape(shape))

    def _separable(self, steps: NDArray[np.floating], divisor: Array | None) -> tuple[Array, Array]:
        """Results (step, destination), and valid weights in sr."""
        assert isinstance(self.overlap, BoxOverlap)
        slow, fast = self.overlap.oriented(self.source)
        turned = self.source.lat_axis != self.destination.lat_axis
        shape = (len(steps), *self.destination.shape[:: -1 if turned else 1])
        sums, valid = np.empty(shape), np.empty(shape)
        fields = steps.reshape(-1, *self.source.shape)
        apply_separable(fields, *slow, *fast, sums, valid)
        if turned:
            sums, valid = sums.transpose(0, 2, 1), valid.transpose(0, 2, 1)
        flat = (len(steps), self.destination.size)
        sums, valid = sums.reshape(flat), valid.reshape(flat)
        there = valid > 0
        np.divide(sums, valid if divisor is None else divisor, out=sums, where=there)
        sums[~there] = np.nan
        return sums, valid

    def _general(self, steps: NDArray[np.floating], divisor: Array | None) -> tuple[Array, Array]:
        """Results (step, destination), and valid weights in sr; one row if nothing is missing."""
        table, totals = self.table, self.table.row_sums()
        weights = table.data if divisor is None else self._to_own_area
        by = np.where(totals > 0, totals, np.nan) if divisor is None else divisor
        out = np.empty((len(steps), self.destination.size))
        if not apply_csr(steps, table.indptr, table.indices, weights, by, out):
            return out, totals[np.newaxis]
        valid = np.empty_like(out)
        mend_csr(
            steps,
            table.indptr,
            table.indices,
            weights,
            table.data,
            totals,
            np.empty(0) if divisor is None else divisor,
            out,
            valid,
        )
        return out, valid

    @cached_property
    def _to_own_area(self) -> Array:
        """Entries of `table` with which the total over the source cells' own areas is kept."""
        if self.edges == "parallels":
            return self.table.data
        own = self.source.area_m2(1.0)
        scale = np.divide(own, self.source_area, out=np.ones_like(own), where=self.source_area > 0)
        return self.table.data * scale[self.table.indices]

    def with_source(self, grid: Grid) -> Weights:
        """Return the same weights for a grid that is read from elsewhere but has the same cells.

        Raises
        ------
        RegridError
            Cells that lie elsewhere: another order, other longitudes, another grid.
        """
        if same_cells(grid, self.source):
            return replace(self, source=grid)
        raise RegridError(
            f"the weights are for another grid ({self.source.describe()})",
            why="they would give numbers that look right and are wrong",
            fix=f"make weights for {grid.describe()}",
        )

    def totals(self, values: NDArray[np.floating], regridded: Array) -> tuple[Array, Array]:
        """Return integrals over the unit sphere before (of what is covered) and after, per step."""
        before = values.reshape(-1, self.source.size).astype(np.float64)
        after = regridded.reshape(-1, self.destination.size)
        covered = self.source.area_m2(1.0) * self.source_fraction
        return (
            np.nansum(before * covered, axis=1),
            np.nansum(after * self.destination.area_m2(1.0), axis=1),
        )

    def key(self) -> str:
        """Return a hash (32 hex digits) of grids and method, and of numbers that may vary.

        Those of a file or of ESMF are not settled by the grids, as those of boxes are.
        """
        key = weights_key(self.source, self.destination, self.method, self.edges)
        if isinstance(self.overlap, BoxOverlap):
            return key
        digest = hashlib.sha256(key.encode())
        for array in (*self.overlap, self.source_area, self.destination_area):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()[:32]


def make_weights(
    source: Grid,
    destination: Grid,
    *,
    method: Method = "conservative",
    edges: Edges | None = None,
    threads: int = 1,
    mapper: Mapper | None = None,
) -> Weights:
    """Make conservative weights without ESMF.

    Parameters
    ----------
    source, destination : Grid
        Of any kind.
    method : {"conservative", "conservative_normed"}
        Normalisation of a weights file; applying them does not depend on it.
    edges : {"parallels", "great_circles"}, optional
        How cells end in the north and south. Default: exact parallels where both grids are boxes,
        else great circles.
    threads, mapper
        For great circles: who works on them (see `hpcbudget.space.great_circles`).

    Raises
    ------
    RegridError
        Another method, or grids that cannot be overlapped.
    """
    if method not in CONSERVATIVE:
        raise RegridError(
            f"the native backend has no {method} weights",
            fix="use conservative, or --backend xesmf for pictures",
        )
    both_boxes = source.is_boxes and destination.is_boxes
    if edges is None:
        edges = "parallels" if both_boxes else "great_circles"
    if edges == "parallels":
        return Weights(
            source,
            destination,
            method,
            edges,
            box_overlap(source, destination),
            source.area_m2(1.0),
            destination.area_m2(1.0),
        )
    from hpcbudget.space.great_circles import great_circle_overlap

    return Weights(
        source,
        destination,
        method,
        edges,
        *great_circle_overlap(source, destination, threads=threads, mapper=mapper),
    )


def weights_key(
    source: Grid, destination: Grid, method: str, edges: str, backend: str = "native"
) -> str:
    """Return the hash (32 hex digits) of everything that weights depend on."""
    parts = ["1", source.content_hash(), destination.content_hash(), method, edges]
    if backend != "native":
        parts.append(backend)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def _share(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)
