"""Reading ahead: the next stored bytes are fetched while the last are decoded and integrated."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from hpcbudget.engine.block import whole_chunks
from hpcbudget.inputs.series import Series

# Small chunks are read together up to this, so that opening a file does not outweigh reading it.
READ_BYTES = 32e6

Values = npt.NDArray[np.floating]


def read_ahead(
    series: Series, start: int, stop: int, prefetch: int = 1
) -> Iterator[tuple[int, Values]]:
    """Yield ``(first step, values[step, cell])`` of runs of whole stored chunks in order of time.

    All runs are decoded into the same memory, which the system has to hand out once only: values
    hold until the next are asked for.

    Parameters
    ----------
    series : Series
    start, stop : int
        Half-open range of steps.
    prefetch : int
        Runs whose bytes a second thread fetches ahead, as they are stored.
    """
    store = series.store
    ranges = list(whole_chunks(series, start, stop, READ_BYTES))
    longest = max(last - first for first, last in ranges)
    buffer = np.empty(longest * store.layout.grid.size, store.dtype)
    for first, decode in _fetched(series, ranges, prefetch):
        values = decode(buffer)
        yield first, values.reshape(values.shape[0], -1)


def _fetched(
    series: Series, ranges: list[tuple[int, int]], prefetch: int
) -> Iterator[tuple[int, Callable[[Values], Values]]]:
    """Yield (first step, what decodes the run into a buffer) in order."""
    fetch = series.store.fetch
    if not prefetch or len(ranges) == 1:
        for first, last in ranges:
            yield first, fetch(first, last)
        return
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as reader:
        ahead: deque[tuple[int, Future[Callable[[Values], Values]]]] = deque()
        try:
            for first, last in ranges:
                ahead.append((first, reader.submit(fetch, first, last)))
                if len(ahead) > prefetch:
                    begun, future = ahead.popleft()
                    yield begun, future.result()
            while ahead:
                begun, future = ahead.popleft()
                yield begun, future.result()
        finally:
            for _, future in ahead:
                future.cancel()
