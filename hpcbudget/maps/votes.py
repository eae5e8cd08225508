"""Votes: who says what in an ensemble, and the pieces in which ensembles are reduced."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from hpcbudget.maps.member import MemberKey

Float = npt.NDArray[np.float64]

PROCESS = "process"
"""Family of the sums of land and ocean process models (see `hpcbudget.science.ensemble`)."""
PARTS_OF_PROCESS = (("land_process", "land"), ("ocean_process", "ocean"))
TOTAL = "total"


@dataclass(frozen=True, slots=True, order=True)
class Tile:
    """Rows ``[start, stop)`` of all maps of a span: a unit of work and of restart."""

    span: str
    start: int
    stop: int

    @property
    def name(self) -> str:
        """Name in the ledger and in messages."""
        return f"maps/ensembles/{quote(self.span, safe='')}/{self.start:06d}-{self.stop:06d}"

    def path(self, out: Path) -> Path:
        """File in the ledger below `out`."""
        return out / "ledger" / f"{self.name}.tile"


@dataclass(frozen=True, slots=True, order=True)
class Vote:
    """What one member says in an ensemble: its own maps, or the sum of two components."""

    family: str
    component: str
    model: str
    member: str
    parts: tuple[MemberKey, ...]


@dataclass(frozen=True, slots=True)
class Sums:
    """Integrals over a tile, in kg C s-1, summed over the models of an ensemble.

    Attributes
    ----------
    family, component, season : str
    mapped : float
        From the ensemble's mean and n.
    direct : float
        From the models' own maps.
    magnitude : float
    """

    family: str
    component: str
    season: str
    mapped: float
    direct: float
    magnitude: float


def mean_of_known(values: list[Float]) -> Float:
    """Average over the values that are known, cell by cell; NaN where none is.

    Examples
    --------
    >>> mean_of_known([np.array([1.0, np.nan, np.nan]), np.array([3.0, 5.0, np.nan])]).tolist()
    [2.0, 5.0, nan]
    """
    if len(values) == 1:
        return values[0]
    count = np.zeros(values[0].size)
    total = np.zeros(values[0].size)
    for one in values:
        known = ~np.isnan(one)
        count += known
        total += np.where(known, one, 0.0)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def sum_of_known(values: list[Float]) -> Float:
    """Add what is known, cell by cell: land where there is no sea, and the reverse.

    Examples
    --------
    >>> sum_of_known([np.array([1.0, np.nan, np.nan]), np.array([3.0, 5.0, np.nan])]).tolist()
    [4.0, 5.0, nan]
    """
    known = np.logical_or.reduce([~np.isnan(v) for v in values])
    total = np.zeros(values[0].size)
    for one in values:
        total += np.nan_to_num(one)
    return np.where(known, total, np.nan)
