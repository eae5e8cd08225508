"""Region sets: named, disjoint regions of the globe, shipped or of the user's own."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hpcbudget.errors import RegionError
from hpcbudget.options import RegionSetOptions
from hpcbudget.space.boxes import Boxes
from hpcbudget.space.fractions import Fractions
from hpcbudget.space.grid import Array, Grid

GLOBE = "Globe"
UNASSIGNED = "unassigned"

GCB_BANDS = {"North": (30.0, 90.0), "Tropics": (-30.0, 30.0), "South": (-90.0, -30.0)}
"""North (>30N), Tropics (30S-30N) and South (<30S) of the Global Carbon Budget."""


class Geometry(Protocol):
    """What the regions of a set are made of."""

    @property
    def needs_longitude(self) -> bool:
        """Whether data without longitudes cannot be split into these regions."""

    def fractions(self, grid: Grid) -> Fractions:
        """Return the share of each cell's area in each region."""

    def members(self, grid: Grid) -> NDArray[np.int32]:
        """Return the region that holds each cell's centre, -1 for none."""

    def outlines(self) -> list[list[Array]]:
        """Return per region its rings (vertex, [lon, lat]) for a picture."""

    def content(self) -> bytes:
        """Return the bytes that the geometry is known by."""


@dataclass(frozen=True, eq=False)
class RegionSet:
    """Disjoint regions; what none of them covers is the set's ``unassigned``.

    Attributes
    ----------
    name : str
        Name of the set.
    regions : tuple of str
        Names of the regions, without ``unassigned``.
    geometry : Geometry
        Bands, boxes, polygons or labels.
    source : str
        Where the outlines come from.

    Examples
    --------
    >>> bands = load_region_set("gcb_bands")
    >>> bands.regions
    ('North', 'Tropics', 'South')
    >>> bands.geometry.fractions(Grid.regular(60.0)).share[:6].tolist()
    [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    """

    name: str
    regions: tuple[str, ...]
    geometry: Geometry
    source: str = ""

    def __post_init__(self) -> None:
        taken = {GLOBE, UNASSIGNED} & set(self.regions)
        doubled = {r for r in self.regions if self.regions.count(r) > 1}
        if taken or doubled or "/" in "".join((self.name, *self.regions)):
            raise RegionError(
                f"region set {self.name!r} has unusable names: "
                f"{', '.join(sorted(taken | doubled)) or 'a slash'}",
                fix="names must differ from each other, from 'Globe' and 'unassigned', and have "
                "no slash",
            )

    @classmethod
    def bands(cls, name: str, bands: dict[str, tuple[float, float]], source: str = "") -> RegionSet:
        """Make a set of latitude bands."""
        return cls(name, tuple(bands), Boxes.from_bands(bands), source)

    def content_hash(self) -> str:
        """Return a hash (32 hex digits) of names and outlines."""
        digest = hashlib.sha256("\0".join((self.name, *self.regions)).encode())
        digest.update(self.geometry.content())
        return digest.hexdigest()[:32]


def shipped_region_sets() -> dict[str, str]:
    """Return the names of the shipped sets with one line about each."""
    return {"gcb_bands": "North (>30N), Tropics, South (<30S) of the Global Carbon Budget"}


def load_region_set(spec: str | RegionSetOptions, root: Path | None = None) -> RegionSet:
    """Return a shipped region set or one that a configuration describes.

    Parameters
    ----------
    spec : str or RegionSetOptions
        Name of a shipped set, or the user's own geometry.
    root : Path, optional
        Folder of relative paths.

    Raises
    ------
    RegionError
        Unknown name, unreadable file, or regions that overlap.
    """
    if isinstance(spec, str):
        return _shipped(spec)
    try:
        if spec.bands is not None:
            return RegionSet.bands(spec.name, spec.bands, "configuration")
        if spec.boxes is not None:
            return RegionSet(
                spec.name, tuple(spec.boxes), Boxes.from_boxes(spec.boxes), "configuration"
            )
    except RegionError as error:
        raise error.at(f"region set {spec.name}") from None
    raise RegionError(
        "polygons, labels and fractions are not read yet", where=f"region set {spec.name}"
    )


def _shipped(name: str) -> RegionSet:
    known = shipped_region_sets()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        raise RegionError(
            f"no region set is called {name!r}",
            fix=(f"did you mean {near[0]!r}? " if near else "") + f"shipped: {', '.join(known)}",
        )
    return RegionSet.bands(name, GCB_BANDS, known[name])


def region_ids(region_sets: Sequence[RegionSet]) -> tuple[str, ...]:
    """Return the ids of all regions: Globe, then each set's regions and its unassigned rest.

    A region's id is its plain name where that is unique over all sets, else ``set/name``.

    Examples
    --------
    >>> region_ids([load_region_set("gcb_bands")])
    ('Globe', 'North', 'Tropics', 'South', 'gcb_bands/unassigned')
    """
    return (GLOBE, *(i for ids in ids_by_set(region_sets).values() for i in ids))


def ids_by_set(region_sets: Sequence[RegionSet]) -> dict[str, tuple[str, ...]]:
    """Return set name -> ids of its regions and, last, of its unassigned rest.

    Raises
    ------
    RegionError
        Two sets of one name.
    """
    names = [s.name for s in region_sets]
    if len(set(names)) < len(names):
        raise RegionError(
            f"two region sets have one name: {', '.join(sorted(names))}",
            fix="rename one of them",
        )
    plain = [region for s in region_sets for region in s.regions]
    return {
        s.name: (
            *(r if plain.count(r) == 1 else f"{s.name}/{r}" for r in s.regions),
            f"{s.name}/{UNASSIGNED}",
        )
        for s in region_sets
    }
