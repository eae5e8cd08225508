"""Read HEALPix grids, which a field names by its grid mapping and not by coordinates.

The mapping is that of CF 1.12 (``refinement_level``, ``indexing_scheme``) or the older one of model
output (``healpix_nside``, ``healpix_order``). A coordinate with the standard name ``healpix_index``
numbers the cells where they are not all there, or not in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hpcbudget.errors import GridError
from hpcbudget.space.grid import Grid
from hpcbudget.space.named_grids import healpix

if TYPE_CHECKING:
    from collections.abc import Mapping

    import xarray as xr


def mapping_names(attribute: object) -> list[str]:
    """Return the variables that an attribute ``grid_mapping`` names, in either form of CF.

    Examples
    --------
    >>> mapping_names("crs"), mapping_names("crs: lat lon other: x y"), mapping_names(None)
    (['crs'], ['crs', 'other'], [])
    """
    words = str(attribute or "").split()
    named = [word.removesuffix(":") for word in words if word.endswith(":")]
    return named or words


def is_healpix_mapping(attrs: Mapping[Any, Any]) -> bool:
    """Whether attributes are those of a HEALPix grid mapping."""
    return attrs.get("grid_mapping_name") == "healpix"


def is_healpix_index(attrs: Mapping[Any, Any]) -> bool:
    """Whether attributes are those of a coordinate that numbers HEALPix cells."""
    return attrs.get("standard_name") == "healpix_index"


def healpix_of(ds: xr.Dataset, variable: str, dims: tuple[str, ...]) -> Grid | None:
    """Return the HEALPix grid that a variable's grid mapping names, None without one.

    Raises
    ------
    GridError
        A numbering without one size of cells, or one that no dimension fits.
    """
    of = ds[variable]
    names = mapping_names(of.attrs.get("grid_mapping") or of.encoding.get("grid_mapping"))
    found = [n for n in names if n in ds.variables and is_healpix_mapping(ds[n].attrs)]
    if not found:
        return None
    grid = _whole(ds[found[0]].attrs, found[0])
    for name in ds.variables:
        index = ds[name]
        if is_healpix_index(index.attrs) and len(index.dims) == 1 and index.dims[0] in dims:
            return _numbered(grid, index.values, str(name)).with_dims((str(index.dims[0]),))
    cells = [d for d in dims if ds.sizes[d] == grid.size]
    if not cells:
        raise GridError(
            f"HEALPix nside {round((grid.size / 12) ** 0.5)} has {grid.size} cells, but no"
            f" dimension of {variable!r} has",
            fix=f"correct {found[0]}, or number the cells by a coordinate with the standard name "
            "healpix_index",
        )
    return grid.with_dims((cells[-1],))


def _whole(facts: Mapping[Any, Any], name: str) -> Grid:
    """All cells, in the order of the mapping."""
    level = facts.get("refinement_level")
    nside = facts.get("healpix_nside", facts.get("nside"))
    if nside is None and level is None:
        raise GridError(
            f"{name} has neither refinement_level nor healpix_nside",
            why="the size of the HEALPix cells is not known",
            fix="add one of them",
        )
    order = str(facts.get("indexing_scheme", facts.get("healpix_order", "nested"))).lower()
    if order not in ("nested", "nest", "ring"):
        raise GridError(
            f"{name} numbers HEALPix cells by {order!r}", fix="renumber them, nested or ring"
        )
    size = int(nside) if nside is not None else 2 ** int(facts["refinement_level"])
    return healpix(size, "ring" if order == "ring" else "nested")


def _numbered(grid: Grid, index: np.ndarray[Any, Any], name: str) -> Grid:
    """Return the cells of a grid that an index (cell,) names, in its order."""
    whole = index.astype(np.int64)
    if (whole != index).any() or whole.min() < 0 or whole.max() >= grid.size:
        raise GridError(
            f"{name} is not numbers from 0 to {grid.size - 1}",
            fix="it numbers the cells of the HEALPix grid; correct it or the grid mapping",
        )
    if len(np.unique(whole)) < len(whole):
        raise GridError(
            f"{name} names a HEALPix cell twice",
            why="its flux would be counted twice",
            fix="keep one of them",
        )
    corners = (corner[whole] for corner in grid.corners())
    return Grid.polygons(
        *corners, lat_deg=grid.lat_deg[whole], lon_deg=grid.lon_deg[whole], rule=grid.rule
    )
