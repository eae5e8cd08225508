"""The maps of one member, one component and one span: what is kept of a record once it is read.

A file begins with the checksum of all that follows and a line of JSON, then holds the values season
by season; a stretch of cells can be read without the rest, so that an ensemble is reduced with a
part of each member in memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from hpcbudget.errors import LedgerError
from hpcbudget.files import write_atomic

Float = npt.NDArray[np.float64]
SUFFIX = ".maps"


@dataclass(frozen=True, slots=True, order=True)
class MemberKey:
    """Whose maps they are.

    Attributes
    ----------
    family, component, model, member : str
        Sorted in this order, models are voted in the order of their names.
    """

    family: str
    component: str
    model: str
    member: str

    def __str__(self) -> str:
        return f"{self.family}/{self.member}/{self.component}"


@dataclass(frozen=True, slots=True, order=True)
class MemberUnit:
    """Maps of one member over one span: a unit of work and of restart."""

    key: MemberKey
    span: str

    @property
    def name(self) -> str:
        """Name in the ledger and in messages."""
        return f"maps/{self.key}/{quote(self.span, safe='')}"

    def path(self, out: Path) -> Path:
        """File in the ledger below `out`."""
        return out / "ledger" / f"{self.name}{SUFFIX}"


@dataclass(frozen=True, slots=True)
class Balance:
    """What a map adds up to, in kg C s-1 to the atmosphere.

    Attributes
    ----------
    seconds : float
        Length of the steps it is the mean of.
    before : float
        Sum over the stored cells.
    after : float
        Integral of the map.
    magnitude : float
        Sum of the magnitudes over the stored cells.
    """

    seconds: float
    before: float
    after: float
    magnitude: float


@dataclass(frozen=True, slots=True, eq=False)
class MemberMaps:
    """Means on the common grid.

    Attributes
    ----------
    seasons : tuple of str
        Those for which the member has all that is asked of it.
    values : ndarray, shape (season, cell)
        kg C m-2 s-1 per area of the whole cell, positive to the atmosphere; NaN where not known,
        0 where the member's own declaration says that the cell has nothing of its realm.
    inside : ndarray of bool, shape (cell,)
        Cells that have some of its realm.
    balances : tuple of Balance
        By season.
    """

    seasons: tuple[str, ...]
    values: Float
    inside: npt.NDArray[np.bool_]
    balances: tuple[Balance, ...]

    def save(self, path: Path, name: str, fingerprint: str) -> None:
        """Write the file of a unit, whole or not at all."""
        header = {
            "unit": name,
            "fingerprint": fingerprint,
            "cells": int(self.inside.size),
            "seasons": list(self.seasons),
            "balances": [asdict(b) for b in self.balances],
        }
        body = json.dumps(header).encode() + b"\n" + self.values.astype("<f8").tobytes()
        body += self.inside.astype(np.uint8).tobytes()
        write_atomic(path, sha256(body).hexdigest().encode() + b"\n" + body)


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of `MemberMaps`, known by its header.

    Attributes
    ----------
    path : Path
    begin : int
        First byte behind the header.
    cells : int
    seasons : tuple of str
    balances : tuple of Balance
    """

    path: Path
    begin: int
    cells: int
    seasons: tuple[str, ...]
    balances: tuple[Balance, ...]

    def values(self, season: str, start: int, stop: int) -> Float | None:
        """Read a stretch of cells of one season; None if the member has no such map."""
        if season not in self.seasons:
            return None
        at = self.begin + 8 * (self.seasons.index(season) * self.cells + start)
        return np.fromfile(self.path, "<f8", stop - start, offset=at).astype(np.float64, copy=False)

    def inside(self, start: int, stop: int) -> npt.NDArray[np.bool_]:
        """Read which cells of a stretch have some of the member's realm."""
        at = self.begin + 8 * len(self.seasons) * self.cells + start
        return np.fromfile(self.path, np.uint8, stop - start, offset=at).astype(bool)


def find_maps(path: Path, name: str, fingerprint: str) -> Kept | None:
    """Return a unit's file, or None if it is not there, damaged, or of other inputs."""
    try:
        with path.open("rb") as file:
            checksum = file.readline().strip().decode("ascii")
            line = file.readline()
            digest = sha256(line)
            begin = file.tell()
            while block := file.read(1 << 22):
                digest.update(block)
        header = json.loads(line)
        if digest.hexdigest() != checksum:
            return None
        if (header["unit"], header["fingerprint"]) != (name, fingerprint):
            return None
        return _kept(path, begin, header)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def open_maps(path: Path) -> Kept:
    """Return a finished unit's file without reading it through.

    Raises
    ------
    LedgerError
        If it is gone.
    """
    try:
        with path.open("rb") as file:
            file.readline()
            line = file.readline()
            return _kept(path, file.tell(), json.loads(line))
    except (OSError, ValueError) as error:
        raise LedgerError(
            "the maps of a member are gone",
            where=str(path),
            why="its ensemble would be short of a vote",
            fix="run again",
        ) from error


def _kept(path: Path, begin: int, header: Mapping[str, Any]) -> Kept:
    balances = tuple(Balance(**b) for b in header["balances"])
    return Kept(path, begin, int(header["cells"]), tuple(header["seasons"]), balances)
