"""Figures are the same bytes however many processes draw them."""

from __future__ import annotations

from pathlib import Path

from hpcbudget.processes import LEAST_SHARE
from hpcbudget.report.draw import draw_figures
from hpcbudget.report.gallery import drawings
from hpcbudget.report.run import Run


def written(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_processes_draw_the_same_bytes(run: Run, tmp_path: Path) -> None:
    wanted = [d for d in drawings(run) if d.section != "budget"][: 2 * LEAST_SHARE]
    alone = draw_figures(wanted, tmp_path / "alone")
    shared = draw_figures(wanted, tmp_path / "shared", workers=2)
    assert shared == alone
    assert [picture.name for picture in shared] == [drawing.name for drawing in wanted]
    files = written(tmp_path / "alone")
    assert len(files) == 2 * len(wanted)
    assert written(tmp_path / "shared") == files
