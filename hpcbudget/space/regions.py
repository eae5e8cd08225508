"""Region sets: named, disjoint regions of the globe, shipped or of the user's own."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hpcbudget.errors import HpcBudgetError, RegionError
from hpcbudget.options import RegionSetOptions
from hpcbudget.space.boxes import Boxes
from hpcbudget.space.coast import Coastal
from hpcbudget.space.geometry import Geometry
from hpcbudget.space.shipped import about_sets, shipped_regions

GLOBE = "Globe"
UNASSIGNED = "unassigned"


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
    >>> load_region_set("reccap2").regions[:2]
    ('North America', 'South America')
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
    return dict(about_sets())


def load_region_set(spec: str | RegionSetOptions, root: Path | None = None) -> RegionSet:
    """Return a shipped region set or one that a configuration describes.

    Parameters
    ----------
    spec : str or RegionSetOptions
        Name of a shipped set, with ``+coast`` to count the sea of coastal cells with their land
        (see `hpcbudget.space.coast`), or the user's own geometry.
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
        return _described(spec, root or Path())
    except HpcBudgetError as error:
        raise error.at(f"region set {spec.name}") from None


def _shipped(spec: str) -> RegionSet:
    name, plus, option = spec.partition("+")
    known = about_sets()
    if name not in known or (plus and option != "coast"):
        near = difflib.get_close_matches(name, known, n=1)
        raise RegionError(
            f"no region set is called {spec!r}",
            fix=(f"did you mean {near[0]!r}? " if near else "") + f"shipped: {', '.join(known)}",
        )
    regions, geometry = shipped_regions(name)
    if plus:
        return RegionSet(spec, regions, Coastal(geometry), known[name] + ", coastal cells whole")
    return RegionSet(name, regions, geometry, known[name])


def _described(spec: RegionSetOptions, root: Path) -> RegionSet:
    if spec.bands is not None:
        return RegionSet.bands(spec.name, spec.bands, "configuration")
    if spec.boxes is not None:
        return RegionSet(
            spec.name, tuple(spec.boxes), Boxes.from_boxes(spec.boxes), "configuration"
        )
    if spec.polygons is not None:
        from hpcbudget.space.polygon_files import read_polygons

        names, polygons = read_polygons(root / spec.polygons, spec.field)
        return RegionSet(spec.name, names, polygons, spec.polygons)
    from hpcbudget.space.labels import read_fraction, read_labels

    if spec.labels is not None:
        names, labels = read_labels(spec.labels, spec.names, root)
        return RegionSet(spec.name, names, labels, ", ".join(spec.labels.paths))
    assert spec.fraction is not None
    names, shares = read_fraction(spec.fraction, root)
    return RegionSet(spec.name, names, shares, ", ".join(spec.fraction.paths))


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
