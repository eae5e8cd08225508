"""Missing, truncated and corrupt chunks of a store, by name."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

from hpcbudget.errors import HpcBudgetError
from hpcbudget.inputs.hdf5 import unwritten_chunks
from hpcbudget.inputs.source import Index, NetcdfSource, Source, open_source
from hpcbudget.inputs.zarr_source import ZarrSource
from hpcbudget.processes import spread

Kind = Literal["missing", "corrupt"]
READ_BYTES = 64_000_000

Piece = tuple[str, str, Index]
"""Variable, name of the piece, and where it is."""


@dataclass(frozen=True)
class Defect:
    """One stored object that does not hold what it should.

    Attributes
    ----------
    store, variable : str
    place : str
        Chunk, shard or range of indices.
    kind : {"missing", "corrupt"}
    detail : str
    """

    store: str
    variable: str
    place: str
    kind: Kind
    detail: str = ""

    def __str__(self) -> str:
        told = f": {self.detail}" if self.detail else ""
        return f"{self.kind}: {self.place} of {self.variable} in {self.store}{told}"


@dataclass(frozen=True)
class Verification:
    """What `verify` found.

    Attributes
    ----------
    store : str
    variables, objects : int
        Numbers of what was read: of variables, those that hold numbers along some dimension.
    read_bytes : int
        Decoded.
    defects : tuple of Defect
    """

    store: str
    variables: int
    objects: int
    read_bytes: int
    defects: tuple[Defect, ...]

    @property
    def ok(self) -> bool:
        """Whether everything could be read."""
        return not self.defects


def verify(path: str, *, group: str | None = None, workers: int = 1) -> Verification:
    """Read every stored chunk of a file or store and name those that are not whole.

    Parameters
    ----------
    path : str
        netCDF file or zarr store.
    group : str, optional
        Group within it.
    workers : int
        Processes that read; what they find is the same for any number.

    Returns
    -------
    Verification
        Chunks without a checksum can be corrupt in ways that still decode; those written by
        `ingest` have one.

    Raises
    ------
    InputError, MissingChunkError
        If the store cannot be opened at all.
    """
    with open_source(path, group) as source:
        names = tuple(
            name
            for name, variable in source.variables.items()
            if variable.shape and 0 not in variable.shape and variable.dtype.kind in "iufSb"
        )
        missing = [
            Defect(path, name, place, "missing")
            for name in names
            for place in sorted(set(_absent(source, name)))
        ]
        pieces = [(name, *piece) for name in names for piece in _pieces(source, name)]
        bundles = list(_bundles(source, pieces))
    found = list(spread(partial(_read, path=path, group=group), bundles, workers))
    corrupt = [defect for defects, _ in found for defect in defects]
    by_variable = sorted([*missing, *corrupt], key=lambda defect: names.index(defect.variable))
    read = sum(size for _, size in found)
    return Verification(path, len(names), len(pieces), read, tuple(by_variable))


def _read(bundle: tuple[Piece, ...], path: str, group: str | None) -> tuple[list[Defect], int]:
    """Read some pieces; return what is wrong with them, and their decoded bytes."""
    defects: list[Defect] = []
    size = 0
    with open_source(path, group) as source:
        for name, place, index in bundle:
            if isinstance(source, ZarrSource) and any(source.absent_chunks(name, index)):
                continue  # named as missing
            try:
                size += source.read(name, index).nbytes
            except HpcBudgetError as error:
                defects.append(Defect(path, name, place, "corrupt", error.what))
    return defects, size


def _bundles(source: Source, pieces: list[Piece]) -> Iterator[tuple[Piece, ...]]:
    """Put pieces together until they are worth sending to another process."""
    bundle: list[Piece] = []
    size = 0
    for piece in pieces:
        bundle.append(piece)
        name, _, index = piece
        cells = math.prod(part.stop - part.start for part in index if isinstance(part, slice))
        size += cells * source.variables[name].dtype.itemsize
        if size >= READ_BYTES:
            yield tuple(bundle)
            bundle, size = [], 0
    if bundle:
        yield tuple(bundle)


def _absent(source: Source, name: str) -> Iterator[str]:
    """Names of chunks that are not stored."""
    whole = tuple(slice(None) for _ in source.variables[name].shape)
    if isinstance(source, ZarrSource):
        yield from source.absent_chunks(name, whole)
    elif isinstance(source, NetcdfSource):
        yield from (f"chunk at {first}" for first in unwritten_chunks(source, name))


def _pieces(source: Source, name: str) -> Iterator[tuple[str, Index]]:
    """Cut a variable into stored objects, or into pieces of some MB where there are none."""
    variable = source.variables[name]
    steps = list(variable.writes or variable.shape)
    if variable.writes is None or not isinstance(source, ZarrSource):
        # several small chunks at once along the first dimension
        plane = variable.dtype.itemsize * math.prod(variable.shape[1:])
        unit = variable.writes[0] if variable.writes else 1
        many = max(int(READ_BYTES / max(plane * unit, 1)), 1)
        steps = [unit * many, *variable.shape[1:]]
    ranges = [range(0, n, s) for n, s in zip(variable.shape, steps, strict=True)]
    for start in itertools.product(*ranges):
        index = tuple(
            slice(a, min(a + s, n)) for a, s, n in zip(start, steps, variable.shape, strict=True)
        )
        if isinstance(source, ZarrSource):
            yield next(source.stored_keys(name, index)), index
        else:
            first = index[0]
            yield f"{variable.dims[0]} {first.start} to {first.stop - 1}", index
