"""``bench regrid``: weights made, and applied to fields in memory; one thread each.

All times are processor time, so that a machine that is busy with other things charges them to
nobody. Every program takes its turn in every round.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcbudget.bench.limits import plain_sum
from hpcbudget.bench.measure import Row
from hpcbudget.bench.pairs import Pair
from hpcbudget.bench.regridders import Peers, regridders, timed
from hpcbudget.bench.shapes import Shape
from hpcbudget.space.grid import Grid
from hpcbudget.space.weights import Edges, Weights, make_weights

APPLY_LIMIT = "plain numba sum of the source, one core"
WEIGHTS_LIMIT = "copying the weights in memory"
WEIGHT_BYTES = 16
"""A row, a column and a number, as weight files hold them."""


def measure(shape: Shape, rounds: int = 3) -> Iterator[Row]:
    """Yield a row for box weights, which are products of two small tables, and one for any others.

    The destination has cells 2.5 times as large, so that few of them match.
    """
    source = Grid.regular(180.0 / shape.n_lat, 360.0 / shape.n_lon)
    destination = Grid.regular(450.0 / shape.n_lat, 900.0 / shape.n_lon)
    values = shape.values()
    weights = make_weights(source, destination)
    with _peers(weights, values) as peers:
        for kind, one in _kinds(weights):
            yield _apply_row(f"{shape.name}-{kind}", one, values, peers["apply"], rounds)


def measure_pair(pair: Pair, rounds: int = 3) -> Iterator[Row]:
    """Yield rows for making weights and for applying them.

    Boxes have two of each: as products, and as weights in general, for which the making follows
    great circles, as ESMF does.
    """
    grids = pair.source(), pair.destination()
    weights = make_weights(*grids)
    rng = np.random.default_rng(0)
    values = rng.normal(scale=1e-8, size=(pair.n_steps, grids[0].size)).astype(np.float32)
    with _peers(weights, values) as peers:
        making, applying = (
            {name: ask for name, ask in peers[which].items() if name.split()[0] not in pair.slow}
            for which in ("weights", "apply")
        )
        for edges in dict.fromkeys((weights.edges, "great_circles")):
            yield _weights_row(f"{pair.name}-{edges}", *grids, edges, making, rounds)
        for kind, one in _kinds(weights):
            yield _apply_row(f"{pair.name}-{kind}", one, values, applying, rounds)


@contextmanager
def _peers(weights: Weights, values: NDArray[Any]) -> Iterator[dict[str, Peers]]:
    with (
        TemporaryDirectory(prefix="hpcbudget-bench-") as folder,
        regridders(weights, values, Path(folder)) as found,
    ):
        yield found


def _kinds(weights: Weights) -> list[tuple[str, Weights]]:
    if weights.edges == "parallels":
        return [("separable", weights), ("general", replace(weights, overlap=weights.table))]
    return [("general", weights)]


def _weights_row(
    name: str, source: Grid, destination: Grid, edges: Edges, peers: Peers, rounds: int
) -> Row:
    """Time the making of weights; what takes longer than a second has one turn."""
    work = partial(make_weights, source, destination, edges=edges)
    count = len(work().table.data)
    block = np.zeros(WEIGHT_BYTES * count // 8)
    works: Peers = {"limit": partial(timed, block.copy), "ours": partial(timed, work), **peers}
    seconds = in_turns(works, rounds, enough=1.0)
    details = {f"seconds_{name}": time for name, time in seconds.items() if name != "limit"}
    ours, limit = seconds.pop("ours"), seconds.pop("limit")
    return Row(
        "regrid",
        f"{name}-weights",
        block.nbytes / 1e9 / ours,
        block.nbytes / 1e9 / limit,
        WEIGHTS_LIMIT,
        {peer: time / ours for peer, time in seconds.items()},
        {**details, "weights": count},
    )


def _apply_row(name: str, weights: Weights, values: NDArray[Any], peers: Peers, rounds: int) -> Row:
    fields = values.reshape(-1, *weights.source.shape)
    works: Peers = {
        "limit": partial(timed, partial(plain_sum, values.reshape(-1))),
        "ours": partial(timed, partial(weights.apply, fields, "mean")),
        **peers,
    }
    seconds = in_turns(works, rounds)
    gigabytes = values.nbytes / 1e9
    ours, limit = seconds.pop("ours"), seconds.pop("limit")
    return Row(
        "regrid",
        name,
        gigabytes / ours,
        gigabytes / limit,
        APPLY_LIMIT,
        {peer: time / ours for peer, time in seconds.items()},
        {f"gb_per_s_{peer}": gigabytes / time for peer, time in seconds.items()},
    )


def in_turns(
    works: Mapping[str, Callable[[], float]], rounds: int, enough: float = float("inf")
) -> dict[str, float]:
    """Return the shortest time of each work, taken in turns after a first time that is not counted.

    A work whose first time is longer than `enough` seconds is not repeated.

    Examples
    --------
    >>> in_turns({"a": iter([2, 3, 1]).__next__, "b": iter([9]).__next__}, rounds=2, enough=8)
    {'a': 1, 'b': 9}
    """
    shortest = {name: work() for name, work in works.items()}
    again = [name for name, seconds in shortest.items() if seconds <= enough]
    for name in again:
        shortest[name] = float("inf")
    for _ in range(rounds):
        for name in again:
            shortest[name] = min(shortest[name], works[name]())
    return shortest
