"""maps.zarr: what it is made of, and how it comes to be there whole or not at all.

It grows under a hidden name, a shard at a time, and gets its own name when nothing is missing. A
shard is one stretch of rows of one map and belongs to one task.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import zarr

from hpcbudget.maps.spans import SEASONS, Span
from hpcbudget.space.cf_write import consolidate
from hpcbudget.space.grid import Grid

Float = npt.NDArray[np.float64]

UNITS: Final = "kg m-2 s-1"
MEAN_OVER: Final = "area: mean time: mean"
ENSEMBLE: Final = ("family", "component", "period", "season")
VARIABLES: Final[dict[str, dict[str, Any]]] = {
    "mean": {
        "units": UNITS,
        "long_name": "mean over models of the surface carbon flux, positive to the atmosphere",
    },
    "sd": {"units": UNITS, "long_name": "standard deviation over models"},
    "n": {"units": "1", "long_name": "number of models with a value"},
    "agreement": {
        "units": "1",
        "long_name": "share of the models other than zero that have the sign of the mean",
    },
}
GAPS: Final[dict[str, dict[str, Any]]] = {
    "gap": {"units": UNITS, "long_name": "top-down minus bottom-up mean carbon flux"},
    "gap_sd": {"units": UNITS, "long_name": "both standard deviations, added in quadrature"},
    "gap_agrees": {
        "units": "1",
        "long_name": "whether top-down and bottom-up agree",
        "flag_values": [0, 1],
        "flag_meanings": "no yes",
    },
}
TYPES: Final[dict[str, tuple[str, float]]] = {
    "n": ("int16", 0),
    "agreement": ("float32", np.nan),
    "gap_agrees": ("int8", -1),
}
"""Type and fill value of what is not float64."""

CHUNK_CELLS: Final = 2**17


@dataclass(frozen=True, eq=False)
class Frame:
    """Axes of the store.

    Attributes
    ----------
    grid : Grid
        The common grid.
    area_m2 : ndarray, shape (cell,)
    families, components : tuple of str
        Ensembles are pairs of them; a pair that does not exist holds no data.
    spans : tuple of Span
    quantiles : tuple of float
    tile_bytes : float
        Aim for the bytes of one model on a tile.
    attributes : mapping
        Of the store.
    """

    grid: Grid
    area_m2: Float
    families: tuple[str, ...]
    components: tuple[str, ...]
    spans: tuple[Span, ...]
    quantiles: tuple[float, ...]
    tile_bytes: float
    attributes: Mapping[str, Any]

    @cached_property
    def seasons(self) -> tuple[str, ...]:
        """Seasons of any span, in the order of the year."""
        asked = {season for span in self.spans for season in span.seasons}
        return tuple(season for season in SEASONS if season in asked)

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the spatial dimensions."""
        if self.grid.is_boxes:
            return ("lat", "lon") if self.grid.lat_axis == 0 else ("lon", "lat")
        return ("y", "x") if len(self.grid.shape) == 2 else ("cell",)

    @property
    def row_cells(self) -> int:
        """Cells of a row (1 for an unstructured grid)."""
        return int(np.prod(self.grid.shape[1:], dtype=np.int64))

    @property
    def chunk_rows(self) -> int:
        """Rows of the smallest piece that can be read alone."""
        return min(max(CHUNK_CELLS // self.row_cells, 1), self.grid.shape[0])

    @property
    def tile_rows(self) -> int:
        """Rows of a shard, whole chunks of them."""
        wanted = int(self.tile_bytes / 8 / self.row_cells)
        chunks = -(-self.grid.shape[0] // self.chunk_rows)
        return self.chunk_rows * min(max(wanted // self.chunk_rows, 1), chunks)

    @property
    def tiles(self) -> tuple[tuple[int, int], ...]:
        """Half-open ranges of rows."""
        rows, step = self.grid.shape[0], self.tile_rows
        return tuple((at, min(at + step, rows)) for at in range(0, rows, step))

    def variables(self) -> dict[str, tuple[tuple[str, ...], dict[str, Any]]]:
        """Return dimensions before those of space, and attributes, by variable."""
        found: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
            name: (ENSEMBLE, facts) for name, facts in VARIABLES.items()
        }
        if self.quantiles:
            facts = {"units": UNITS, "long_name": "quantile over models, linear between them"}
            found["quantiles"] = (("quantile", *ENSEMBLE), facts)
        found.update({name: (ENSEMBLE[1:], facts) for name, facts in GAPS.items()})
        return found

    def sizes(self) -> dict[str, int]:
        """Return the lengths of the dimensions before those of space."""
        return {
            "quantile": len(self.quantiles),
            "family": len(self.families),
            "component": len(self.components),
            "period": len(self.spans),
            "season": len(self.seasons),
        }

    @property
    def nbytes(self) -> int:
        """Bytes of all variables on the grid, before compression."""
        sizes = self.sizes()
        return sum(
            np.dtype(TYPES.get(name, ("float64", 0))[0]).itemsize
            * math.prod(sizes[dim] for dim in dims)
            * self.grid.size
            for name, (dims, _) in self.variables().items()
        )

    def chunks(self, lead: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the shapes of shards and of chunks, behind `lead` other dimensions."""
        ones, rest = (1,) * lead, self.grid.shape[1:]
        return (*ones, self.tile_rows, *rest), (*ones, self.chunk_rows, *rest)


def create_store(path: Path, frame: Frame) -> None:
    """Write all metadata and coordinates of an empty store."""
    facts = {"Conventions": "CF-1.11", **frame.attributes}
    root = zarr.create_group(store=str(path), zarr_format=3, overwrite=True, attributes=facts)
    labels = {
        "family": frame.families,
        "component": frame.components,
        "period": tuple(span.name for span in frame.spans),
        "season": frame.seasons,
    }
    for name, values in labels.items():
        text = np.array(values, dtype=object)
        array = root.create_array(
            name, shape=text.shape, chunks=text.shape, dtype=str, dimension_names=(name,)
        )
        array[...] = text
    months = np.array([(span.first, span.stop) for span in frame.spans], dtype=np.int64)
    days = (months - 1970 * 12).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    facts = {"units": "days since 1970-01-01", "calendar": "proleptic_gregorian"}
    put(
        root,
        "period_bnds",
        ("period", "bnds"),
        days,
        facts | {"long_name": "first day, day after the last"},
    )
    if frame.quantiles:
        put(root, "quantile", ("quantile",), np.array(frame.quantiles), {"units": "1"})
    located = write_coordinates(root, frame.grid, frame.dims, frame.area_m2)
    sizes = frame.sizes()
    for name, (dims, facts) in frame.variables().items():
        dtype, fill = TYPES.get(name, ("float64", np.nan))
        shards, chunks = frame.chunks(len(dims))
        root.create_array(
            name,
            shape=(*(sizes[d] for d in dims), *frame.grid.shape),
            shards=shards,
            chunks=chunks,
            dtype=dtype,
            fill_value=fill,
            dimension_names=(*dims, *frame.dims),
            attributes={**facts, "cell_methods": MEAN_OVER, **located},
        )
    consolidate(path)


def write_coordinates(
    root: zarr.Group, grid: Grid, dims: tuple[str, ...], area_m2: Float
) -> dict[str, str]:
    """Write latitudes, longitudes, their bounds and the cells' areas, as CF has them.

    Returns
    -------
    dict of str to str
        Attributes of the variables on this grid.
    """
    facts = {"lat": "latitude", "lon": "longitude"}
    units = {"lat": "degrees_north", "lon": "degrees_east"}
    centres = {"lat": grid.lat_deg, "lon": grid.lon_deg}
    own: dict[str, tuple[str, ...]]
    if grid.is_boxes:
        bounds = {"lat": grid.lat_edges_deg, "lon": grid.lon_edges_deg}
        own, suffix, vertex = {name: (name,) for name in facts}, "bnds", "bnds"
    else:
        bounds = {"lat": grid.corner_lat_deg, "lon": grid.corner_lon_deg}
        own, suffix, vertex = dict.fromkeys(facts, dims), "vertices", "vertex"
    for name, long_name in facts.items():
        attributes = {
            "standard_name": long_name,
            "long_name": long_name,
            "units": units[name],
            "bounds": f"{name}_{suffix}",
            **({"axis": "Y" if name == "lat" else "X"} if grid.is_boxes else {}),
        }
        shape = (-1,) if grid.is_boxes else grid.shape
        put(root, name, own[name], centres[name].reshape(shape), attributes)
        edges = bounds[name]
        assert edges is not None
        values = edges.reshape(*shape, edges.shape[-1])
        put(root, f"{name}_{suffix}", (*own[name], vertex), values, {})
    area = {"units": "m2", "standard_name": "cell_area", "long_name": "area of the cell"}
    located = {} if grid.is_boxes else {"coordinates": "lat lon"}
    put(root, "cell_area", dims, area_m2.reshape(grid.shape), area | located)
    return {"cell_measures": "area: cell_area", **located}


def put(
    root: zarr.Group,
    name: str,
    dims: tuple[str, ...],
    values: npt.NDArray[Any],
    attributes: Mapping[str, Any],
) -> None:
    """Write a whole array in one chunk."""
    array = root.create_array(
        name,
        shape=values.shape,
        chunks=tuple(max(n, 1) for n in values.shape),
        dtype=values.dtype,
        dimension_names=dims,
        attributes=dict(attributes),
        config={"write_empty_chunks": True},
    )
    array[...] = values


def open_array(path: Path, name: str) -> zarr.Array[Any]:
    """Open one array of a store for writing."""
    return zarr.open_array(str(path), path=name, mode="r+")
