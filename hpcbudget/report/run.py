"""A finished run as the report sees it: totals, tables, and where they came from."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
import yaml

from hpcbudget.engine.fluxes import read_fluxes
from hpcbudget.options import StatisticsOptions
from hpcbudget.report.places import region_groups
from hpcbudget.report.tables import read_tables
from hpcbudget.science.statistics import decades, ensemble_series


@dataclass(frozen=True, repr=False)
class Run:
    """Everything a report shows.

    Attributes
    ----------
    fluxes : xarray.Dataset
        Monthly fluxes ``(series, region, time)`` [Pg C/yr, + to the atmosphere].
    series : pandas.DataFrame
        Mean and spread of each family and year.
    tables : dict of str to pandas.DataFrame
        The tables of the run by name; a table that was not made is absent.
    provenance : dict
        ``provenance.json``.
    config : dict
        ``config.resolved.yaml``.
    maps : xarray.Dataset or None
        ``maps.zarr``, read lazily; None if no maps were asked for.
    """

    fluxes: xr.Dataset
    series: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    provenance: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    maps: xr.Dataset | None = None

    def __repr__(self) -> str:
        members = set(zip(self.fluxes["family"].values, self.fluxes["member"].values, strict=True))
        years = "no complete year" if self.years is None else "{}-{}".format(*self.years)
        return f"<Run {self.title!r}: {len(members)} members, {years}, {', '.join(self.tables)}>"

    def _repr_html_(self) -> str:
        """Show the headline numbers and whether the budget closes (notebooks call this)."""
        from hpcbudget.report.notebook import run_html

        return run_html(self)

    @property
    def title(self) -> str:
        """What the run is called."""
        return str(self.config.get("title") or self.config.get("name") or "Carbon budget")

    @property
    def periods(self) -> tuple[str, ...]:
        """Names of the periods of the statistics, in their order."""
        table = self.tables.get("statistics")
        return () if table is None else tuple(dict.fromkeys(table["period"].astype(str)))

    @property
    def period(self) -> str:
        """The headline period: the latest of those that most ensembles have numbers for."""
        table = self.tables.get("statistics")
        if table is None:
            return ""
        filled = table.loc[(table["n"] > 0) & (table["region"] == "Globe"), "period"].astype(str)
        count = {period: int((filled == period).sum()) for period in self.periods}
        best = max(count.values(), default=0)
        return next((p for p in reversed(self.periods) if best and count[p] == best), "")

    @property
    def spans(self) -> dict[str, tuple[int, int]]:
        """First and last year of every period."""
        given = self.config.get("periods") or decades(self.fluxes)
        return {str(name): (int(first), int(last)) for name, (first, last) in given.items()}

    @property
    def groups(self) -> dict[str, tuple[str, ...]]:
        """Region ids of each region set, without the unassigned rest."""
        return region_groups(self.fluxes)

    @property
    def years(self) -> tuple[int, int] | None:
        """First and last year with any annual flux."""
        if self.series.empty:
            return None
        return int(self.series["year"].min()), int(self.series["year"].max())

    @property
    def rules(self) -> StatisticsOptions:
        """Rules behind the statistics, with the defaults where the configuration says nothing."""
        return _rules(self.config)

    @property
    def ddof(self) -> str:
        """Delta degrees of freedom of the standard deviations shown, as a caption says it."""
        rules = self.rules
        others = sorted(item for item in rules.ddof_by_family.items() if item[1] != rules.ddof)
        return ", ".join([f"{rules.ddof}", *(f"{ddof} for {family}" for family, ddof in others)])


def load_run(out: Path) -> Run:
    """Read what a run has left in its output folder.

    Parameters
    ----------
    out : Path
        Holds ``fluxes.zarr`` and, as far as they were made, ``tables/``, ``provenance.json`` and
        ``config.resolved.yaml``.

    Raises
    ------
    InputError
        There are no merged fluxes in the folder.
    """
    fluxes = read_fluxes(out / "fluxes.zarr")
    config = _read(out / "config.resolved.yaml")
    rules = _rules(config)
    return Run(
        fluxes=fluxes,
        series=ensemble_series(fluxes, rules),
        tables=read_tables(out, skip=("monthly", "annual", "pairs")),
        provenance=_read(out / "provenance.json"),
        config=config,
        maps=_maps(out / "maps.zarr"),
    )


def _maps(path: Path) -> xr.Dataset | None:
    if not (path / "zarr.json").exists():
        return None
    maps = xr.open_dataset(path, engine="zarr", consolidated=False, chunks=None)
    labels = {
        name: variable.values.astype(object).astype(str)
        for name, variable in maps.coords.items()
        if variable.dtype.kind in "OT"
    }
    return maps.assign_coords(labels)


def _rules(config: dict[str, Any]) -> StatisticsOptions:
    return StatisticsOptions.model_validate(config.get("statistics") or {})


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8")
    loaded = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    return loaded if isinstance(loaded, dict) else {}
