"""Hypothesis strategies shared by the tests: grids as files really have them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import strategies as st

from hpcbudget.space.edges import gaussian_latitudes
from hpcbudget.space.grid import Grid


@st.composite
def edges(draw: st.DrawFn, low: float, high: float, cells: int) -> np.ndarray:
    """Uneven edges from low to high, no cell thinner than a hundredth of the mean."""
    widths = np.array(
        draw(st.lists(st.floats(0.02, 1.0), min_size=cells, max_size=cells)), np.float64
    )
    return np.concatenate(
        [[low], low + (high - low) * np.cumsum(widths)[:-1] / widths.sum(), [high]]
    )


@st.composite
def global_grids(draw: st.DrawFn, max_rows: int = 24, max_columns: int = 24) -> Grid:
    """Global boxes: regular, half polar cells, Gaussian or uneven; any order and convention."""
    rows, columns = draw(st.integers(2, max_rows)), draw(st.integers(2, max_columns))
    style = draw(st.sampled_from(["regular", "polar", "gaussian", "uneven"]))
    if style == "regular":
        lat = np.linspace(-90, 90, rows + 1)
    elif style == "polar":
        inner = np.linspace(-90, 90, 2 * rows + 1)[1::2]
        lat = np.concatenate([[-90.0], inner, [90.0]])
    elif style == "gaussian":
        lat = gaussian_latitudes(rows)[1]
    else:
        lat = draw(edges(-90.0, 90.0, rows))
    start = draw(st.sampled_from([-180.0, 0.0, -300.0, -180.0 / columns, 12.3]))
    lon = (
        draw(edges(start, start + 360.0, columns))
        if style == "uneven"
        else np.linspace(start, start + 360.0, columns + 1)
    )
    lat_bounds = np.stack([lat[:-1], lat[1:]], axis=1)
    lon_bounds = np.stack([lon[:-1], lon[1:]], axis=1)
    if draw(st.booleans()):
        lat_bounds = lat_bounds[::-1].copy()
    if draw(st.booleans()):
        lon_bounds = lon_bounds[::-1].copy()
    lat_axis = draw(st.sampled_from([0, 1]))
    return Grid.boxes(
        lat_bounds,
        lon_bounds,
        lat_axis=lat_axis,
        dims=("lat", "lon") if lat_axis == 0 else ("lon", "lat"),
    )


def latitude_bands() -> st.SearchStrategy[dict[str, tuple[float, float]]]:
    """Bands that follow each other, not always down to the poles."""
    limits = st.lists(st.integers(-90, 90), min_size=2, max_size=6, unique=True).map(sorted)
    return limits.map(
        lambda lat: {f"band{i}": (float(a), float(b)) for i, (a, b) in enumerate(pairwise(lat))}
    )
