"""A look at some values of a series: undeclared fill values, infinities, sizes beyond belief."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from hpcbudget.errors import InputError
from hpcbudget.inputs.decode import Decoding
from hpcbudget.inputs.hdf5 import unwritten_chunks
from hpcbudget.inputs.notice import Notice
from hpcbudget.inputs.plausible import suspect_gross, suspect_net
from hpcbudget.inputs.series import Series
from hpcbudget.inputs.source import NetcdfSource, engine_of, open_source

FILLS: Final = (
    1e20, -1e20, -9999.0, 9999.0, -99999.0, 99999.0, -999.0, 999.0, -9999.9, -999.9, -99.99,
    9.969209968386869e36, -1e34, 1e34, 1e30, -1e30, 1e36, -1e36, -32768.0, 32767.0, -2147483648.0,
    3.4028234663852886e38, -3.4028234663852886e38,
)  # fmt: skip
"""Numbers that groups write where there is no value."""

OUTLIER = 1000.0
"""How many times all other values exceeds the one that is taken for a fill value unheard of."""

OUTLIER_SHARE = 0.001
"""In what part of the cells it must stand."""

SAMPLE_BYTES = 256_000_000


@dataclass(frozen=True)
class Findings:
    """What a sample of a series shows.

    Attributes
    ----------
    problems : tuple of InputError
        What would make totals wrong.
    warnings : tuple of Notice
        What a user should look at.
    steps : (int, int)
        Steps looked at.
    missing_share : float
        Share of cells with a weight that have no value.
    """

    problems: tuple[InputError, ...]
    warnings: tuple[Notice, ...]
    steps: tuple[int, int]
    missing_share: float


def inspect(series: Series, radius_m: float, *, whole_year: bool = False) -> Findings:
    """Read a sample from the middle of a series and look at its values.

    Parameters
    ----------
    series : Series
    radius_m : float
        Radius of the sphere.
    whole_year : bool
        Read a calendar year if that is not too much, and judge its net flux too.

    Raises
    ------
    MissingChunkError
        If the sample cannot be read.
    """
    start, stop, is_year = _sample(series, whole_year)
    weight, area = series.measure(radius_m)
    counted = weight > 0
    values = series.store.read(start, stop).reshape(stop - start, -1)[:, counted]
    where = f"{series.store.parts[0].path}, variable {series.store.variable}"
    problems = _undeclared_fills(series, values, where)
    if whole_year and not problems:  # other files may have other fill values
        for step in {series.steps[0], series.steps[1] - 1} - set(range(start, stop)):
            ends = series.store.read(step, step + 1).reshape(1, -1)[:, counted]
            problems = problems or _undeclared_fills(series, ends, where)
    warnings: list[str] = []
    if whole_year:
        warnings.extend(_never_written(series))
    finite = np.isfinite(values)
    infinite = int(np.isinf(values).sum())
    if infinite:
        problems.append(
            InputError(
                f"{infinite} infinite values in steps {start} to {stop - 1}",
                where=where,
                why="no sum over them is a number",
                fix="mend the file, or declare them: fill_value: [.inf]",
            )
        )
    if values.shape[1] and not finite.any():
        warnings.append(f"no value at all in {series.times.label(start)}")
    if finite.any() and not problems and _is_global(series, radius_m):
        per_cell = np.where(finite, values, 0.0) * weight[counted]
        found = _suspect_size(series, per_cell, start, stop, is_year)
        if found:
            warnings.append(f"{series.times.label(start)}: {found}")
    stands_for = area[counted]
    share = float((~finite * stands_for).sum() / max(stands_for.sum() * len(values), 1e-300))
    told = tuple(Notice(str(series.key), text, where) for text in warnings)
    return Findings(tuple(problems), told, (start, stop), share)


def _suspect_size(
    series: Series, per_cell: npt.NDArray[np.floating], start: int, stop: int, is_year: bool
) -> str | None:
    """Hold the global flux of some steps against what the component can be."""
    times, component = series.times, series.key.component
    per_year = (series.factor * times.year_seconds * 1e-12)[start:stop]
    gross = float((np.abs(per_cell).sum(axis=1) * np.abs(per_year)).mean())
    found = suspect_gross(component, gross)
    if found is not None or not is_year:
        return found
    seconds = times.seconds[start:stop]
    net = (per_cell.sum(axis=1) * per_year * seconds).sum() / seconds.sum()
    return suspect_net(component, float(net))


def _sample(series: Series, whole_year: bool) -> tuple[int, int, bool]:
    """Choose steps: the middle one, or the calendar year around it."""
    first, last = series.steps
    middle = (first + last) // 2
    if not whole_year:
        return middle, middle + 1, False
    if series.times.resolution in ("year", "period"):
        return middle, middle + 1, True
    year = series.times.year[middle]
    inside = np.flatnonzero(series.times.year[first:last] == year) + first
    start, stop = int(inside[0]), int(inside[-1]) + 1
    length = series.times.seconds[start:stop].sum()
    if (stop - start) * series.store.step_bytes > SAMPLE_BYTES:
        return middle, middle + 1, False
    return start, stop, bool(abs(length / series.times.year_seconds[middle] - 1) < 1e-6)


def _undeclared_fills(
    series: Series, values: npt.NDArray[np.floating], where: str
) -> list[InputError]:
    """Find the usual fill values among what is taken for fluxes."""
    problems = []
    decoding = series.store.parts[0].decoding
    size = np.abs(values)
    with np.errstate(invalid="ignore", over="ignore"):
        top = float(np.nanmax(np.where(np.isfinite(size), size, np.nan), initial=0.0))
        for raw in (*FILLS, *_repeated_outlier(values, size, top, decoding)):
            decoded = values.dtype.type(raw * decoding.scale + decoding.offset)
            if not np.isfinite(decoded) or abs(decoded) > top:
                continue
            same = values == decoded
            count = int(same.sum())
            rest = float(np.max(size, where=np.isfinite(size) & ~same, initial=0.0))
            # a flux of that very size among others like it is no fill value
            if count and abs(float(decoded)) > 20 * rest:
                problems.append(
                    InputError(
                        f"{raw:.9g} stands in {count / values.size:.1%} of the cells and is not"
                        " declared as fill value",
                        where=where,
                        why="it would be summed as a flux",
                        fix=f"fill_value: {raw:.9g}",
                    )
                )
    return problems


def _repeated_outlier(
    values: npt.NDArray[np.floating], size: npt.NDArray[np.floating], top: float, decoding: Decoding
) -> list[float]:
    """Return, in raw numbers, what no usual fill is and yet stands far off in many cells alike."""
    for value in (-top, top):
        same = values == value
        rest = float(np.max(size, where=np.isfinite(size) & ~same, initial=0.0))
        if same.mean() > OUTLIER_SHARE and top > OUTLIER * rest > 0:
            raw = (value - decoding.offset) / decoding.scale
            usual = any(np.isclose(raw, fill, rtol=1e-6, atol=0) for fill in FILLS)
            return [] if usual else [float(raw)]
    return []


def _never_written(series: Series) -> list[str]:
    """Name the files with chunks that were reserved and never filled."""
    store = series.store
    warnings = []
    for part in store.parts:
        if engine_of(part.path) != "netcdf":
            continue
        with open_source(part.path, store.group) as source:
            assert isinstance(source, NetcdfSource)
            absent = sum(1 for _ in unwritten_chunks(source, store.variable))
        if absent:
            warnings.append(f"{absent} chunks of {part.path} were never written: no values there")
    return warnings


def _is_global(series: Series, radius_m: float) -> bool:
    sphere = 4 * np.pi * radius_m**2
    return float(series.grid.area_m2(radius_m).sum()) > 0.95 * sphere
