"""How fast this machine can read memory at best: what the kernels are held against."""

from __future__ import annotations

from typing import Any

from numba import njit


@njit(nogil=True, cache=True, error_model="numpy")
def plain_sum(values: Any) -> float:
    """Add up values[n] in float64, one after the other, as the loop says."""
    total = 0.0
    for i in range(values.size):
        total += values[i]
    return total


@njit(nogil=True, cache=True, error_model="numpy", fastmath=True)
def free_sum(values: Any) -> float:
    """Add up values[n] in float64 in whatever order is fastest: memory is hardly read faster."""
    total = 0.0
    for i in range(values.size):
        total += values[i]
    return total
