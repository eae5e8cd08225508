"""NetCDF (or other zarr) files into one zarr store laid out for streaming.

Values are copied as they are stored, bit for bit, and every shard is read back and compared. Only
where packing or fill values differ between files are values decoded first. The store grows under
a temporary name, shard by shard, and gets its own name when it is complete: a kill at any moment
leaves either nothing under that name or all of it, and a second call goes on from the last shard.
"""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial as partial_function
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from hpcbudget._version import __version__
from hpcbudget.errors import BusyError, InputError, MissingChunkError
from hpcbudget.files import unwritable
from hpcbudget.inputs.collect import Gathered, GatheredVariable, gather
from hpcbudget.inputs.streaming import codecs, stream_layout
from hpcbudget.inputs.zarr_source import ZarrSource
from hpcbudget.processes import spread

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class IngestReport:
    """What was written.

    Attributes
    ----------
    target : Path
    variables : tuple of str
        Fields with a time dimension.
    n_steps : int
    read_bytes, stored_bytes : int
        Of the fields, decoded and as stored.
    resumed_shards : int
        Shards that an earlier, interrupted call had written.
    notes : tuple of str
        What a user should know (times that could not be checked, values that were decoded).
    """

    target: Path
    variables: tuple[str, ...]
    n_steps: int
    read_bytes: int
    stored_bytes: int
    resumed_shards: int
    notes: tuple[str, ...]


def ingest(
    sources: Sequence[str],
    target: Path,
    *,
    variables: Sequence[str] = (),
    group: str | None = None,
    progress: Progress | None = None,
    workers: int = 1,
) -> IngestReport:
    """Copy files along time into one zarr store laid out for streaming.

    Parameters
    ----------
    sources : sequence of str
        Files, globs or stores of the same variables, in any order of time.
    target : Path
        Store to write; it must not exist yet.
    variables : sequence of str
        Fields to take; all that have a time dimension if empty.
    group : str, optional
        Group within the sources.
    progress : callable, optional
        Called with the bytes done and all bytes after every shard.
    workers : int
        Processes that copy shards; the store is the same to the bit for any number.

    Raises
    ------
    InputError, TimeError, MissingChunkError
        Sources that do not fit together or cannot be read, or a target that exists.
    BusyError
        If another process is writing the same target.
    OutputError
        If the disk is full or the folder cannot be written.
    """
    gathered = gather(sources, variables, group)
    partial = target.with_name(f".{target.name}.partial")
    try:
        _refuse_existing(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(partial):
            _refuse_existing(target)  # another process may have finished it meanwhile
            return _ingest(gathered, partial, target, progress, workers)
    except OSError as error:
        raise unwritable(target, error) from error


def _refuse_existing(target: Path) -> None:
    if target.exists():
        raise InputError(
            "the target exists",
            where=str(target),
            why="an ingested store is never changed in place",
            fix=f"choose another name, or remove it first: rm -r {target}",
        )


def _ingest(
    gathered: Gathered, partial: Path, target: Path, progress: Progress | None, workers: int
) -> IngestReport:
    manifest = gathered.manifest()
    total = sum(v.nbytes for v in gathered.fields)
    done = resumed = 0
    todo: list[tuple[GatheredVariable, int, int]] = []
    with zarr.config.set({"array.write_empty_chunks": True}):
        root = _open_partial(partial, gathered, manifest)
        for field in gathered.fields:
            array = root[field.name]
            assert isinstance(array, zarr.Array)
            for start, stop in _shard_ranges(array):
                if _is_stored(partial, field, start, stop):
                    resumed += 1
                    done += (stop - start) * field.step_bytes
                else:
                    todo.append((field, start, stop))
    copied = spread(partial_function(_copy, gathered=gathered, partial=partial), todo, workers)
    for (field, start, stop), _ in zip(todo, copied, strict=True):
        done += (stop - start) * field.step_bytes
        if progress is not None:
            progress(done, total)
    stored = sum(f.stat().st_size for f in partial.rglob("*") if f.is_file())
    partial.rename(target)
    _manifest_path(partial).unlink()
    _flush_folder(target.parent)
    names = tuple(field.name for field in gathered.fields)
    return IngestReport(target, names, gathered.n_steps, total, stored, resumed, gathered.notes)


def _open_partial(partial: Path, gathered: Gathered, manifest: str) -> zarr.Group:
    """Open what an earlier call of the same sources has left, or begin anew."""
    kept = _manifest_path(partial)
    if partial.exists() and kept.is_file() and kept.read_text(encoding="utf-8") == manifest:
        return zarr.open_group(partial, mode="r+")
    kept.unlink(missing_ok=True)
    if partial.exists():
        shutil.rmtree(partial)
    partial.mkdir(parents=True)
    root = zarr.open_group(partial, mode="w")
    attrs = {**gathered.attrs, "ingested_by": f"hpcbudget {__version__}",
             "ingested_from": json.loads(manifest)["sources"]}  # fmt: skip
    if gathered.labels:
        attrs["labels"] = gathered.labels
    root.attrs.update(attrs)
    for name, dims, values, given in gathered.coordinates:
        # a plain array: readers of all kinds open coordinates without further ado
        array = root.create_array(
            name, data=values, chunks=values.shape or "auto", dimension_names=dims,
            fill_value=_own_fill(values.dtype), config={"write_empty_chunks": True},
        )  # fmt: skip
        array.attrs.update(_attributes(given, values.dtype))
    for field in gathered.fields:
        layout = stream_layout(
            field.shape, field.n_single, field.dtype.itemsize, field.source_steps
        )
        array = root.create_array(
            field.name, shape=field.shape, dtype=field.dtype, chunks=layout.chunks,
            shards=layout.shards, compressors=codecs(field.dtype), dimension_names=field.dims,
            fill_value=_own_fill(field.dtype), config={"write_empty_chunks": True},
        )  # fmt: skip
        array.attrs.update(_attributes(field.attrs, field.dtype))
    # last: only with it is a partial store one to go on with
    kept.write_text(manifest, encoding="utf-8")
    return zarr.open_group(partial, mode="r+")


@contextmanager
def _alone(partial: Path) -> Iterator[None]:
    """Hold the target for this process; the lock dies with it, so a kill leaves none behind."""
    lock = partial.with_suffix(".lock")
    with lock.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _busy(partial) from None
        except OSError:
            pass  # a file system without locks
        # who has just finished has taken its file away: this would be a lock that nobody sees
        if not (lock.exists() and os.path.samestat(lock.stat(), os.fstat(handle.fileno()))):
            raise _busy(partial)
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def _busy(partial: Path) -> BusyError:
    return BusyError(
        "another process is writing this store",
        where=str(partial),
        fix="wait for it, or choose another name",
    )


def _manifest_path(partial: Path) -> Path:
    """File that says what a partial store is made of; it lies beside the store."""
    return partial.with_suffix(".manifest")


def _own_fill(dtype: np.dtype[Any]) -> Any:
    """Fill value of the array itself, which is never read: every chunk is written."""
    return np.nan if dtype.kind == "f" else 0


def _attributes(attrs: dict[str, Any], dtype: np.dtype[Any]) -> dict[str, Any]:
    """Attributes as zarr 3 keeps them; xarray wants a float _FillValue in base64."""
    kept = dict(attrs)
    if "_FillValue" in kept and dtype.kind == "f":
        kept["_FillValue"] = base64.b64encode(struct.pack("<d", kept["_FillValue"])).decode()
    return kept


def _shard_ranges(array: zarr.Array[Any]) -> Iterator[tuple[int, int]]:
    step = (array.shards or array.chunks)[0]
    for start in range(0, array.shape[0], step):
        yield start, min(start + step, array.shape[0])


def _copy(steps: tuple[GatheredVariable, int, int], gathered: Gathered, partial: Path) -> None:
    """Copy the shards of some steps, read them back and have the disk hold them."""
    field, start, stop = steps
    values = np.ascontiguousarray(gathered.read(field, start, stop))
    for key in _keys(partial, field, start, stop):
        key.unlink(missing_ok=True)  # what a kill has damaged cannot be written over in part
    # an array takes this setting when it is opened: chunks of nothing but NaN are stored too
    with zarr.config.set({"array.write_empty_chunks": True}):
        array = zarr.open_array(partial, path=field.name, mode="r+")
    array[start:stop] = values
    with ZarrSource(str(partial)) as source:
        stored = source.read(field.name, (slice(start, stop),))
    if stored.tobytes() != values.tobytes():
        raise MissingChunkError(
            f"steps {start} to {stop - 1} of {field.name} came back with other bits",
            where=str(array.store_path),
            why="the disk or its file system cannot be trusted",
            fix="write to another disk",
        )
    _flush(partial, field, start, stop)


def _is_stored(partial: Path, field: GatheredVariable, start: int, stop: int) -> bool:
    """Whether all chunks of some steps are stored and their checksums hold."""
    with ZarrSource(str(partial)) as source:
        index = (slice(start, stop),)
        full = (*index, *(slice(None) for _ in field.shape[1:]))
        if next(source.absent_chunks(field.name, full), None) is not None:
            return False
        try:
            source.read(field.name, index)
        except MissingChunkError:
            return False
    return True


def _flush(partial: Path, field: GatheredVariable, start: int, stop: int) -> None:
    """Have the disk hold the shards of some steps before they count as written."""
    for path in _keys(partial, field, start, stop):
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _keys(partial: Path, field: GatheredVariable, start: int, stop: int) -> list[Path]:
    """Files of the shards of some steps."""
    full = (slice(start, stop), *(slice(None) for _ in field.shape[1:]))
    with ZarrSource(str(partial)) as source:
        return [partial / key for key in source.stored_keys(field.name, full)]


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
