"""A basis that moves with time (open water, a monthly mask) moves the areas with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from hpcbudget.config import parse_config
from hpcbudget.workflow import run_config

CONFIG = """
name: moving
ensembles:
  - family: ocean_process
    flux: {sign: to_atmosphere, species: C, area_basis: ocean}
    components: {ocean: flux}
    members: {A: {paths: flux.nc, mask: {paths: mask.nc, variable: mask, scale: fraction}}}
"""


def test_areas_follow_the_mask_and_nothing_is_missing_where_it_is_zero(tmp_path: Path) -> None:
    lat, lon = np.array([-45.0, 45.0]), np.array([90.0, 270.0])
    time = pd.date_range("2001-01-01", periods=12, freq="MS")
    axes = {
        "time": time,
        "lat": ("lat", lat, {"units": "degrees_north", "standard_name": "latitude"}),
        "lon": ("lon", lon, {"units": "degrees_east", "standard_name": "longitude"}),
    }
    flux = np.full((12, 2, 2), 1e-9)
    flux[:, 0, 0] = np.nan  # land: mask 0
    flux[:, 1, 1] = np.nan  # sea that the model lost: mask 0.5
    mask = np.full((12, 2, 2), 1.0)
    mask[:, 0, 0] = 0.0
    mask[:, 1, 1] = 0.5
    mask[6:, 1, 0] = 0.25  # ice comes
    dims = ("time", "lat", "lon")
    units = {"units": "kg m-2 s-1"}
    xr.Dataset({"flux": (dims, flux, units)}, axes).to_netcdf(tmp_path / "flux.nc")
    xr.Dataset({"mask": (dims, mask, {"units": "1"})}, axes).to_netcdf(tmp_path / "mask.nc")
    config = parse_config(CONFIG, origin=tmp_path / "c.yaml")
    run_config(config, tmp_path / "out", workers=1, with_report=False)
    table = pd.read_csv(tmp_path / "out" / "tables" / "monthly.csv")
    globe = table[(table["region"] == "Globe") & (table["component"] == "ocean")]
    quarter = np.pi * 6.371e6**2  # area of each of the four cells
    np.testing.assert_allclose(globe["valid_area_m2"][:6], 2 * quarter, rtol=1e-14)
    np.testing.assert_allclose(globe["valid_area_m2"][6:], 1.25 * quarter, rtol=1e-14)
    np.testing.assert_allclose(globe["missing_area_m2"], 0.5 * quarter, rtol=1e-14)
    rate = 1e-9 * quarter * np.array([2.0] * 6 + [1.25] * 6)
    expected = rate * 365 * 86400 / 1e12
    np.testing.assert_allclose(globe["flux_pgc_yr"], expected, rtol=1e-12)
