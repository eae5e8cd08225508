"""Regrid a whole store, a stretch of steps at a time, and show what became of the totals.

The result grows under a hidden name beside a file of marks, one for each finished stretch; run
again after a kill, the job goes on where it stopped, and the store gets its name at the end.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hpcbudget.errors import GridError, HpcBudgetError, RegridError
from hpcbudget.files import replace_folder, unwritable
from hpcbudget.space.cf_write import consolidate, grid_dataset
from hpcbudget.space.grid import Array, Grid
from hpcbudget.space.marks import Marks, identity
from hpcbudget.space.regrid_checks import (
    refuse_cell_totals,
    refuse_lost_chunks,
    refuse_target,
)
from hpcbudget.space.weight_cache import cached_weights
from hpcbudget.space.weights import Preserve, Weights

if TYPE_CHECKING:
    import xarray as xr

STRETCH_BYTES = 256e6
"""Bytes of source and result that are in memory at once."""
CHUNK_BYTES = 8e6
"""Aim for the bytes of a chunk of the result, several of which make a shard."""


@dataclass(frozen=True)
class RegriddedVariable:
    """What became of one variable.

    Attributes
    ----------
    name : str
        Name of the variable.
    source, destination : str
        The grids in words.
    steps : int
        Fields that were regridded.
    total_change : float
        Largest relative change of a field's total, measured against the sum of magnitudes, over the
        part of the source that the destination covers.
    area_mismatch : float
        Largest relative difference of the areas that the weights were made with to the exact ones.
    missing : float
        Share of destination values that are NaN.
    """

    name: str
    source: str
    destination: str
    steps: int
    total_change: float
    area_mismatch: float
    missing: float


def regrid_store(
    store: Path,
    destination: Grid | Weights,
    out: Path,
    *,
    preserve: Preserve,
    min_valid: float = 0.0,
    variables: Sequence[str] | None = None,
    dtype: str = "float64",
    weigh: Callable[[Grid, Grid], Weights] = cached_weights,
    progress: Callable[[str, int, int], None] | None = None,
) -> tuple[RegriddedVariable, ...]:
    """Regrid the gridded variables of a NetCDF file or zarr store into a new zarr store.

    Parameters
    ----------
    store : Path
        NetCDF file or zarr store.
    destination : Grid or Weights
        The new grid, or weights that lead to it.
    out : Path
        Zarr store to write; it is there whole or not at all. Each variable ``v`` comes with
        ``v_valid_fraction``, and the grid with its bounds and ``cell_area``.
    preserve : {"integral", "mean"}
        Keep totals (fluxes per area) or constants (see `hpcbudget.space.weights`).
    min_valid : float
        Smallest valid fraction of a destination cell that has a value.
    variables : sequence of str, optional
        Default: all floating-point variables on a grid.
    dtype : str
        Of the result; float32 keeps totals to 1e-7 only.
    weigh : callable
        Makes the weights between two grids where `destination` is a grid.
    progress : callable, optional
        Told (variable, steps done, steps in all).

    Raises
    ------
    RegridError, GridError
        Nothing to regrid, or a variable that is not on the weights' grid.
    OutputError
        The result cannot be written.
    """
    refuse_target(store, out)
    with _open(store) as ds:
        chosen = _choose(ds, variables, store)
        refuse_cell_totals(ds, [name for name, _ in chosen], store, preserve)
        target = destination.destination if isinstance(destination, Weights) else destination
        pairs = [
            (name, _weights(store, name, source, destination, weigh)) for name, source in chosen
        ]
        refuse_lost_chunks(store, [name for name, _ in chosen])
        keys = [(name, weights.key()) for name, weights in pairs]
        job = repr((identity(store), keys, preserve, min_valid, dtype))
        temporary = out.with_name(f".{out.name}.partial")
        marks = Marks(out.with_name(f".{out.name}.marks"), job)
        try:
            if not (marks.begun and temporary.exists()):
                _lay_out(ds, chosen, target, temporary, preserve)
                marks.begin()
            reports = tuple(
                _Work(ds[name], weights, preserve, min_valid, marks).write(
                    temporary, dtype, progress
                )
                for name, weights in pairs
            )
            consolidate(temporary)
            replace_folder(temporary, out)
            marks.path.unlink()
        except OSError as error:
            raise unwritable(out, error) from error
        except HpcBudgetError:
            shutil.rmtree(temporary, ignore_errors=True)
            marks.path.unlink(missing_ok=True)
            raise
    return reports


def _weights(
    store: Path,
    name: str,
    source: Grid,
    destination: Grid | Weights,
    weigh: Callable[[Grid, Grid], Weights],
) -> Weights:
    if not isinstance(destination, Weights):
        return weigh(source, destination)
    try:
        return destination.with_source(source)
    except RegridError as error:
        raise error.at(f"{store}, variable {name}") from None


def _lay_out(
    ds: xr.Dataset,
    chosen: list[tuple[str, Grid]],
    target: Grid,
    temporary: Path,
    preserve: Preserve,
) -> None:
    """Write coordinates and attributes of the result."""
    frame = grid_dataset(target)
    for name, source in chosen:
        frame = frame.merge(_other_coordinates(ds, name, source), compat="override")
    words = f"preserve {preserve}, {target.describe()}"
    frame.attrs = {"Conventions": "CF-1.11", **ds.attrs, "regridded": words}
    frame.to_zarr(temporary, mode="w", consolidated=False, zarr_format=3)


@dataclass(frozen=True)
class _Work:
    """One variable on its way to the new grid."""

    variable: xr.DataArray
    weights: Weights
    preserve: Preserve
    min_valid: float
    marks: Marks

    def write(
        self, path: Path, dtype: str, progress: Callable[[str, int, int], None] | None
    ) -> RegriddedVariable:
        """Regrid every stretch that is not marked as done."""
        source, target = self.weights.source, self.weights.destination
        lead = [d for d in self.variable.dims if d not in source.dims]
        ordered = self.variable.transpose(*lead, *source.dims)
        shape = tuple(ordered.sizes[d] for d in lead)
        steps = int(np.prod(shape))
        name = str(self.variable.name)
        stretch, chunk = self._stretch(shape)
        arrays = self._arrays(path, dtype, [*map(str, lead), *target.dims], shape, stretch, chunk)
        done = 0
        for key, part in _parts(shape, stretch):
            mark = f"{name} {key}"
            if mark not in self.marks.found:
                values = np.asarray(ordered[part].values)
                result = self.weights.apply(values, self.preserve, min_valid=self.min_valid)
                arrays[0][part if part else ...] = result.values.astype(dtype)
                arrays[1][part if part else ...] = result.valid_fraction
                missing = int(np.isnan(result.values).sum())
                size = values.size // source.size
                self.marks.add(mark, self._change(values, result.values), missing, size)
            done += int(self.marks.found[mark][2])
            if progress is not None:
                progress(name, done, steps)
        own = [f for key, f in self.marks.found.items() if key.rpartition(" ")[0] == name]
        return RegriddedVariable(
            name=name,
            source=source.describe(),
            destination=target.describe(),
            steps=steps,
            total_change=max((change for change, *_ in own), default=0.0),
            area_mismatch=self.weights.area_mismatch,
            missing=sum(int(missing) for _, missing, _ in own) / max(1, steps * target.size),
        )

    def _stretch(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """Return the steps of a stretch and of a chunk of the result."""
        source, target = self.weights.source, self.weights.destination
        chunk = max(1, int(CHUNK_BYTES / (8 * target.size)))
        whole = max(1, int(STRETCH_BYTES / (8 * (source.size + 3 * target.size))))
        last = shape[-1] if shape else 1
        chunk = min(chunk, whole, last)
        return chunk * min(whole // chunk, -(-last // chunk)), chunk

    def _arrays(
        self,
        path: Path,
        dtype: str,
        dims: list[str],
        shape: tuple[int, ...],
        stretch: int,
        chunk: int,
    ) -> list[Any]:
        """Open the arrays of the result, after making them if they are not there."""
        import zarr

        group = zarr.open_group(path, mode="r+")
        name, target = str(self.variable.name), self.weights.destination
        ones = (1,) * (len(shape) - 1)
        share = {"units": "1", "long_name": "valid fraction"}
        made: list[Any] = []
        for key, kind, attributes in (
            (name, dtype, self._attributes()),
            (f"{name}_valid_fraction", "float64", share),
        ):
            if key not in group:
                group.create_array(
                    key,
                    shape=(*shape, *target.shape),
                    shards=(*ones, *((stretch,) if shape else ()), *target.shape),
                    chunks=(*ones, *((chunk,) if shape else ()), *target.shape),
                    dtype=kind,
                    fill_value=np.nan,
                    dimension_names=dims,
                    attributes={**attributes, "cell_measures": "area: cell_area"},
                )
            made.append(group[key])
        return made

    def _attributes(self) -> dict[str, Any]:
        """Attributes that JSON can hold, without those that name the old grid."""
        gone = {"coordinates", "cell_measures", "grid_mapping", "bounds"}
        return {
            key: value.item() if isinstance(value, np.generic) else value
            for key, value in self.variable.attrs.items()
            if key not in gone and isinstance(value, str | int | float | np.generic)
        } | {"regridded": f"{self.weights.method}, preserve {self.preserve}"}

    def _change(self, values: NDArray[Any], result: Array) -> float:
        before, after = self.weights.totals(values, result)
        size, _ = self.weights.totals(np.abs(values), np.abs(result))
        relative = np.abs(after - before) / np.where(size > 0, size, 1.0)
        return float(relative.max(initial=0.0))


def _parts(shape: tuple[int, ...], stretch: int) -> Iterator[tuple[str, tuple[int | slice, ...]]]:
    """Yield name and index of every stretch along the last leading dimension."""
    if not shape:
        yield "all", ()
        return
    for outer in np.ndindex(shape[:-1]):
        for start in range(0, shape[-1], stretch):
            yield ",".join(map(str, (*outer, start))), (*outer, slice(start, start + stretch))


def _open(store: Path) -> xr.Dataset:
    import xarray as xr

    if not store.exists():
        raise RegridError("no such file or store", where=str(store), fix="check the path")
    try:
        if store.is_dir():
            ds: xr.Dataset = xr.open_zarr(
                store, decode_times=False, chunks=None, consolidated=False
            )
        else:
            ds = xr.open_dataset(store, decode_times=False)
    except Exception as error:
        raise RegridError(
            f"cannot be read: {error}", where=str(store), fix="give a NetCDF file or a zarr store"
        ) from None
    return ds


def _choose(ds: xr.Dataset, variables: Sequence[str] | None, store: Path) -> list[tuple[str, Grid]]:
    """Variables to regrid and their grids."""
    if variables is not None:
        return [(name, Grid.from_dataset(ds, name)) for name in variables]
    bounds = {v.attrs.get("bounds") or v.encoding.get("bounds") for v in ds.variables.values()}
    chosen = []
    for key, variable in ds.data_vars.items():
        name = str(key)
        if name in bounds or variable.dtype.kind != "f" or name == "cell_area":
            continue
        try:
            grid = Grid.from_dataset(ds, name)
        except GridError:
            continue
        if len(grid.shape) == sum(d in grid.dims for d in variable.dims):
            chosen.append((name, grid))
    if not chosen:
        raise RegridError(
            "no floating-point variable of it lies on a grid",
            where=str(store),
            fix="name the variables, or check the file with 'hpcbudget check'",
        )
    # a store lists its arrays in any order
    return sorted(chosen, key=lambda pair: pair[0])


def _other_coordinates(ds: xr.Dataset, name: str, source: Grid) -> xr.Dataset:
    """Coordinates of the dimensions that stay, time above all, with their bounds."""
    stay = {d for d in ds[name].dims if d not in source.dims}
    kept = [key for key in ds[name].coords if ds[key].dims and set(ds[key].dims) <= stay]
    bounds = [ds[key].attrs.get("bounds") or ds[key].encoding.get("bounds") for key in kept]
    found = ds[[*kept, *(b for b in bounds if b in ds.variables)]]
    # text of variable length: the fixed-width type has no zarr v3 specification
    text = {key: found[key].astype(object) for key in kept if found[key].dtype.kind == "U"}
    return found.assign_coords(text).drop_encoding()
