"""Which inner chunks a zarr shard really holds, from the index at its end (or start)."""

from __future__ import annotations

import itertools
import math
import os
from dataclasses import dataclass
from typing import Any

import google_crc32c
import numpy as np
import numpy.typing as npt
from zarr.codecs import BytesCodec, Crc32cCodec, ShardingCodec

_ABSENT = np.uint64(2**64 - 1)


@dataclass(frozen=True)
class ShardIndex:
    """Layout of the index of every shard of one array.

    Attributes
    ----------
    counts : tuple of int
        Inner chunks of a shard along each dimension.
    inner : tuple of int
        Shape of an inner chunk.
    at_end : bool
    checksum : bool
        Whether a crc32c follows the index.
    """

    counts: tuple[int, ...]
    inner: tuple[int, ...]
    at_end: bool
    checksum: bool

    @classmethod
    def of(cls, array: Any) -> ShardIndex | None:
        """Return the index layout of a zarr array; None if it is not sharded or not usual."""
        codecs: tuple[Any, ...] = tuple(getattr(array.metadata, "codecs", ()))
        if len(codecs) != 1 or not isinstance(codecs[0], ShardingCodec) or array.shards is None:
            return None
        codec = codecs[0]
        kinds = [type(c) for c in codec.index_codecs]
        if kinds not in ([BytesCodec], [BytesCodec, Crc32cCodec]):
            return None
        inner = tuple(codec.chunk_shape)
        counts = tuple(s // c for s, c in zip(array.shards, inner, strict=True))
        return cls(counts, inner, str(codec.index_location.value) == "end", len(kinds) == 2)

    @property
    def nbytes(self) -> int:
        """Bytes of the index."""
        return 16 * int(np.prod(self.counts)) + 4 * self.checksum

    def places(self, handle: int) -> dict[tuple[int, ...], tuple[int, int]]:
        """Return place within the shard -> (offset, size in bytes) of the chunks of an open file.

        Raises
        ------
        ValueError
            If the file ends before its index, or the index fails its checksum.
        """
        offset = max(os.fstat(handle).st_size - self.nbytes, 0) if self.at_end else 0
        raw = os.pread(handle, self.nbytes, offset)
        size = 16 * math.prod(self.counts)
        if len(raw) != self.nbytes:
            raise ValueError("a shard is shorter than its index")
        if self.checksum and google_crc32c.value(raw[:size]) != int.from_bytes(
            raw[size:], "little"
        ):
            raise ValueError("the checksum of a shard's index does not hold")
        table = np.frombuffer(raw[:size], "<u8").reshape(-1, 2)
        return {
            place: (int(begin), int(length))
            for place, (begin, length) in zip(np.ndindex(*self.counts), table, strict=True)
            if begin != _ABSENT
        }

    def absent(
        self, raw: bytes, shard: tuple[int, ...], shape: tuple[int, ...]
    ) -> list[tuple[int, ...]]:
        """Return the chunk coordinates within the array that a shard does not hold.

        Parameters
        ----------
        raw : bytes
            The index as stored.
        shard : tuple of int
            Coordinates of the shard.
        shape : tuple of int
            Shape of the array: chunks that lie wholly outside are never stored.
        """
        size = int(np.prod(self.counts))
        table: npt.NDArray[np.uint64] = np.frombuffer(raw[: 16 * size], "<u8").reshape(size, 2)
        missing = []
        for number, place in enumerate(itertools.product(*(range(n) for n in self.counts))):
            if table[number, 0] != _ABSENT:
                continue
            chunk = tuple(s * n + p for s, n, p in zip(shard, self.counts, place, strict=True))
            if all(c * i < n for c, i, n in zip(chunk, self.inner, shape, strict=True)):
                missing.append(chunk)
        return missing
