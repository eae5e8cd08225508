"""Sums whose error does not grow with the number of terms, and sums without any error.

Two tools. *Compensation* carries the rounding error of every addition along (Knuth's two-sum, as
in Ogita, Rump & Oishi 2005, doi:10.1137/030601818). *Snapping* rounds non-negative terms once to a
fixed binary grid on which their sums are exact, hence the same in whatever order they are added
(the pre-rounding of Demmel & Nguyen 2013, doi:10.1109/ARITH.2013.9).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba.extending import register_jitable
from numpy.typing import ArrayLike, NDArray


@register_jitable
def two_sum(a: Any, b: Any) -> tuple[Any, Any]:
    """Return ``a + b`` rounded, and the error of that rounding (exact while both are finite).

    Takes numbers or, lane by lane, what `hpcbudget.kernels.lanes` calls lanes.
    """
    total = a + b
    b_seen = total - a
    return total, (a - (total - b_seen)) + (b - b_seen)


@register_jitable
def snap(value: Any, magic: Any) -> Any:
    """Round `value` (number, array or lanes) to the grid of `magic`, one of `snapping_grids`."""
    return (value + magic) - magic


def snapping_grids(terms: NDArray[np.float64]) -> tuple[float, float]:
    """Choose a coarse and a fine grid on which sums of `terms` have no rounding error.

    A term is kept as ``coarse + fine`` with ``coarse = snap(term, grids[0])`` and
    ``fine = snap(term - coarse, grids[1])``. Sums of any selection of the coarse parts, and of the
    fine parts, are exact; what is lost is below 2**-99 n of the total for each of the n terms.

    Parameters
    ----------
    terms : float64 array
        Finite and not negative; a total below 1e-280 is taken for nothing.

    Returns
    -------
    tuple of float
        The two magic numbers for `snap`: 1.5 * 2**52 times the spacing of each grid, so that the
        addition in `snap` itself does the rounding.

    Examples
    --------
    >>> areas = np.array([0.1, 0.2, 0.3])
    >>> coarse, fine = snapping_grids(areas)
    >>> parts = [snap(area, coarse) for area in areas.tolist()]
    >>> sum(parts) == sum(reversed(parts))
    True
    """
    total = float(np.sum(terms)) * (1.0 + 2.0**-20)  # np.sum may fall short of the exact total
    if total == 0.0:
        return 1.5, 1.5
    _, exponent = math.frexp(total)
    coarse = max(exponent - 51, -969)  # total < 2**51 spacings
    fine = max(coarse + max(terms.size, 2).bit_length() - 52, -1021)
    return math.ldexp(1.5, coarse + 52), math.ldexp(1.5, fine + 52)


def exact_sum(values: ArrayLike) -> float:
    """Return the sum of all `values`, rounded once: correct to the last bit, in whatever order.

    Parameters
    ----------
    values : array_like
        Any shape; NaN gives NaN, infinities of one sign give that infinity, of both signs NaN.

    Returns
    -------
    float

    Examples
    --------
    >>> exact_sum([1e100, 1.0, -1e100])
    1.0
    """
    array = np.asarray(values, dtype=np.float64)
    if np.isfinite(array).all():
        return math.fsum(array.ravel().tolist())
    with np.errstate(invalid="ignore"):
        return float(array.sum())
