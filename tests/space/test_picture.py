from __future__ import annotations

import pytest

from hpcbudget.space.picture import draw_regions, region_areas
from hpcbudget.space.regions import load_region_set, shipped_region_sets


@pytest.mark.parametrize("name", shipped_region_sets())
def test_every_shipped_set_can_be_drawn(name, tmp_path):
    region_set = load_region_set(name)
    figure = draw_regions(region_set, degrees=5.0)
    figure.savefig(tmp_path / "regions.png")
    assert (tmp_path / "regions.png").stat().st_size > 10_000
    named = {text.get_text() for text in figure.axes[0].texts}
    if len(region_set.regions) <= 30:
        assert named == set(region_set.regions)
    else:
        assert not named


def test_areas_add_up():
    areas = region_areas(load_region_set("reccap2"))
    assert sum(areas.values()) == pytest.approx(2 * areas["Globe"], rel=1e-12)
