"""Write the example scripts of this folder anew from the templates: python jobs/render.py.

They are what `hpcbudget submit --site generic` writes, for an account, a partition and folders that
you would replace by yours.
"""

from __future__ import annotations

from pathlib import Path

from hpcbudget.engine.slurm.scripts import Job, Kind, render
from hpcbudget.engine.slurm.sites import load_site

HERE = Path(__file__).parent
OUT = Path("/scratch/me/budget-2024")
KINDS: tuple[Kind, ...] = ("allocation", "array", "merge")


def examples() -> dict[str, str]:
    """Return the scripts by their file names."""
    site = load_site("generic", account="my-project", partition="compute", python="python")
    job = Job(
        name="budget-2024",
        out=OUT,
        data=Path("/data/fluxes"),
        config=Path("/home/me/budget-2024.yaml"),
        site=site,
        workers=16,
    )
    return {f"{kind}.sh": render(kind, job) for kind in KINDS}


if __name__ == "__main__":
    for name, text in examples().items():
        (HERE / name).write_text(text, encoding="utf-8")
