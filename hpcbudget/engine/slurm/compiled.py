"""Compiled kernels: made once a run, then copied to the disk of each node that computes.

Numba compiles on first use, for seconds, and keeps the result in a folder. Many workers that share
such a folder over the network would compile at once and wait for each other's files.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hpcbudget.engine.slurm.sites import Site
from hpcbudget.errors import ClusterError

WARM = (
    "from hpcbudget.kernels import integrate, means, moments;"
    " integrate.warm(); means.warm(); moments.warm()"
)
# Where compiled kernels may be copied from; several runs of one user can share them.
VARIABLE = "HPCBUDGET_KERNELS"


def kernels_folder(out: Path) -> Path:
    """Return ``$HPCBUDGET_KERNELS`` or ``OUT/slurm/kernels``."""
    return Path(os.environ.get(VARIABLE) or out / "slurm" / "kernels").absolute()


def compile_kernels(out: Path) -> None:
    """Compile the kernels into the `kernels_folder`.

    One that does not suit a node's processor is compiled there again: nothing depends on this.
    """
    _warm(kernels_folder(out))


@contextmanager
def node_scratch(site: Site, out: Path) -> Iterator[Path]:
    """Make a folder of our own on the node's disk with the kernels ready in ``numba``.

    Its name cannot be foreseen: nobody else on the node can have put compiled code there.

    Raises
    ------
    ClusterError
        If the scratch folder cannot be written.
    """
    parent = Path(os.path.expandvars(site.scratch))
    try:
        folder = Path(tempfile.mkdtemp(prefix="hpcbudget-", dir=parent))
    except OSError as error:
        raise ClusterError(
            f"cannot write the node's scratch folder: {error.strerror}",
            where=str(parent),
            fix="correct the key scratch of the site profile",
        ) from None
    try:
        with suppress(OSError, shutil.Error):
            shutil.copytree(kernels_folder(out), folder / "numba")
        _warm(folder / "numba")
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def scratch_in_shell(site: Site, kernels: Path, python: str) -> list[str]:
    """Return the shell lines that do the same in a job script."""
    return [
        f'export HPCBUDGET_SCRATCH=$(mktemp -d "{site.scratch}/hpcbudget-XXXXXXXX")',
        "trap 'rm -rf \"$HPCBUDGET_SCRATCH\"' EXIT",
        'export NUMBA_CACHE_DIR="$HPCBUDGET_SCRATCH/numba"',
        f'cp -r "{kernels}" "$NUMBA_CACHE_DIR"',
        f'{python} -c "{WARM}"',
    ]


def _warm(folder: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", WARM],
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder)},
        check=False,  # each process can compile for itself
        capture_output=True,
    )
