"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from hpcbudget.errors import OutputError


def write_atomic(path: Path, data: bytes) -> None:
    """Write to a name of our own, flush to disk, rename: a kill leaves the old file or the new.

    Raises
    ------
    OutputError
        If the disk is full or the folder cannot be written; nothing half-written stays behind.
    """
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> OutputError:
    """Say why `path` could not be written and how to go on."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return OutputError(
        "no space left on the disk" if full else f"cannot write: {error.strerror or error}",
        where=str(path),
        why="finished blocks are kept; nothing half-written was left behind",
        fix="free space and run again" if full else "mend the permissions or choose another --out",
    )


def replace_folder(temporary: Path, final: Path) -> None:
    """Put a finished folder in the place of an older one."""
    retired = final.with_name(f".{final.name}.{uuid4().hex}.old")
    if final.exists():
        final.rename(retired)
    temporary.rename(final)
    shutil.rmtree(retired, ignore_errors=True)
