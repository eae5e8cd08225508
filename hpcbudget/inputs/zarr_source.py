"""Zarr stores, formats 2 and 3, consolidated or not, sharded or not.

Zarr hands out its fill value for a chunk that is not there. For a carbon budget that is a lost
chunk, not a value, so every read first makes sure that all chunks it touches are stored.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
import zarr.errors

from hpcbudget.errors import InputError, MissingChunkError
from hpcbudget.inputs.source import Engine, Index, Source, Variable


class ZarrSource(Source):
    """A zarr group."""

    engine: Engine = "zarr"

    def __init__(self, path: str, group: str | None = None) -> None:
        self.path = path.rstrip("/")
        if "://" not in path and not Path(path).exists():
            raise InputError("store not found", where=path, fix="correct the path or set --data")
        try:
            self._group = zarr.open_group(self.path, mode="r", path=(group or "").strip("/"))
            arrays = dict(self._group.arrays())
        except (FileNotFoundError, KeyError, ValueError, TypeError, OSError) as error:
            place = f" with group {group!r}" if group else ""
            raise InputError(
                f"cannot be opened as a zarr group{place}: {error}",
                where=path,
                why="its metadata are missing or damaged",
                fix="check the path; 'hpcbudget verify' tells what is missing",
            ) from None
        self.attrs = dict(self._group.attrs)
        self._arrays: dict[str, zarr.Array[Any]] = arrays
        self.variables = {name: self._describe(name, array) for name, array in arrays.items()}

    def _describe(self, name: str, array: zarr.Array[Any]) -> Variable:
        attrs: dict[str, Any] = dict(array.attrs)
        metadata: Any = array.metadata
        named = attrs.pop("_ARRAY_DIMENSIONS", None) or getattr(metadata, "dimension_names", None)
        dims = tuple(named) if named else tuple(f"dim_{i}" for i in range(array.ndim))
        # format 2 keeps CF's _FillValue in its own metadata; a zero is zarr's default, not missing
        if metadata.zarr_format == 2 and metadata.fill_value and "_FillValue" not in attrs:
            attrs["_FillValue"] = metadata.fill_value
        return Variable(
            name=name,
            dims=dims,
            shape=tuple(array.shape),
            dtype=np.dtype(array.dtype),
            attrs=attrs,
            chunks=tuple(array.chunks),
            writes=tuple(array.shards or array.chunks),
        )

    def read(self, name: str, index: Index = ()) -> npt.NDArray[Any]:
        """Return raw numbers (see `Source.read`)."""
        array = self._arrays[name]
        full = (*index, *(slice(None) for _ in range(array.ndim - len(index))))
        for key in self.stored_keys(name, full):
            if not self._exists(key):
                raise MissingChunkError(
                    f"chunk {key} is not stored",
                    where=self.path,
                    why="zarr would hand out fill values for it: a lost chunk, not a measurement",
                    fix="restore or rewrite the store; one written without empty chunks can be"
                    " made whole with 'hpcbudget ingest'",
                )
        try:
            values = np.asarray(array[full])
        except Exception as error:  # codecs raise whatever their library does
            raise MissingChunkError(
                f"variable {name!r} cannot be decoded: {error}",
                where=self.path,
                why="a chunk is truncated or corrupt",
                fix="'hpcbudget verify' names it; restore it from the source",
            ) from None
        return np.ascontiguousarray(values, values.dtype.newbyteorder("="))

    def stored_keys(self, name: str, index: Index) -> Iterator[str]:
        """Yield the store's keys of all objects that hold some of ``array[index]``."""
        array = self._arrays[name]
        metadata: Any = array.metadata
        ranges = []
        for part, length, step in zip(
            index, array.shape, array.shards or array.chunks, strict=True
        ):
            first, stop, _ = (
                part.indices(length) if isinstance(part, slice) else (part, part + 1, 1)
            )
            ranges.append(range(first // step, -(-stop // step)) if stop > first else range(0))
        for coordinates in itertools.product(*ranges):
            key = metadata.encode_chunk_key(coordinates)
            yield f"{array.path}/{key}" if array.path else key

    def local_file(self, key: str) -> Path | None:
        """Return the file that holds a key, if the store is a local folder."""
        return Path(self.path, key) if os.path.isdir(self.path) else None

    def _exists(self, key: str) -> bool:
        file = self.local_file(key)
        if file is not None:
            return file.exists()
        from zarr.core.sync import sync

        return bool(sync(self._group.store.exists(key)))

    def close(self) -> None:
        """Release the store."""
