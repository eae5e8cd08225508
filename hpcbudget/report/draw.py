"""Figures drawn by as many processes as are wanted, and saved: the same bytes for any number."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from hpcbudget.processes import spread
from hpcbudget.report.gallery import Drawing
from hpcbudget.report.style import save_figure, themed_svg


@dataclass(frozen=True)
class Picture:
    """A drawn figure as the page embeds it.

    Attributes
    ----------
    name, section, title, caption, alternative : str
        See `hpcbudget.report.gallery.Drawing`.
    source : str
        The SVG as a data URI.
    width, height : int
        In CSS pixels.
    """

    name: str
    section: str
    title: str
    caption: str
    alternative: str
    source: str
    width: int
    height: int


def draw_figures(drawings: Sequence[Drawing], folder: Path, workers: int = 1) -> list[Picture]:
    """Draw figures, write PNG and PDF into `folder` and return them for the page.

    Parameters
    ----------
    drawings : sequence of Drawing
        Of a run, see `hpcbudget.report.gallery.drawings`.
    folder : Path
        Made if absent.
    workers : int
        Processes, with this one; fewer where there are few figures.

    Raises
    ------
    OutputError
        The folder cannot be written.
    ClusterError
        A process was killed.
    """
    return list(spread(partial(_draw, folder=folder), drawings, workers))


def _draw(drawing: Drawing, folder: Path) -> Picture:
    figure = drawing.draw()
    save_figure(figure, folder / drawing.name)
    svg = base64.b64encode(themed_svg(figure, drawing.name).encode()).decode()
    width, height = (round(96 * inches) for inches in figure.get_size_inches())
    return Picture(
        name=drawing.name,
        section=drawing.section,
        title=drawing.title,
        caption=drawing.caption,
        alternative=drawing.alternative,
        source=f"data:image/svg+xml;base64,{svg}",
        width=width,
        height=height,
    )
