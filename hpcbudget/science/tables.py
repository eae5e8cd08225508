"""Members that are tables: annual or monthly series instead of gridded fields."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from hpcbudget.errors import HpcBudgetError, InputError, raise_all
from hpcbudget.options import TableEnsemble
from hpcbudget.science.ensemble import FloatArray
from hpcbudget.science.sheet import Sheet, read_sheet
from hpcbudget.science.total import GLOBE

PGC_PER_UNIT: Final[dict[str, float]] = {
    "Pg C yr-1": 1.0,
    "Tg C yr-1": 1e-3,
    "Pg CO2 yr-1": 12.011 / 44.009,
}
"""Pg C/yr in one unit of a table; CO2 by the standard atomic weights (C 12.011, O 15.999)."""


def with_tables(
    fluxes: xr.Dataset,
    tables: Sequence[TableEnsemble],
    *,
    root: Path,
    period: tuple[int, int] | None = None,
) -> xr.Dataset:
    """Put the table members of a run beside its gridded ones.

    Parameters
    ----------
    fluxes : xarray.Dataset
        Monthly fluxes of the gridded members.
    tables : sequence of TableEnsemble
        From the configuration.
    root : Path
        Folder that relative paths start from.
    period : (int, int), optional
        Years of the run, both included: the time axis grows to them, so that tables may reach
        further than grids. By default it stays as it is.

    Raises
    ------
    InputError, Problems
        See `read_tables`.
    """
    if not tables:
        return fluxes
    if period is not None:
        months = np.arange(f"{period[0]:04d}-01", f"{period[1] + 1:04d}-01", dtype="M8[M]")
        unit = fluxes["time"].dtype
        grown = np.union1d(fluxes["time"].values, months.astype(unit))
        fluxes = fluxes.reindex(time=grown)
    added = read_tables(tables, fluxes["time"].values, fluxes["region"], root=root)
    assert added is not None
    shared = [name for name in fluxes.data_vars if name in added]
    extra = [c for c in fluxes.coords if "series" in fluxes[c].dims and c not in added.coords]
    return xr.concat([fluxes[shared].drop_vars(extra), added], dim="series", data_vars="minimal",
                     coords="minimal", compat="override", join="exact",
                     combine_attrs="override")  # fmt: skip


def read_tables(
    tables: Iterable[TableEnsemble], time: np.ndarray, regions: xr.DataArray, *, root: Path
) -> xr.Dataset | None:
    """Read all table members onto the time axis and regions of a run.

    An annual value stands for each month of its year (``resolution`` "year"), so that annual and
    decadal means come out as they went in. A region or month that a table does not have is NaN;
    areas are NaN, for a table has no cells.

    Parameters
    ----------
    tables : iterable of TableEnsemble
        From the configuration.
    time : ndarray of datetime64
        (time,) month starts.
    regions : xarray.DataArray
        The coordinate ``region`` of the run.
    root : Path
        Folder that relative paths start from.

    Returns
    -------
    xarray.Dataset or None
        The ``fluxes`` layout, to be concatenated with the gridded members along ``series``;
        None without tables.

    Raises
    ------
    InputError, Problems
        Every file, column, region or value that is wrong, at once.
    """
    problems: list[HpcBudgetError] = []
    parts = []
    for table in tables:
        try:
            parts.append(_read(table, pd.DatetimeIndex(time), regions, root))
        except HpcBudgetError as error:
            problems.append(error)
    raise_all(problems)
    return xr.concat(parts, dim="series", data_vars="minimal", coords="minimal",
                     compat="override", join="exact") if parts else None  # fmt: skip


def _read(
    table: TableEnsemble, time: pd.DatetimeIndex, regions: xr.DataArray, root: Path
) -> xr.Dataset:
    sheet = read_sheet(root / table.path, table.sheet, year=table.year)
    stamps = _stamps(sheet, table)
    row_of = _rows_of(stamps, time, sheet.origin, monthly=table.month is not None)
    known = regions.values.astype(str).tolist()
    factor = PGC_PER_UNIT[table.units] * (1 if table.sign == "to_atmosphere" else -1)
    flux = np.full((len(table.members), len(known), time.size), np.nan)
    problems: list[HpcBudgetError] = []
    for one, (member, columns) in zip(flux, table.members.items(), strict=True):
        named = {GLOBE: columns} if isinstance(columns, str) else columns
        for region, column in named.items():
            try:
                values = np.array([*sheet.column(sheet.find(column), table.decimal), np.nan])
                one[_position(region, known, sheet.origin)] = factor * values[row_of]
            except InputError as error:
                problems.append(error.at(f"member {member}"))
    raise_all(problems)
    return _as_fluxes(table, flux, time, regions)


def _stamps(sheet: Sheet, table: TableEnsemble) -> list[tuple[int, int]]:
    """Year and month of each row; month 0 where the table is annual."""
    years = sheet.years.tolist()
    if table.month is None:
        return [(year, 0) for year in years]
    months = sheet.column(sheet.find(table.month))
    return [(year, int(month)) for year, month in zip(years, months, strict=True)]


def _rows_of(
    stamps: list[tuple[int, int]], time: pd.DatetimeIndex, origin: str, *, monthly: bool
) -> np.ndarray:
    """Row of the table for each month of the run; one past the last where it has none."""
    rows = {stamp: number for number, stamp in enumerate(stamps)}
    if len(rows) < len(stamps):
        doubled = next(s for s in stamps if stamps.count(s) > 1)
        when = f"{doubled[0]}-{doubled[1]:02d}" if monthly else str(doubled[0])
        raise InputError(f"{when} stands twice in the table", where=origin)
    wanted = zip(time.year, time.month if monthly else [0] * time.size, strict=True)
    return np.array([rows.get((int(y), int(m)), len(stamps)) for y, m in wanted], dtype=np.int64)


def _position(region: str, known: list[str], origin: str) -> int:
    if region in known:
        return known.index(region)
    raise InputError(
        f"region {region!r} of the table is none of the run's regions",
        where=origin,
        fix=f"regions: {', '.join(known)}",
    )


def _as_fluxes(
    table: TableEnsemble, flux: FloatArray, time: pd.DatetimeIndex, regions: xr.DataArray
) -> xr.Dataset:
    members = list(table.members)
    nothing = np.full(flux.shape, np.nan)
    seconds = np.tile(time.days_in_month.to_numpy() * 86400.0, (len(members), 1))
    along = {
        "family": [table.family] * len(members),
        "model": [table.models.get(member, member) for member in members],
        "member": members,
        "component": [table.component] * len(members),
        "resolution": ["month" if table.month is not None else "year"] * len(members),
    }
    dims = ("series", "region", "time")
    return xr.Dataset(
        {
            "flux_pgc_yr": (dims, flux),
            "valid_area_m2": (dims, nothing),
            "missing_area_m2": (dims, nothing.copy()),
            "month_seconds": (("series", "time"), seconds),
        },
        coords={
            **regions.coords,
            "time": time,
            **{name: ("series", values) for name, values in along.items()},
        },
    )
