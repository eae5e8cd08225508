"""Nothing that a figure says is cut off or written over, however many regions and members."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from hpcbudget.report.figures.budget import budget_figure
from hpcbudget.report.figures.coverage import coverage_figure
from hpcbudget.report.figures.cumulative import cumulative_figure
from hpcbudget.report.figures.dipoles import dipole_figure
from hpcbudget.report.figures.gap_maps import gap_maps_figure
from hpcbudget.report.figures.maps import maps_figure
from hpcbudget.report.figures.regions import regional_bars_figure
from hpcbudget.report.figures.scatter import scatter_figure
from hpcbudget.report.figures.seasons import seasons_figure
from hpcbudget.report.figures.spread import spread_figure
from hpcbudget.report.model_years import (
    agreement_in_time,
    cumulated,
    model_years,
    seasonal_cycles,
)
from hpcbudget.report.places import MOST_REGIONS, largest, only_largest
from hpcbudget.report.style import DPI, FAMILIES
from hpcbudget.space.cf_write import grid_dataset
from hpcbudget.space.grid import Grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.text import Text

LONG = "Northern temperate and boreal Eurasia east of the Ural"
SHORT = "Europe"
FAMILY_NAMES = ("process", "land_process", "ocean_process", "ocean_product", "inversion")


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Callable[[Figure], list[Text]]:
    """Return a function that draws a figure and lists the texts that reach the paper."""
    from matplotlib.text import Text

    found: list[Text] = []
    draw = Text.draw

    def note(self: Text, renderer: object) -> None:
        if self.get_visible() and self.get_text().strip():
            found.append(self)
        draw(self, renderer)

    def drawn(figure: Figure) -> list[Text]:
        found.clear()
        with monkeypatch.context() as patch:
            patch.setattr(Text, "draw", note)
            figure.dpi = DPI
            figure.draw_without_rendering()
        return list(dict.fromkeys(found))

    return drawn


def clipped(figure: Figure, texts: list[Text]) -> list[str]:
    """Texts of which a part lies beyond the paper's edge."""
    width, height = figure.bbox.width, figure.bbox.height
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    boxes += [("legend", legend.get_window_extent()) for legend in figure.legends]
    return [
        f"{said!r}: {box.x0:.0f}..{box.x1:.0f} of {width:.0f}, {box.y0:.0f}..{box.y1:.0f}"
        f" of {height:.0f}"
        for said, box in boxes
        if min(box.x0, box.y0) < -0.5 or box.x1 > width + 0.5 or box.y1 > height + 0.5
    ]


def written_over(texts: list[Text]) -> list[str]:
    """Pairs of upright or level texts that share more than a hair of the paper."""
    upright = [t for t in texts if t.get_rotation() % 90 == 0]
    boxes = [(t.get_text(), t.get_window_extent()) for t in upright]
    return [
        f"{a!r} and {b!r}"
        for (a, one), (b, other) in itertools.combinations(boxes, 2)
        if min(one.x1, other.x1) - max(one.x0, other.x0) > 1
        and min(one.y1, other.y1) - max(one.y0, other.y0) > 2
    ]


def names_of(count: int, name: str) -> list[str]:
    return [f"some_set/{name} {i}" for i in range(count)]


def reconciliation(names: list[str]) -> pd.DataFrame:
    random = np.random.default_rng(1)
    rows = [
        (c, r, "2010s", *random.normal(-0.2, 0.4, 1), 0.1, 20, *random.normal(-0.2, 0.4, 1),
         0.12, 20, 0.1, 0.2, bool(i % 2), "agree")
        for c in ("land", "ocean", "total")
        for i, r in enumerate(names)
    ]  # fmt: skip
    columns = [
        "component", "region", "period", "top_down_mean", "top_down_sd", "n_td",
        "bottom_up_mean", "bottom_up_sd", "n_bu", "gap", "gap_sd", "agree", "verdict",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def dipoles(names: list[str], members: int) -> pd.DataFrame:
    random = np.random.default_rng(2)
    rows = [
        (family, "land", a, b, "2010s", members, r, 0.02 if abs(r) > 0.8 else 0.3, 0.5)
        for family in ("inversion", "land_process")
        for a, b in itertools.combinations(names, 2)
        for r in random.uniform(-1, 1, 1)
    ]
    columns = [
        "family", "component", "region_a", "region_b", "period", "n", "correlation", "p_value",
        "variance_ratio",
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def by_region(names: list[str], members: int) -> Iterator[tuple[str, Callable[[], Figure]]]:
    table = reconciliation(names)
    for component in ("land", "ocean", "total"):
        yield (
            f"bars {component}",
            partial(regional_bars_figure, table, "2010s", {"s": names}, component=component),
        )
    yield "scatter", partial(scatter_figure, table, "2010s", names)
    yield "dipoles", partial(dipole_figure, dipoles(names, members), "2010s", names)


@pytest.mark.parametrize("name", [SHORT, LONG])
@pytest.mark.parametrize("count", [3, 9, 10, 40])
def test_names_of_regions_stay_legible(
    written: Callable[[Figure], list[Text]], count: int, name: str
) -> None:
    for which, draw in by_region(names_of(count, name), 20 if count > 9 else 2):
        figure = draw()
        texts = written(figure)
        assert clipped(figure, texts) == [], which
        assert written_over(texts) == [], which


def ensembles(fluxes: xr.Dataset, members: int) -> Iterator[tuple[str, Callable[[], Figure]]]:
    """Figures of a run of all families, each with so many models, some of which begin late."""
    names = ("family", "model", "member", "component")
    series = sorted(set(zip(*(fluxes[n].values.tolist() for n in names), strict=True)))
    first = {(f, c): i for i, (f, _, _, c) in reversed(list(enumerate(series)))}
    parts = []
    for (family, component), _ in first.items():
        rows = [i for i, s in enumerate(zip(*(fluxes[n].values for n in names), strict=True))
                if (s[0], s[3]) == (family, component)]  # fmt: skip
        for k in range(members):
            one = fluxes.isel(series=[rows[k % len(rows)]]).copy(deep=True)
            one["flux_pgc_yr"] = one["flux_pgc_yr"] * (1 + 0.01 * k)
            late = one["time"].dt.year >= 1980 + k
            one["flux_pgc_yr"] = one["flux_pgc_yr"].where(late)
            label = np.array([f"{family}-{k}"], dtype=object)
            parts.append(one.assign_coords(model=("series", label), member=("series", label)))
    whole = xr.concat(parts, dim="series", data_vars="minimal", coords="minimal",
                      compat="override", join="exact")  # fmt: skip
    from hpcbudget.science.statistics import ensemble_series

    years = ensemble_series(whole)
    models = model_years(whole)
    yield "budget", partial(budget_figure, years)
    yield "coverage", partial(coverage_figure, years)
    yield "cumulative", partial(cumulative_figure, cumulated(models))
    yield "seasons", partial(seasons_figure, seasonal_cycles(whole, 2010, 2019))
    agreement = agreement_in_time(models)
    yield "spread", partial(spread_figure, agreement, components=["land", "ocean"])
    negative = agreement.assign(correlation=-agreement["correlation"])
    yield "half circle", partial(spread_figure, negative, components=["land", "ocean"])


@pytest.mark.parametrize("members", [2, 20])
def test_ensembles_stay_legible(
    written: Callable[[Figure], list[Text]], fluxes: xr.Dataset, members: int
) -> None:
    for which, draw in ensembles(fluxes, members):
        figure = draw()
        texts = written(figure)
        assert clipped(figure, texts) == [], which
        assert written_over(texts) == [], which


def test_maps_stay_legible(written: Callable[[Figure], list[Text]]) -> None:
    maps = grid_dataset(Grid.regular(10.0))
    shape = (len(FAMILY_NAMES), 3, 1, 1, 18, 36)
    dims = ("family", "component", "period", "season", "lat", "lon")
    random = np.random.default_rng(3)
    for name in ("mean", "sd", "agreement"):
        maps[name] = (dims, random.normal(0, 1e-8, shape))
    for name in ("gap", "gap_sd"):
        maps[name] = (dims[1:], random.uniform(1e-9, 1e-8, shape[1:]))
    maps["gap_agrees"] = (dims[1:], np.ones(shape[1:]))
    components = ["land", "ocean", "total"]
    maps = maps.assign_coords(
        family=list(FAMILY_NAMES), component=components, period=["2010s"], season=["annual"]
    )
    assert set(FAMILY_NAMES) < set(FAMILIES)
    figures = {
        "all": maps_figure(maps, "2010s", component="total", families=FAMILY_NAMES),
        "one": maps_figure(maps, "2010s", component="total", families=FAMILY_NAMES[:1]),
        "gaps": gap_maps_figure(maps, "2010s", components=components),
        "gap": gap_maps_figure(maps, "2010s", components=components[2:]),
    }
    for which, figure in figures.items():
        texts = written(figure)
        assert clipped(figure, texts) == [], which
        assert written_over(texts) == [], which


def test_a_large_set_shows_its_largest_fluxes() -> None:
    names = names_of(MOST_REGIONS + 30, SHORT)
    table = reconciliation(names)
    shown = largest(table, names)
    assert len(shown) == MOST_REGIONS
    assert list(shown) == sorted(shown, key=names.index)
    size = table.set_index("region")[["top_down_mean", "bottom_up_mean"]].abs().max(axis=1)
    biggest = size.groupby(level=0).max()
    assert biggest[list(shown)].min() >= biggest.drop(list(shown)).max()
    assert only_largest({"s": names}) == " Of 70 regions the 40 with the largest fluxes."
    assert largest(table, names[:3]) == tuple(names[:3])
    assert only_largest({"s": names[:3]}) == ""
