"""Regions from a file of polygons: GeoJSON, shapefile or GeoPackage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from hpcbudget.errors import RegionError
from hpcbudget.space.grid import Array
from hpcbudget.space.polygons import Polygons
from hpcbudget.space.rings import Rings

_Ring = tuple[bool, Array]


def read_polygons(path: Path, field: str | None = None) -> tuple[tuple[str, ...], Polygons]:
    """Return region names and polygons; features of one name are one region.

    Parameters
    ----------
    path : Path
        GeoJSON is read as it is; other formats through pyogrio, reprojected to longitude and
        latitude if they say that they are in something else.
    field : str, optional
        Attribute that holds the names. May be left out where there is only one, or one ``name``.

    Raises
    ------
    RegionError
        Unreadable, no polygons, or no such field.
    """
    if not path.exists():
        raise RegionError("no such file", where=str(path), fix="check the path of the polygons")
    try:
        if path.suffix.lower() in {".json", ".geojson"}:
            features = _from_geojson(path)
        else:
            features = _from_vector_file(path)
    except RegionError:
        raise
    except Exception as error:
        raise RegionError(
            f"cannot be read as polygons: {error}",
            where=str(path),
            fix="give GeoJSON, a shapefile (.shp) or a GeoPackage (.gpkg)",
        ) from None
    fields = sorted({key for properties, _ in features for key in properties})
    chosen = _choose(fields, field, path)
    rings: list[tuple[int, bool, Array]] = []
    numbers: dict[str, int] = {}
    for properties, parts in features:
        name = str(properties.get(chosen))
        number = numbers.setdefault(name, len(numbers))
        rings.extend((number, hole, ring) for hole, ring in parts)
    if not rings:
        raise RegionError("holds no polygons", where=str(path), fix="lines and points have no area")
    try:
        return tuple(numbers), Polygons(Rings.of(rings), len(numbers))
    except RegionError as error:
        raise error.at(str(path)) from None


def _choose(fields: list[str], field: str | None, path: Path) -> str:
    if field is None:
        named = [f for f in fields if f.lower() == "name"]
        if len(fields) == 1 or len(named) == 1:
            return (named or fields)[0]
    elif field in fields:
        return field
    raise RegionError(
        f"no field {field!r}" if field else "it is not clear which field holds the names",
        where=str(path),
        fix=f"set 'field:' to one of {', '.join(fields) or '(the file has none)'}",
    )


def _from_geojson(path: Path) -> list[tuple[dict[str, Any], list[_Ring]]]:
    document = json.loads(path.read_text(encoding="utf-8"))
    crs = str(document.get("crs", "CRS84")) if isinstance(document, dict) else "CRS84"
    if not any(known in crs for known in ("CRS84", "4326")):
        raise RegionError(
            f"is in another reference system: {crs}",
            where=str(path),
            fix="GeoJSON is in longitude and latitude (RFC 7946); reproject the file",
        )
    features = document.get("features", [document])
    result = []
    for feature in features:
        rings: list[_Ring] = []
        _collect(feature.get("geometry") or {}, rings)
        result.append((dict(feature.get("properties") or {}), rings))
    return result


def _collect(geometry: dict[str, Any], rings: list[_Ring]) -> None:
    kind = geometry.get("type")
    for part in geometry.get("geometries", []):
        _collect(part, rings)
    polygons = {
        "Polygon": [geometry.get("coordinates")],
        "MultiPolygon": geometry.get("coordinates"),
    }
    for polygon in polygons.get(str(kind)) or []:
        rings.extend(
            (place > 0, np.array([point[:2] for point in ring], np.float64))
            for place, ring in enumerate(polygon or [])
        )


def _from_vector_file(path: Path) -> list[tuple[dict[str, Any], list[_Ring]]]:
    import pyogrio.raw
    import shapely

    meta, _, geometries, columns = pyogrio.raw.read(path)
    crs = str(meta.get("crs"))
    if crs != "None" and not any(known in crs for known in ("4326", "CRS84", "WGS 84", "4269")):
        raise RegionError(
            f"is in another reference system: {crs[:60]}",
            where=str(path),
            fix="reproject it to EPSG:4326, for example with ogr2ogr -t_srs EPSG:4326",
        )
    result = []
    for number, blob in enumerate(geometries):
        rings: list[_Ring] = []
        for part in shapely.get_parts(shapely.from_wkb(blob)) if blob is not None else []:
            if part.geom_type == "Polygon":
                rings.append((False, shapely.get_coordinates(part.exterior)))
                rings.extend((True, shapely.get_coordinates(hole)) for hole in part.interiors)
        properties = dict(zip(meta["fields"], (column[number] for column in columns), strict=True))
        result.append((properties, rings))
    return result
