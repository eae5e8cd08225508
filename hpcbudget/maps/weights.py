"""Which weights carry a member to the common grid: ours, ESMF's, or those of a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from hpcbudget.options import MapsOptions
from hpcbudget.space.grid import Grid
from hpcbudget.space.overlap import BoxOverlap
from hpcbudget.space.weight_cache import cached_weights
from hpcbudget.space.weights import Weights


class Chosen(NamedTuple):
    """Weights of a member's grid.

    Attributes
    ----------
    weights : Weights
    described : str
        Which they are.
    foreign : bool
        Whether ESMF or a file made them, not we.
    """

    weights: Weights
    described: str
    foreign: bool


Choose = Callable[[str, Grid], Chosen]


def choose_weights(options: MapsOptions, destination: Grid, root: Path) -> Choose:
    """Return a function that gives the weights of a member's grid, and says which they are.

    Equal grids get the same weights, made once.

    Parameters
    ----------
    options : MapsOptions
        ``weights`` by member, else ``backend``.
    destination : Grid
        The common grid.
    root : Path
        What relative paths of weights files start from.
    """
    made: dict[tuple[str, str], Chosen] = {}

    def choose(member: str, grid: Grid) -> Chosen:
        how = options.weights.get(member, options.backend)
        key = how, grid.content_hash()
        if key not in made:
            weights = _make(how, grid, destination, root)
            kind = "separable boxes" if isinstance(weights.overlap, BoxOverlap) else "polygons"
            edges = weights.edges.replace("_", " ")
            shown = {"native": f"native, {kind}, {edges}", "xesmf": "xesmf"}.get(how, how)
            mismatch = weights.area_mismatch
            off = f"; cell areas differ by up to {mismatch:.1e}" if mismatch else ""
            made[key] = Chosen(weights, f"{grid.describe()}: {shown}{off}", how != "native")
        return made[key]

    return choose


def _make(how: str, source: Grid, destination: Grid, root: Path) -> Weights:
    if how == "native":
        return cached_weights(source, destination)
    if how == "xesmf":
        return cached_weights(source, destination, backend="xesmf")
    from hpcbudget.space.weight_files import read_weights

    return read_weights(root / how, source=source, destination=destination)
