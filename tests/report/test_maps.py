"""Maps are drawn where they lie, and only where there is something to draw."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from hpcbudget.report.figures.maps import (
    KG_PER_SECOND_TO_G_PER_YEAR,
    drawable,
    equal_earth,
    maps_figure,
)
from hpcbudget.report.gallery import drawings
from hpcbudget.report.run import Run


def maps_of(lat: np.ndarray, lon: np.ndarray) -> xr.Dataset:
    """Two families on a coarse grid: ocean everywhere, land only for one of them."""
    sizes = {"family": 2, "component": 2, "period": 1, "season": 1}
    shape = (*sizes.values(), lat.size, lon.size)
    dims = (*sizes, "lat", "lon")
    values = np.broadcast_to(np.sin(np.radians(lat))[:, None] * 1e-9, shape).copy()
    n = np.full(shape, 3, np.int16)
    n[1, 0] = 0
    values[1, 0] = np.nan
    half = abs(lat[1] - lat[0]) / 2
    width = (lon[1] - lon[0]) / 2
    return xr.Dataset(
        {
            "mean": (dims, values),
            "sd": (dims, np.abs(values)),
            "agreement": (dims, np.ones(shape, np.float32)),
            "n": (dims, n),
            "lat_bnds": (("lat", "bnds"), np.stack([lat - half, lat + half], 1)),
            "lon_bnds": (("lon", "bnds"), np.stack([lon - width, lon + width], 1)),
        },
        coords={
            "family": ["inversion", "ocean_product"],
            "component": ["land", "ocean"],
            "period": ["2010s"],
            "season": ["annual"],
            "lat": lat,
            "lon": lon,
        },
    )


LAT, LON = np.arange(-85.0, 90, 10), np.arange(-175.0, 180, 10)


def test_only_what_has_models_is_drawn() -> None:
    maps = maps_of(LAT, LON)
    assert drawable(maps, "2010s") == {
        "land": ("inversion",),
        "ocean": ("inversion", "ocean_product"),
    }
    assert drawable(maps, "1890s") == {}
    assert drawable(maps.rename(lat="y", lon="x"), "2010s") == {}


@pytest.mark.parametrize("lat", [LAT, LAT[::-1]])
def test_rows_are_drawn_at_their_latitude(lat: np.ndarray) -> None:
    figure = maps_figure(maps_of(lat, LON), "2010s", component="ocean", families=["inversion"])
    mesh = figure.axes[0].collections[0]
    values = mesh.get_array()
    y = mesh.get_coordinates()[:-1, 0, 1]
    northmost = int(np.argmax(y)) if lat[0] < 0 else 0
    assert values[northmost, 0] == pytest.approx(
        np.sin(np.radians(85)) * 1e-9 * KG_PER_SECOND_TO_G_PER_YEAR
    )


def test_fine_maps_are_averaged_not_thinned() -> None:
    lat, lon = np.arange(-89.5, 90, 1.0), np.arange(-179.875, 180, 0.25)
    figure = maps_figure(maps_of(lat, lon), "2010s", component="ocean", families=["inversion"])
    values = figure.axes[0].collections[0].get_array()
    assert values.shape == (90, 720)
    expected = np.sin(np.radians([88.5, 89.5])).mean() * 1e-9 * KG_PER_SECOND_TO_G_PER_YEAR
    assert values[-1, 0] == pytest.approx(expected)


def test_equal_earth_keeps_areas() -> None:
    lat = np.linspace(-90, 90, 2001)
    x, y = equal_earth(np.full(lat.size, 180.0), lat)
    strip = 2 * (x[1:] + x[:-1]) / 2 * np.diff(y)
    sphere = 2 * np.pi * np.diff(np.sin(np.radians(lat)))
    np.testing.assert_allclose(strip[50:-50], sphere[50:-50], rtol=1e-4)


def test_maps_reach_the_page(run: Run) -> None:
    mapped = Run(run.fluxes, run.series, run.tables, {}, run.config, maps_of(LAT, LON))
    assert [d.name for d in drawings(mapped) if d.section == "maps"] == ["maps_land", "maps_ocean"]


def test_captions_name_what_maps_do_not_have(run: Run) -> None:
    config = {**run.config, "adjustments": [{"name": "rivers"}, {"name": "wood trade"}]}
    mapped = Run(run.fluxes, run.series, run.tables, {}, config, maps_of(LAT, LON))
    for drawing in drawings(mapped):
        assert ("rivers, wood trade are applied" in drawing.caption) == (drawing.section == "maps")
