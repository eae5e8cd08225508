"""fluxes.zarr: monthly fluxes of all members by family, member, component, region and time.

The store is dense in its dimensions but holds chunks only where a member has the component, so it
is small on disk; readers get the compact form back, in which each (member, component) is a series.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import numpy as np
import xarray as xr
import zarr

from hpcbudget.errors import InputError
from hpcbudget.files import replace_folder, unwritable
from hpcbudget.space.cf_write import consolidate

VARIABLES = {
    "flux_pgc_yr": {
        "units": "Pg yr-1",
        "long_name": "surface carbon flux, positive to the atmosphere",
    },
    "valid_area_m2": {"units": "m2", "long_name": "area with a value"},
    "missing_area_m2": {"units": "m2", "long_name": "area without a value"},
}
DIMENSIONS = ("family", "member", "component", "region", "time")
RESOLUTIONS = ("absent", "month", "year", "period")


def write_fluxes(path: Path, fluxes: xr.Dataset) -> None:
    """Write the series form to a zarr v3 store, whole or not at all.

    Raises
    ------
    OutputError
        If the disk is full or the folder not writable.
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(temporary, fluxes)
        replace_folder(temporary, path)
    except OSError as error:
        raise unwritable(path, error) from error


def _write(path: Path, fluxes: xr.Dataset) -> None:
    root = zarr.create_group(store=str(path), zarr_format=3, attributes=_attributes(fluxes))
    axes = {n: sorted({str(v) for v in fluxes[n].values}) for n in DIMENSIONS[:3]}
    regions = [str(r) for r in fluxes["region"].values]
    n_region, n_time = len(regions), fluxes.sizes["time"]
    for name, labels in {**axes, "region": regions}.items():
        _labels(root, name, (name,), np.array(labels))
    _labels(root, "region_set", ("region",), fluxes["region_set"].values)
    _labels(root, "model", ("family", "member"), _models(fluxes, axes))
    days = fluxes["time"].values.astype("datetime64[D]").astype(np.int64)
    attributes = {
        "units": "days since 1970-01-01",
        "calendar": "proleptic_gregorian",
        "standard_name": "time",
        "long_name": "first day of the month",
    }
    _array(root, "time", ("time",), days, attributes=attributes)
    sizes = tuple(len(axes[n]) for n in DIMENSIONS[:3])
    arrays = {
        name: root.create_array(
            name,
            shape=(*sizes, n_region, n_time),
            chunks=(1, 1, 1, n_region, n_time),
            dtype="float64",
            fill_value=np.nan,
            dimension_names=DIMENSIONS,
            attributes={**facts, "coordinates": "region_set model resolution"},
        )
        for name, facts in VARIABLES.items()
    }
    resolution = np.zeros(sizes, dtype=np.int8)
    seconds = np.full((*sizes, n_time), np.nan)
    for i in range(fluxes.sizes["series"]):
        at = tuple(axes[n].index(str(fluxes[n].values[i])) for n in DIMENSIONS[:3])
        for name, array in arrays.items():
            array[at] = fluxes[name].values[i]
        resolution[at] = RESOLUTIONS.index(str(fluxes["resolution"].values[i]))
        seconds[at] = fluxes["month_seconds"].values[i]
    meaning = {"flag_values": [0, 1, 2, 3], "flag_meanings": " ".join(RESOLUTIONS)}
    _array(root, "resolution", DIMENSIONS[:3], resolution, attributes=meaning)
    _array(root, "month_seconds", (*DIMENSIONS[:3], "time"), seconds, attributes={"units": "s"})
    consolidate(path)


def _attributes(fluxes: xr.Dataset) -> dict[str, Any]:
    return {"Conventions": "CF-1.11", **fluxes.attrs}


def _models(fluxes: xr.Dataset, axes: dict[str, list[str]]) -> np.ndarray[Any, Any]:
    models = np.full((len(axes["family"]), len(axes["member"])), "", dtype=object)
    for i in range(fluxes.sizes["series"]):
        at = (
            axes["family"].index(str(fluxes["family"].values[i])),
            axes["member"].index(str(fluxes["member"].values[i])),
        )
        models[at] = str(fluxes["model"].values[i])
    return models


def _labels(
    root: zarr.Group, name: str, dims: tuple[str, ...], values: np.ndarray[Any, Any]
) -> None:
    # text of variable length: the fixed-width type has no zarr v3 specification
    text = np.asarray(values, dtype=str).astype(object)
    array = root.create_array(
        name, shape=text.shape, chunks=text.shape, dtype=str, dimension_names=dims
    )
    array[...] = text


def _array(
    root: zarr.Group,
    name: str,
    dims: tuple[str, ...],
    values: np.ndarray[Any, Any],
    attributes: dict[str, Any] | None = None,
) -> None:
    array = root.create_array(
        name,
        shape=values.shape,
        chunks=tuple(max(n, 1) for n in values.shape),
        dtype=values.dtype,
        dimension_names=dims,
        attributes=attributes or {},
        config={"write_empty_chunks": True},
    )
    array[...] = values


def _text(array: zarr.Array[Any]) -> np.ndarray[Any, Any]:
    return np.array(np.asarray(array[...]).tolist(), dtype=str)


def read_fluxes(path: Path) -> xr.Dataset:
    """Read a store back into its series form.

    Parameters
    ----------
    path : Path
        ``OUT/fluxes.zarr``.

    Returns
    -------
    xarray.Dataset
        Dimensions ``series``, ``region``, ``time``; sorted by family, member, component.

    Raises
    ------
    InputError
        If there is no such store.
    """
    if not (path / "zarr.json").exists():
        raise InputError(
            "no merged fluxes here",
            where=str(path),
            fix="run 'hpcbudget run CONFIG --out OUT' or 'hpcbudget merge OUT' first",
        )
    root = zarr.open_group(str(path), mode="r")
    stored = {name: cast("zarr.Array[Any]", root[name]) for name in root.array_keys()}
    resolution = np.asarray(stored["resolution"][...])
    present = np.argwhere(resolution > 0)
    labels = {n: _text(stored[n]) for n in DIMENSIONS[:4]}
    models = _text(stored["model"])
    at = [tuple(int(i) for i in row) for row in present]
    dims = ("series", "region", "time")
    return xr.Dataset(
        {
            **{
                n: (dims, np.stack([np.asarray(stored[n][i]) for i in at]), dict(facts))
                for n, facts in VARIABLES.items()
            },
            "month_seconds": (
                ("series", "time"),
                np.stack([np.asarray(stored["month_seconds"][i]) for i in at]),
            ),
        },
        coords={
            **{n: ("series", labels[n][present[:, k]]) for k, n in enumerate(DIMENSIONS[:3])},
            "model": ("series", models[present[:, 0], present[:, 1]]),
            "resolution": ("series", np.array([RESOLUTIONS[resolution[i]] for i in at])),
            "region": labels["region"],
            "region_set": ("region", _text(stored["region_set"])),
            "time": np.asarray(stored["time"][...])
            .astype("datetime64[D]")
            .astype("datetime64[ns]"),
        },
        attrs={k: v for k, v in root.attrs.items() if k != "Conventions"},
    )
