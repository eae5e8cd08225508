"""Marks: a line for each finished piece of a long job on one store, so that it can be gone on with.

The first line says what the job is. A line that was being written when the process ended is none.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path


class Marks:
    """Finished pieces of a job.

    Parameters
    ----------
    path : Path
        The file of lines.
    job : str
        Identifies the inputs and rules of the job; marks of another one do not count.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "marks"
    >>> marks = Marks(path, "job")
    >>> marks.begin(); marks.add("a", 1.5); Marks(path, "job").found
    {'a': [1.5]}
    >>> Marks(path, "another job").found
    {}
    """

    def __init__(self, path: Path, job: str) -> None:
        self.path, self.job = path, job
        lines = list(_whole_lines(path))
        self.begun = bool(lines) and lines[0] == [job]
        self.found: dict[str, list[float]] = {}
        if self.begun:
            self.found = {str(key): [float(str(f)) for f in facts] for key, *facts in lines[1:]}

    def begin(self) -> None:
        """Forget all marks and begin the job."""
        self.path.write_text(json.dumps([self.job]) + "\n", encoding="utf-8")
        self.begun, self.found = True, {}

    def add(self, key: str, *facts: float) -> None:
        """Mark a piece as finished, with what is to be known of it."""
        with self.path.open("ab") as file:
            # a line that was cut short is closed by this one's beginning
            file.write(f"\n{json.dumps([key, *facts])}\n".encode())
            file.flush()
            os.fsync(file.fileno())
        self.found[key] = list(facts)


def identity(path: Path) -> str:
    """Return a hash of the path, size and time of change of a file, or of all files of a folder."""
    digest = sha256()
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for file in files:
        status = file.stat()
        digest.update(f"{file} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _whole_lines(path: Path) -> Iterator[list[object]]:
    if not path.exists():
        return
    for line in path.read_bytes().splitlines():
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, list) and found:
            yield found
