"""Reading ahead: the next stored bytes are fetched while the last are decoded and integrated."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

import numpy as np
import numpy.typing as npt

from hpcbudget.engine.block import gather
from hpcbudget.inputs.reader import Decode, Reader
from hpcbudget.inputs.series import Series

READ_BYTES = 32e6
"""Decoded bytes whose stored bytes are fetched ahead at a time."""

# What is decoded and integrated at once: little enough for a core's cache. On an idle machine 32 MB
# do as well; where others use the memory too, two workers got half as much done with them.
PIECE_BYTES = 4e6

Values = npt.NDArray[np.floating]


def read_ahead(
    series: Series, start: int, stop: int, prefetch: int = 1
) -> Generator[tuple[int, Values], None, None]:
    """Yield ``(first step, values[step, cell])`` of pieces in order of time.

    A piece is as many stored chunks as fit `PIECE_BYTES`, or one. All are decoded into the same
    memory: values hold until the next are asked for.

    Parameters
    ----------
    series : Series
    start, stop : int
        Half-open range of steps.
    prefetch : int
        How many times `READ_BYTES` a second thread fetches ahead, as they are stored.
    """
    store = series.store
    pieces = list(gather(store.time_pieces(), start, stop, PIECE_BYTES / store.step_bytes))
    longest = max(last - first for first, last in pieces)
    buffer = np.empty(longest * store.layout.grid.size, store.dtype)
    depth = prefetch * max(int(READ_BYTES / (longest * store.step_bytes)), 1)
    # whoever stops listening has the thread end before the file is closed
    with (
        closing(Reader(store)) as reader,
        closing(_fetched(reader, pieces, depth)) as fetched,
    ):
        for first, decode in fetched:
            values = decode(buffer)
            yield first, values.reshape(values.shape[0], -1)


def _fetched(
    reader: Reader, pieces: list[tuple[int, int]], depth: int
) -> Generator[tuple[int, Decode], None, None]:
    """Yield (first step, what decodes the piece) in order, `depth` of them fetched beforehand."""
    if not depth or len(pieces) == 1:
        for first, last in pieces:
            yield first, reader.fetch(first, last)
        return
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as thread:
        ahead: deque[tuple[int, Future[Decode]]] = deque()
        try:
            for first, last in pieces:
                ahead.append((first, thread.submit(reader.fetch, first, last)))
                if len(ahead) > depth:
                    begun, future = ahead.popleft()
                    yield begun, future.result()
            while ahead:
                begun, future = ahead.popleft()
                yield begun, future.result()
        finally:
            for _, future in ahead:
                future.cancel()
