"""``bench kernels``: regional totals from memory, against reading the same memory.

The limit is a plain numba sum in float64 over the same array: what a careful loop reads. A sum that
may add in any order reads faster still; it stands among the peers, as the rate nothing can pass.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hpcbudget.bench import peers
from hpcbudget.bench.limits import free_sum, plain_sum
from hpcbudget.bench.measure import Row, side_by_side
from hpcbudget.bench.shapes import Shape
from hpcbudget.kernels.integrate import Runs, integrate, make_runs

LIMIT = "plain numba sum, one core"


def measure(shape: Shape, rounds: int = 7) -> Iterator[Row]:
    """Yield rows for all cells valid, the ocean missing, cell weights, float64, and many sets."""
    labels, area = shape.labels(), shape.area_m2()
    ocean = shape.ocean()
    boxes = make_runs(labels, area, area, shape.n_zones, shape.n_lon)

    values = shape.values()
    yield _row(f"{shape.name}", values, boxes, rounds, _peers(shape, values, labels, area))

    gappy = values.copy()
    gappy[:, ocean] = np.nan
    yield _row(f"{shape.name}-ocean-missing", gappy, boxes, rounds)

    fraction = np.random.default_rng(1).uniform(size=shape.n_cells)
    land = np.where(ocean, 0.0, area)
    basis = make_runs(labels, land, land, shape.n_zones, shape.n_lon)
    yield _row(f"{shape.name}-land-only", gappy, basis, rounds)
    mixed = make_runs(labels, area * fraction, area, shape.n_zones, shape.n_lon)
    yield _row(f"{shape.name}-weight-per-cell", values, mixed, rounds)
    yield _row(f"{shape.name}-float64", shape.values("float64"), boxes, rounds)
    for count in (1, 4, 16):
        zones, n_zones = joined_sets(shape, count)
        sets = make_runs(zones, area, area, n_zones, shape.n_lon)
        yield _row(f"{shape.name}-{count}-region-sets", values, sets, rounds)


def joined_sets(shape: Shape, count: int) -> tuple[NDArray[np.int32], int]:
    """Return the zones of so many sets of boxes at once, each set shifted against the others."""
    joined = np.zeros(shape.n_cells, dtype=np.int64)
    step = max(1, shape.n_lon // shape.columns // 16)
    for number in range(count):
        pair = joined * shape.n_zones + shape.labels(number * step)
        _, joined = np.unique(pair, return_inverse=True)
    return joined.astype(np.int32), int(joined.max()) + 1


def _row(
    name: str,
    values: NDArray[np.floating],
    runs: Runs,
    rounds: int,
    others: dict[str, float] | None = None,
) -> Row:
    flat = values.reshape(-1)
    seconds = side_by_side(
        {
            "limit": partial(plain_sum, flat),
            "free": partial(free_sum, flat),
            "ours": partial(integrate, values, runs),
        },
        rounds,
        time.process_time,
    )
    gigabytes = values.nbytes / 1e9
    rate = gigabytes / seconds["ours"]
    against = {"sum in any order": seconds["free"] / seconds["ours"]}
    against |= {peer: rate / peer_rate for peer, peer_rate in (others or {}).items()}
    runs_per_step = float(runs.start.size + runs.lone.size)
    return Row(
        "kernels",
        name,
        rate,
        gigabytes / seconds["limit"],
        LIMIT,
        against,
        {"zones": float(runs.n_zones), "runs": runs_per_step},
    )


def _peers(
    shape: Shape, values: NDArray[np.floating], labels: NDArray[np.int32], area: NDArray[np.float64]
) -> dict[str, float]:
    """Return GB/s of every peer, on a few steps: the slowest takes seconds for each."""
    few = values[: min(2, len(values))]
    rates = {}
    for name, totals in peers.integrators().items():
        work = partial(totals, few, labels, area, shape.n_zones)
        seconds = side_by_side({name: work}, 2, time.process_time)
        rates[name] = few.nbytes / 1e9 / seconds[name]
    return rates
