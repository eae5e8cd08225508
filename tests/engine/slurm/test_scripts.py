"""Job scripts can be read, are what they were when they last ran, and ask for what the site has."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.engine.slurm.scripts import Job, Kind, render
from hpcbudget.engine.slurm.sites import Site, load_site, site_names
from hpcbudget.errors import ConfigError

KINDS: tuple[Kind, ...] = ("allocation", "array", "merge")
SLURM_SITES = [name for name in site_names() if load_site(name).batch_system == "slurm"]


def job(site: Site, workers: int = 8, out: str = "/scratch/run") -> Job:
    return Job("a budget", Path(out), Path("/data"), Path(out) / "config.yaml", site, workers)


def directives(script: str) -> dict[str, str]:
    lines = (line.removeprefix("#SBATCH --") for line in script.splitlines() if "#SBATCH" in line)
    return {key: value for key, _, value in (line.partition("=") for line in lines)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SLURM_SITES)
def test_scripts_of_all_sites_are_shell(name: str, kind: Kind) -> None:
    script = render(kind, job(load_site(name, account="me"), workers=300))
    assert script.startswith("#!/bin/bash\n")
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
    # all directives stand before the first command, where sbatch still reads them
    head = script.split("\nset -u", 1)
    assert "#SBATCH" not in head[1]
    assert directives(script)["account"] == "me"


def test_examples_are_current(repository: Path) -> None:
    spec = importlib.util.spec_from_file_location("render", repository / "jobs" / "render.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, text in module.examples().items():
        path = repository / "jobs" / name
        assert path.read_text() == text, f"{path} is old: python jobs/render.py"


@given(workers=st.integers(1, 2000), cores=st.integers(1, 256), whole=st.booleans())
def test_no_more_than_a_node_has_is_asked_of_a_node(workers: int, cores: int, whole: bool) -> None:
    site = load_site("generic", cores_per_node=cores, whole_nodes=whole, memory_per_node_gb=100)
    asked = directives(render("allocation", job(site, workers)))
    nodes, cpus = int(asked["nodes"]), int(asked["cpus-per-task"])
    assert cpus <= cores
    assert nodes * site.node_workers >= workers
    assert (nodes - 1) * site.node_workers < workers
    assert int(asked["mem"].removesuffix("M")) * 2**20 <= 100e9


@given(workers=st.integers(1, 500), cores=st.integers(1, 64), whole=st.booleans())
def test_every_part_is_done_by_one_task_of_the_array(workers: int, cores: int, whole: bool) -> None:
    array = job(load_site("generic", cores_per_node=cores, whole_nodes=whole), workers)
    asked = directives(render("array", array))
    tasks = int(asked["ntasks"])
    elements = int(asked["array"].removeprefix("1-"))
    parts = [(e - 1) * tasks + rank + 1 for e in range(1, elements + 1) for rank in range(tasks)]
    assert [p for p in parts if p <= workers] == list(range(1, workers + 1))
    assert elements == array.elements


def test_only_some_elements() -> None:
    script = render("array", job(load_site("generic")), only=(3, 7))
    assert directives(script)["array"] == "3,7"
    assert '--part "$SLURM_ARRAY_TASK_ID/8"' in script


def test_memory_is_asked_for_as_the_site_wants_it() -> None:
    by_cpu = load_site("generic", ask_memory="cpu", workers_per_node=2)  # 4 cores, 8 GB
    asked = directives(render("allocation", job(by_cpu, 2)))
    assert int(asked["mem-per-cpu"].removesuffix("M")) == int(4e9 / 2**20) // 2
    assert "mem" not in asked
    never = directives(render("allocation", job(load_site("generic", ask_memory="no"))))
    assert not {"mem", "mem-per-cpu"} & set(never)


def test_names_with_blanks_and_quotes_reach_the_program_whole() -> None:
    script = render("allocation", job(load_site("generic"), out="/scratch/it's me/run 1"))
    last = script[script.index("OUT=") : script.index("srun")]
    shown = subprocess.run(
        ["bash", "-c", f'SLURM_JOB_ID=1\n{last}\nprintf %s "$OUT"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == "/scratch/it's me/run 1"
    assert directives(script)["output"].startswith('"/scratch/it\'s me/run 1/slurm"')


def test_requeue_and_chain_both_end(tmp_path: Path) -> None:
    """With stand-ins for SLURM's commands: 75 goes on, other ends do not, and never for ever."""
    for name, text in {
        "srun": "exit $WITH",
        "scontrol": "echo requeued",
        "sbatch": "echo 42",
        "sleep": "",
        "date": "echo 0",
    }.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{text}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "slurm").mkdir()
    for again in ("requeue", "chain"):
        site = load_site("generic", again=again, max_restarts=3)
        script = render("allocation", job(site, out=str(tmp_path)))
        for status, turn, goes_on in ((75, 0, True), (75, 3, False), (0, 0, False), (3, 0, False)):
            (tmp_path / "jobs.jsonl").unlink(missing_ok=True)
            done = subprocess.run(
                ["bash"],
                input=script,
                text=True,
                capture_output=True,
                check=False,
                env={
                    "PATH": f"{tmp_path}:/usr/bin:/bin",
                    "SLURM_JOB_ID": "7",
                    "SLURM_RESTART_COUNT": str(turn),
                    "WITH": str(status),
                },
            )
            assert done.returncode == status, done.stderr
            again_happened = "requeued" in done.stdout or (tmp_path / "jobs.jsonl").exists()
            assert again_happened == goes_on, (again, status, turn)


def test_bad_input_a_site_without_slurm_says_what_to_do() -> None:
    with pytest.raises(ConfigError, match=r"jobs/derecho\.pbs"):
        render("allocation", job(load_site("derecho", account="me")))


def test_bad_input_no_account() -> None:
    with pytest.raises(ConfigError, match="--account"):
        render("allocation", job(load_site("levante")))
