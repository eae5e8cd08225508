"""Domain: where a series' cells count, and with which weight.

Zones depend on grid and region sets, weights on the area basis. Both are worked out once, on the
driver, and kept in a file named by its content, so that a worker reads it once however many
blocks it does, and nothing of it travels through the scheduler.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hpcbudget.files import keep, kept
from hpcbudget.kernels.integrate import Membership, Runs, fold, integrate, make_runs, membership
from hpcbudget.space.zones import Zones

Float = npt.NDArray[np.float64]
Int = npt.NDArray[np.int64]

SUFFIX = ".domain"


@dataclass(frozen=True, slots=True, eq=False)
class Domain:
    """Zone label, weight and area of every cell, and how zones make regions.

    Attributes
    ----------
    labels : ndarray of int32, shape (cell,)
        Zone of each cell; -1 where the weight is zero, so that its value is never looked at.
    weight : ndarray, shape (cell,)
        Factor of a cell's value: m2 of its basis, 1 for totals per cell, degrees for zonal data.
    area_m2 : ndarray, shape (cell,)
        Area that the cell's value stands for.
    indptr, indices, data : ndarray
        Zone by region fractions (CSR).
    row_length : int
        Cells in a row of the grid: areas may be constant along it.
    """

    labels: npt.NDArray[np.int32]
    weight: Float
    area_m2: Float
    indptr: Int
    indices: npt.NDArray[np.int32]
    data: Float
    n_regions: int
    row_length: int

    @classmethod
    def build(cls, zones: Zones, weight: Float, area_m2: Float, row_length: int) -> Domain:
        """Join the zones of a grid with a series' weights."""
        labels = np.where(weight > 0, zones.labels, -1).astype(np.int32)
        return cls(
            labels,
            weight,
            area_m2,
            np.asarray(zones.indptr, dtype=np.int64),
            np.asarray(zones.indices, dtype=np.int32),
            np.asarray(zones.data, dtype=np.float64),
            len(zones.regions),
            row_length,
        )

    @property
    def nbytes(self) -> int:
        """Bytes a worker holds for this domain, without the kernel's tables."""
        return self.labels.nbytes + self.weight.nbytes + self.area_m2.nbytes + self.data.nbytes

    def to_bytes(self) -> bytes:
        """Serialise; equal domains give equal bytes."""
        buffer = io.BytesIO()
        sizes = np.array([self.n_regions, self.row_length], dtype="<i8")
        for array in (
            sizes, self.labels, self.weight, self.area_m2, self.indptr, self.indices, self.data
        ):  # fmt: skip
            np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, raw: bytes) -> Domain:
        """Restore what `to_bytes` wrote."""
        buffer = io.BytesIO(raw)
        sizes, labels, weight, area, indptr, indices, data = (
            np.lib.format.read_array(buffer, allow_pickle=False) for _ in range(7)
        )
        return cls(labels, weight, area, indptr, indices, data, int(sizes[0]), int(sizes[1]))

    def save(self, folder: Path) -> str:
        """Keep the domain in `folder` under the hash of its content; return the hash."""
        return keep(folder, self.to_bytes(), SUFFIX)


class Integrator:
    """A domain made ready for the kernel: what a worker keeps and applies to fields."""

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        self.n_zones = domain.indptr.size - 1
        self.runs: Runs = make_runs(
            domain.labels, domain.weight, domain.area_m2, self.n_zones, domain.row_length
        )
        self.members: Membership = membership(
            domain.indptr, domain.indices, domain.data, domain.n_regions
        )
        # areas that were missing last, by zone, and what follows by region: they seldom change
        nothing = np.zeros(self.n_zones)
        self._last = (nothing, *self._fold_areas(nothing[np.newaxis]))

    def __call__(
        self, values: npt.NDArray[np.floating]
    ) -> tuple[Float, Float, Float, npt.NDArray[np.int64]]:
        """Integrate fields of shape (step, cell).

        Returns
        -------
        sums, valid_m2, missing_m2 : ndarray, shape (step, region)
            `sums` in the units of value times weight, NaN where a region has no valid cell.
        infinite : ndarray of int64, shape (step,)
            Infinite values met; they are in no sum that can be trusted.
        """
        zone_sums, zone_missing, infinite = integrate(values, self.runs)
        valid, missing = self._areas(zone_missing)
        sums = np.where(valid > 0, fold(zone_sums, self.members), np.nan)
        return sums, valid, missing, infinite

    def _areas(self, zone_missing: Float) -> tuple[Float, Float]:
        """Return the valid and the missing area of every region, both of shape (step, region)."""
        same, valid, missing = self._last
        if not (zone_missing == same).all():
            valid, missing = self._fold_areas(zone_missing)
            self._last = (zone_missing[-1], valid[-1:], missing[-1:])
        shape = (len(zone_missing), self.domain.n_regions)
        return np.broadcast_to(valid, shape), np.broadcast_to(missing, shape)

    def _fold_areas(self, zone_missing: Float) -> tuple[Float, Float]:
        # areas add up exactly in the kernel, so "all missing" leaves exactly zero valid area
        zone_valid = self.runs.zone_area_m2 - zone_missing
        valid, missing = np.split(fold(np.concatenate([zone_valid, zone_missing]), self.members), 2)
        return valid, missing

    def moving_areas(self, values: npt.NDArray[np.floating], share: Float) -> tuple[Float, Float]:
        """Return valid and missing area where cells count with a share that changes with time.

        Parameters
        ----------
        values, share : ndarray, shape (step, cell)

        Returns
        -------
        valid_m2, missing_m2 : ndarray, shape (step, region)
        """
        missing = np.isnan(values)
        areas = (self(np.where(chosen, share, 0.0))[0] for chosen in (~missing, missing))
        # a region without any cell has no area: there is nothing to be NaN about
        valid, lost = (np.nan_to_num(area, nan=0.0) for area in areas)
        return valid, lost

    def audit(self, field: npt.NDArray[np.floating], globe: float) -> float:
        """Compare the Globe's total of one field with a plain sum that knows no zones.

        Parameters
        ----------
        field : ndarray, shape (cell,)
        globe : float
            What the kernel found for the Globe.

        Returns
        -------
        float
            Absolute difference over the sum of magnitudes; 0 where nothing is valid.
        """
        products = self.domain.weight * field.astype(np.float64)
        products = products[np.isfinite(products) & (self.domain.weight > 0)]
        magnitude = float(np.abs(products).sum())
        return abs(globe - float(products.sum())) / magnitude if magnitude else 0.0


@lru_cache(maxsize=4)
def load_integrator(folder: str, name: str) -> Integrator:
    """Read a domain by its hash, once per process as long as it stays among the last four.

    Raises
    ------
    LedgerError
        If the file does not hold what its name says.
    """
    return Integrator(Domain.from_bytes(kept(Path(folder), name, SUFFIX)))
