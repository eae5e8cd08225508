"""Write a synthetic ensemble whose carbon budget is known.

`write_ensemble` imitates what a budget group receives: land models, ocean models, inversions and
fCO2 products, each on its own grid, with its own calendar, units, sign, area basis, mask and file
format, plus the configuration that tells the pipeline so. The answer (`SyntheticTruth`) is summed
from the stored numbers without any code of the pipeline.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from numpy.typing import NDArray

from hpcbudget._version import __version__
from hpcbudget.errors import ConfigError
from hpcbudget.files import unwritable, write_atomic
from hpcbudget.inputs.synthetic_fields import (
    RADIUS_M,
    Array,
    GridName,
    SyntheticGrid,
    coefficients,
    land_fraction,
    patterns,
)
from hpcbudget.inputs.synthetic_recipes import CO2_PER_C, RECIPES, UNITS, Recipe, members_of
from hpcbudget.inputs.synthetic_store import Months, StoreWriter, write_static
from hpcbudget.inputs.synthetic_truth import (
    BOX_SET,
    BOXES,
    KEYS,
    STEP,
    VALUE,
    BoxSums,
    SyntheticTruth,
)

LAST_YEAR = 2019
MAX_YEARS = 200
_MADE = "made.json"


def write_ensemble(
    out: Path,
    *,
    members: int = 2,
    years: int = 10,
    resolution_deg: float = 0.5,
    seed: int = 0,
    progress: Callable[[str], None] | None = None,
) -> SyntheticTruth:
    """Write a synthetic ensemble, its configuration and its answer.

    Parameters
    ----------
    out : Path
        Folder; gets ``inputs/``, ``config.yaml`` and ``truth.csv``.
    members : int
        Models per family (the first inversion has two realisations besides).
    years : int
        Whole years, the last of which is 2019.
    resolution_deg : float
        Spacing of the finest grid; the others are coarser by the same ratios as real ones.
    seed : int
        Of everything random.
    progress : callable, optional
        Called with one line per file written.

    Returns
    -------
    SyntheticTruth
        Monthly Pg C/yr per family, member, component (with total = land + ocean) and region.

    Raises
    ------
    ConfigError
        If `members` is below 1, `years` not in 1 to 200 or `resolution_deg` not in 0 to 22.5.
    OutputError
        If the folder cannot be written.

    Notes
    -----
    An ensemble that was written whole, by the same version and with the same arguments, is kept:
    files with new dates would make a resumed run start over.
    """
    if members < 1 or not 1 <= years <= MAX_YEARS or not 0.0 < resolution_deg <= 22.5:
        raise ConfigError(
            f"no ensemble with members={members}, years={years}, resolution_deg={resolution_deg}",
            fix=f"members >= 1, 1 <= years <= {MAX_YEARS}, 0 < resolution_deg <= 22.5",
        )
    made = {
        "version": __version__,
        "members": members,
        "years": years,
        "resolution_deg": resolution_deg,
        "seed": seed,
    }
    tell = progress or (lambda _: None)
    if _is_made(out, made):
        tell(f"{out / 'inputs'}: kept, it holds the same ensemble already")
        return SyntheticTruth.read(out / "truth.csv")
    try:
        return _write(out, made, tell)
    except OSError as error:
        raise unwritable(out, error) from error


def _write(out: Path, made: dict[str, Any], tell: Callable[[str], None]) -> SyntheticTruth:
    inputs = out / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    (inputs / _MADE).unlink(missing_ok=True)
    years = made["years"]
    workshop = _Workshop(inputs, LAST_YEAR - years + 1, years, made["resolution_deg"])
    tables: list[pd.DataFrame] = []
    ensembles: list[dict[str, Any]] = []
    seeds = np.random.SeedSequence(made["seed"])
    for family in RECIPES:
        entries: dict[str, Any] = {}
        for member, recipe in members_of(family, made["members"]):
            rng = np.random.default_rng(seeds.spawn(1)[0])
            entry, table = workshop.make(f"{family}-{member}", recipe, rng)
            entries[member] = entry
            tables.append(table.assign(family=family, member=member))
            tell(f"{family} {member}: {entry['paths']}, {recipe.grid}, {recipe.calendar}")
        ensembles.append({"family": family, "members": entries})
    table = pd.concat(tables, ignore_index=True)[[*KEYS, *STEP, VALUE]]
    truth = SyntheticTruth(table, out / "config.yaml")
    truth.config.write_text(_configuration(ensembles), encoding="utf-8")
    truth.write(out / "truth.csv")
    record = json.dumps(made | {"bytes": _bytes(inputs)}, indent=1)
    write_atomic(inputs / _MADE, record.encode())
    return truth


def _is_made(out: Path, made: dict[str, Any]) -> bool:
    """Say whether the folder holds the whole ensemble that `made` describes."""
    record = out / "inputs" / _MADE
    if not all(path.exists() for path in (record, out / "config.yaml", out / "truth.csv")):
        return False
    return bool(json.loads(record.read_text()) == made | {"bytes": _bytes(out / "inputs")})


def _bytes(inputs: Path) -> int:
    """Return the size of all files; a lost or cut chunk changes it."""
    return sum(p.stat().st_size for p in inputs.rglob("*") if p.is_file() and p.name != _MADE)


@dataclass
class _Workshop:
    """What the members of one ensemble share."""

    folder: Path
    first_year: int
    n_years: int
    resolution_deg: float
    _sums: dict[GridName, BoxSums] = field(default_factory=dict)

    def make(
        self, stem: str, recipe: Recipe, rng: np.random.Generator
    ) -> tuple[dict[str, Any], pd.DataFrame]:
        """Write one member; return its entry in the configuration and its answer."""
        sums = self._sums_on(recipe.grid)
        grid = sums.grid
        months = Months.build(recipe.calendar, self.first_year, self.n_years)
        path = self.folder / f"{stem}.{recipe.store}"
        entry: dict[str, Any] = {
            "paths": f"{self.folder.name}/{path.name}",
            "model": recipe.model,
            "flux": {
                "sign": recipe.sign,
                "species": recipe.species,
                "area_basis": recipe.area_basis,
            },
            "components": dict(recipe.variables),
        }
        measure = np.ones(grid.shape) if recipe.area_basis == "per_cell" else grid.area_m2()
        static: dict[str, tuple[Array, dict[str, str]]] = {}
        if recipe.area_basis == "land":
            entry["land_fraction"], fraction = self._write_land_fraction(stem, grid)
            measure = measure * fraction
        if recipe.own_area:
            static["areacello"] = (measure, {"units": "m2", "standard_name": "cell_area"})
            entry["cell_area"] = {"paths": entry["paths"], "variable": "areacello"}
        with StoreWriter(
            path,
            grid,
            months,
            stamp=recipe.stamp,
            dtype=recipe.dtype,
            units=recipe.units,
            names=list(recipe.variables.values()),
            static=static,
        ) as writer:
            return entry, _write_fields(writer, recipe, sums, measure, months, rng)

    def _sums_on(self, name: GridName) -> BoxSums:
        if name not in self._sums:
            self._sums[name] = BoxSums.build(SyntheticGrid.build(name, self.resolution_deg))
        return self._sums[name]

    def _write_land_fraction(self, stem: str, grid: SyntheticGrid) -> tuple[dict[str, str], Array]:
        """Write ``sftlf`` beside a member; return where it is, and the fraction as stored."""
        percent = (100.0 * land_fraction(grid)).astype(np.float32)
        path = self.folder / f"{stem}-sftlf.nc"
        write_static(path, grid, "sftlf", percent, "%")
        place = {
            "paths": f"{self.folder.name}/{path.name}",
            "variable": "sftlf",
            "scale": "percent",
        }
        return place, percent.astype(np.float64) / 100.0


def _write_fields(
    writer: StoreWriter,
    recipe: Recipe,
    sums: BoxSums,
    measure: Array,
    months: Months,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Write all variables of a member, year by year, and sum what was stored."""
    per_si = _per_si(recipe, months)
    pgc_per_unit = months.year_seconds * 1e-12 / per_si
    answer: dict[tuple[str, str], list[Array]] = {}
    for component, variable in recipe.variables.items():
        shapes = _shapes(recipe, component, sums.grid, rng)
        weights = coefficients(
            component, months.years.astype(np.float64), months.months.astype(np.float64), rng
        )
        mixed = (weights * per_si[:, None]).astype(recipe.dtype)
        for first in range(0, len(mixed), 12):
            year = slice(first, first + 12)
            flux = np.tensordot(mixed[year], shapes, axes=1)
            if recipe.ice:
                flux[_under_ice(sums.grid)] = np.nan
            stored = writer.write(variable, first, flux)
            for region, totals in sums.totals(stored, measure).items():
                answer.setdefault((component, region), []).append(totals * pgc_per_unit[year])
    return _table(answer, months)


def _per_si(recipe: Recipe, months: Months) -> Array:
    """Return the file's number for 1 kg C m-2 s-1 to the atmosphere, in each month."""
    factor, rate = UNITS[recipe.units]
    lengths = {"month": months.seconds, "year": months.year_seconds}
    length = lengths.get(rate, np.ones(months.seconds.size))
    sign = 1.0 if recipe.sign == "to_atmosphere" else -1.0
    species = CO2_PER_C if recipe.species == "CO2" else 1.0
    return sign * species * factor * length


def _shapes(recipe: Recipe, component: str, grid: SyntheticGrid, rng: np.random.Generator) -> Array:
    """Return the patterns per unit of what the file counts, NaN outside the model's mask."""
    shapes = patterns(grid, component, rng)
    fraction = land_fraction(grid)
    if recipe.area_basis == "per_cell":
        shapes = shapes * grid.area_m2()
    elif recipe.area_basis == "land":
        shapes = shapes / np.where(fraction > 0.0, fraction, np.nan)
    if recipe.masked:
        present = fraction > 0.0 if component == "land" else fraction < 1.0
        shapes = np.where(present, shapes, np.nan)
    return shapes.astype(recipe.dtype)


def _under_ice(grid: SyntheticGrid) -> NDArray[np.bool_]:
    """Return where a product that needs open water has no value, shape (12, row, column)."""
    season = np.cos(2.0 * np.pi * (np.arange(12) - 1.5) / 12.0)[:, None]  # +1 in mid February
    lat = grid.lat_deg
    closed = (lat > 76.0 - 8.0 * season) | (lat < -66.0 - 6.0 * season)
    return np.broadcast_to(closed[:, :, None], (12, *grid.shape))


def _table(answer: dict[tuple[str, str], list[Array]], months: Months) -> pd.DataFrame:
    """Return the answer of one member as rows, with total = land + ocean where it has both."""
    series = {key: np.concatenate(parts) for key, parts in answer.items()}
    for component, region in list(series):
        if component == "land" and ("ocean", region) in series:
            series["total", region] = series["land", region] + series["ocean", region]
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "component": component,
                    "region": region,
                    "year": months.years,
                    "month": months.months,
                    VALUE: values,
                }
            )
            for (component, region), values in series.items()
        ],
        ignore_index=True,
    )


def _configuration(ensembles: list[dict[str, Any]]) -> str:
    """Return the YAML of the configuration that belongs to the data."""
    boxes = {name: list(box) for name, box in BOXES.items()}
    config = {
        "name": "demo",
        "title": "Synthetic ensemble with a known answer",
        "data": ".",
        "radius_km": RADIUS_M / 1e3,
        "overlap": "fractional",
        "regions": ["gcb_bands", {"name": BOX_SET, "boxes": boxes}],
        "ensembles": ensembles,
    }
    text = yaml.safe_dump(config, sort_keys=False, default_flow_style=None, width=100)
    return (
        "# Written by 'hpcbudget demo'. The answer that a run has to find is in truth.csv.\n" + text
    )
