"""Great-circle weights over the workers of a dask cluster: the same bits, a stretch at a time."""

from __future__ import annotations

from contextlib import contextmanager

import numpy as np
import pytest
from distributed import Client, LocalCluster
from esmf_cases import displaced, rotated, tripolar

from hpcbudget.engine.cluster import on_workers
from hpcbudget.space import great_circles
from hpcbudget.space.great_circles import great_circle_overlap, in_turn
from hpcbudget.space.grid import Grid
from hpcbudget.space.named_grids import healpix
from hpcbudget.space.weight_cache import cached_weights

PAIRS = [
    (tripolar(), Grid.regular(3.0)),
    (Grid.regular(2.0), displaced()),
    (rotated(turn=175.0), Grid.regular(2.0)),
    (healpix(8), Grid.gaussian(12)),
    (Grid.regular(4.0), tripolar(junk=np.nan)),
]


@pytest.fixture
def short(monkeypatch):
    """Stretches of 300 cells, so that there are some."""
    monkeypatch.setattr(great_circles, "LARGEST", 300)
    monkeypatch.setattr(great_circles, "SMALLEST", 300)


def connect(workers, started=None):
    @contextmanager
    def client():
        settings = {"processes": workers > 1, "dashboard_address": None, "silence_logs": 50}
        host = "127.0.0.1" if workers > 1 else None
        with (
            LocalCluster(n_workers=workers, threads_per_worker=1, host=host, **settings) as cluster,
            Client(cluster) as client,
        ):
            if started is not None:
                started.append(client)
            yield client

    return client


@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_workers_gives_the_same_bits(short, workers):
    mapper = on_workers(connect(workers))
    for source, destination in PAIRS[: 5 if workers == 1 else 2]:
        alone = great_circle_overlap(source, destination)
        shared = great_circle_overlap(source, destination, mapper=mapper)
        for one, other in zip((*alone[0], *alone[1:]), (*shared[0], *shared[1:]), strict=True):
            np.testing.assert_array_equal(one, other)


def test_workers_are_not_started_for_weights_that_are_there(short, tmp_path):
    started = []
    for _ in range(2):
        cached_weights(*PAIRS[0], folder=tmp_path, mapper=on_workers(connect(1, started)))
    assert len(started) == 1
    cached_weights(Grid.regular(10.0), Grid.regular(5.0), mapper=on_workers(connect(1, started)))
    assert len(started) == 1


def test_the_cut_does_not_change_a_bit(short):
    for source, destination in PAIRS:
        pieces, *_ = great_circle_overlap(source, destination)
        whole, *_ = great_circle_overlap(source, destination, mapper=one_stretch(destination))
        for one, other in zip(pieces, whole, strict=True):
            np.testing.assert_array_equal(one, other)


def one_stretch(destination):
    """A mapper that first joins all stretches, so that nothing is left out of any."""

    def mapper(work, items):
        items = list(items)
        assert len(items) > 1
        lat, lon = (np.concatenate([getattr(i, n) for i in items]) for n in ("lat_deg", "lon_deg"))
        cells, at = np.unique(np.concatenate([i.cells for i in items]), return_index=True)
        rest = [
            np.concatenate([getattr(i, n) for i in items])[at]
            for n in ("source_lat_deg", "source_lon_deg", "boxes", "areas")
        ]
        yield work(great_circles.Stretch(lat, lon, cells, *rest, items[0].rows))

    return mapper


class Asked:
    """Notes how many stretches are on their way, and how large they and their results are."""

    def __init__(self):
        self.now = self.most = 0
        self.stretches, self.pieces = [], []

    def submit(self, work, stretch):
        self.now += 1
        self.most = max(self.most, self.now)
        self.stretches.append(stretch)
        self.work = work
        return Future(self, stretch)


class Future:
    def __init__(self, asked, stretch):
        self.asked, self.stretch = asked, stretch

    def result(self):
        self.asked.now -= 1
        piece = self.asked.work(self.stretch)
        self.asked.pieces.append(piece)
        return piece


def test_no_worker_holds_or_returns_more_than_its_stretch(short):
    source, destination = Grid.regular(2.0), Grid.regular(1.0)
    asked = Asked()
    great_circle_overlap(source, destination, mapper=in_turn(asked.submit, lambda: 3))
    assert asked.most == 3
    assert len(asked.pieces) == destination.size // 300
    for stretch, (table, areas) in zip(asked.stretches, asked.pieces, strict=True):
        assert len(areas) == len(table.indptr) - 1 == 300
        # a row of it touches two or three rows of the source, out of ninety
        assert len(stretch.cells) <= 3 * 180
        assert set(table.indices) <= set(stretch.cells)


@pytest.mark.parametrize("step", [1.0, 0.5, 0.25])
def test_a_stretch_does_not_grow_with_the_grids(step):
    source = Grid.regular(step)
    for destination in (Grid.regular(step), Grid.regular(4.0)):
        sizes = [
            (len(stretch.lat_deg), len(stretch.cells))
            for stretch in great_circles._stretches(*_ready(source), destination)
        ]
        assert sum(size for size, _ in sizes) == destination.size
        assert max(size for size, _ in sizes) <= great_circles.LARGEST
        if destination.size == source.size:
            assert max(cells for _, cells in sizes) < 2 * great_circles.LARGEST


def _ready(grid):
    lat, lon = (np.ascontiguousarray(a) for a in grid.corners())
    return lat, lon, *great_circles.sphere.extents(lat, lon)
