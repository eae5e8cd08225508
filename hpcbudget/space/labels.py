"""Regions from fields on a grid: integer labels, or the land fraction of each cell.

On the field's own grid its cells count as they are; on any other grid a cell takes over what it has
in common with them, by area.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcbudget.errors import RegionError
from hpcbudget.options import FieldRef
from hpcbudget.space.fractions import Fractions
from hpcbudget.space.grid import Array, Grid
from hpcbudget.space.weights import make_weights


@dataclass(frozen=True, eq=False)
class CellShares:
    """Shares of the cells of one grid in regions.

    Attributes
    ----------
    grid : Grid
        Where the shares are known.
    shares : Fractions
        Entries (cell, region, share).
    n_regions : int
        Number of regions.
    """

    grid: Grid
    shares: Fractions
    n_regions: int

    needs_longitude = True

    def fractions(self, grid: Grid) -> Fractions:
        """Return the share of each cell's area in each region."""
        if grid == self.grid:
            return self.shares
        weights = make_weights(self.grid, grid)
        table = weights.table
        # (cell, source cell) x (source cell, region)
        start = np.searchsorted(self.shares.cell, table.indices, side="left")
        count = np.searchsorted(self.shares.cell, table.indices, side="right") - start
        entry = np.repeat(np.arange(len(table.indices)), count)
        first = np.cumsum(count) - count
        source = np.arange(count.sum()) - np.repeat(first - start, count)
        part = table.data[entry] * self.shares.share[source]
        pair = table.rows[entry] * self.n_regions + self.shares.region[source]
        pairs, inverse = np.unique(pair, return_inverse=True)
        cell, region = np.divmod(pairs, self.n_regions)
        area = np.bincount(inverse.reshape(-1), weights=part, minlength=len(pairs))
        share = np.minimum(area / weights.destination_area[cell], 1.0)
        return Fractions(cell, region.astype(np.int32), share)

    def members(self, grid: Grid) -> NDArray[np.int32]:
        """Return the region with the largest share of each cell, -1 where the rest is larger."""
        cell, region, share = self.fractions(grid)
        rest = 1.0 - np.bincount(cell, weights=share, minlength=grid.size)
        order = np.lexsort((-region, share))  # the last entry of a cell stays
        cell, region, share = cell[order], region[order], share[order]
        result = np.full(grid.size, -1, np.int32)
        wins = share >= rest[cell]
        result[cell[wins]] = region[wins]
        return result

    def outlines(self) -> list[list[Array]]:
        """Return no rings: a picture shows the cells."""
        return [[] for _ in range(self.n_regions)]

    def content(self) -> bytes:
        """Return the bytes that the geometry is known by."""
        cell, region, share = self.shares
        parts = (cell.astype("<i8"), region.astype("<i4"), share.astype("<f8"))
        return self.grid.content_hash().encode() + b"".join(p.tobytes() for p in parts)


def read_labels(
    field: FieldRef, names: dict[int, str] | None, root: Path
) -> tuple[tuple[str, ...], CellShares]:
    """Return region names and geometry of an integer mask.

    Parameters
    ----------
    field : FieldRef
        File and variable.
    names : dict, optional
        Label -> region; two labels may share a name, and labels left out are unassigned. Default:
        CF ``flag_values`` and ``flag_meanings``, else every positive label under its number.
    root : Path
        Folder of relative paths.

    Raises
    ------
    RegionError
        Labels that are not whole numbers, or names for labels that do not occur.
    """
    values, attributes, grid = _read(field, root)
    present = np.unique(values[np.isfinite(values)])
    if not np.array_equal(present, np.round(present)):
        raise RegionError(
            f"{field.variable} holds numbers that are not whole, such as "
            f"{present[present != np.round(present)][0]:g}",
            fix="labels are whole numbers; for shares of cells use 'fraction:'",
        )
    if names is None:
        names = _flags(attributes) or {int(v): str(int(v)) for v in present if v > 0}
    absent = sorted(set(names) - {int(v) for v in present})
    if absent:
        raise RegionError(
            f"no cell of {field.variable} has the label {', '.join(map(str, absent))}",
            fix=f"labels there: {', '.join(str(int(v)) for v in present[:30])}",
        )
    regions = tuple(dict.fromkeys(names.values()))
    members = np.full(grid.size, -1, np.int32)
    for label, name in names.items():
        members[values == label] = regions.index(name)
    return regions, CellShares(grid, Fractions.whole(members), len(regions))


def read_fraction(field: FieldRef, root: Path) -> tuple[tuple[str, ...], CellShares]:
    """Return the regions Land and Ocean and their geometry from a land fraction (``sftlf``).

    Raises
    ------
    RegionError
        Fractions outside 0..1, or of unknown scale.
    """
    values, attributes, grid = _read(field, root)
    units = str(attributes.get("units", "")).strip().lower()
    scale = field.scale or {"%": "percent", "percent": "percent", "1": "fraction"}.get(units)
    if scale is None:
        raise RegionError(
            f"{field.variable} does not say whether it is a fraction or percent",
            why="a factor of 100 is not to be guessed",
            fix="add 'scale: fraction' or 'scale: percent'",
        )
    land = values / 100.0 if scale == "percent" else values
    known = np.isfinite(land)
    if known.any() and not (land[known].min() >= -1e-6 and land[known].max() <= 1.0 + 1e-6):
        raise RegionError(
            f"{field.variable} as {scale} runs from {np.nanmin(values):g} to {np.nanmax(values):g}",
            fix="check 'scale: fraction' or 'scale: percent'",
        )
    cell = np.flatnonzero(known)
    land = np.clip(land[cell], 0.0, 1.0)
    shares = Fractions.of(
        [
            (cell[share > 0], np.full(int((share > 0).sum()), region, np.int32), share[share > 0])
            for region, share in enumerate((land, 1.0 - land))
        ]
    )
    return ("Land", "Ocean"), CellShares(grid, shares, 2)


def _read(field: FieldRef, root: Path) -> tuple[Array, dict[str, Any], Grid]:
    """Values (cell,) with NaN for missing, attributes and grid of a static field."""
    import xarray as xr

    path = root / field.paths[0]
    if not path.exists():
        raise RegionError("no such file", where=str(path), fix="check the path")
    try:
        opened = (
            xr.open_zarr(path, decode_times=False, chunks=None)
            if path.is_dir()
            else xr.open_dataset(path, decode_times=False)
        )
    except Exception as error:
        raise RegionError(
            f"cannot be read: {error}", where=str(path), fix="give a NetCDF file or a zarr store"
        ) from None
    with opened as ds:
        grid = Grid.from_dataset(ds, field.variable)
        variable = ds[field.variable]
        spare = [d for d in variable.dims if d not in grid.dims]
        variable = variable.isel(dict.fromkeys(spare, 0)).transpose(*grid.dims)
        values = np.asarray(variable.values, np.float64).ravel()
        return values, dict(variable.attrs), grid


def _flags(attributes: dict[str, Any]) -> dict[int, str]:
    meanings = str(attributes.get("flag_meanings", "")).split()
    values = np.atleast_1d(attributes.get("flag_values", []))
    return {int(v): m for v, m in zip(values, meanings, strict=False)}
