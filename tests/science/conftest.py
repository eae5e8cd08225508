"""Small flux datasets whose every number is chosen by the test."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import pytest
import xarray as xr

REGIONS = {"Globe": "", "North": "bands", "South": "bands", "bands/unassigned": "bands"}

Name = tuple[str, str, str, str]  # family, model, member, component


def build(
    series: Mapping[Name, np.ndarray | float],
    *,
    first_year: int = 2000,
    n_years: int = 1,
    regions: Mapping[str, str] = REGIONS,
    resolution: str = "month",
) -> xr.Dataset:
    """Make fluxes from {name: array that broadcasts to (region, time)} in Pg C/yr."""
    time = pd.date_range(f"{first_year}-01", periods=12 * n_years, freq="MS")
    shape = (len(series), len(regions), time.size)
    flux = np.empty(shape)
    for row, values in zip(flux, series.values(), strict=True):
        row[...] = values
    seconds = np.broadcast_to(time.days_in_month.to_numpy() * 86400.0, (len(series), time.size))
    area = np.where(np.isfinite(flux), 1.0, 0.0)
    area[:, 0] = area[:, 1:].sum(axis=1)
    columns: Sequence[Sequence[str]] = list(zip(*series, strict=True))
    names = ("family", "model", "member", "component")
    return xr.Dataset(
        {
            "flux_pgc_yr": (("series", "region", "time"), flux),
            "valid_area_m2": (("series", "region", "time"), area),
            "missing_area_m2": (("series", "region", "time"), np.zeros(shape)),
            "month_seconds": (("series", "time"), seconds.copy()),
        },
        coords={
            "time": time,
            "region": list(regions),
            "region_set": ("region", list(regions.values())),
            "resolution": ("series", [resolution] * len(series)),
            **{n: ("series", list(c)) for n, c in zip(names, columns, strict=True)},
        },
    )


def closed(rng: np.random.Generator, n_regions: int, n_time: int) -> np.ndarray:
    """Random regional fluxes whose first row is the sum of the others."""
    parts = rng.normal(size=(n_regions - 1, n_time))
    return np.concatenate([parts.sum(axis=0, keepdims=True), parts])


@pytest.fixture
def make_fluxes() -> Callable[..., xr.Dataset]:
    return build


@pytest.fixture
def make_ensemble() -> Callable[..., xr.Dataset]:
    """Random land and ocean fluxes of `n` models in each family, regions closing."""

    def make(
        seed: int = 0,
        n: int = 4,
        *,
        n_years: int = 2,
        families: Mapping[str, Sequence[str]] | None = None,
        regions: Mapping[str, str] = REGIONS,
        **options: object,
    ) -> xr.Dataset:
        rng = np.random.default_rng(seed)
        wanted = families or {
            "inversion": ("land", "ocean"),
            "land_process": ("land",),
            "ocean_process": ("ocean",),
        }
        series = {
            (family, f"{family}{i}", f"{family}{i}", component): closed(
                rng, len(regions), 12 * n_years
            )
            for family, components in wanted.items()
            for i in range(n)
            for component in components
        }
        return build(series, n_years=n_years, regions=regions, **options)  # type: ignore[arg-type]

    return make
