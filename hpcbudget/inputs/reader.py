"""Reading a store: bytes are fetched by one thread and become values in another.

A reader keeps the file that it reads from open, since a block is many small pieces: what was just
decoded is still in the processor's cache when the kernel comes to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from hpcbudget.inputs.source import Fetched, Source, open_source

if TYPE_CHECKING:
    from hpcbudget.inputs.store import Part, Store

Values = npt.NDArray[np.floating[Any]]
Decode = Callable[[Values | None], Values]


class Reader:
    """Reads steps of one store; close it, and fetch in one thread only.

    Parameters
    ----------
    store : Store
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._path = ""
        self._source: Source | None = None

    def fetch(self, start: int, stop: int) -> Decode:
        """Read what is stored of steps ``[start, stop)``; it is decoded when the result is called.

        Returns
        -------
        callable
            Of a buffer, flat and of the store's type, with room for all values, or None for a new
            one. It returns what `Store.read` does; the values may lie in the buffer and hold until
            that is used again. Any thread may call it, once.

        Raises
        ------
        MissingChunkError
            If a stored chunk is missing, truncated or corrupt; what is called may raise it, too.
        """
        pieces = [(*piece, *self._fetch(*piece)) for piece in self.store.overlapping(start, stop)]

        def decode(buffer: Values | None) -> Values:
            size = (stop - start) * self.store.layout.grid.size
            flat = np.empty(size, self.store.dtype) if buffer is None else buffer[:size]
            values = flat.reshape(stop - start, *self.store.shape)
            for part, first, last, fetched, stored in pieces:
                self._decode(part, fetched, stored, values[first - start : last - start])
            if self.store.fraction is not None:
                fraction = self.store.fraction.read(start, stop)
                values[...] = np.where(without_flux(values, fraction), 0.0, values * fraction)
            return values

        return decode

    def _fetch(self, part: Part, first: int, last: int) -> tuple[Fetched, np.dtype[Any]]:
        """Return what is stored of one file's steps, and the type it is stored as."""
        store, source = self.store, self._open(part.path)
        steps = slice(first - part.start, last - part.start)
        stored = source.variables[store.variable].dtype.newbyteorder("=")
        return source.fetch(store.variable, store.layout.index(store.n_dims, steps)), stored

    def _decode(self, part: Part, fetched: Fetched, stored: np.dtype[Any], values: Values) -> None:
        """Fill values[step, *grid.shape] with what was fetched of one file."""
        in_place = stored == self.store.dtype and not part.decoding.packed
        if in_place and self.store.layout.in_stored_order:
            part.decoding(fetched(values))
        else:
            values[...] = part.decoding(self.store.layout.apply(fetched()))

    def _open(self, path: str) -> Source:
        if self._source is None or path != self._path:
            self.close()
            self._source, self._path = open_source(path, self.store.group), path
        return self._source

    def close(self) -> None:
        """Close the file that was read last."""
        if self._source is not None:
            self._source.close()
            self._source = None


def without_flux(values: Values, fraction: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Tell where nothing counts: a fraction of zero, or neither flux nor fraction."""
    outside: npt.NDArray[np.bool_] = (fraction == 0) | (np.isnan(fraction) & np.isnan(values))
    return outside
