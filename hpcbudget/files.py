"""Files that are there whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

from hpcbudget.errors import LedgerError, OutputError


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


def keep(folder: Path, content: bytes, suffix: str) -> str:
    """Keep bytes in a file that is named by their hash; return the name.

    Equal content is written once, and a file that was damaged is mended.
    """
    name = sha256(content).hexdigest()[:32]
    path = folder / f"{name}{suffix}"
    if not path.exists() or path.read_bytes() != content:
        write_atomic(path, content)
    return name


def kept(folder: Path, name: str, suffix: str) -> bytes:
    """Return what `keep` wrote under `name`.

    Raises
    ------
    LedgerError
        If the file does not hold what its name says.
    """
    path = folder / f"{name}{suffix}"
    content = path.read_bytes()
    if sha256(content).hexdigest()[:32] != name:
        raise LedgerError(
            "a stored file does not match its name",
            where=str(path),
            why="weights would differ from those that were planned",
            fix="run again: it is written anew",
        )
    return content


def free_bytes(path: Path) -> int:
    """Return how much the disk that holds `path`, or will hold it, has room for."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def unwritable(path: Path, error: OSError) -> OutputError:
    """Say why `path` could not be written and how to go on."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return OutputError(
        "no space left on the disk" if full else f"cannot write: {error.strerror or error}",
        where=str(path),
        why="what was finished is kept; nothing half-written was left behind",
        fix="free space and run again"
        if full
        else "mend the permissions or choose another place (--out)",
    )


def replace_folder(temporary: Path, final: Path) -> None:
    """Put a finished folder in the place of an older one."""
    retired = final.with_name(f".{final.name}.{uuid4().hex}.old")
    if final.exists():
        final.rename(retired)
    temporary.rename(final)
    shutil.rmtree(retired, ignore_errors=True)
