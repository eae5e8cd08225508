"""The tables of a run as CSV: fixed columns, shortest exact numbers, the same bytes every time.

A number is written with the fewest digits that read back to the same float64, so a table holds
the results themselves and not a rounding of them.  What is not available is an empty field,
never a zero.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from hpcbudget.errors import InputError
from hpcbudget.files import write_atomic

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "monthly": (
        "family", "member", "component", "region", "year", "month",
        "flux_pgc_yr", "valid_area_m2", "missing_area_m2",
    ),
    "annual": ("family", "member", "component", "region", "year", "flux_pgc_yr"),
    "statistics": (
        "family", "component", "region", "period", "n", "mean", "sd", "min", "max",
        "median", "q25", "q75", "sink_votes", "verdict",
    ),
    "reconciliation": (
        "component", "region", "period", "top_down_mean", "top_down_sd", "n_td",
        "bottom_up_mean", "bottom_up_sd", "n_bu", "gap", "gap_sd", "agree", "verdict",
    ),
    "dipoles": (
        "family", "component", "region_a", "region_b", "period",
        "n", "correlation", "p_value", "variance_ratio",
    ),
    "closure": ("family", "member", "component", "check", "value", "tolerance", "ok"),
}  # fmt: skip
"""Columns of every table that a run promises, in their order."""

_SERIES_KEYS = ("family", "member", "component")
_NAMES = frozenset(
    (
        "family",
        "member",
        "component",
        "region",
        "region_a",
        "region_b",
        "period",
        "check",
        "verdict",
    )
)


def monthly_table(fluxes: xr.Dataset) -> pd.DataFrame:
    """Lay out monthly fluxes as one row per member, component, region and month.

    Series that are constant within a year or a longer period are left out: their months are
    not independent values.  A month outside a member's record has no row; a month within it has
    one in every region, without a flux where the region has no valid cell.

    Parameters
    ----------
    fluxes : xarray.Dataset
        ``flux_pgc_yr``, ``valid_area_m2``, ``missing_area_m2`` with dimensions
        ``(series, region, time)``.

    Returns
    -------
    pandas.DataFrame
        Columns ``COLUMNS["monthly"]``, sorted by series, region (as stored) and time.
    """
    monthly = fluxes.isel(series=np.flatnonzero(fluxes["resolution"].values == "month"))
    monthly = monthly.isel(series=_series_order(monthly)).transpose("series", "region", "time")
    time = pd.DatetimeIndex(monthly["time"].values)
    frame = _product(monthly, {"year": time.year.to_numpy(), "month": time.month.to_numpy()})
    for name in ("flux_pgc_yr", "valid_area_m2", "missing_area_m2"):
        frame[name] = monthly[name].values.astype(np.float64).ravel()
    present = frame["flux_pgc_yr"].notna() | frame["valid_area_m2"].notna()
    return frame.loc[present, list(COLUMNS["monthly"])].reset_index(drop=True)


def annual_table(annual: xr.Dataset) -> pd.DataFrame:
    """Lay out annual fluxes as one row per member, component, region and complete year.

    Parameters
    ----------
    annual : xarray.Dataset
        ``flux_pgc_yr(series, region, year)`` as `hpcbudget.science.statistics.annual` gives it.

    Returns
    -------
    pandas.DataFrame
        Columns ``COLUMNS["annual"]``; incomplete years have no row.
    """
    ordered = annual.isel(series=_series_order(annual)).transpose("series", "region", "year")
    frame = _product(ordered, {"year": ordered["year"].values})
    frame["flux_pgc_yr"] = ordered["flux_pgc_yr"].values.astype(np.float64).ravel()
    frame = frame.loc[frame["flux_pgc_yr"].notna(), list(COLUMNS["annual"])]
    return frame.reset_index(drop=True)


def write_table(frame: pd.DataFrame, path: Path, columns: tuple[str, ...] | None = None) -> Path:
    """Write one table as CSV and put it in place at once.

    Parameters
    ----------
    frame : pandas.DataFrame
        Rows in their final order.
    path : Path
        Ends in ``.csv``.
    columns : tuple of str, optional
        The columns the file must have; by default those of the frame.

    Raises
    ------
    InputError
        The frame lacks a column that was promised, or has one that was not.

    Examples
    --------
    >>> import tempfile
    >>> frame = pd.DataFrame({"region": ["Globe"], "mean": [0.1 + 0.2], "sd": [float("nan")]})
    >>> print(write_table(frame, Path(tempfile.mkdtemp()) / "t.csv").read_text(), end="")
    region,mean,sd
    Globe,0.30000000000000004,
    """
    if columns is not None and set(frame.columns) != set(columns):
        missing = ", ".join(sorted(set(columns) - set(frame.columns))) or "none"
        extra = ", ".join(sorted(set(frame.columns) - set(columns))) or "none"
        raise InputError(
            f"the table does not have its columns (missing: {missing}; not expected: {extra})",
            where=str(path),
            why="readers of the table rely on its columns and their order",
        )
    names = list(columns if columns is not None else frame.columns)
    text = frame.to_csv(columns=names, index=False, lineterminator="\n")
    write_atomic(path, text.encode())
    return path


def write_tables(out: Path, tables: Mapping[str, pd.DataFrame]) -> list[Path]:
    """Write ``OUT/tables/NAME.csv`` for every table given; the promised ones are checked.

    Parameters
    ----------
    out : Path
        The run's output folder.
    tables : mapping of str to pandas.DataFrame
        Names of `COLUMNS`, or others, which are written as they are.
    """
    return [
        write_table(frame, out / "tables" / f"{name}.csv", COLUMNS.get(name))
        for name, frame in tables.items()
    ]


def read_tables(out: Path, skip: Collection[str] = ()) -> dict[str, pd.DataFrame]:
    """Read the tables of ``OUT/tables``; the float64 values are those that were written.

    Parameters
    ----------
    out : Path
        The run's output folder.
    skip : collection of str
        Names of tables that are not needed (``monthly`` can be large).
    """
    return {
        path.stem: read_table(path)
        for path in sorted((out / "tables").glob("*.csv"))
        if path.stem not in skip
    }


def read_table(path: Path) -> pd.DataFrame:
    """Read one table as it was written: names as text, numbers exact, empty fields missing.

    Parameters
    ----------
    path : Path
        A CSV file that `write_table` made.
    """
    # a region may be called "NA" (North America) and a member "1": nothing is guessed for names
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    return frame.assign(
        **{str(name): _restored(frame[name]) for name in frame.columns if name not in _NAMES}
    )


def _restored(column: pd.Series[str]) -> pd.Series[Any]:
    """Turn text back into truth values, integers or floats, whichever holds every field."""
    fields = column.to_numpy(dtype=object)
    if column.isin(("True", "False")).all():
        return pd.Series(fields == "True", index=column.index)
    for kind in (np.int64, np.float64):
        numbers = fields if kind is np.int64 else np.where(fields == "", "nan", fields)
        with suppress(ValueError):
            return pd.Series(numbers.astype(kind), index=column.index)
    return column.where(column != "")


def _series_order(dataset: xr.Dataset) -> np.ndarray:
    """Positions of the series sorted by family, member and component."""
    keys = [dataset[name].values.astype(str) for name in reversed(_SERIES_KEYS)]
    return np.lexsort(keys) if dataset.sizes["series"] else np.zeros(0, dtype=np.intp)


def _product(dataset: xr.Dataset, steps: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Keys of all (series, region, step) in C order, text as categories to stay small."""
    n_series, n_region = dataset.sizes["series"], dataset.sizes["region"]
    n_step = len(next(iter(steps.values())))
    columns: dict[str, object] = {}
    for name in _SERIES_KEYS:
        labels, codes = np.unique(dataset[name].values.astype(str), return_inverse=True)
        rows = np.repeat(codes, n_region * n_step)
        columns[name] = pd.Categorical.from_codes(rows, pd.Index(labels.tolist()))
    rows = np.tile(np.repeat(np.arange(n_region), n_step), n_series)
    regions = pd.Index(dataset["region"].values.astype(str).tolist())
    columns["region"] = pd.Categorical.from_codes(rows, regions)
    for name, values in steps.items():
        columns[name] = np.tile(values, n_series * n_region)
    return pd.DataFrame(columns)
