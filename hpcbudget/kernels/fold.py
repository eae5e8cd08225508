"""From zones to regions: a region is a sum of zones, or of fractions of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hpcbudget.kernels.buffers import read_only
from hpcbudget.kernels.jit import kernel
from hpcbudget.kernels.sums import two_sum


class Membership(NamedTuple):
    """Which zones make a region, region after region, each with its zones in their order.

    The zones of region r are ``zone[begin[r] : begin[r + 1]]`` (int64[entry] of int64[region + 1]),
    with the fraction ``part`` (float64[entry]) of each.
    """

    begin: NDArray[np.int64]
    zone: NDArray[np.int64]
    part: NDArray[np.float64]
    n_zones: int


def membership(
    indptr: NDArray[np.int64],
    indices: NDArray[np.int32],
    data: NDArray[np.float64],
    n_regions: int,
) -> Membership:
    """Turn the table of zones by regions round.

    Parameters
    ----------
    indptr, indices, data : int64[zone + 1], int32[entry], float64[entry]
        CSR rows: the fraction of zone z that belongs to region ``indices[e]`` is ``data[e]`` for e
        in ``indptr[z] .. indptr[z + 1] - 1``.
    n_regions : int
    """
    order = np.argsort(indices, kind="stable")
    begin = np.zeros(n_regions + 1, dtype=np.int64)
    np.cumsum(np.bincount(indices, minlength=n_regions), out=begin[1:])
    n_zones = len(indptr) - 1
    zone = np.repeat(np.arange(n_zones), np.diff(indptr))[order]
    part = np.asarray(data, dtype=np.float64)[order]
    return Membership(read_only(begin), read_only(zone), read_only(part), n_zones)


def fold(zone_values: NDArray[np.float64], members: Membership) -> NDArray[np.float64]:
    """Add zones up to regions, compensated and in fixed order.

    Parameters
    ----------
    zone_values : float64[step, zone]
    members : Membership

    Returns
    -------
    float64[step, region]
        NaN or infinite wherever a zone of the region is.

    Raises
    ------
    ValueError
        If there is not one value per zone.

    Examples
    --------
    >>> indptr, indices = np.array([0, 1, 3]), np.array([0, 0, 1])
    >>> members = membership(indptr, indices, np.array([1.0, 0.25, 0.75]), 2)
    >>> fold(np.array([[1.0, 4.0]]), members)
    array([[2., 3.]])
    """
    zone_values = np.atleast_2d(np.asarray(zone_values, dtype=np.float64))
    if zone_values.shape[1] != members.n_zones:
        msg = f"{zone_values.shape[1]} zones in the values, {members.n_zones} in the membership"
        raise ValueError(msg)
    out = np.zeros((len(zone_values), members.begin.size - 1))
    with np.errstate(invalid="ignore", over="ignore"):
        _fold(read_only(np.ascontiguousarray(zone_values)), *members[:3], out)
    return out


@kernel
def _fold(zone_values: Any, begin: Any, zone: Any, part: Any, out: Any) -> None:
    """Fold zone_values[step, zone] to out[step, region]."""
    for step in range(out.shape[0]):
        # areas seldom change from step to step
        if step > 0 and (zone_values[step] == zone_values[step - 1]).all():
            out[step] = out[step - 1]
            continue
        for region in range(out.shape[1]):
            first, last = begin[region], begin[region + 1]
            out[step, region] = _dot(zone_values[step], zone[first:last], part[first:last])


@kernel
def _dot(values: Any, where: Any, factor: Any) -> Any:
    """Return sum(factor * values[where]), compensated in four chains that do not wait in turn."""
    a = b = c = d = low = 0.0
    whole = where.size - where.size % 4
    for e in range(0, whole, 4):
        a, lost_a = two_sum(a, factor[e] * values[where[e]])
        b, lost_b = two_sum(b, factor[e + 1] * values[where[e + 1]])
        c, lost_c = two_sum(c, factor[e + 2] * values[where[e + 2]])
        d, lost_d = two_sum(d, factor[e + 3] * values[where[e + 3]])
        low += (lost_a + lost_b) + (lost_c + lost_d)
    for e in range(whole, where.size):
        a, lost_a = two_sum(a, factor[e] * values[where[e]])
        low += lost_a
    a, lost_a = two_sum(a, b)
    c, lost_c = two_sum(c, d)
    high, lost = two_sum(a, c)
    total = high + (low + (lost_a + lost_c) + lost)
    if np.isfinite(total):
        return total
    plain = 0.0
    for e in range(where.size):
        plain += factor[e] * values[where[e]]
    return plain
