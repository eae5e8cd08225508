"""Make the shipped outlines from Natural Earth (public domain) in the TopoJSON of `world-atlas`.

Run ``python -m hpcbudget.space.data.make_regions COUNTRIES.json LAND.json`` with the countries of
1:50m and the land of 1:110m. It writes, beside this file,

- ``units.npz``: countries, cut where a border between regions runs through one;
- ``coastline.npz``: a coastline for figures.

Which unit belongs to which region is text to be edited: ``regions.yaml``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ring = NDArray[np.float64]

STEP_DEG = 1e-6
"""Vertices are kept as whole numbers of this: where a cut adds a vertex to a border between two
countries, no more than this opens between them."""

CUTS: dict[str, dict[str, tuple[float, float, float, float]]] = {
    # the crest of the Urals is near 60 E; European Russia counts as Europe in many budgets
    "Russia": {
        "Russia (Europe)": (-10.0, 60.0, 0.0, 90.0),
        "Russia (Asia)": (60.0, 200.0, 0.0, 90.0),
    },
    "France": {
        "France": (-10.0, 15.0, 40.0, 55.0),
        "French Guiana": (-60.0, -50.0, 0.0, 8.0),
        "French Antilles": (-65.0, -60.0, 10.0, 20.0),
        "French Indian Ocean": (40.0, 60.0, -30.0, 0.0),
    },
}
"""Country -> its units as boxes [west, east, south, north]; cut where an edge runs through land."""


def read_topology(path: Path, layer: str) -> Iterator[tuple[str, bool, Ring]]:
    """Yield (name, is a hole, unwrapped closed ring) of a TopoJSON layer of polygons."""
    topology = json.loads(path.read_text(encoding="utf-8"))
    scale, origin = (np.array(topology["transform"][k]) for k in ("scale", "translate"))
    arcs = [np.cumsum(np.array(arc), axis=0) * scale + origin for arc in topology["arcs"]]
    for shape in topology["objects"][layer]["geometries"]:
        name = shape.get("properties", {}).get("name", layer)
        polygons = shape.get("arcs", [])
        for polygon in [polygons] if shape["type"] == "Polygon" else polygons:
            for place, arc_ids in enumerate(polygon):
                parts = [arcs[i] if i >= 0 else arcs[~i][::-1] for i in arc_ids]
                ring = np.concatenate([parts[0], *(p[1:] for p in parts[1:])])
                ring, around = unwrap(ring)
                # the continent around the pole comes as a hole in an outline without area
                if ring[:, 1].max() > -89.0:
                    yield name, place > 0 and not around, ring


def unwrap(ring: Ring) -> tuple[Ring, bool]:
    """Remove jumps at the date line; close a ring that goes round the Earth over its pole."""
    lon, lat = np.unwrap(ring[:, 0], period=360.0), np.clip(ring[:, 1], -90.0, 90.0)
    ring = np.stack([lon, lat], axis=1)
    if abs(lon[-1] - lon[0]) < 180.0:
        return ring, False
    pole = float(np.copysign(90.0, lat.mean()))
    seam = np.array([[lon[-1], pole], [lon[0], pole], [lon[0], lat[0]]])
    return np.concatenate([ring, seam]), True


def cut(rings: list[tuple[bool, Ring]], box: tuple[float, float, float, float]) -> Iterator[Any]:
    """Yield the (is a hole, ring) of what lies in a box."""
    import shapely

    west, east, south, north = box
    for hole, ring in rings:
        outline = shapely.Polygon(ring)
        for turn in (-360.0, 0.0, 360.0):  # islands beyond the date line have western longitudes
            window = shapely.box(west + turn, south, east + turn, north)
            for part in shapely.get_parts(shapely.intersection(outline, window)):
                if part.geom_type == "Polygon" and not part.is_empty:
                    yield hole, np.array(part.exterior.coords)


def pack(named: dict[str, list[tuple[bool, Ring]]]) -> dict[str, NDArray[Any]]:
    """Turn rings by name into arrays of differences, which compress well."""
    steps, sizes, owner, holes = [], [], [], []
    for number, rings in enumerate(named.values()):
        for hole, ring in rings:
            whole = np.round(ring / STEP_DEG).astype(np.int32)
            whole = whole[np.concatenate([[True], np.any(np.diff(whole, axis=0) != 0, axis=1)])]
            if len(whole) < 4:
                continue
            steps.append(np.diff(whole, axis=0, prepend=np.zeros((1, 2), np.int32)))
            sizes.append(len(whole))
            owner.append(number)
            holes.append(hole)
    return {
        "names": np.array(list(named)),
        "steps": np.concatenate(steps).astype(np.int32),
        "sizes": np.array(sizes, np.int32),
        "owner": np.array(owner, np.int32),
        "holes": np.array(holes),
        "step_deg": np.array(STEP_DEG),
    }


def main() -> None:
    """Write the outlines."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("countries", type=Path, help="countries-50m.json")
    parser.add_argument("land", type=Path, help="land-110m.json")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    units: dict[str, list[tuple[bool, Ring]]] = {}
    for name, hole, ring in read_topology(arguments.countries, "countries"):
        units.setdefault(name, []).append((hole, ring))
    for name, boxes in CUTS.items():
        whole = units.pop(name)
        for unit, box in boxes.items():
            units[unit] = list(cut(whole, box))
    coast = [(hole, ring) for _, hole, ring in read_topology(arguments.land, "land")]
    units = dict(sorted(units.items()))
    for file, named in (("units.npz", units), ("coastline.npz", {"Land": coast})):
        # no time stamps: the same input gives the same bytes
        np.savez_compressed(arguments.out / file, allow_pickle=False, **pack(named))


if __name__ == "__main__":
    main()
