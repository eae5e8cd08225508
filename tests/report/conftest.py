"""A small run with every family, made from closed formulas: the same numbers every time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml

from hpcbudget.report.run import Run

BANDS = ("North", "Tropics", "South")
LANDS = ("North America", "South America", "Europe", "Africa", "North Asia", "East Asia")
REGIONS = ("Globe", *BANDS, "gcb_bands/unassigned", *LANDS, "lands/unassigned")
REGION_SETS = ("", *["gcb_bands"] * 4, *["lands"] * 7)

# mean flux in 2000 [Pg C/yr, + to atmosphere] by component and region
LEVEL = {
    "land": {"North": -1.4, "Tropics": 0.25, "South": -0.05,
             "North America": -0.45, "South America": 0.15, "Europe": -0.3, "Africa": 0.1,
             "North Asia": -0.5, "East Asia": -0.3},
    "ocean": {"North": -1.1, "Tropics": 0.15, "South": -1.0,
              "North America": 0, "South America": 0, "Europe": 0, "Africa": 0, "North Asia": 0,
              "East Asia": 0},
}  # fmt: skip
# family, model, member, components, first and last year
MEMBERS = [
    *[("land_process", f"DGVM-{x}", f"DGVM-{x}", ("land",), 1980, 2020) for x in "ABCDE"],
    ("land_process", "DGVM-F", "DGVM-F-r1", ("land",), 1980, 2020),
    ("land_process", "DGVM-F", "DGVM-F-r2", ("land",), 1980, 2020),
    *[("ocean_process", f"GOBM-{x}", f"GOBM-{x}", ("ocean",), 1980, 2020) for x in "ABCD"],
    *[
        ("ocean_product", f"fCO2-{x}", f"fCO2-{x}", ("ocean",), start, 2020)
        for x, start in zip("ABC", (1982, 1985, 1990), strict=True)
    ],
    *[
        ("inversion", f"INV-{x}", f"INV-{x}", ("land", "ocean", "total", "fossil"), start, 2020)
        for x, start in zip("ABCD", (1980, 1995, 2001, 2001), strict=True)
    ],
]


def synthetic_fluxes(members: list[tuple] = MEMBERS) -> xr.Dataset:  # type: ignore[type-arg]
    """Monthly fluxes with trend, season, year-to-year noise and regions that sum to the globe."""
    random = np.random.default_rng(20240229)
    time = pd.date_range("1980-01-01", "2020-12-01", freq="MS")
    year = time.year.to_numpy() + (time.month.to_numpy() - 0.5) / 12
    seconds = time.days_in_month.to_numpy() * 86400.0
    rows, values, months = [], [], []
    shared = {r: random.normal(0, 1, 41).repeat(12) for r in REGIONS}
    for family, model, member, components, first, last in members:
        offset = {c: random.normal(0, 0.18, len(REGIONS)) for c in ("land", "ocean")}
        noise = {c: random.normal(0, 0.15, (len(REGIONS), 41)).repeat(12, 1) for c in offset}
        inside = (time.year >= first) & (time.year <= last)
        fields: dict[str, np.ndarray] = {}
        for component in ("land", "ocean"):
            field = np.zeros((len(REGIONS), len(time)))
            for i, region in enumerate(REGIONS):
                if region not in LEVEL[component]:
                    continue
                level = LEVEL[component][region]
                scale = 1.0 if component == "land" else 0.25
                season = {"North": 6, "South": -1, "Tropics": 0.4}.get(region, 2 * abs(level))
                field[i] = (
                    level * (1 + 0.022 * (year - 2000)) + offset[component][i] * scale
                    + scale * (noise[component][i] + 0.3 * shared[region] * (abs(level) + 0.4))
                    + scale * season * np.cos(2 * np.pi * (year - 0.08)) * (0.4 if level else 0)
                ) * (level != 0)  # fmt: skip
            field[0] = field[1:4].sum(0)
            field[-1] = field[0] - field[5:-1].sum(0)
            fields[component] = field
        fields["total"] = fields["land"] + fields["ocean"]
        fields["fossil"] = np.zeros_like(fields["land"])
        fields["fossil"][0] = 7 + 0.15 * (year - 2000)
        fields["fossil"][1:4] = fields["fossil"][0] * np.array([[0.85], [0.12], [0.03]])
        for component in components:
            rows.append((family, model, member, component))
            values.append(np.where(inside, fields[component], np.nan))
            months.append(seconds)
    columns = list(zip(*rows, strict=True))
    flux = np.stack(values)
    area = np.full(flux.shape, 1.0e14)
    coords = {
        name: ("series", np.array(column, dtype=object))
        for name, column in zip(("family", "model", "member", "component"), columns, strict=True)
    }
    return xr.Dataset(
        {
            "flux_pgc_yr": (("series", "region", "time"), flux, {"units": "Pg C yr-1"}),
            "valid_area_m2": (("series", "region", "time"), np.where(np.isnan(flux), np.nan, area)),
            "missing_area_m2": (
                ("series", "region", "time"),
                np.where(np.isnan(flux), np.nan, 0.0),
            ),
            "month_seconds": (("series", "time"), np.stack(months)),
        },
        coords={
            "region": np.array(REGIONS, dtype=object),
            "region_set": ("region", np.array(REGION_SETS, dtype=object)),
            "time": time.values.astype("datetime64[ns]"),
            "resolution": ("series", np.array(["month"] * len(rows), dtype=object)),
            **coords,
        },
        attrs={
            "sign": "positive to atmosphere",
            "overlap": "fractional",
            "radius_m": 6371000.0,
        },
    )


@pytest.fixture(scope="session")
def fluxes() -> xr.Dataset:
    """Fluxes of eighteen synthetic members; do not change in place."""
    return synthetic_fluxes()


PROVENANCE = {
    "hpcbudget": "0.1.0",
    "created": "2024-02-29T12:00:00+00:00",
    "command": ["hpcbudget", "run", "synthetic.yaml", "--out", "out"],
    "python": "3.11.9",
    "libraries": {"numpy": "2.0.0", "zarr": "3.1.6"},
    "config_sha256": "ab" * 32,
    "warnings": ["fCO2-A: no units attribute; declared in the configuration"],
    "inputs": [
        {
            "family": family, "model": model, "member": member, "component": component,
            "files": [f"{family}/{member}.nc"], "variable": component,
            "grid": "1 deg rectilinear, S-N, 180x360", "calendar": "standard",
            "history": ["sign turned from to_surface"] if family == "land_process" else [],
            "flux": {"sign": "to_surface", "species": "C", "area_basis": "cell",
                     "units": "kg m-2 s-1", "scope": None},
        }
        for family, model, member, components, _, _ in MEMBERS
        for component in components
    ],
}  # fmt: skip


CONFIG = {
    "name": "synthetic",
    "title": "Synthetic ensemble",
    "periods": {"1990s": [1990, 1999], "2000s": [2000, 2009], "2010s": [2010, 2019]},
    "ensembles": [
        {
            "family": "inversion",
            "citation": "The inversions & friends 2024",
            "members": {
                "INV-A": {"citation": "Inverter 2020, doi:10.5194/acp-0-0-2020"},
                "INV-B": {"citation": None},
            },
        }
    ],
    "adjustments": [{"name": "rivers", "source": "Regnier et al. 2022"}],
}


def annual_means(fluxes: xr.Dataset) -> pd.DataFrame:
    """Annual flux of every series, weighted by the length of the months (pandas, no science)."""
    rows = []
    years = fluxes["time"].dt.year.values
    weight = fluxes["month_seconds"].values
    for i in range(fluxes.sizes["series"]):
        keys = {k: str(fluxes[k].values[i]) for k in ("family", "model", "member", "component")}
        for j, region in enumerate(fluxes["region"].values):
            values = fluxes["flux_pgc_yr"].values[i, j]
            for year in np.unique(years):
                pick = years == year
                mean = np.average(values[pick], weights=weight[i, pick])
                rows.append({**keys, "region": region, "year": year, "flux_pgc_yr": mean})
    return pd.DataFrame(rows).dropna(subset="flux_pgc_yr")


def ensemble_years(annual: pd.DataFrame) -> pd.DataFrame:
    """Mean, SD and range over models of every family and year; process totals as pairs."""
    models = annual.groupby(
        ["family", "component", "region", "year", "model"], sort=True, as_index=False
    )["flux_pgc_yr"].mean()
    keys = ["family", "component", "region", "year"]
    series = models.groupby(keys, as_index=False)["flux_pgc_yr"].agg(
        n="count", mean="mean", sd="std", min="min", max="max"
    )
    land = series[series["family"] == "land_process"].set_index(["region", "year"])
    ocean = series[series["family"] == "ocean_process"].set_index(["region", "year"])
    both = pd.DataFrame(
        {
            "family": "process",
            "component": "total",
            "n": land["n"] * ocean["n"],
            "mean": land["mean"] + ocean["mean"],
            "sd": np.hypot(land["sd"], ocean["sd"]),
            "min": land["min"] + ocean["min"],
            "max": land["max"] + ocean["max"],
        }
    ).reset_index()
    return pd.concat([series, both[series.columns]], ignore_index=True)


PERIODS = {"1990s": (1990, 1999), "2000s": (2000, 2009), "2010s": (2010, 2019)}


def period_tables(annual: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Statistics, reconciliation, dipoles and closure of the fixture, in the contract's columns."""
    statistics, reconciliation, dipoles = [], [], []
    for period, (first, last) in PERIODS.items():
        inside = annual[annual["year"].between(first, last)]
        member = inside.groupby(["family", "member", "component", "region"])
        full = member["year"].transform("count")
        keys = ["family", "component", "region", "model"]
        model = inside[full == last - first + 1].groupby(keys, as_index=False)["flux_pgc_yr"].mean()
        table = model.groupby(keys[:3], as_index=False)["flux_pgc_yr"].agg(
            n="count", mean="mean", sd="std", min="min", max="max", median="median",
            q25=lambda x: x.quantile(0.25), q75=lambda x: x.quantile(0.75),
            sink_votes=lambda x: int((x < 0).sum()),
        )  # fmt: skip
        table["period"] = period
        sure = table["mean"].abs() > table["sd"]
        table["verdict"] = np.where(
            sure, np.where(table["mean"] < 0, "sink", "source"), "undetermined"
        )
        statistics.append(table)
        for component, family in (("land", "land_process"), ("ocean", "ocean_process")):
            for region in REGIONS:
                here = table[(table["component"] == component) & (table["region"] == region)]
                td = here[here["family"] == "inversion"]
                bu = here[here["family"] == family]
                if td.empty or bu.empty:
                    continue
                td, bu = td.iloc[0], bu.iloc[0]
                gap, sd = td["mean"] - bu["mean"], np.hypot(td["sd"], bu["sd"])
                agree = bool(abs(gap) < sd)
                reconciliation.append(
                    (component, region, period, td["mean"], td["sd"], td["n"], bu["mean"],
                     bu["sd"], bu["n"], gap, sd, agree, "agree" if agree else "gap")
                )  # fmt: skip
        for family in ("inversion", "land_process"):
            land = model[(model["family"] == family) & (model["component"] == "land")]
            wide = land.pivot_table(index="model", columns="region", values="flux_pgc_yr")
            for i, a in enumerate(LANDS):
                for b in LANDS[i + 1 :]:
                    pair = wide[[a, b]].dropna()
                    r = pair[a].corr(pair[b])
                    ratio = pair.sum(axis=1).var() / (pair[a].var() + pair[b].var())
                    p = 0.02 if abs(r) > 0.75 else 0.4
                    dipoles.append((family, "land", a, b, period, len(pair), r, p, ratio))
    from hpcbudget.report.tables import COLUMNS

    closure = pd.DataFrame(
        [
            (row.family, row.member, row.component, check, 2e-15, 1e-12, True)
            for row in annual[["family", "member", "component"]].drop_duplicates().itertuples()
            for check in ("regions(gcb_bands)", "regions(lands)")
        ],
        columns=list(COLUMNS["closure"]),
    )
    return {
        "statistics": pd.concat(statistics)[list(COLUMNS["statistics"])],
        "reconciliation": pd.DataFrame(reconciliation, columns=list(COLUMNS["reconciliation"])),
        "dipoles": pd.DataFrame(dipoles, columns=list(COLUMNS["dipoles"])),
        "closure": closure,
    }


@pytest.fixture(scope="session")
def annual(fluxes: xr.Dataset) -> pd.DataFrame:
    """Annual fluxes of the fixture with the column ``model`` beside those of the table."""
    return annual_means(fluxes)


@pytest.fixture(scope="session")
def series(annual: pd.DataFrame) -> pd.DataFrame:
    """Mean and spread of every family and year."""
    return ensemble_years(annual)


@pytest.fixture(scope="session")
def tables(annual: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Statistics, reconciliation, dipoles and closure."""
    return period_tables(annual)


@pytest.fixture(scope="session")
def out(tmp_path_factory: pytest.TempPathFactory, fluxes: xr.Dataset, tables: dict) -> Path:  # type: ignore[type-arg]
    """Lay the fixture out as a finished run does; tests must not change what is in it."""
    from hpcbudget.engine.fluxes import write_fluxes
    from hpcbudget.report.tables import annual_table, monthly_table, write_tables
    from hpcbudget.science.statistics import annual as annual_of

    folder = tmp_path_factory.mktemp("run")
    write_fluxes(folder / "fluxes.zarr", fluxes)
    own = {"monthly": monthly_table(fluxes), "annual": annual_table(annual_of(fluxes))}
    write_tables(folder, {**own, **tables})
    (folder / "provenance.json").write_text(json.dumps(PROVENANCE))
    config = {**CONFIG, "period": [1980, 2020]}
    (folder / "config.resolved.yaml").write_text(yaml.safe_dump(config))
    return folder


@pytest.fixture(scope="session")
def run(fluxes: xr.Dataset, series: pd.DataFrame, tables: dict[str, pd.DataFrame]) -> Run:
    """Return the fixture as the report sees it, without a folder."""
    return Run(fluxes, series, tables, PROVENANCE, CONFIG)


@pytest.fixture(scope="session")
def page(out: Path) -> Path:
    """Return the report of the fixture's folder."""
    from hpcbudget.report.page import build_report

    return build_report(out)
