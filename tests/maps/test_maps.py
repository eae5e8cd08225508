"""Maps of ensembles against the same arithmetic done in memory."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from gridded import RADIUS_M, configure, make_maps, regridded, write_field

from hpcbudget.errors import ConfigError
from hpcbudget.inputs.series import SeriesKey
from hpcbudget.inputs.times import TimeAxis
from hpcbudget.maps.choices import mappable
from hpcbudget.options import MapsOptions

DAYS_2000 = np.array([31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
DAYS_2001 = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
SECONDS = np.concatenate([DAYS_2000, DAYS_2001]) * 86400.0
SHAPES = {"A": (18, 36), "B": (12, 24), "C": (30, 45), "C2": (30, 45)}


@pytest.fixture(scope="module")
def fields() -> dict[str, np.ndarray]:
    random = np.random.default_rng(5)
    made = {}
    for name, shape in SHAPES.items():
        values = random.normal(-1e-9, 5e-9, (24, *shape)).astype("f4")
        values[:, random.random(shape) < 0.2] = np.nan
        made[name] = values
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, fields: dict[str, np.ndarray]) -> Path:
    path = tmp_path_factory.mktemp("maps")
    for name, values in fields.items():
        write_field(path / f"{name}.nc", values)
    return path


MEMBERS = {"A": {}, "B": {}, "C": {"model": "Cee"}, "C2": {"model": "Cee"}}


def models(
    fields: dict[str, np.ndarray], months: np.ndarray, preserve: str, names: str = "A B C+C2"
) -> np.ndarray:
    """Return (model, lat, lon) on the 15 degree grid: realisations averaged first."""
    found = []
    for model in names.split():
        own = []
        for name in model.split("+"):
            weights = SECONDS[months] / SECONDS[months].sum()
            mean = np.einsum("t,tij->ij", weights, fields[name][months].astype("f8"))
            own.append(regridded(mean, 12, 24, preserve))
        with np.errstate(invalid="ignore"):
            both = np.stack(own)
            known = np.isfinite(both)
            total = np.where(known, both, 0).sum(axis=0)
            found.append(
                np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)
            )
    return np.stack(found)


def close(found: xr.DataArray, expected: np.ndarray, size: float = 1e-8) -> None:
    assert np.array_equal(np.isnan(found.values), np.isnan(expected))
    assert np.nanmax(np.abs(found.values - expected)) < 1e-12 * size


@pytest.mark.parametrize("preserve", ["integral", "mean"])
def test_statistics_are_those_of_plain_arrays(
    folder: Path, fields: dict[str, np.ndarray], tmp_path: Path, preserve: str
) -> None:
    maps = {
        "grid": "15",
        "periods": {"both": [2000, 2001], "second": [2001, 2001]},
        "seasons": ["annual", "seasons", "months"],
        "quantiles": [0.0, 0.4, 1.0],
        "preserve": preserve,
    }
    config = configure(folder, {"inversion": MEMBERS}, maps)
    found = make_maps(config, tmp_path / "out").sel(family="inversion", component="land")
    month = np.arange(24) % 12 + 1
    for period, season, months in (
        ("both", "annual", np.arange(24)),
        ("second", "annual", np.arange(12, 24)),
        ("both", "DJF", np.flatnonzero(np.isin(month, (12, 1, 2)))),
        ("second", "JJA", np.flatnonzero(np.isin(month, (6, 7, 8)))[3:]),
        ("both", "Feb", np.flatnonzero(month == 2)),
    ):
        expected = models(fields, months, preserve)
        here = found.sel(period=period, season=season)
        n = np.isfinite(expected).sum(axis=0)
        assert np.array_equal(here["n"].values, n)
        assert set(np.unique(n)) >= {3}
        with np.errstate(invalid="ignore", divide="ignore"):
            close(here["mean"], np.nanmean(expected, axis=0))
            sd = np.where(n > 1, np.nanstd(expected, axis=0, ddof=1), np.nan)
            close(here["sd"], sd)
            sign = np.sign(np.nanmean(expected, axis=0))
            agreement = (np.sign(expected) == sign).sum(axis=0) / n
        assert np.allclose(here["agreement"].values, agreement, atol=1e-7)
        close(
            here["quantiles"].transpose("quantile", "lat", "lon"),
            np.nanquantile(expected, [0.0, 0.4, 1.0], axis=0),
        )


def test_every_month_is_a_map(folder: Path, fields: dict[str, np.ndarray], tmp_path: Path) -> None:
    maps = {"grid": "15", "periods": {"x": [2001, 2001]}, "seasons": "every_month"}
    found = make_maps(configure(folder, {"inversion": {"A": {}}}, maps), tmp_path / "out")
    assert found["period"].values.tolist() == ["2001"]
    assert found["season"].values.tolist()[::4] == ["Jan", "May", "Sep"]
    here = found["mean"].sel(family="inversion", component="land", season="Jul").squeeze()
    close(here, regridded(fields["A"][18].astype("f8"), 12, 24, "integral"))


def test_an_own_grid_is_left_as_it_is(
    folder: Path, fields: dict[str, np.ndarray], tmp_path: Path
) -> None:
    maps = {"grid": "10", "periods": {"x": [2000, 2001]}}
    found = make_maps(configure(folder, {"inversion": {"A": {}}}, maps), tmp_path / "out")
    weights = SECONDS / SECONDS.sum()
    close(found["mean"].squeeze(), np.einsum("t,tij->ij", weights, fields["A"].astype("f8")))


def test_totals_are_kept_and_cells_add_up_to_the_sphere(
    folder: Path, fields: dict[str, np.ndarray], tmp_path: Path
) -> None:
    maps = {"grid": "7.2", "periods": {"x": [2000, 2001]}}
    found = make_maps(configure(folder, {"inversion": {"B": {}}}, maps), tmp_path / "out")
    area = found["cell_area"]
    assert float(area.sum()) == pytest.approx(4 * np.pi * RADIUS_M**2, rel=1e-14)
    mean = np.einsum("t,tij->ij", SECONDS / SECONDS.sum(), fields["B"].astype("f8"))
    edges = np.sin(np.radians(np.linspace(-90, 90, 13)))
    cells = np.outer(np.diff(edges), np.full(24, 2 * np.pi / 24)) * RADIUS_M**2
    total, size = np.nansum(mean * cells), np.nansum(np.abs(mean) * cells)
    assert abs(float((found["mean"] * area).sum()) - total) < 1e-14 * size


def test_thinly_covered_cells_have_no_vote(
    folder: Path, fields: dict[str, np.ndarray], tmp_path: Path
) -> None:
    maps = {"grid": "15", "periods": {"x": [2000, 2001]}, "min_valid": 0.6}
    found = make_maps(configure(folder, {"inversion": {"A": {}}}, maps), tmp_path / "out")
    known = np.isfinite(fields["A"][0]).astype("f8")
    covered = regridded(known, 12, 24, "integral")
    assert np.array_equal(found["n"].squeeze().values == 1, covered >= 0.6 - 1e-9)
    assert 0 < int((found["n"] == 0).sum()) < covered.size


def test_months_without_a_value_lower_the_share_and_are_no_zero(tmp_path: Path) -> None:
    values = np.full((12, 18, 36), 2e-9)
    values[6:, :9] = np.nan  # the southern half has no value from July on
    write_field(tmp_path / "A.nc", values)
    half = DAYS_2000[:6].sum() / 366
    for preserve, least, expected in (
        ("integral", 0.0, 2e-9 * half),
        ("mean", 0.0, 2e-9),
        ("mean", 0.9, np.nan),
    ):
        maps = {"grid": "10", "periods": {"x": [2000, 2000]}, "preserve": preserve}
        config = configure(tmp_path, {"inversion": {"A": {}}}, maps | {"min_valid": least})
        found = make_maps(config, tmp_path / f"{preserve}{least}")["mean"].squeeze().values
        assert found[:9] == pytest.approx(expected, rel=1e-13, nan_ok=True)
        assert found[9:] == pytest.approx(2e-9, rel=1e-13)


def test_common_and_all_spans(folder: Path, tmp_path: Path, fields: dict[str, np.ndarray]) -> None:
    write_field(folder / "short.nc", fields["A"][:15])
    maps = {"grid": "15", "periods": {"both": [2000, 2001]}}
    members = {"A": {}, "short": {}}
    common = make_maps(configure(folder, {"inversion": members}, maps), tmp_path / "common")
    assert int(common["n"].max()) == 1
    rule = {"statistics": {"span": "all"}}
    every = make_maps(configure(folder, {"inversion": members}, maps, **rule), tmp_path / "all")
    assert int(every["n"].max()) == 2
    first = models(fields, np.arange(12), "integral", "A")[0]
    both = models(fields, np.arange(24), "integral", "A")[0]
    close(every["mean"].sel(component="land").squeeze(), (first + both) / 2)


@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:Degrees of freedom")
def test_top_down_minus_bottom_up_and_totals(
    folder: Path, fields: dict[str, np.ndarray], tmp_path: Path
) -> None:
    components = {"components": {"land": "flux", "ocean": {"variable": "flux", "paths": "B.nc"}}}
    ensembles = {
        "inversion": {"A": components, "C": components},
        "land_process": {"A": {}, "B": {}},
        "ocean_process": {"B": {}, "C2": {}},
    }
    maps = {"grid": "15", "periods": {"x": [2000, 2001]}}
    found = make_maps(configure(folder, ensembles, maps), tmp_path / "out").squeeze()
    months = np.arange(24)

    def moments(names: str) -> tuple[np.ndarray, np.ndarray]:
        values = models(fields, months, "integral", names)
        return np.nanmean(values, axis=0), np.nanstd(values, axis=0, ddof=1)

    with np.errstate(invalid="ignore", divide="ignore"):
        top, bottom = moments("A C"), moments("A B")
        close(found["gap"].sel(component="land"), top[0] - bottom[0])
        both = np.isfinite(found["gap_sd"].sel(component="land").values)
        width = np.hypot(top[1], bottom[1])
        agrees = np.abs(top[0] - bottom[0]) < width
        assert np.array_equal(found["gap_agrees"].sel(component="land").values[both], agrees[both])
        land, ocean = bottom[0], moments("B C2")[0]
    process = found["mean"].sel(family="process", component="total")
    known = np.isfinite(land) | np.isfinite(ocean)
    close(process, np.where(known, np.nan_to_num(land) + np.nan_to_num(ocean), np.nan))
    member = models(fields, months, "integral", "A B C")
    total = found["mean"].sel(family="inversion", component="total")
    votes = [np.nansum(member[[i, 1]], axis=0) for i in (0, 2)]
    known = [np.isfinite(member[[i, 1]]).any(axis=0) for i in (0, 2)]
    votes = np.stack([np.where(k, v, np.nan) for k, v in zip(known, votes, strict=True)])
    close(total, np.nanmean(votes, axis=0))


def test_process_models_alone_have_a_total(
    folder: Path, fields: dict[str, np.ndarray], tmp_path: Path
) -> None:
    ensembles = {"land_process": {"A": {}}, "ocean_process": {"B": {}}}
    maps = {"grid": "15", "periods": {"x": [2000, 2001]}}
    found = make_maps(configure(folder, ensembles, maps), tmp_path / "out").squeeze()
    land, ocean = models(fields, np.arange(24), "integral", "A B")
    known = np.isfinite(land) | np.isfinite(ocean)
    total = np.where(known, np.nan_to_num(land) + np.nan_to_num(ocean), np.nan)
    close(found["mean"].sel(family="process", component="total"), total)


def test_land_outside_the_land_fraction_is_no_land(tmp_path: Path) -> None:
    fraction = np.zeros((18, 36))
    fraction[:, :18] = 0.25
    write_field(tmp_path / "lsm.nc", fraction[None], variable="sftlf")
    with xr.open_dataset(tmp_path / "lsm.nc") as opened:
        static = opened.load().isel(time=0, drop=True)
    static["sftlf"].attrs["units"] = "1"
    static.to_netcdf(tmp_path / "sftlf.nc")
    write_field(tmp_path / "A.nc", np.full((12, 18, 36), 4e-9))
    member = {
        "flux": {"area_basis": "land"},
        "land_fraction": {"paths": "sftlf.nc", "variable": "sftlf"},
    }
    config = configure(
        tmp_path, {"land_process": {"A": member}}, {"grid": "20", "periods": {"x": [2000, 2000]}}
    )
    found = make_maps(config, tmp_path / "out").squeeze()
    assert found["mean"].values[:, :9] == pytest.approx(1e-9, rel=1e-13)
    assert np.isnan(found["mean"].values[:, 9:]).all()
    assert not found["n"].values[:, 9:].any()


def test_bad_input_nothing_to_map(folder: Path, tmp_path: Path) -> None:
    maps = {"grid": "15", "periods": {"late": [2050, 2059]}}
    with pytest.raises(ConfigError, match="nothing to make maps of"):
        make_maps(configure(folder, {"inversion": {"A": {}}}, maps), tmp_path / "out")


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"grid": "fifteen"}, "maps.grid"),
        ({"families": ["inversions"]}, "did you mean 'inversion'"),
        ({"components": ["lnad"]}, "did you mean 'land'"),
        ({"weights": {"B": "native"}}, "'B'"),
        ({"weights": {"A": "absent.nc"}}, "absent.nc"),
    ],
)
def test_bad_input_unknown_names(
    folder: Path, tmp_path: Path, wrong: dict[str, object], named: str
) -> None:
    maps = {"grid": "15", "periods": {"x": [2000, 2001]}, **wrong}
    with pytest.raises(ConfigError) as caught:
        make_maps(configure(folder, {"inversion": {"A": {}}}, maps), tmp_path / "out")
    assert named in str(caught.value)


def test_maps_name_the_adjustments_that_they_do_not_have(folder: Path, tmp_path: Path) -> None:
    inversions = {"inversion": {"A": {}}}
    maps = {"grid": "15", "periods": {"x": [2000, 2001]}}
    rivers = {
        "name": "rivers", "kind": "rivers", "source": "Regnier et al. 2022", "edition": 2023,
        "families": ["inversion"],
    }  # fmt: skip
    plain = make_maps(configure(folder, inversions, maps), tmp_path / "plain")
    assert plain.attrs["adjustments"].startswith("none")
    config = configure(folder, inversions, maps, adjustments=[rivers])
    adjusted = make_maps(config, tmp_path / "adjusted")
    assert "rivers: Regnier et al. 2022" in adjusted.attrs["adjustments"]
    np.testing.assert_array_equal(adjusted["mean"].values, plain["mean"].values)


def test_steps_that_lie_in_two_months_are_left_out_and_named() -> None:
    spells = TimeAxis.of_spells(
        np.array([24000, 24000]), np.full(2, 8 * 86400.0), np.array([0.0, 86400.0]), "noleap"
    )
    months = TimeAxis.of_months(np.array([24000, 24001]), "noleap")
    series = tuple(
        SimpleNamespace(
            key=SeriesKey("inversion", name, name, "land", "flux"),
            grid=SimpleNamespace(kind="rectilinear"),
            times=times,
        )
        for name, times in (("A", spells), ("B", months))
    )
    found, left_out = mappable(SimpleNamespace(series=series), MapsOptions())  # type: ignore[arg-type]
    assert [key.member for key in found] == ["B"]
    assert len(left_out) == 1
    assert "A" in left_out[0]
    assert "several days" in left_out[0]
