"""The results as NetCDF with CF metadata, for programs that do not read zarr or CSV."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from hpcbudget._version import __version__
from hpcbudget.files import write_atomic
from hpcbudget.report.run import Run

CONVENTIONS: Final = "CF-1.11"
_SIGN = "positive to the atmosphere"


def write_netcdf(run: Run, folder: Path) -> tuple[Path, Path]:
    """Write ``fluxes.nc`` (every member, monthly) and ``ensembles.nc`` (families, annual).

    Parameters
    ----------
    run : Run
        A finished run.
    folder : Path
        Made if absent.

    Returns
    -------
    tuple of Path
        Both files.

    Raises
    ------
    OutputError
        The folder cannot be written.
    """
    return (
        _write(monthly_dataset(run), folder / "fluxes.nc"),
        _write(ensemble_dataset(run), folder / "ensembles.nc"),
    )


def monthly_dataset(run: Run) -> xr.Dataset:
    """Return the monthly fluxes of all members with CF attributes and time bounds.

    Parameters
    ----------
    run : Run
        A finished run.
    """
    fluxes = run.fluxes[["flux_pgc_yr", "valid_area_m2", "missing_area_m2", "month_seconds"]]
    start = pd.DatetimeIndex(fluxes["time"].values)
    bounds = np.stack([start.to_numpy(), (start + pd.offsets.MonthBegin(1)).to_numpy()], axis=1)
    dataset = fluxes.assign_coords(time_bounds=(("time", "bounds"), bounds))
    described = {
        "flux_pgc_yr": (
            "surface carbon flux, " + _SIGN, "Pg yr-1", "region: sum time: mean (of the month)",
        ),
        "valid_area_m2": ("area with a value", "m2", "region: sum"),
        "missing_area_m2": ("area without a value", "m2", "region: sum"),
        "month_seconds": ("length of the month in the member's own calendar", "s", ""),
    }  # fmt: skip
    for name, (long_name, units, methods) in described.items():
        dataset[name].attrs = {"long_name": long_name, "units": units}
        if methods:
            dataset[name].attrs["cell_methods"] = methods
    dataset["time"].attrs = {"standard_name": "time", "axis": "T", "bounds": "time_bounds"}
    dataset["region"].attrs = {"standard_name": "region", "long_name": "region"}
    for name in ("time", "time_bounds"):
        dataset[name].encoding = {"units": "days since 1970-01-01", "dtype": "int32"}
    dataset.attrs = _global(run, "Monthly regional carbon fluxes of all members")
    return _with_text(dataset)


def ensemble_dataset(run: Run) -> xr.Dataset:
    """Return mean, spread and number of models of every family and year.

    Parameters
    ----------
    run : Run
        A finished run.
    """
    keys = ["family", "component", "region", "year"]
    dataset = run.series.set_index(keys).to_xarray()
    for name in ("mean", "sd", "min", "max"):
        dataset[name] = dataset[name].astype(np.float64)
        dataset[name].attrs = {"long_name": f"{name} over models, {_SIGN}", "units": "Pg yr-1"}
    dataset["n"] = dataset["n"].fillna(0).astype(np.int32)
    dataset["n"].attrs = {"long_name": "number of models", "units": "1"}
    dataset["sd"].attrs["comment"] = f"ddof = {run.ddof}"
    dataset["year"] = dataset["year"].astype(np.int32)
    dataset["year"].attrs = {"long_name": "calendar year"}
    dataset["region"].attrs = {"standard_name": "region", "long_name": "region"}
    dataset.attrs = _global(run, "Annual ensemble means and spreads of regional carbon fluxes")
    return _with_text(dataset)


def _global(run: Run, title: str) -> dict[str, Any]:
    recorded = {k: v for k, v in run.fluxes.attrs.items() if isinstance(v, str | int | float)}
    return {
        **recorded,
        "Conventions": CONVENTIONS,
        "title": f"{run.title}: {title[0].lower()}{title[1:]}",
        "source": f"hpcbudget {__version__}",
        "history": f"{run.provenance.get('created', 'unknown time')}: "
        + " ".join(map(str, run.provenance.get("command") or ["hpcbudget"])),
    }


def _with_text(dataset: xr.Dataset) -> xr.Dataset:
    """Return the dataset with its labels as variable-length text, which NetCDF-4 stores."""
    labels = {
        name: (variable.dims, variable.values.astype(str).astype(object), variable.attrs)
        for name, variable in dataset.coords.items()
        if variable.dtype.kind in "OUT"
    }
    return dataset.assign_coords(labels)


def _write(dataset: xr.Dataset, path: Path) -> Path:
    import h5netcdf

    # made in memory: on a full disk HDF5 fails in ways of its own, and once more when it closes
    memory = io.BytesIO()
    with h5netcdf.File(memory, "w") as file:
        dataset.dump_to_store(xr.backends.H5NetCDFStore(file))
    write_atomic(path, memory.getvalue())
    return path
