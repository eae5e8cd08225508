from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcbudget.space.data import whole_cells as module
from hpcbudget.space.data.whole_cells import outlines, whole_cells
from hpcbudget.space.grid import Grid
from hpcbudget.space.polygons import Polygons
from hpcbudget.space.rings import Rings

GRID = Grid.boxes(np.arange(-90.0, 91.0), np.arange(0.0, 361.0))


def cells_within(rings) -> np.ndarray:
    cell, _, share = Polygons(Rings.of([(0, *ring) for ring in rings]), 1).fractions(GRID)
    result = np.zeros(GRID.shape)
    result.ravel()[cell] = share
    return result


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(0, 359), st.floats(0.1, 0.9))
def test_outlines_hold_exactly_their_cells(seed, west, density):
    """Any cells, cells that meet at corners and lakes in lakes among them, at any longitude."""
    cells = np.zeros((180, 360), bool)
    rows = slice(60, 78)
    columns = (west + np.arange(24)) % 360
    cells[rows, columns] = np.random.default_rng(seed).random((18, 24)) < density
    cells[60, columns[0]] = True
    np.testing.assert_array_equal(cells_within(outlines(cells)), cells)


def square(west, south, east, north):
    return (False, np.array([[west, south], [east, south], [east, north], [west, north]], float))


def test_cells_with_most_dry_land_are_taken_until_the_area_is_reached(monkeypatch):
    units = {
        "one": [square(-2.0, 0.0, 1.6, 1.0)],  # cells of 1, 1, 1 and 0.6
        "two": [square(1.9, 0.0, 4.3, 1.0)],  # 0.1, 1, 1 and 0.3
        "isle": [square(10.0, 0.0, 10.9, 1.0)],
    }
    lakes = [square(2.0, 0.0, 3.0, 0.8)]  # leaves 0.2 of a cell of "two"
    members = {"Here": ["one", "isle"], "There": ["two"]}
    cell = GRID.area_m2()[90 * 360] / 1e6
    for here, there, expected in (
        (3.2, 1.2, ([358, 359, 0], [3])),
        (3.9, 1.9, ([358, 359, 0, 10], [3, 4])),  # the islet has 0.9 of a cell
        (9.0, 9.0, ([358, 359, 0, 1, 10], [2, 3, 4])),  # the mixed cell goes to where most lies
    ):
        monkeypatch.setattr(module, "AREAS_KM2", {"Here": here * cell, "There": there * cell})
        found = whole_cells(units, members, lakes)
        for name, columns in zip(found, expected, strict=True):
            inside = np.zeros(GRID.shape)
            inside[90, columns] = 1.0
            np.testing.assert_array_equal(cells_within(found[name]), inside)
