"""Raw numbers into values: fill values become NaN, packed numbers are unpacked.

The rules are taken from each file anew, since scale, offset and fill values may differ between
the files of one series.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import netCDF4
import numpy as np
import numpy.typing as npt

from hpcbudget.errors import InputError
from hpcbudget.kernels.blank import blank

EVERYTHING = (-np.inf, np.inf)


@dataclass(frozen=True)
class Decoding:
    """How the raw numbers of one variable of one file become values.

    Attributes
    ----------
    fills : tuple of float
        Raw numbers that mean "no value".
    scale, offset : float
        ``value = raw * scale + offset``.
    valid : (float, float)
        Least and greatest raw number that is a value; CF's ``valid_range``.
    unsigned : bool
        Signed integers that mean unsigned ones (attribute ``_Unsigned`` of netCDF-3 files).
    """

    fills: tuple[float, ...] = ()
    scale: float = 1.0
    offset: float = 0.0
    valid: tuple[float, float] = EVERYTHING
    unsigned: bool = False

    def result_type(self, raw: np.dtype[Any]) -> np.dtype[np.floating[Any]]:
        """Return float32 for unpacked float32 (and float16), else float64."""
        small = raw.kind == "f" and raw.itemsize <= 4
        return np.dtype(np.float32 if small and not self.packed else np.float64)

    @property
    def packed(self) -> bool:
        """Whether a scale or offset is applied."""
        return (self.scale, self.offset) != (1.0, 0.0)

    def __call__(self, raw: npt.NDArray[Any]) -> npt.NDArray[np.floating[Any]]:
        """Return values, NaN where there is none, of `result_type`.

        Floats that are not packed are decoded in place: `raw` must be the caller's own.

        Examples
        --------
        >>> Decoding(fills=(-9999.0,), scale=0.5)(np.array([2, -9999], np.int16))
        array([ 1., nan])
        """
        kind = self.result_type(raw.dtype)
        if raw.dtype == kind and not self.packed:
            values = np.ascontiguousarray(raw)
            blank(values, _as_stored(self.fills, values.dtype))
            if self.valid != EVERYTHING:
                values[self._outside(values)] = np.nan
            return values
        if self.unsigned:
            raw = raw.view(_unsigned(raw.dtype))
        values = raw.astype(kind)
        if self.packed:
            values *= self.scale
            values += self.offset
        for fill in _as_stored(self.fills, raw.dtype):
            values[raw == fill] = np.nan
        if self.valid != EVERYTHING:
            values[self._outside(raw)] = np.nan
        return values

    def _outside(self, raw: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        least, greatest = (raw.dtype.type(v) if np.isfinite(v) else v for v in self.valid)
        outside: npt.NDArray[np.bool_] = (raw < least) | (raw > greatest)
        return outside


def _unsigned(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(f"{dtype.byteorder}u{dtype.itemsize}")


def _as_stored(fills: tuple[float, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Fill values as the file's own type holds them; those it cannot hold are left out."""
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            stored = np.array(fills, np.float64).astype(dtype)
        kept: npt.NDArray[Any] = stored[np.isfinite(stored) | np.isinf(fills)]
        return kept
    limits = np.iinfo(dtype)
    whole = [int(f) for f in fills if np.isfinite(f) and f.is_integer()]
    return np.array([f for f in whole if limits.min <= f <= limits.max], dtype)


def decoding_of(
    attrs: Mapping[str, Any],
    dtype: np.dtype[Any],
    declared: Iterable[float],
    where: str,
) -> Decoding:
    """Collect the decoding of a variable from its attributes and the configuration.

    Parameters
    ----------
    attrs : mapping
        Attributes of the variable: _FillValue, missing_value, scale_factor, add_offset,
        valid_range, valid_min, valid_max, _Unsigned.
    dtype : numpy.dtype
        Stored type.
    declared : iterable of float
        Further fill values, in raw numbers.
    where : str
        File and variable, for messages.

    Raises
    ------
    InputError
        If the variable holds no numbers or an attribute is not a number.
    """
    if dtype.kind not in "iuf":
        raise InputError(
            f"the variable holds {dtype}, not numbers", where=where, fix="choose another variable"
        )
    fills = [float(v) for v in declared]
    for name in ("_FillValue", "missing_value", "FillValue"):
        if name in attrs:
            fills.extend(_numbers(attrs[name], name, where))
    unsigned = dtype.kind == "i" and str(attrs.get("_Unsigned", "")).lower() == "true"
    # netCDF's fill value for what was never written holds without any attribute; bytes have none
    if dtype.kind == "f":
        fills.append(float(netCDF4.default_fillvals[f"f{min(max(dtype.itemsize, 4), 8)}"]))
    elif dtype.itemsize > 1 and "_FillValue" not in attrs:
        fills.append(float(netCDF4.default_fillvals[f"{dtype.kind}{dtype.itemsize}"]))
    valid = _valid_range(attrs, where)
    if unsigned:  # attributes are stored signed, too
        turn = 256.0**dtype.itemsize
        fills = [f + turn if f < 0 else f for f in fills]
        least, greatest = (v + turn if -turn < v < 0 else v for v in valid)
        valid = (least, greatest)
    scale = _numbers(attrs.get("scale_factor", 1.0), "scale_factor", where)[0]
    offset = _numbers(attrs.get("add_offset", 0.0), "add_offset", where)[0]
    if scale == 0 or not np.isfinite(scale) or not np.isfinite(offset):
        raise InputError(
            f"scale_factor {scale} and add_offset {offset} cannot unpack anything",
            where=where,
            fix="mend the attributes of the variable",
        )
    finite = sorted({f for f in fills if not np.isnan(f)})
    return Decoding(tuple(finite), scale, offset, valid, unsigned)


def _valid_range(attrs: Mapping[str, Any], where: str) -> tuple[float, float]:
    """Return the least and greatest raw number that is a value (CF 2.5.1)."""
    if "valid_range" in attrs:
        both = _numbers(attrs["valid_range"], "valid_range", where)
        if len(both) != 2:
            raise InputError(
                f"attribute valid_range is {attrs['valid_range']!r}, not two numbers",
                where=where,
                fix="mend the attribute of the variable",
            )
        return both[0], both[1]
    least, greatest = EVERYTHING
    if "valid_min" in attrs:
        least = _numbers(attrs["valid_min"], "valid_min", where)[0]
    if "valid_max" in attrs:
        greatest = _numbers(attrs["valid_max"], "valid_max", where)[0]
    return least, greatest


def _numbers(value: Any, name: str, where: str) -> list[float]:
    try:
        found = [float(v) for v in np.atleast_1d(np.asarray(value)).ravel()]
    except (TypeError, ValueError):
        raise InputError(
            f"attribute {name} is {value!r}, not a number",
            where=where,
            fix="mend the attribute of the variable",
        ) from None
    return found or [1.0]
