"""The region sets that come with the package, made of Natural Earth's countries."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import yaml

from hpcbudget.space.boxes import Boxes
from hpcbudget.space.grid import Array
from hpcbudget.space.polygons import Polygons
from hpcbudget.space.rings import Rings

GCB_BANDS = {"North": (30.0, 90.0), "Tropics": (-30.0, 30.0), "South": (-90.0, -30.0)}
"""North (>30N), Tropics (30S-30N) and South (<30S) of the Global Carbon Budget."""

_DATA = files("hpcbudget.space") / "data"


@cache
def about_sets() -> dict[str, str]:
    """Return the names of the shipped sets with one line about each."""
    bands = "North (>30N), Tropics, South (<30S) of the Global Carbon Budget"
    return {"gcb_bands": bands, **{name: entry["about"] for name, entry in _lists().items()}}


@cache
def shipped_regions(name: str) -> tuple[tuple[str, ...], Boxes | Polygons]:
    """Return the region names and the geometry of a shipped set."""
    if name == "gcb_bands":
        return tuple(GCB_BANDS), Boxes.from_bands(GCB_BANDS)
    units = _rings(_lists()[name].get("outlines", "units.npz"))
    regions = _members(name, tuple(units))
    rings = [
        (number, hole, ring)
        for number, members in enumerate(regions.values())
        for unit in members
        for hole, ring in units[unit]
    ]
    return tuple(regions), Polygons(Rings.of(rings), len(regions))


@cache
def coastline() -> tuple[Array, ...]:
    """Return a coarse coastline for figures: lines (vertex, [lon, lat]) in degrees, 180 W to 180 E.

    Examples
    --------
    >>> len(coastline()) > 100, coastline()[0].shape[1]
    (True, 2)
    """
    lines: list[Array] = []
    for _, ring in _rings("coastline.npz")["Land"]:
        ring = ring[np.abs(ring[:, 1]) < 90.0]  # without the seam that closes a polar continent
        # Russia reaches across the date line
        for shift in (-360.0, 0.0, 360.0):
            moved = np.add(ring, (shift, 0.0))
            inside = np.abs(moved[:, 0]) <= 180.0
            seam = np.abs(np.diff(moved[:, 0])) > 180.0
            pieces = np.split(moved, np.flatnonzero(np.diff(inside) | seam) + 1)
            lines.extend(p for p in pieces if len(p) > 1 and abs(p[0, 0]) <= 180.0)
    return tuple(lines)


def _members(name: str, units: tuple[str, ...]) -> dict[str, list[str]]:
    """Region -> units of a set."""
    entry = _lists()[name]
    if "merge_all" in entry:
        return {entry["merge_all"]: list(units)}
    if "merge" in entry:
        merged = {unit: region for region, members in entry["merge"].items() for unit in members}
        result: dict[str, list[str]] = {}
        for unit in units:
            result.setdefault(merged.get(unit, unit), []).append(unit)
        return dict(sorted(result.items()))
    return {
        region: _members(members["same_as"], units)[region]
        if isinstance(members, dict)
        else list(members)
        for region, members in entry["regions"].items()
    }


@cache
def _lists() -> dict[str, Any]:
    lists: dict[str, Any] = yaml.safe_load((_DATA / "regions.yaml").read_text(encoding="utf-8"))
    return lists


@cache
def _rings(file: str) -> dict[str, list[tuple[bool, Array]]]:
    """Name -> (is a hole, vertices (n, [lon, lat])) of a file that `make_regions` wrote."""
    with (_DATA / file).open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        starts = np.concatenate([[0], np.cumsum(arrays["sizes"])])
        steps, scale = arrays["steps"].astype(np.int64), float(arrays["step_deg"])
        names, owner, holes = arrays["names"], arrays["owner"], arrays["holes"]
    result: dict[str, list[tuple[bool, Array]]] = {str(name): [] for name in names}
    for k, (who, hole) in enumerate(zip(owner, holes, strict=True)):
        ring = np.cumsum(steps[starts[k] : starts[k + 1]], axis=0) * scale
        result[str(names[who])].append((bool(hole), ring))
    return result
