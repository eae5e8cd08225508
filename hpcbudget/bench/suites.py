"""The suites by name, with problems of a size that is done in a minute or two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

from hpcbudget.bench.measure import Row
from hpcbudget.bench.pairs import PAIRS, Pair
from hpcbudget.bench.shapes import Shape, find_shape
from hpcbudget.errors import ConfigError

Bench = Literal["kernels", "read", "run", "regrid", "scale"]
BENCHES: tuple[Bench, ...] = get_args(Bench)
STORED_STEPS = 240


def run(
    which: str | None = None,
    *,
    shape: str = "Monthly025x36zones",
    folder: Path | None = None,
    workers: int | None = None,
    tell: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """Measure this machine and the program on it.

    Parameters
    ----------
    which : {"kernels", "read", "run", "regrid", "scale"}, optional
        Default: all of them, in this order.
    shape : str
        A name of `hpcbudget.bench.shapes.SHAPES`, or rows x columns x steps; for ``regrid`` also
        one of `hpcbudget.bench.pairs.PAIRS`.
    folder : Path, optional
        Where stores are written and kept for the next time: put it on the file system that is to
        be measured. Default: a temporary folder.
    workers : int, optional
        For ``run`` and ``scale``; default: the cores this process may use.
    tell : callable, optional
        Given one line per suite as it begins.

    Returns
    -------
    list of dict
        Rows with ``bench, name, gb_per_s, limit_gb_per_s, ratio_to_limit, limit, peers, details,
        versions``.

    Raises
    ------
    ConfigError
        An unknown suite or shape.

    Examples
    --------
    >>> rows = run("kernels", shape="Tiny")
    >>> rows[0]["bench"], rows[0]["name"]
    ('kernels', 'Tiny')
    """
    if which is not None and which not in BENCHES:
        raise ConfigError(f"no bench {which!r}", fix=f"one of {', '.join(BENCHES)}")
    if shape in PAIRS and which != "regrid":
        raise ConfigError(f"{shape} is a pair of grids", fix="bench regrid --shape " + shape)
    problem = PAIRS[shape] if shape in PAIRS else find_shape(shape)
    chosen = BENCHES if which is None else (which,)
    rows: list[dict[str, Any]] = []
    with TemporaryDirectory(prefix="hpcbudget-bench-") as scratch:
        for bench in chosen:
            if tell is not None:
                tell(f"{bench}: {shape}")
            found = _suite(bench, problem, folder or Path(scratch), workers)
            rows.extend(row.as_dict() for row in found)
    return rows


def _suite(bench: str, shape: Shape | Pair, folder: Path, workers: int | None) -> Iterator[Row]:
    # a suite's imports are its own: nobody waits for dask to time a kernel
    if isinstance(shape, Pair):
        from hpcbudget.bench.regrid_speed import measure_pair

        yield from measure_pair(shape)
        return
    stored = replace(shape, n_steps=max(STORED_STEPS, shape.n_steps))
    if shape.name == "Tiny":
        stored = shape
    if bench == "kernels":
        from hpcbudget.bench.kernel_speed import measure as kernels

        yield from kernels(shape)
    elif bench == "read":
        from hpcbudget.bench.read_speed import measure as read

        yield from read(stored, folder)
    elif bench == "regrid":
        from hpcbudget.bench.regrid_speed import measure as regrid

        yield from regrid(shape)
    elif bench == "run":
        from hpcbudget.bench.scaling import measure_run

        yield from measure_run(stored, folder, workers)
    else:
        from hpcbudget.bench.scaling import measure_scale

        yield from measure_scale(stored, folder, workers)
