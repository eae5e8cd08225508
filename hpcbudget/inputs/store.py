"""One variable in one or many files along time, as a small description that can be pickled.

A worker gets the description, opens what it needs, reads whole stored chunks and closes. Nothing
is kept open in here, so a store can be read by any number of processes and threads.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hpcbudget.errors import HpcBudgetError
from hpcbudget.inputs.decode import Decoding
from hpcbudget.inputs.layout import Layout
from hpcbudget.inputs.reader import Reader, Values, without_flux
from hpcbudget.inputs.remote import is_remote, remote_identity
from hpcbudget.inputs.source import Variable, engine_of, open_source
from hpcbudget.inputs.zarr_source import ZarrSource

SHARD_LIMIT = 256_000_000
"""Decoded bytes up to which a shard is read whole."""


@dataclass(frozen=True)
class Part:
    """Steps of a series that lie in one file.

    Attributes
    ----------
    path : str
    start, stop : int
        Half-open range of steps on the axis of the series.
    chunk_steps : int
        Steps of one stored object, a chunk or shard; 1 if contiguous.
    piece_steps : int
        Steps of what can be decoded alone; divides `chunk_steps`.
    decoding : Decoding
        Rules of this file.
    """

    path: str
    start: int
    stop: int
    chunk_steps: int
    piece_steps: int
    decoding: Decoding


@dataclass(frozen=True)
class Store:
    """Where the numbers of one series are and how they are read.

    Attributes
    ----------
    parts : tuple of Part
        Files in order of time, without gaps in steps.
    variable : str
    group : str or None
    layout : Layout
        Dimensions of the stored array.
    n_dims : int
        Number of its stored dimensions.
    dtype : numpy.dtype
        float32 or float64, of what `read` returns.
    fraction : MovingFraction or None
        Multiplied into the numbers of each step.
    """

    parts: tuple[Part, ...]
    variable: str
    group: str | None
    layout: Layout
    n_dims: int
    dtype: np.dtype[np.floating[Any]]
    fraction: MovingFraction | None = None

    @property
    def n_steps(self) -> int:
        """Number of time steps."""
        return self.parts[-1].stop

    @property
    def shape(self) -> tuple[int, ...]:
        """Spatial shape of a step."""
        return self.layout.grid.shape

    @property
    def step_bytes(self) -> int:
        """Decoded bytes of one step."""
        return self.layout.grid.size * self.dtype.itemsize

    def time_chunks(self) -> tuple[int, ...]:
        """Return the boundaries of whole stored objects along time, from 0 to `n_steps`.

        They begin anew in every file.
        """
        return self._boundaries(lambda part: part.chunk_steps)

    def time_pieces(self) -> tuple[int, ...]:
        """Return the boundaries along time of what can be decoded alone, from 0 to `n_steps`."""
        return self._boundaries(lambda part: part.piece_steps)

    def _boundaries(self, steps: Callable[[Part], int]) -> tuple[int, ...]:
        edges = [0]
        for part in self.parts:
            edges.extend(range(part.start + steps(part), part.stop, steps(part)))
            edges.append(part.stop)
        return tuple(edges)

    def read(self, start: int, stop: int) -> Values:
        """Return values of steps ``[start, stop)``.

        Returns
        -------
        ndarray of float32 or float64, shape (step, *grid.shape)
            C order; NaN where there is no value.

        Raises
        ------
        MissingChunkError
            If a stored chunk is missing, truncated or corrupt.
        """
        with closing(Reader(self)) as reader:
            return reader.fetch(start, stop)(None)

    def share(self, start: int, stop: int) -> npt.NDArray[np.float64] | None:
        """Return the part of each cell that `read`'s values stand for; None if it never changes.

        Returns
        -------
        ndarray, shape (step, *grid.shape), or None
            0 where neither flux nor fraction is known, 1 where only the fraction is unknown.
        """
        if self.fraction is None:
            return None
        values = replace(self, fraction=None).read(start, stop)
        fraction = self.fraction.read(start, stop)
        outside = without_flux(values, fraction)
        return np.where(outside, 0.0, np.where(np.isnan(fraction), 1.0, fraction))

    def fingerprint(self, start: int, stop: int) -> str:
        """Return a hash of what steps ``[start, stop)`` are read from.

        Path, size and time of change of every file (of every chunk or shard of a zarr store) that
        holds some of them, and the rules by which they are decoded.
        """
        digest = hashlib.sha256(repr((self.variable, self.group, self.layout.fixed,
                                      self.layout.order, str(self.dtype))).encode())  # fmt: skip
        for part, first, last in self.overlapping(start, stop):
            steps = slice(first - part.start, last - part.start)
            digest.update(repr((part.path, first, last, part.decoding)).encode())
            for name in self._files(part, steps):
                digest.update(f"{name} {file_identity(name)}\n".encode())
        if self.fraction is not None:
            digest.update(self.fraction.fingerprint(start, stop).encode())
        return digest.hexdigest()

    def _files(self, part: Part, steps: slice) -> Iterator[str]:
        if engine_of(part.path) != "zarr":
            yield part.path
            return
        with open_source(part.path, self.group) as source:
            assert isinstance(source, ZarrSource)
            for key in source.stored_keys(self.variable, self.layout.index(self.n_dims, steps)):
                yield str(source.local_file(key) or f"{part.path}/{key}")

    def overlapping(self, start: int, stop: int) -> Iterator[tuple[Part, int, int]]:
        """Yield each part that holds some of the steps ``[start, stop)``, and which of them."""
        if not 0 <= start < stop <= self.n_steps:
            raise HpcBudgetError(
                f"steps {start} to {stop} are not within 0 to {self.n_steps}",
                where=f"{self.parts[0].path}, variable {self.variable}",
            )
        for part in self.parts:
            first, last = max(start, part.start), min(stop, part.stop)
            if first < last:
                yield part, first, last


@dataclass(frozen=True, eq=False)
class MovingFraction:
    """A fraction that changes with time.

    Attributes
    ----------
    store : Store
        Where its numbers are.
    factor : float
        To a fraction of one.
    steps : int64[step]
        Step of the fraction for each step of the flux.
    complement : bool
        Whether what counts is one minus the field.
    """

    store: Store
    factor: float
    steps: npt.NDArray[np.int64]
    complement: bool = False

    def read(self, start: int, stop: int) -> npt.NDArray[np.float64]:
        """Return the fraction of the flux's steps ``[start, stop)``; NaN where it has no value."""
        first, last = self._range(start, stop)
        held = self.store.read(first, last).astype(np.float64) * self.factor
        fraction = np.clip(held, 0.0, 1.0)[self.steps[start:stop] - first]
        return 1.0 - fraction if self.complement else fraction

    def fingerprint(self, start: int, stop: int) -> str:
        """Return a hash of what it is read from (see `Store.fingerprint`)."""
        first, last = self._range(start, stop)
        return f"{self.factor} {self.complement} {self.store.fingerprint(first, last)}"

    def _range(self, start: int, stop: int) -> tuple[int, int]:
        wanted = self.steps[start:stop]
        return int(wanted.min()), int(wanted.max()) + 1


def units_along_time(variable: Variable, time_axis: int | None) -> tuple[int, int]:
    """Return the steps that are best read together, and those that can be decoded alone.

    The first is a shard if it is not too large, or a chunk.
    """
    if time_axis is None or variable.writes is None or variable.chunks is None:
        return 1, 1
    size = variable.dtype.itemsize * int(np.prod(variable.shape, dtype=np.int64))
    shard, piece = variable.writes[time_axis], variable.chunks[time_axis]
    step_bytes = size / max(variable.shape[time_axis], 1)
    return shard if shard * step_bytes <= SHARD_LIMIT else piece, piece


def file_identity(path: str) -> str:
    """Return size and time of change of a local file; the text 'absent' if it is not there."""
    if is_remote(path):
        return remote_identity(path)
    try:
        status = os.stat(Path(path))
    except OSError:
        return "absent"
    return f"{status.st_size} {status.st_mtime_ns}"
