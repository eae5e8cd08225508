"""Files and stores, opened without interpretation: variables, attributes and raw numbers.

NetCDF is read through netCDF4 and zarr through zarr-python, both directly: values arrive as they
are stored, and what they mean (`decode`, `times`, `flux`) is settled once, by us.

HDF5 and netCDF-C are not thread-safe, so every call into them holds one lock of the process.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, Self

import netCDF4
import numpy as np
import numpy.typing as npt

from hpcbudget.errors import InputError, MissingChunkError
from hpcbudget.inputs.classic import check_length
from hpcbudget.inputs.remote import is_remote, local_copy

NETCDF_LOCK = threading.RLock()
"""Held around every call into netCDF-C or HDF5."""

Engine = Literal["netcdf", "zarr"]
Index = tuple[int | slice, ...]


class Fetched(Protocol):
    """Stored bytes that become numbers when they are wanted (see `Source.fetch`)."""

    def __call__(self, into: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
        """Decode, into memory that is given or new."""
        ...


@dataclass(frozen=True)
class Variable:
    """What a file says of one variable, before any number is read.

    Attributes
    ----------
    name : str
    dims : tuple of str
    shape : tuple of int
    dtype : numpy.dtype
    attrs : mapping
    chunks : tuple of int or None
        Shape of the smallest piece that can be decoded alone; None if contiguous.
    writes : tuple of int or None
        Shape of a stored object (shard or chunk); None if contiguous.
    """

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    attrs: Mapping[str, Any] = field(repr=False)
    chunks: tuple[int, ...] | None = None
    writes: tuple[int, ...] | None = None


class Source(ABC):
    """One opened file, store or group; close it or use it in a ``with`` statement.

    Attributes
    ----------
    path : str
    engine : {"netcdf", "zarr"}
    attrs : mapping
        Global attributes.
    variables : mapping of str to Variable
    groups : tuple of str
        Groups within, as far as netCDF tells them.
    """

    path: str
    engine: Engine
    attrs: Mapping[str, Any]
    variables: Mapping[str, Variable]
    groups: tuple[str, ...] = ()

    @abstractmethod
    def read(self, name: str, index: Index = ()) -> npt.NDArray[Any]:
        """Return raw numbers of a variable (native byte order); integers drop their dimension.

        Raises
        ------
        MissingChunkError
            If any of them is not stored, truncated or corrupt.
        """

    def fetch(self, name: str, index: Index = ()) -> Fetched:
        """Read what is stored of a variable; it becomes numbers when the result is called.

        Where that can be told apart, reading waits for the disk and decoding for the processor.

        Returns
        -------
        callable
            Without an argument, it returns what `read` does. Given a C-ordered array of as many
            numbers of the stored type, it decodes into it, and returns it in the shape of `read`.

        Raises
        ------
        MissingChunkError
            As `read`; what is called may raise it, too.
        """
        values = self.read(name, index)

        def decoded(into: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
            if into is None:
                return values
            target = into.reshape(values.shape)
            target[...] = values
            return target

        return decoded

    @abstractmethod
    def close(self) -> None:
        """Release the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class NetcdfSource(Source):
    """A netCDF-3, netCDF-4 or HDF5 file, or one of its groups."""

    engine: Engine = "netcdf"

    def __init__(self, path: str, group: str | None = None) -> None:
        self.path = path
        self.is_remote = is_remote(path)
        with NETCDF_LOCK:
            self._root = _open_dataset(local_copy(path) if self.is_remote else path)
            try:
                held = _inner_group(self._root, group, path)
                self.attrs = {k: held.getncattr(k) for k in held.ncattrs()}
                self._held = self._visible(held)
                self.variables = {n: _describe(v) for n, v in self._held.items()}
                self.groups = tuple(held.groups)
            except BaseException:
                self._root.close()
                raise

    @staticmethod
    def _visible(group: Any) -> dict[str, Any]:
        """Variables of a group and, as CF has it, the coordinates of the groups around it."""
        found: dict[str, Any] = {}
        while group is not None:
            found = {**group.variables, **found}
            group = group.parent
        return found

    def read(self, name: str, index: Index = ()) -> npt.NDArray[Any]:
        """Return raw numbers (see `Source.read`)."""
        with NETCDF_LOCK:
            held = self._held[name]
            try:
                values = np.asarray(held[index or ...])
            except (OSError, RuntimeError, IndexError) as error:
                raise MissingChunkError(
                    f"variable {name!r} cannot be read: {error}",
                    where=self.path,
                    why="the file is truncated or corrupt; a missing value is never taken as zero",
                    fix="fetch the file again, or check it with 'hpcbudget verify'",
                ) from None
        return np.asarray(values, values.dtype.newbyteorder("="), order="C")

    def hdf5_path(self, name: str) -> str:
        """Return the path of a variable within an HDF5 file."""
        with NETCDF_LOCK:
            folder = self._held[name].group().path
        return f"{folder.rstrip('/')}/{name}"

    def close(self) -> None:
        """Close the file."""
        with NETCDF_LOCK:
            if self._root.isopen():
                self._root.close()


def _open_dataset(path: str) -> Any:
    where = Path(path)
    if not where.exists():
        raise InputError("file not found", where=path, fix="correct the path or set --data")
    if where.is_dir():
        raise InputError(
            "this folder is neither a zarr store nor a file",
            where=path,
            fix=f"give a glob such as '{path}/*.nc', or the .zarr folder inside",
        )
    check_length(path)
    try:
        dataset = netCDF4.Dataset(path, "r")
        dataset.set_auto_maskandscale(False)
        dataset.set_auto_chartostring(False)
    except (OSError, RuntimeError) as error:
        empty = where.stat().st_size == 0
        raise InputError(
            "the file is empty" if empty else f"cannot be opened as netCDF: {error}",
            where=path,
            why="it is truncated, of another format, or not readable for you",
            fix="fetch it again, or check what it is with 'ncdump -k' or 'file'",
        ) from None
    return dataset


def _inner_group(root: Any, group: str | None, path: str) -> Any:
    held = root
    for part in (group or "").strip("/").split("/"):
        if not part:
            continue
        if part not in held.groups:
            names = sorted(held.groups)
            raise InputError(
                f"no group {group!r}",
                where=path,
                fix=f"set group to one of {', '.join(names)}" if names else "leave out 'group'",
            )
        held = held.groups[part]
    return held


def _describe(held: Any) -> Variable:
    chunks = held.chunking()
    pieces = tuple(int(n) for n in chunks) if isinstance(chunks, list | tuple) else None
    return Variable(
        name=held.name,
        dims=tuple(held.dimensions),
        shape=tuple(int(n) for n in held.shape),
        dtype=np.dtype(held.dtype) if held.dtype is not str else np.dtype(object),
        attrs={k: held.getncattr(k) for k in held.ncattrs()},
        chunks=pieces,
        writes=pieces,
    )


def open_source(path: str, group: str | None = None) -> Source:
    """Open a netCDF file or a zarr store for reading.

    Parameters
    ----------
    path : str
        Local path or URL; what is a folder with zarr metadata, or ends in ``.zarr``, is zarr.
    group : str, optional
        Group within it.

    Raises
    ------
    InputError
        If it does not exist, cannot be read or has no such group.
    """
    if engine_of(path) == "zarr":
        from hpcbudget.inputs.zarr_source import open_zarr

        return open_zarr(path, group)
    return NetcdfSource(path, group)


def engine_of(path: str) -> Engine:
    """Return how a path is to be read."""
    marks = ("zarr.json", ".zgroup", ".zarray", ".zmetadata")
    bare = path.rstrip("/")
    if bare.endswith((".zarr", ".zarr.zip")):
        return "zarr"
    if not is_remote(path) and any((Path(path) / mark).exists() for mark in marks):
        return "zarr"
    return "netcdf"
