"""Remap: how the amounts of a member's cells are handed over to the cells of the common grid.

What travels is an amount (kg), not a density: each source cell's amount is shared out by the area
it has in common with each destination cell, and the shares of a cell that lies on the common grid
whole add up to one. So totals are kept whatever a member's numbers are per (m2 of the cell, m2 of
land, the whole cell) and whichever areas it brings.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hpcbudget.errors import RegridError
from hpcbudget.files import keep, kept
from hpcbudget.kernels.means import spread_csr, spread_separable
from hpcbudget.space.grid import sine_difference
from hpcbudget.space.overlap import BoxOverlap, Table
from hpcbudget.space.weights import CONSERVATIVE, Weights

Float = npt.NDArray[np.float64]

# A source cell is on the common grid whole if no more than this share of it lies beside.
BESIDE = 1e-6


SUFFIX = ".remap"


@dataclass(frozen=True, slots=True, eq=False)
class Remap:
    """Shares of a source grid's cells, with the weights and areas of one series.

    Attributes
    ----------
    weight : ndarray, shape (source,)
        Factor of a cell's value (see `Series.measure`).
    area_m2 : ndarray, shape (source,)
        Area that the value stands for.
    shares : tuple of Table
        (destination, source): one table, or those of the slower and the faster stored dimension,
        whose products are the shares.
    source_shape, destination_shape : tuple of int
    transposed : bool
        Whether the two stored dimensions change places (two tables only).
    """

    weight: Float
    area_m2: Float
    shares: tuple[Table, ...]
    source_shape: tuple[int, ...]
    destination_shape: tuple[int, ...]
    transposed: bool = False

    @classmethod
    def build(cls, weights: Weights, weight: Float, area_m2: Float) -> Remap:
        """Make shares of conservative weights.

        Raises
        ------
        RegridError
            Weights that do not keep totals.
        """
        if weights.method not in CONSERVATIVE:
            raise RegridError(
                f"{weights.method} weights do not keep totals",
                why="the maps would not add up to the tables",
                fix="use conservative weights for maps",
            )
        source, destination = weights.source, weights.destination
        overlap = weights.overlap
        tables: tuple[Table, ...]
        if isinstance(overlap, BoxOverlap):
            assert source.lat_edges_deg is not None
            assert source.lon_edges_deg is not None
            widths = np.radians(source.lon_edges_deg[:, 1] - source.lon_edges_deg[:, 0])
            by_lat = _shares(overlap.by_lat, sine_difference(source.lat_edges_deg))
            by_lon = _shares(overlap.by_lon, widths)
            tables = (by_lat, by_lon) if source.lat_axis == 0 else (by_lon, by_lat)
            across = source.lat_axis != destination.lat_axis
        else:
            tables, across = (_shares(overlap, weights.source_area),), False
        return cls(weight, area_m2, tables, source.shape, destination.shape, across)

    @property
    def nbytes(self) -> int:
        """Bytes a worker holds for it."""
        tables = sum(t.indptr.nbytes + t.indices.nbytes + t.data.nbytes for t in self.shares)
        return self.weight.nbytes + self.area_m2.nbytes + tables

    def spread(self, amounts: Float) -> Float:
        """Hand amounts (source,) over to the destination's cells (destination,)."""
        if len(self.shares) == 1:
            return np.asarray(spread_csr(amounts, *self.shares[0]))
        slow, fast = self.shares
        shape = self.source_shape if len(self.source_shape) == 2 else (amounts.size, 1)
        out = np.asarray(spread_separable(amounts.reshape(shape), *slow, *fast))
        return np.ascontiguousarray(out.T if self.transposed else out).reshape(-1)

    def to_bytes(self) -> bytes:
        """Serialise; equal remaps give equal bytes."""
        buffer = io.BytesIO()
        sizes = [len(self.shares), int(self.transposed), len(self.source_shape)]
        sizes += [*self.source_shape, *self.destination_shape]
        arrays = [np.array(sizes, "<i8"), self.weight, self.area_m2]
        arrays += [part for table in self.shares for part in table]
        for array in arrays:
            np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, raw: bytes) -> Remap:
        """Restore what `to_bytes` wrote."""
        buffer = io.BytesIO(raw)

        def take() -> npt.NDArray[np.generic]:
            array: npt.NDArray[np.generic] = np.lib.format.read_array(buffer, allow_pickle=False)
            return array

        n_tables, across, n_dims, *shape = (int(v) for v in take())
        weight, area = (np.asarray(take(), np.float64) for _ in range(2))
        tables = tuple(
            Table(
                np.asarray(take(), np.int64),
                np.asarray(take(), np.int32),
                np.asarray(take(), np.float64),
            )
            for _ in range(n_tables)
        )
        return cls(weight, area, tables, tuple(shape[:n_dims]), tuple(shape[n_dims:]), bool(across))

    def save(self, folder: Path) -> str:
        """Keep it in `folder` under the hash of its content; return the hash."""
        return keep(folder, self.to_bytes(), SUFFIX)


@lru_cache(maxsize=2)
def load_remap(folder: str, name: str) -> Remap:
    """Read a remap by its hash, once per process as long as it is among the last two.

    Raises
    ------
    LedgerError
        If the file does not hold what its name says.
    """
    return Remap.from_bytes(kept(Path(folder), name, SUFFIX))


def _shares(overlap: Table, whole: Float) -> Table:
    """Divide overlaps by what each source has to give: all of it where it is covered whole."""
    covered = overlap.column_sums(whole.size)
    inside = np.abs(covered - whole) <= BESIDE * whole
    divisor = np.where(inside, covered, whole)[overlap.indices]
    shares = np.divide(overlap.data, divisor, out=np.zeros_like(overlap.data), where=divisor > 0)
    return Table(overlap.indptr, overlap.indices, shares)
