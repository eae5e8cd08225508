"""Missing, truncated and corrupt chunks of a store, by name."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from hpcbudget.errors import HpcBudgetError
from hpcbudget.inputs.hdf5 import unwritten_chunks
from hpcbudget.inputs.source import Index, NetcdfSource, Source, open_source
from hpcbudget.inputs.zarr_source import ZarrSource

Kind = Literal["missing", "corrupt", "unreadable"]
READ_BYTES = 64_000_000


@dataclass(frozen=True)
class Defect:
    """One stored object that does not hold what it should.

    Attributes
    ----------
    store, variable : str
    place : str
        Chunk, shard or range of indices.
    kind : {"missing", "corrupt", "unreadable"}
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
        Numbers of what was read.
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


def verify(path: str, *, group: str | None = None) -> Verification:
    """Read every stored chunk of a file or store and name those that are not whole.

    Parameters
    ----------
    path : str
        netCDF file or zarr store.
    group : str, optional
        Group within it.

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
    defects: list[Defect] = []
    objects = read = 0
    with open_source(path, group) as source:
        for name, variable in source.variables.items():
            if not variable.shape or 0 in variable.shape or variable.dtype.kind not in "iufSb":
                continue
            absent = set(_absent(source, name))
            defects.extend(Defect(path, name, place, "missing") for place in sorted(absent))
            for place, index in _pieces(source, name):
                objects += 1
                if isinstance(source, ZarrSource) and any(source.absent_chunks(name, index)):
                    continue  # already named
                try:
                    read += source.read(name, index).nbytes
                except HpcBudgetError as error:
                    defects.append(Defect(path, name, place, "corrupt", error.what))
        return Verification(path, len(source.variables), objects, read, tuple(defects))


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
