"""Read grids whose cells are polygons: curvilinear, unstructured, UGRID and SCRIP.

Corners come from CF bounds of the two-dimensional (or per-cell) latitude and longitude, from UGRID
connectivity, or from a separate file. A curvilinear grid without any gets corners midway between
its centres: the mean direction of four neighbours, the outermost mirrored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpcbudget.errors import GridError
from hpcbudget.space.grid import Array, Grid

if TYPE_CHECKING:
    import xarray as xr


def polygon_grid(
    lat: xr.DataArray,
    lon: xr.DataArray,
    corners: tuple[NDArray[Any], NDArray[Any]] | None,
    dims: tuple[str, ...],
    rule: str,
) -> Grid:
    """Return a grid of polygons.

    Parameters
    ----------
    lat, lon : DataArray
        Centres with one (unstructured) or two (curvilinear) dimensions.
    corners : tuple of array, optional
        Corners (*shape, vertex), or nodes (ny + 1, nx + 1) that neighbours share, in degrees.
    dims : tuple of str
        The field's dimensions in stored order.
    rule : str
        Where the corners come from.

    Raises
    ------
    GridError
        No corners and no way to infer them, or corners of another shape.
    """
    stored = tuple(d for d in dims if d in lat.dims)
    turned = stored != tuple(map(str, lat.dims))
    shape = lat.shape
    if corners is None:
        if lat.ndim != 2 or min(shape) < 2:
            raise GridError(
                f"cells along {', '.join(map(str, lat.dims))} have no corners",
                why="their areas would have to be guessed",
                fix="give latitude and longitude CF bounds, or name a file that has corners with "
                "'grid: {corners: {paths: FILE, variable: NAME}}'",
            )
        corners = _nodes_between(np.asarray(lat.values, float), np.asarray(lon.values, float))
        rule = "inferred: corners midway between centres"
    corner_lat, corner_lon = corners
    if corner_lat.ndim == 2 and lat.ndim == 2:
        if corner_lat.shape != (shape[0] + 1, shape[1] + 1):
            raise GridError(f"nodes have shape {corner_lat.shape}, cells {shape}")
        corner_lat, corner_lon = (
            np.stack([a[:-1, :-1], a[:-1, 1:], a[1:, 1:], a[1:, :-1]], axis=-1) for a in corners
        )
    if corner_lat.shape[:-1] != shape or corner_lat.shape != corner_lon.shape:
        raise GridError(
            f"corners have shape {corner_lat.shape} and {corner_lon.shape}, cells {shape}",
            fix="corners have the dimensions of the cells and one more, last",
        )
    values = [np.asarray(a, np.float64) for a in (lat.values, lon.values, corner_lat, corner_lon)]
    if turned:
        values = [np.swapaxes(a, 0, 1) for a in values]
        shape = shape[::-1]
    return Grid.polygons(
        values[2],
        values[3],
        shape=shape,
        dims=stored,
        lat_deg=values[0],
        lon_deg=values[1],
        rule=rule,
    )


def grid_from_scrip(ds: xr.Dataset) -> Grid:
    """Return the grid of a SCRIP grid file: ``grid_corner_lat``, ``grid_corner_lon``, ...

    Its corners are joined by great circles, as ESMF does, also where they are those of boxes.
    """
    corners = [_degrees(ds[f"grid_corner_{axis}"]) for axis in ("lat", "lon")]
    centres = [
        _degrees(ds[f"grid_center_{axis}"]) if f"grid_center_{axis}" in ds else None
        for axis in ("lat", "lon")
    ]
    dims = tuple(int(n) for n in ds["grid_dims"].values[::-1]) if "grid_dims" in ds else ()
    shape = dims if int(np.prod(dims)) == len(corners[0]) and dims else (len(corners[0]),)
    return Grid.polygons(
        *corners, shape=shape, lat_deg=centres[0], lon_deg=centres[1], rule="SCRIP corners"
    )


def is_mesh(ds: xr.Dataset, name: str) -> bool:
    """Whether a variable is the topology of a UGRID mesh that has faces."""
    attributes = ds[name].attrs if name in ds.variables else {}
    return attributes.get("cf_role") == "mesh_topology" and "face_node_connectivity" in attributes


def mesh_of(ds: xr.Dataset, variable: str, dims: tuple[str, ...]) -> Grid | None:
    """Return the faces of the UGRID mesh that a variable names, None if there is no such mesh.

    Raises
    ------
    GridError
        Values that lie on nodes or edges, or a mesh whose faces have another dimension.
    """
    attributes = ds[variable].attrs
    mesh = attributes.get("mesh")
    location = str(attributes.get("location", "face"))
    if mesh is None or mesh not in ds.variables:
        return None
    if location != "face":
        raise GridError(
            f"{variable!r} has its values on the {location}s of mesh {mesh}",
            why="only the faces of a mesh have areas",
            fix="give the fluxes of faces",
        )
    grid = grid_from_ugrid(ds, mesh=str(mesh))
    if grid.dims[0] not in dims:
        raise GridError(
            f"the faces of mesh {mesh} lie along {grid.dims[0]}, which is no dimension of"
            f" {variable!r}",
            fix="correct the attribute 'mesh' or the mesh's 'face_dimension'",
        )
    return grid


def grid_from_ugrid(ds: xr.Dataset, cell_dim: str | None = None, mesh: str | None = None) -> Grid:
    """Return the faces of a UGRID mesh: of the one named, or of the first one along a dimension.

    Raises
    ------
    GridError
        No mesh with faces in it.
    """
    for key in map(str, ds.variables) if mesh is None else [mesh]:
        if not is_mesh(ds, key):
            continue
        attributes = ds[key].attrs
        names = str(attributes.get("node_coordinates", "")).split()
        absent = [n for n in (attributes["face_node_connectivity"], *names) if n not in ds]
        if absent or len(names) != 2:
            raise GridError(
                f"mesh {key} needs face_node_connectivity and two node_coordinates"
                + (f"; not in the file: {', '.join(absent)}" if absent else ""),
                fix="give the file that holds them, or correct the attributes of the mesh",
            )
        connectivity = ds[attributes["face_node_connectivity"]]
        nodes = {_axis(ds[n]): _degrees(ds[n]) for n in names}
        faces = str(attributes.get("face_dimension", connectivity.dims[0]))
        table = connectivity.transpose(faces, ...).values
        if cell_dim is not None and faces != cell_dim:
            continue
        base = int(connectivity.attrs.get("start_index", 0))
        table = np.where(np.isfinite(table), table, -1).astype(np.int64) - base
        fill = connectivity.attrs.get("_FillValue", connectivity.encoding.get("_FillValue"))
        none = (table < 0) | (table >= len(nodes["lat"]))
        if fill is not None and np.isfinite(fill):
            none |= table == int(fill) - base
        corners = [
            np.where(none, np.nan, nodes[a][np.where(none, 0, table)]) for a in ("lat", "lon")
        ]
        return Grid.polygons(*corners, dims=(faces,), rule=f"UGRID mesh {key}")
    raise GridError("no UGRID mesh with faces", fix="give a CF, SCRIP or UGRID file")


def _nodes_between(lat_deg: Array, lon_deg: Array) -> tuple[Array, Array]:
    """Nodes (ny + 1, nx + 1) at the mean direction of four centres, the outermost mirrored."""
    lat, lon = np.radians(lat_deg), np.radians(lon_deg)
    p = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
    # columns that meet again round the Earth are neighbours, not edges
    step = np.linalg.norm(p[:, 1:] - p[:, :-1], axis=-1)
    around = bool((np.linalg.norm(p[:, 0] - p[:, -1], axis=-1) < 1.5 * step.max(axis=1)).all())
    if around:
        p = np.concatenate([p[:, -1:], p, p[:, :1]], axis=1)
    else:
        p = np.concatenate([2 * p[:, :1] - p[:, 1:2], p, 2 * p[:, -1:] - p[:, -2:-1]], axis=1)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]], axis=0)
    node = p[:-1, :-1] + p[1:, :-1] + p[:-1, 1:] + p[1:, 1:]
    return (
        np.degrees(np.arctan2(node[..., 2], np.hypot(node[..., 0], node[..., 1]))),
        np.degrees(np.arctan2(node[..., 1], node[..., 0])),
    )


def _axis(variable: xr.DataArray) -> str:
    """Return what nodes hold by what they say of themselves, else by their name."""
    said = f"{variable.attrs.get('standard_name', '')} {variable.attrs.get('units', '')}".lower()
    for axis, words in (
        ("lat", ("latitude", "degrees_north")),
        ("lon", ("longitude", "degrees_east")),
    ):
        if any(word in said for word in words):
            return axis
    return "lat" if "lat" in str(variable.name).lower() else "lon"


def _degrees(variable: xr.DataArray) -> Array:
    values = np.asarray(variable.values, np.float64)
    radians = str(variable.attrs.get("units", "")).strip().lower().startswith("rad")
    return np.degrees(values) if radians else values
