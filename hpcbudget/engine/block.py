"""Block: one series, a run of whole stored chunks along time; the unit of work and of restart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hpcbudget.inputs.series import Series, SeriesKey


@dataclass(frozen=True, slots=True, order=True)
class Block:
    """Steps ``[start, stop)`` of one series.

    Attributes
    ----------
    key : SeriesKey
    start, stop : int
        Half-open range of steps on the series' own time axis.
    """

    key: SeriesKey
    start: int
    stop: int

    @property
    def name(self) -> str:
        """Name in the ledger, in messages and in ``status``."""
        k = self.key
        return f"{k.family}/{k.member}/{k.component}.{k.term}/{self.start:06d}-{self.stop:06d}"

    def __str__(self) -> str:
        return self.name


def gather(edges: Sequence[int], start: int, stop: int, aim: float) -> Iterator[tuple[int, int]]:
    """Cut ``[start, stop)`` at `edges` into runs of at most `aim` steps.

    What lies between two edges stays whole even if it is longer: reading it in pieces would decode
    it many times.
    """
    inside = [edge for edge in edges if start < edge < stop]
    begin = start
    for chunk_start, chunk_stop in pairwise([start, *inside, stop]):
        if chunk_start > begin and chunk_stop - begin > aim:
            yield begin, chunk_start
            begin = chunk_start
    yield begin, stop


def whole_chunks(
    series: Series, start: int, stop: int, aim_bytes: float
) -> Iterator[tuple[int, int]]:
    """Cut ``[start, stop)`` into runs of whole stored chunks of at most `aim_bytes` decoded."""
    store = series.store
    return gather(store.time_chunks(), start, stop, aim_bytes / store.step_bytes)


def cut(series: Series, block_bytes: float) -> list[Block]:
    """Cut a series into blocks of whole chunks of about `block_bytes` decoded bytes."""
    first, last = series.steps
    return [Block(series.key, a, b) for a, b in whole_chunks(series, first, last, block_bytes)]
