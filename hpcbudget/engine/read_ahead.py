"""Reading ahead: the next stored chunks are decoded while the kernel is at work on the last."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
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

    Parameters
    ----------
    series : Series
    start, stop : int
        Half-open range of steps.
    prefetch : int
        Runs that a second thread reads ahead; memory holds one more than that.
    """

    def read(first: int, last: int) -> Values:
        return series.store.read(first, last).reshape(last - first, -1)

    ranges = list(whole_chunks(series, start, stop, READ_BYTES))
    if not prefetch or len(ranges) == 1:
        for first, last in ranges:
            yield first, read(first, last)
        return
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as reader:
        ahead: deque[tuple[int, Future[Values]]] = deque()
        try:
            for first, last in ranges:
                ahead.append((first, reader.submit(read, first, last)))
                if len(ahead) > prefetch:
                    begun, future = ahead.popleft()
                    yield begun, future.result()
            while ahead:
                begun, future = ahead.popleft()
                yield begun, future.result()
        finally:
            for _, future in ahead:
                future.cancel()
