"""What the maps are held to: the tolerance of the weights they were made with, and no unknowns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from gridded import configure, make_maps, plan, write_field

from hpcbudget.maps.account import AFTER, BEFORE, ENSEMBLE, map_rows
from hpcbudget.maps.plan import MapsPlan
from hpcbudget.maps.votes import Sums, Tile
from hpcbudget.options import ClosureOptions
from hpcbudget.space.grid import Grid
from hpcbudget.space.weight_files import write_weights
from hpcbudget.space.weights import make_weights

MAPS = {"grid": "15", "periods": {"x": [2000, 2001]}}


@pytest.fixture
def planned(tmp_path: Path) -> MapsPlan:
    """Finished maps of two inversions; weights of one come from a file."""
    for name in "AB":
        write_field(tmp_path / f"{name}.nc", np.full((24, 18, 36), 1e-9, "f4"))
    ours = make_weights(Grid.regular(10.0), Grid.regular(15.0))
    write_weights(ours, tmp_path / "native.nc")  # no name of a file tells who made it
    maps = {**MAPS, "weights": {"A": "native.nc"}}
    config = configure(tmp_path, {"inversion": {"A": {}, "B": {}}}, maps)
    make_maps(config, tmp_path / "out")
    return plan(config, tmp_path / "out")


@pytest.fixture
def fluxes() -> xr.Dataset:
    time = pd.date_range("2000-01", periods=24, freq="MS")
    seconds = np.tile(time.days_in_month.to_numpy() * 86400.0, (2, 1))
    return xr.Dataset(
        {
            "flux_pgc_yr": (("series", "region", "time"), np.ones((2, 1, 24))),
            "month_seconds": (("series", "time"), seconds),
        },
        coords={
            "time": time, "region": ["Globe"], "family": ("series", ["inversion"] * 2),
            "member": ("series", ["A", "B"]), "component": ("series", ["land"] * 2),
        },
    )  # fmt: skip


def test_weights_of_a_file_are_held_to_their_own_tolerance(
    planned: MapsPlan, fluxes: xr.Dataset
) -> None:
    closure = ClosureOptions(tolerance=1e-12, foreign_weights=1e-7)
    rows = map_rows(planned, fluxes, closure)
    tolerances = {(member, check): tolerance for _, member, _, check, _, tolerance, _ in rows}
    assert tolerances == {
        ("A", BEFORE): 1e-12,
        ("A", AFTER): 1e-7,
        ("B", BEFORE): 1e-12,
        ("B", AFTER): 1e-12,
        ("ensemble", ENSEMBLE): 1e-12,
    }


def test_what_is_unknown_does_not_close(planned: MapsPlan, fluxes: xr.Dataset) -> None:
    class Lost(MapsPlan):
        def sums(self) -> Iterator[tuple[Tile, tuple[Sums, ...]]]:
            yield (
                self.tiles[0],
                (Sums("inversion", "land", "annual", float("nan"), 1.0, 1.0),),
            )

    lost = Lost(**{one.name: getattr(planned, one.name) for one in fields(planned)})
    (row,) = (r for r in map_rows(lost, fluxes, ClosureOptions()) if r[3] == ENSEMBLE)
    assert np.isnan(row[4])
    assert not row[-1]
