"""A real SLURM, a small ensemble, and its budget by `run --cluster local` to compare with."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml
from slurm.runs import Run, bytes_of, command, hpcbudget

SLOW = Path(__file__).parent / "slow"


@pytest.fixture(scope="session")
def slurm() -> None:
    """Skip without a running SLURM."""
    if shutil.which("sbatch") is None or command("timeout", "10", "sinfo", "-h").returncode:
        pytest.skip(
            "no SLURM: sudo tests/slurm/slurm-local up; eval $(tests/slurm/slurm-local env)"
        )


@pytest.fixture(scope="session")
def ensemble(slurm: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Configuration of a small ensemble cut into about fifty blocks."""
    from hpcbudget.inputs.synthetic import write_ensemble

    folder = tmp_path_factory.mktemp("slurm")
    write_ensemble(folder / "data", members=1, years=6, resolution_deg=2.0)
    path = folder / "data" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["engine"] = {"block_mb": 0.7}
    path.write_text(yaml.safe_dump(config))
    # kernels are compiled once for all jobs of the session
    os.environ["HPCBUDGET_KERNELS"] = str(folder / "kernels")
    yield path
    del os.environ["HPCBUDGET_KERNELS"]


@pytest.fixture(scope="session")
def new_run(ensemble: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Make a run; `slow` seconds are added to each block in all its processes."""

    def make(name: str, slow: float = 0.0) -> Run:
        folder = tmp_path_factory.mktemp(name)
        environment = {}
        if slow:
            path = os.pathsep.join(filter(None, [str(SLOW), os.environ.get("PYTHONPATH")]))
            environment = {"PYTHONPATH": path, "SLOW_BLOCKS": str(slow)}
        return Run(ensemble, folder / "out", environment)

    return make


@pytest.fixture(scope="session")
def reference(ensemble: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Bytes of the results by `run --cluster local`."""
    out = tmp_path_factory.mktemp("local") / "out"
    hpcbudget("run", ensemble, "--out", out, "--no-report", "--workers", 2)
    return bytes_of(out)
