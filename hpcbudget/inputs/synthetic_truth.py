"""The known answer of a synthetic ensemble, and how far a run is from it.

The answer is summed from the very numbers that were stored (float32 ones as float32), in float64
along rows and with `math.fsum` over rows, with this module's own overlap of boxes on a sphere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hpcbudget.inputs.synthetic_fields import Array, SyntheticGrid

#: lon0, lon1, lat0, lat1 in degrees; latitude bands are boxes around the whole sphere.
Box = tuple[float, float, float, float]

BANDS: dict[str, tuple[float, float]] = {
    "North": (30.0, 90.0),
    "Tropics": (-30.0, 30.0),
    "South": (-90.0, -30.0),
}

#: Edges cut cells of every grid; the warm pool crosses the date line and holds no land.
BOXES: dict[str, Box] = {
    "Amazonia": (-74.3, -46.1, -15.2, 4.9),
    "Congo": (9.3, 32.7, -9.1, 6.4),
    "Siberia": (61.7, 138.9, 50.2, 71.8),
    "Warm_pool": (150.4, 200.6, -9.7, 9.7),
}

#: Name of the set that `BOXES` forms; what lies outside is its "unassigned".
BOX_SET = "hotspots"

KEYS = ["family", "member", "component", "region"]
STEP = ["year", "month"]
VALUE = "flux_pgc_yr"


def regions() -> dict[str, tuple[tuple[float, Box], ...]]:
    """Return every region of the answer as a signed sum of boxes.

    Examples
    --------
    >>> list(regions())[:4]
    ['Globe', 'North', 'Tropics', 'South']
    """
    globe: Box = (-180.0, 180.0, -90.0, 90.0)
    simple = {
        "Globe": globe,
        **{name: (-180.0, 180.0, *edges) for name, edges in BANDS.items()},
        **BOXES,
    }
    rest = ((1.0, globe), *((-1.0, box) for box in BOXES.values()))
    return {name: ((1.0, box),) for name, box in simple.items()} | {f"{BOX_SET}/unassigned": rest}


@dataclass(frozen=True)
class BoxSums:
    """Sums over boxes of one grid, exact where a box edge cuts a cell.

    Attributes
    ----------
    grid : SyntheticGrid
    rows, columns : Mapping
        For each box: share of each row (in sine of latitude) and of each column (in longitude).
    """

    grid: SyntheticGrid
    rows: Mapping[Box, Array]
    columns: Mapping[Box, Array]

    @classmethod
    def build(cls, grid: SyntheticGrid) -> BoxSums:
        """Compute the shares for all boxes of `regions`."""
        boxes = {box for terms in regions().values() for _, box in terms}
        return cls(
            grid,
            {box: _row_shares(grid, box) for box in boxes},
            {box: _column_shares(grid, box) for box in boxes},
        )

    def totals(self, values: NDArray[np.floating[Any]], area_m2: Array) -> dict[str, Array]:
        """Sum ``values * area_m2 * share`` over the valid cells of each region.

        Parameters
        ----------
        values : ndarray, shape (step, row, column)
            As stored; NaN where there is no value.
        area_m2 : ndarray, shape (row, column)
            What one value counts for: m2, or 1 if it is a total of its cell.

        Returns
        -------
        dict
            Region name to ndarray of shape (step,); NaN where a region has no valid cell.
        """
        boxes = list(self.rows)
        columns = np.stack([self.columns[box] for box in boxes], axis=1)
        valid = ~np.isnan(values)
        everywhere = bool(valid.all())
        by_row = np.where(valid, values.astype(np.float64) * area_m2, 0.0) @ columns
        seen_by_row = (
            columns.any(axis=0)
            if everywhere
            else valid.astype(np.float32) @ (columns > 0.0).astype(np.float32)
        )
        answer: dict[str, Array] = {}
        for name, terms in regions().items():
            parts, seen = [], np.zeros(len(values), dtype=bool)
            for sign, box in terms:
                which, rows = boxes.index(box), self.rows[box]
                parts.append(sign * by_row[:, :, which] * rows)
                if sign > 0:
                    inside = np.broadcast_to(seen_by_row, by_row.shape)[:, rows > 0.0, which]
                    seen |= (inside > 0.0).any(axis=1)
            sums = np.array([math.fsum(row) for row in np.concatenate(parts, axis=1).tolist()])
            answer[name] = np.where(seen, sums, np.nan)
        return answer


def _row_shares(grid: SyntheticGrid, box: Box) -> Array:
    edges = np.sin(np.deg2rad(grid.lat_edges_deg))
    low, high = np.minimum(edges[1:], edges[:-1]), np.maximum(edges[1:], edges[:-1])
    south, north = math.sin(math.radians(box[2])), math.sin(math.radians(box[3]))
    inside = np.clip(np.minimum(high, north) - np.maximum(low, south), 0.0, None)
    shares: Array = inside / (high - low)
    return shares


def _column_shares(grid: SyntheticGrid, box: Box) -> Array:
    west, east = grid.lon_edges_deg[:-1], grid.lon_edges_deg[1:]
    if box[1] - box[0] == 360.0:
        return np.ones(west.size)
    inside = np.zeros(west.size)
    for turn in (-360.0, 0.0, 360.0):
        overlap = np.minimum(east, box[1] + turn) - np.maximum(west, box[0] + turn)
        inside += np.clip(overlap, 0.0, None)
    return inside / (east - west)


@dataclass(frozen=True)
class SyntheticTruth:
    """Monthly regional totals that a run on the synthetic ensemble has to find.

    Attributes
    ----------
    table : pandas.DataFrame
        Columns family, member, component, region, year, month, flux_pgc_yr (Pg C/yr, positive to
        the atmosphere; NaN where the region holds no valid cell).
    config : Path
        Configuration that runs the pipeline on the ensemble.
    """

    table: pd.DataFrame
    config: Path

    def write(self, path: Path) -> None:
        """Write the answer as CSV, every number with all its digits."""
        self.table.to_csv(path, index=False)

    @classmethod
    def read(cls, path: Path, *, config: Path | None = None) -> SyntheticTruth:
        """Read what `write` wrote; the configuration is the one that lies beside it."""
        table = _read_table(path)
        return cls(table, config if config is not None else path.parent / "config.yaml")

    def compare(self, monthly_csv: Path) -> pd.DataFrame:
        """Compare a run's ``tables/monthly.csv`` with the answer.

        Parameters
        ----------
        monthly_csv : Path
            Table with at least the columns of `table`.

        Returns
        -------
        pandas.DataFrame
            One row per family, member, component and region: months, the largest error in
            Pg C/yr and the largest relative error ``|found - true| / |true|`` over all months
            (absolute where the true total is exactly zero). An absent month is one without a
            value; a value on one side only is an infinite error.
        """
        found = _read_table(monthly_csv)
        both = self.table.merge(
            found[[*KEYS, *STEP, VALUE]],
            on=[*KEYS, *STEP],
            how="left",
            suffixes=("_true", "_found"),
            validate="one_to_one",
        )
        true = both[f"{VALUE}_true"].to_numpy(np.float64)
        error = np.abs(both[f"{VALUE}_found"].to_numpy(np.float64) - true)
        empty = both[f"{VALUE}_found"].isna().to_numpy() & np.isnan(true)
        error = np.where(empty, 0.0, np.where(np.isnan(error), np.inf, error))
        scale = np.where(np.isnan(true) | (true == 0.0), 1.0, np.abs(true))
        both["error_pgc_yr"] = error
        both["relative_error"] = error / scale
        grouped = both.groupby(KEYS, sort=True)
        return grouped.agg(
            months=("year", "size"),
            error_pgc_yr=("error_pgc_yr", "max"),
            relative_error=("relative_error", "max"),
        ).reset_index()


def _read_table(path: Path) -> pd.DataFrame:
    """Read a table of fluxes to the last bit; 'NA' is a region, an empty field is missing."""
    return pd.read_csv(path, keep_default_na=False, converters={VALUE: _number})


def _number(text: str) -> float:
    return float(text) if text else math.nan
