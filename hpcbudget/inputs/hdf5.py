"""Chunks of netCDF-4 files that were never written: the library hands out fill values for them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

from hpcbudget.inputs.source import NETCDF_LOCK, NetcdfSource


def unwritten_chunks(source: NetcdfSource, name: str) -> Iterator[tuple[int, ...]]:
    """Yield the first index of every chunk of a variable that the file does not hold.

    Nothing for classic and contiguous variables, which have no chunks.
    """
    if source.variables[name].chunks is None or source.is_remote:
        return
    import h5py

    with NETCDF_LOCK:
        try:
            file = h5py.File(source.path, "r")
        except OSError:
            return  # a classic file
        with file:
            held: Any = file.get(source.hdf5_path(name))
            if not isinstance(held, h5py.Dataset) or held.chunks is None:
                return
            counts = [-(-n // c) for n, c in zip(held.shape, held.chunks, strict=True)]
            n_stored = held.id.get_num_chunks()
            if n_stored == math.prod(counts):
                return
            stored = {held.id.get_chunk_info(i).chunk_offset for i in range(n_stored)}
            offsets = [
                tuple(p * c for p, c in zip(place, held.chunks, strict=True))
                for place in itertools.product(*(range(n) for n in counts))
            ]
    yield from (offset for offset in offsets if offset not in stored)
