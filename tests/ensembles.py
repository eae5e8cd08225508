"""Small ensembles for tests of the engine, and what a run left as bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
import zarr

from hpcbudget.config import Config, parse_config

CONFIG = """
name: small
regions:
  - gcb_bands
  - name: boxes
    boxes: {{West: [-120, -30, -20, 40], East: [10, 100, -35, 61]}}
engine: {{block_mb: {block_mb}, processes: {processes}}}
ensembles:
  - family: inversion
    flux: {{sign: to_atmosphere, species: C, area_basis: cell}}
    components: {{land: land, ocean: ocean}}
    members: {{{members}}}
"""


def field(seed: int, steps: int, deg: float, *, land: bool) -> np.ndarray:
    """Return float32 fluxes (step, lat, lon) in kg C m-2 s-1, NaN over half of the longitudes."""
    shape = (steps, round(180 / deg), round(360 / deg))
    values = np.random.default_rng(seed).normal(-2e-9, 1e-8, shape).astype(np.float32)
    half = shape[2] // 2
    if land:
        values[:, :, half:] = np.nan
    else:
        values[:, :, :half] = np.nan
    return values


def write_member(
    path: Path, seed: int, *, steps: int = 24, deg: float = 10.0, chunk: int = 5
) -> None:
    """Write one inversion as zarr v3 with `chunk` steps to a chunk."""
    lat = -90 + deg * (np.arange(round(180 / deg)) + 0.5)
    lon = -180 + deg * (np.arange(round(360 / deg)) + 0.5)
    root = zarr.create_group(store=str(path), overwrite=True)
    months = np.arange(steps)
    stamps = (np.datetime64("2000-01", "M") + months).astype("datetime64[D]")
    axes = {
        "time": (
            stamps.astype(np.int64),
            {"units": "days since 1970-01-01", "calendar": "standard"},
        ),
        "lat": (lat, {"units": "degrees_north", "standard_name": "latitude"}),
        "lon": (lon, {"units": "degrees_east", "standard_name": "longitude"}),
    }  # fmt: skip
    for name, (values, attributes) in axes.items():
        array = root.create_array(
            name,
            shape=values.shape,
            chunks=values.shape,
            dtype=values.dtype,
            dimension_names=(name,),
            attributes=attributes,
        )
        array[...] = values
    for i, name in enumerate(("land", "ocean")):
        data = field(2 * seed + i, steps, deg, land=name == "land")
        array = root.create_array(
            name,
            shape=data.shape,
            chunks=(chunk, *data.shape[1:]),
            dtype="float32",
            fill_value=np.nan,
            dimension_names=("time", "lat", "lon"),
            attributes={"units": "kg m-2 s-1"},
            config={"write_empty_chunks": True},
        )
        array[...] = data


def write_small_ensemble(
    folder: Path,
    *,
    members: int = 2,
    steps: int = 24,
    deg: float = 10.0,
    chunk: int = 5,
    block_mb: float = 0.01,
    processes: bool = False,
) -> Path:
    """Write members and their configuration; return the configuration's path."""
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(members):
        write_member(folder / f"m{i}.zarr", i, steps=steps, deg=deg, chunk=chunk)
    listed = ", ".join(f"M{i}: {{paths: m{i}.zarr}}" for i in range(members))
    path = folder / "config.yaml"
    path.write_text(
        CONFIG.format(block_mb=block_mb, processes=str(processes).lower(), members=listed)
    )
    return path


def small_config(folder: Path, **options: float) -> Config:
    """Write a small ensemble and load its configuration."""
    path = write_small_ensemble(folder, **options)  # type: ignore[arg-type]
    return parse_config(path.read_text(), origin=path)


def result_bytes(out: Path) -> dict[str, bytes]:
    """Return all files of ``fluxes.zarr`` and ``tables`` by name."""
    found = {
        str(path.relative_to(out)): path.read_bytes()
        for folder in ("fluxes.zarr", "tables")
        for path in sorted((out / folder).rglob("*"))
        if path.is_file()
    }
    assert found, f"no results in {out}"
    return found


def open_results(out: Path) -> xr.Dataset:
    """Open the fluxes as any user would."""
    return xr.open_zarr(out / "fluxes.zarr", consolidated=False)
