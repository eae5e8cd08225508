"""How kernels are compiled, and where the compiled code is kept.

Numba keeps what it has compiled as long as the file of a function stays as it is; of functions of
other files that were built into it, it knows nothing. So the folder is named by the content of all
kernels: with any of them changed, all are compiled anew, and two versions never share a folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def kernel(function: F) -> F:
    """Compile a function on its first call: no lock of the interpreter, IEEE arithmetic, kept.

    Where no folder can be written, it is compiled in each process.
    """
    with _own_folder():
        try:
            compiled: F = _compiled(function, cache=True)
        except RuntimeError:  # numba's word for: nowhere to keep it
            compiled = _compiled(function, cache=False)
    return compiled


def _compiled(function: Any, cache: bool) -> Any:
    return njit(nogil=True, cache=cache, error_model="numpy")(function)


@contextmanager
def _own_folder() -> Iterator[None]:
    """Have numba take our folder for the functions that are decorated now, and for no others."""
    config: Any = numba.config  # has its attributes from the environment
    given = config.CACHE_DIR
    config.CACHE_DIR = str(compiled_folder(Path(__file__).parent, given))
    try:
        yield
    finally:
        config.CACHE_DIR = given


@cache
def compiled_folder(sources: Path, given: str = "") -> Path:
    """Return where the compiled code of some sources is kept.

    Parameters
    ----------
    sources : Path
        Folder of Python files.
    given : str
        ``NUMBA_CACHE_DIR``, if it is set; else the code lies beside the sources, or in the user's
        cache where those cannot be written.
    """
    if given:
        base = Path(given)
    elif os.access(sources, os.W_OK):
        base = sources / "__pycache__"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hpcbudget"
    contents = sha256()
    for path in sorted(sources.glob("*.py")):
        contents.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return base / f"kernels-{contents.hexdigest()[:16]}"
