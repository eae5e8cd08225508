"""Zarr stores, formats 2 and 3, consolidated or not, sharded or not.

Zarr hands out its fill value for a chunk that is not there. For a carbon budget that is a lost
chunk, not a value, so every read first makes sure that all chunks it touches are stored.

Chunks of local stores with the usual codecs are decoded by `hpcbudget.inputs.zarr_chunks`. For
all others the `zarrs` pipeline is used where it is installed and knows the codecs: it decodes
shards two to three times as fast as zarr's own, but its partial decoder passes over checksums (a
flipped bit in a chunk with crc32c was read without complaint, zarrs 0.2.3). So it reads whole
stored objects only, where it checks them.
"""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import itertools
import os
import struct
import threading
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr
from zarr.core.sync import sync

from hpcbudget.errors import InputError, MissingChunkError
from hpcbudget.inputs.remote import is_remote, unreachable
from hpcbudget.inputs.shards import ShardIndex
from hpcbudget.inputs.source import Engine, Fetched, Index, Source, Variable
from hpcbudget.inputs.zarr_chunks import ChunkCodec, ChunkReader

_ZARRS = "zarrs.ZarrsCodecPipeline" if importlib.util.find_spec("zarrs") else None
_ARRAY_MARKS = ("zarr.json", ".zarray")
_METADATA = (*_ARRAY_MARKS, ".zgroup", ".zattrs", ".zmetadata")
_CONFIG_LOCK = threading.Lock()  # zarr's configuration is one for all threads


def open_zarr(path: str, group: str | None = None) -> ZarrSource:
    """Open a store, or hand out the one that is open; metadata that changed are read anew.

    A run asks for a store once per block, and parsing metadata takes longer than a small block.
    """
    if "://" in path:
        return ZarrSource(path, group)
    folder = Path(path, (group or "").strip("/"))
    marks = [mark for name in _METADATA for mark in (*folder.glob(name), *folder.glob(f"*/{name}"))]
    stamps = []
    for mark in sorted(marks):
        status = mark.stat()
        stamps.append((str(mark), status.st_size, status.st_mtime_ns))
    return _opened(path, group, tuple(stamps))


@lru_cache(maxsize=64)
def _opened(path: str, group: str | None, stamps: tuple[tuple[str, int, int], ...]) -> ZarrSource:
    del stamps  # part of the key only
    return ZarrSource(path, group)


class ZarrSource(Source):
    """A zarr group."""

    engine: Engine = "zarr"

    def __init__(self, path: str, group: str | None = None) -> None:
        self.path = path.rstrip("/")
        self.is_local = not is_remote(path) and os.path.isdir(path)
        if not is_remote(path) and not Path(path).exists():
            raise InputError("store not found", where=path, fix="correct the path or set --data")
        try:
            self._group = zarr.open_group(self.path, mode="r", path=(group or "").strip("/"))
            arrays = self._arrays_of(self._group, group)
        except Exception as error:  # stores of all kinds raise what they like
            if is_remote(path):
                raise unreachable(path, error) from None
            place = f" with group {group!r}" if group else ""
            raise InputError(
                f"cannot be opened as a zarr group{place}: {error or type(error).__name__}",
                where=path,
                why="its metadata are missing or damaged",
                fix="check the path; 'hpcbudget verify' tells what is missing",
            ) from None
        self.attrs = dict(self._group.attrs)
        self._arrays: dict[str, zarr.Array[Any]] = arrays
        self._faster: dict[str, zarr.Array[Any]] = {}
        self._readers: dict[str, ChunkReader | None] = {}
        self.variables = {name: self._describe(name, array) for name, array in arrays.items()}

    def _arrays_of(self, opened: zarr.Group, group: str | None) -> dict[str, zarr.Array[Any]]:
        """Arrays of a group; in a local store, other files that lie about are passed over."""
        if not self.is_local:
            return dict(opened.arrays())
        folder = Path(self.path, (group or "").strip("/"))
        names = sorted(p.parent.name for mark in _ARRAY_MARKS for p in folder.glob(f"*/{mark}"))
        found = {name: opened[name] for name in names}
        return {name: held for name, held in found.items() if isinstance(held, zarr.Array)}

    def _describe(self, name: str, array: zarr.Array[Any]) -> Variable:
        attrs: dict[str, Any] = dict(array.attrs)
        metadata: Any = array.metadata
        named = attrs.pop("_ARRAY_DIMENSIONS", None) or getattr(metadata, "dimension_names", None)
        dims = tuple(named) if named else tuple(f"dim_{i}" for i in range(array.ndim))
        # format 2 keeps CF's _FillValue in its own metadata; a zero is zarr's default, not missing
        if metadata.zarr_format == 2 and metadata.fill_value and "_FillValue" not in attrs:
            attrs["_FillValue"] = metadata.fill_value
        # format 3: xarray writes a float's _FillValue in base64
        if isinstance(attrs.get("_FillValue"), str) and array.dtype.kind == "f":
            with contextlib.suppress(ValueError, struct.error):
                raw = base64.b64decode(attrs["_FillValue"], validate=True)
                attrs["_FillValue"] = struct.unpack("<d", raw)[0]
        stored = array.shards or array.chunks
        direct = self.is_local and ChunkCodec.of(array) is not None
        return Variable(
            name=name,
            dims=dims,
            shape=tuple(array.shape),
            dtype=np.dtype(array.dtype),
            attrs=attrs,
            # zarr's pipelines are at their best with whole objects
            chunks=tuple(array.chunks if direct else stored),
            writes=tuple(stored),
        )

    def read(self, name: str, index: Index = ()) -> npt.NDArray[Any]:
        """Return raw numbers (see `Source.read`)."""
        return self.fetch(name, index)()

    def fetch(self, name: str, index: Index = ()) -> Fetched:
        """Read the bytes of all chunks; for arrays that only zarr can decode, their numbers."""
        array = self._arrays[name]
        full = (*index, *(slice(None) for _ in range(array.ndim - len(index))))
        # an index of one step keeps its dimension while reading: decoders then fill whole arrays
        ranges = tuple(
            slice(i, i + 1) if isinstance(i, int) else slice(*i.indices(n))
            for i, n in zip(full, array.shape, strict=True)
        )
        lengths = tuple(max(r.stop - r.start, 0) for r in ranges)
        shape = tuple(n for n, i in zip(lengths, full, strict=True) if not isinstance(i, int))
        reader = self._reader(name)
        if reader is None:
            self._require_stored(array, full)
        with self._decoding(name, full):
            fill = reader.fetch(ranges) if reader else self._by_zarr(name, ranges)

        def decoded(into: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
            if into is None:
                into = np.empty(lengths, array.dtype.newbyteorder("="))
            with self._decoding(name, full):
                fill(into.reshape(lengths))
            return into.reshape(shape)

        return decoded

    @contextlib.contextmanager
    def _decoding(self, name: str, index: Index) -> Iterator[None]:
        """Raise whatever codecs and disks raise as a chunk that is not there, or damaged."""
        try:
            yield
        except Exception as error:
            self._require_stored(self._arrays[name], index)
            raise MissingChunkError(
                f"variable {name!r} cannot be decoded: {error}",
                where=self.path,
                why="a chunk is truncated or corrupt",
                fix="'hpcbudget verify' names it; restore it from the source",
            ) from None

    def _reader(self, name: str) -> ChunkReader | None:
        """Return what decodes an array's chunks without zarr; None if zarr has to do it."""
        if name not in self._readers:
            array = self._arrays[name]
            codec = ChunkCodec.of(array) if self.is_local else None
            self._readers[name] = None
            if codec is not None:
                self._readers[name] = ChunkReader(
                    array,
                    codec,
                    lambda at: Path(self.path, self._key(array, at)),
                    ShardIndex.of(array),
                )
        return self._readers[name]

    def _by_zarr(self, name: str, ranges: tuple[slice, ...]) -> Callable[[npt.NDArray[Any]], None]:
        """Have zarr decode ranges of an array; return what copies them."""
        array = self._arrays[name]
        reader = self._fast(name) if self._covers_objects(array, ranges) else array
        values = np.asarray(reader[ranges])

        def fill(into: npt.NDArray[Any]) -> None:
            into[...] = values

        return fill

    def stored_keys(self, name: str, index: Index) -> Iterator[str]:
        """Yield the store's keys of all objects that hold some of ``array[index]``."""
        array = self._arrays[name]
        for coordinates in _objects(array, index):
            yield self._key(array, coordinates)

    def local_file(self, key: str) -> Path | None:
        """Return the file that holds a key, if the store is a local folder."""
        return Path(self.path, key) if self.is_local else None

    def read_bytes(self, key: str, last: int | None = None) -> bytes | None:
        """Return a stored object, or its `last` bytes; None if it is not there."""
        file = self.local_file(key)
        if file is not None:
            try:
                with file.open("rb") as opened:
                    if last is not None:
                        opened.seek(-min(last, os.fstat(opened.fileno()).st_size), os.SEEK_END)
                    return opened.read()
            except FileNotFoundError:
                return None
        from zarr.core.buffer import default_buffer_prototype

        found = sync(self._group.store.get(key, default_buffer_prototype()))
        if found is None:
            return None
        whole = found.to_bytes()
        return whole if last is None else whole[-last:]

    def absent_chunks(self, name: str, index: Index) -> Iterator[str]:
        """Yield the names of chunks of ``array[index]`` that are not stored."""
        array = self._arrays[name]
        layout = ShardIndex.of(array)
        for coordinates in _objects(array, index):
            key = self._key(array, coordinates)
            if layout is None or not layout.at_end:
                if not self._exists(key):
                    yield f"chunk {key}"
                continue
            raw = self.read_bytes(key, layout.nbytes)
            if raw is None:
                yield f"shard {key}"
            elif len(raw) < layout.nbytes:
                yield f"the end of shard {key}"
            else:
                for chunk in layout.absent(raw, coordinates, array.shape):
                    yield f"chunk {chunk} of shard {key}"

    def close(self) -> None:
        """Release the store."""

    def _require_stored(self, array: zarr.Array[Any], index: Index) -> None:
        absent = list(itertools.islice(self.absent_chunks(array.basename, index), 4))
        if absent:
            more = " and more are" if len(absent) > 3 else " is" if len(absent) == 1 else " are"
            raise MissingChunkError(
                ", ".join(absent[:3]) + f"{more} not stored",
                where=self.path,
                why="zarr would hand out fill values: a lost chunk is not a measurement",
                fix="restore it or write the store again; if its writer left out empty chunks,"
                " rewrite it from the source with 'hpcbudget ingest'",
            )

    def _key(self, array: zarr.Array[Any], coordinates: tuple[int, ...]) -> str:
        metadata: Any = array.metadata
        key = metadata.encode_chunk_key(coordinates)
        return f"{array.path}/{key}" if array.path else str(key)

    def _exists(self, key: str) -> bool:
        file = self.local_file(key)
        return file.exists() if file is not None else bool(sync(self._group.store.exists(key)))

    def _covers_objects(self, array: zarr.Array[Any], ranges: tuple[slice, ...]) -> bool:
        """Whether a read takes whole chunks or shards, none of them cut by the array's end."""
        if _ZARRS is None or not self.is_local:
            return False
        bounds = [r.indices(n) for r, n in zip(ranges, array.shape, strict=True)]
        sizes = array.shards or array.chunks
        return all(a % s == 0 and b % s == 0 for (a, b, _), s in zip(bounds, sizes, strict=True))

    def _fast(self, name: str) -> zarr.Array[Any]:
        """Return the array with the zarrs pipeline, or as it is if zarrs cannot read it."""
        array = self._arrays[name]
        if name in self._faster or not array.dtype.isnative:
            return self._faster.get(name, array)
        settings = {
            "codec_pipeline.path": _ZARRS,
            "codec_pipeline.strict": True,
            "threading.max_workers": _decoder_threads(),
        }
        with _CONFIG_LOCK, zarr.config.set(settings):
            try:
                faster = zarr.open_array(self._group.store, path=array.path, mode="r")
            except Exception:  # a codec that zarrs does not know
                faster = array
        self._faster[name] = faster
        return faster


def _decoder_threads() -> int | None:
    """Threads that zarrs may decode with: as many as numerical libraries, or all if unset.

    dask gives its workers one each (``OMP_NUM_THREADS``); without that limit every worker of a
    node would start as many threads as the node has cores.
    """
    given = os.environ.get("OMP_NUM_THREADS", "")
    return int(given) if given.isdigit() and int(given) > 0 else None


def _objects(array: zarr.Array[Any], index: Index) -> Iterator[tuple[int, ...]]:
    """Coordinates of all stored objects (shards or chunks) that hold some of ``array[index]``."""
    ranges = []
    for part, length, step in zip(index, array.shape, array.shards or array.chunks, strict=True):
        first, stop, _ = part.indices(length) if isinstance(part, slice) else (part, part + 1, 1)
        ranges.append(range(first // step, -(-stop // step)) if stop > first else range(0))
    yield from itertools.product(*ranges)
