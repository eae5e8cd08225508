"""Stored chunks of a local zarr array, fetched as bytes and decoded where they are wanted.

Zarr's pipelines decode into memory of their own, which the system must clear first, and hand the
work to threads of their own. Here the bytes of a chunk are decoded by numcodecs, without Python's
lock, straight into a buffer that is used again and again: on one core that is faster than the
other pipelines are on two (``hpcbudget bench read``). Arrays whose codecs are not known here are
left to zarr.
"""

from __future__ import annotations

import itertools
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import google_crc32c
import numcodecs
import numcodecs.blosc
import numpy as np
import numpy.typing as npt
import zarr
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, ZstdCodec

from hpcbudget.inputs.shards import ShardIndex

Decompress: TypeAlias = Callable[[bytes, npt.NDArray[np.uint8]], None]
Coordinates: TypeAlias = tuple[int, ...]
Ranges: TypeAlias = tuple[slice, ...]

_CHECKSUM_BYTES = 4
# two versions, flags, bytes of a number; then bytes decoded, of a block, stored
_BLOSC_HEADER = struct.Struct("<BBBBIII")


@dataclass(frozen=True)
class ChunkCodec:
    """How the bytes of a chunk become numbers.

    Attributes
    ----------
    decompress : callable
        Of (stored bytes, uint8[n] to fill); raises if they are not as many.
    checksum : bool
        Whether a crc32c follows the bytes.
    """

    decompress: Decompress
    checksum: bool

    @classmethod
    def of(cls, array: zarr.Array[Any]) -> ChunkCodec | None:
        """Return the codec of an array; None if it is one of the unusual ones."""
        if array.dtype.kind not in "iuf" or array.dtype.byteorder == ">":
            return None
        metadata: Any = array.metadata
        if metadata.zarr_format == 2:
            if metadata.filters or metadata.order != "C":
                return None
            chosen = _of_numcodecs(metadata.compressor)
            return cls(chosen, checksum=False) if chosen else None
        chain = metadata.codecs
        index = ShardIndex.of(array)
        if index is not None:
            chain = chain[0].codecs
        if not chain or not isinstance(chain[0], BytesCodec):
            return None
        if array.dtype.itemsize > 1 and str(getattr(chain[0].endian, "value", "")) != "little":
            return None
        rest = list(chain[1:])
        checksum = bool(rest) and isinstance(rest[-1], Crc32cCodec)
        if checksum:
            rest.pop()
        if len(rest) > 1:
            return None
        chosen = _V3.get(type(rest[0])) if rest else _copy
        return cls(chosen, checksum) if chosen else None


def _of_numcodecs(compressor: Any) -> Decompress | None:
    if compressor is None:
        return _copy
    if isinstance(compressor, numcodecs.Blosc):
        return _blosc
    known = (numcodecs.Zstd, numcodecs.GZip, numcodecs.Zlib)
    return _by(compressor) if isinstance(compressor, known) else None


def _copy(raw: bytes, out: npt.NDArray[np.uint8]) -> None:
    _fill(np.frombuffer(raw, np.uint8), out)


def _blosc(raw: bytes, out: npt.NDArray[np.uint8]) -> None:
    # blosc believes its header: what it says is held against what there is, on both sides
    if len(raw) < _BLOSC_HEADER.size:
        raise ValueError("a chunk is truncated")
    *_, n_bytes, _, n_stored = _BLOSC_HEADER.unpack_from(raw)
    if n_stored != len(raw) or n_bytes != out.size:
        raise ValueError(
            f"a chunk of {len(raw)} bytes says that {n_stored} hold {n_bytes}, not {out.size}"
        )
    numcodecs.blosc.decompress(raw, out)


def _by(codec: Any) -> Decompress:
    def decompress(raw: bytes, out: npt.NDArray[np.uint8]) -> None:
        _fill(np.frombuffer(codec.decode(raw), np.uint8), out)

    return decompress


def _fill(found: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8]) -> None:
    if found.size != out.size:
        raise ValueError(f"a chunk holds {found.size} bytes, not {out.size}")
    out[:] = found


_V3: dict[type, Decompress] = {
    BloscCodec: _blosc,
    ZstdCodec: _by(numcodecs.Zstd()),
    GzipCodec: _by(numcodecs.GZip()),
}


@dataclass(frozen=True)
class ChunkReader:
    """Reads ranges of one array.

    Attributes
    ----------
    array : zarr.Array
    codec : ChunkCodec
    file_of : callable
        Of the coordinates of a stored object (chunk or shard): the file that holds it.
    shards : ShardIndex or None
    """

    array: zarr.Array[Any]
    codec: ChunkCodec
    file_of: Callable[[tuple[int, ...]], Path]
    shards: ShardIndex | None

    def fetch(self, ranges: Ranges) -> Callable[[npt.NDArray[Any]], None]:
        """Read the stored bytes of all chunks that hold some of ``array[ranges]``.

        Returns
        -------
        callable
            Of an array of the ranges' shape and the stored type, in C order, which it fills.

        Raises
        ------
        OSError, ValueError
            If a chunk is not there or its place in a shard is beyond the file.
        """
        stored = list(self._stored(ranges))
        return lambda out: self._decode(stored, ranges, out)

    def _stored(self, ranges: Ranges) -> Iterator[tuple[Coordinates, bytes]]:
        """Read chunk by chunk, file by file."""
        if self.shards is None:
            for chunk in _touched(ranges, self.array.chunks):
                with self.file_of(chunk).open("rb") as file:
                    size = os.fstat(file.fileno()).st_size
                    yield self._read(file.fileno(), chunk, 0, size)
            return
        for shard in _touched(ranges, self.array.shards or ()):
            low = [s * n for s, n in zip(shard, self.shards.counts, strict=True)]
            inside = tuple(
                slice(max(r.start, first * c), min(r.stop, (first + n) * c))
                for r, first, n, c in zip(
                    ranges, low, self.shards.counts, self.shards.inner, strict=True
                )
            )
            with self.file_of(shard).open("rb") as file:
                index = self.shards.places(file.fileno())
                for chunk in _touched(inside, self.shards.inner):
                    place = tuple(c - f for c, f in zip(chunk, low, strict=True))
                    if place not in index:
                        raise ValueError(f"chunk {chunk} is not stored")
                    yield self._read(file.fileno(), chunk, *index[place])

    def _read(
        self, handle: int, chunk: Coordinates, offset: int, size: int
    ) -> tuple[Coordinates, bytes]:
        # read apart, since a slice would be a copy; checked now, while it is in the cache
        body = max(size - _CHECKSUM_BYTES, 0) if self.codec.checksum else size
        raw, told = os.pread(handle, body, offset), os.pread(handle, size - body, offset + body)
        if len(raw) + len(told) != size:
            raise ValueError(f"chunk {chunk} lies beyond the end of its file")
        if self.codec.checksum and google_crc32c.value(raw) != int.from_bytes(told, "little"):
            raise ValueError(f"the checksum of chunk {chunk} does not hold")
        return chunk, raw

    def _decode(
        self,
        stored: list[tuple[Coordinates, bytes]],
        ranges: Ranges,
        out: npt.NDArray[Any],
    ) -> None:
        shape = self.array.chunks
        scratch: npt.NDArray[Any] | None = None
        for chunk, raw in stored:
            begin = [c * n for c, n in zip(chunk, shape, strict=True)]
            # the part of the chunk that is wanted: as places in the array, in `out`, in the chunk
            wanted = [
                (max(b, r.start), min(b + n, r.stop))
                for b, n, r in zip(begin, shape, ranges, strict=True)
            ]
            target: Any = tuple(
                slice(a - r.start, z - r.start) for (a, z), r in zip(wanted, ranges, strict=True)
            )
            view = out[(*target, ...)]
            whole = view.shape == shape and view.flags.c_contiguous
            if not whole and scratch is None:
                scratch = np.empty(shape, self.array.dtype)
            decoded = view if whole or scratch is None else scratch
            try:
                self.codec.decompress(raw, decoded.reshape(-1).view(np.uint8))
            except Exception as error:  # codecs raise whatever their library does
                raise ValueError(f"chunk {chunk}: {error}") from None
            if not whole:
                inner = tuple(slice(a - b, z - b) for (a, z), b in zip(wanted, begin, strict=True))
                view[...] = decoded[inner]


def _touched(ranges: Ranges, shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """Coordinates of the pieces of `shape` that hold some of `ranges`."""
    along = (range(r.start // n, -(-r.stop // n)) for r, n in zip(ranges, shape, strict=True))
    yield from itertools.product(*along)
