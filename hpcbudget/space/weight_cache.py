"""Weights kept under the hash of everything they depend on, so that they are made once.

Any number of processes may make the same weights at the same time: each writes a file of its own
and renames it, and all of them hold the same numbers. A damaged file is made again.
"""

from __future__ import annotations

import io
import logging
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from hpcbudget.errors import OutputError
from hpcbudget.files import write_atomic
from hpcbudget.space.grid import Grid
from hpcbudget.space.overlap import Table
from hpcbudget.space.weights import CONSERVATIVE, Edges, Method, Weights, make_weights, weights_key

if TYPE_CHECKING:
    from hpcbudget.space.great_circles import Mapper

Backend = Literal["native", "xesmf"]

CACHE_VARIABLE = "HPCBUDGET_CACHE"

logger = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Return ``$HPCBUDGET_CACHE``, else ``hpcbudget`` in the user's cache folder."""
    given = os.environ.get(CACHE_VARIABLE)
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "hpcbudget"


def cached_weights(
    source: Grid,
    destination: Grid,
    *,
    method: Method = "conservative",
    edges: Edges | None = None,
    backend: Backend = "native",
    folder: Path | None = None,
    threads: int = 1,
    mapper: Mapper | None = None,
) -> Weights:
    """Return weights from the cache, or make them and keep them.

    Weights between box grids are made in less time than a file is read, and are not kept.

    Parameters
    ----------
    source, destination, method, edges, threads, mapper
        As for `make_weights`.
    backend : {"native", "xesmf"}
        Who makes them. xESMF has one kind of edges, great circles, and methods of its own (see
        `hpcbudget.space.xesmf_backend`).
    folder : Path, optional
        Where to keep them. Default: `cache_folder`.
    """
    if backend == "xesmf":
        edges = "great_circles" if method in CONSERVATIVE else "file"
    elif edges is None:
        edges = "parallels" if source.is_boxes and destination.is_boxes else "great_circles"
    if edges == "parallels":
        return make_weights(source, destination, method=method, edges=edges)
    folder = (cache_folder() if folder is None else folder) / "weights"
    key = weights_key(source, destination, method, edges, backend)
    path = folder / f"{key}.npz"
    found = _load(path, source, destination, method, edges)
    if found is not None:
        return found
    if backend == "xesmf":
        from hpcbudget.space.xesmf_backend import xesmf_weights

        weights = xesmf_weights(source, destination, method)
    else:
        weights = make_weights(
            source, destination, method=method, edges=edges, threads=threads, mapper=mapper
        )
    buffer = io.BytesIO()
    np.savez(
        buffer,
        allow_pickle=False,
        source_area=weights.source_area,
        destination_area=weights.destination_area,
        **weights.table._asdict(),
    )
    try:
        write_atomic(path, buffer.getvalue())
    except OutputError as error:  # the weights are there; only the next run has to make them again
        logger.warning("weights not kept: %s", error)
    return weights


def _load(
    path: Path, source: Grid, destination: Grid, method: Method, edges: Edges
) -> Weights | None:
    if not path.exists():
        return None
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            table = Table(arrays["indptr"], arrays["indices"], arrays["data"])
            areas = arrays["source_area"], arrays["destination_area"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        logger.warning("weights in %s are damaged and made again: %s", path, error)
        return None
    return Weights(source, destination, method, edges, table, *areas)
