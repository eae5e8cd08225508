"""Count, mean, spread and signs of an ensemble, cell by cell, as a state that can be merged.

One value at a time goes in (Welford); two states join into that of both samples (Chan, Golub and
LeVeque 1983, doi:10.1080/00031305.1983.10483115). No sample is kept, and nothing is subtracted
that has grown large. NaN is no value: it changes nothing in its cell.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from hpcbudget.kernels.jit import kernel

Array = NDArray[np.float64]

COUNT: Final = 0
MEAN: Final = 1
SQUARES: Final = 2
ABOVE: Final = 3
BELOW: Final = 4
PLANES: Final = 5
"""Planes of a state: values, their mean, sum of squared deviations, values above and below 0."""


def empty_state(cells: int) -> Array:
    """Return the state float64[plane, cell] of no values at all."""
    return np.zeros((PLANES, cells))


@kernel
def push(state: Array, values: Array) -> None:
    """Add one value per cell; values [cell]. Changes state [plane, cell] in place."""
    for cell in range(values.shape[0]):
        x = values[cell]
        if np.isnan(x):
            continue
        n = state[COUNT, cell] + 1.0
        before = x - state[MEAN, cell]
        mean = state[MEAN, cell] + before / n
        state[COUNT, cell] = n
        state[MEAN, cell] = mean
        state[SQUARES, cell] += before * (x - mean)
        if x > 0.0:
            state[ABOVE, cell] += 1.0
        elif x < 0.0:
            state[BELOW, cell] += 1.0


@kernel
def merge(state: Array, other: Array) -> None:
    """Add the values that `other` has seen; both [plane, cell]. Changes `state` in place."""
    for cell in range(state.shape[1]):
        m = other[COUNT, cell]
        if m == 0.0:
            continue
        n = state[COUNT, cell]
        total = n + m
        apart = other[MEAN, cell] - state[MEAN, cell]
        if n == 0.0:
            state[MEAN, cell] = other[MEAN, cell]
            state[SQUARES, cell] = other[SQUARES, cell]
        else:
            state[MEAN, cell] += apart * (m / total)
            state[SQUARES, cell] += other[SQUARES, cell] + apart * apart * (n * m / total)
        state[COUNT, cell] = total
        state[ABOVE, cell] += other[ABOVE, cell]
        state[BELOW, cell] += other[BELOW, cell]


@kernel
def describe(state: Array, ddof: int) -> tuple[Array, Array, Array]:
    """Return mean, SD and sign agreement, each [cell], of a state [plane, cell].

    The SD is NaN for n <= ddof. Agreement is the share of the values other than 0 that have the
    sign of the mean; NaN where there are none.
    """
    cells = state.shape[1]
    mean, sd, agreement = np.empty(cells), np.empty(cells), np.empty(cells)
    for cell in range(cells):
        n = state[COUNT, cell]
        mean[cell] = state[MEAN, cell] if n > 0.0 else np.nan
        sd[cell] = np.sqrt(state[SQUARES, cell] / (n - ddof)) if n > ddof else np.nan
        signed = state[ABOVE, cell] + state[BELOW, cell]
        same = state[ABOVE, cell] if state[MEAN, cell] > 0.0 else state[BELOW, cell]
        agreement[cell] = same / signed if signed > 0.0 else np.nan
    return mean, sd, agreement


@kernel
def quantiles(samples: Array, levels: Array) -> Array:
    """Return [level, cell] of samples [value, cell]; linear between order statistics.

    NaN is no value; a cell without any is NaN.
    """
    count, cells = samples.shape
    out = np.empty((levels.shape[0], cells))
    ordered = np.empty(count)
    for cell in range(cells):
        n = 0
        for i in range(count):
            x = samples[i, cell]
            if np.isnan(x):
                continue
            at = n
            while at > 0 and ordered[at - 1] > x:
                ordered[at] = ordered[at - 1]
                at -= 1
            ordered[at] = x
            n += 1
        for k in range(levels.shape[0]):
            if n == 0:
                out[k, cell] = np.nan
                continue
            place = levels[k] * (n - 1)
            low = min(int(place), n - 1)
            high = min(low + 1, n - 1)
            out[k, cell] = ordered[low] + (place - low) * (ordered[high] - ordered[low])
    return out


def warm() -> None:
    """Compile everything for the types that maps use."""
    state = empty_state(1)
    push(state, np.zeros(1))
    merge(state, state.copy())
    describe(state, 1)
    quantiles(np.zeros((1, 1)), np.zeros(1))
