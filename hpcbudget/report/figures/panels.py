"""What panels have in common: how figures begin, lines in bands, names on an axis, legends.

Text is measured before it is placed.  A legend takes as many columns as the paper is wide, names
of regions are broken into lines or turned when they do not fit beside each other, and the figure
grows by what they need.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, wraps
from textwrap import wrap
from typing import TYPE_CHECKING, Final, ParamSpec

import numpy as np
import numpy.typing as npt

from hpcbudget.report.style import (
    DPI,
    MUTED,
    WIDTH_INCHES,
    family_rank,
    family_style,
    paper,
)

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")
Float = npt.NDArray[np.float64]

SCREEN_DPI: Final = 100.0
"""Of a figure that is looked at in a notebook."""

NAME_POINTS: Final = 7.0
"""Size of the names on an axis."""

LONGEST_INCHES: Final = 1.5
"""Of a name that is turned, or stands beside a matrix."""

MOST_LINES: Final = 3
"""A name that needs more lines to fit is turned instead."""

BAND: Final = 0.22
"""Opacity of what shows the spread."""


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Make a figure function draw in the project's style."""

    @wraps(draw)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with paper():
            figure = draw(*args, **kwargs)
            for axes in figure.axes:
                # scales choose their ticks by the size of the labels: kept, wherever it is drawn
                axes.tick_params(labelsize=NAME_POINTS)
            lay_out(figure)  # and by the room that the first layout gives
            figure.draw_without_rendering()
            # laid out for good, not again for each of the three formats that it is saved in
            figure.set_layout_engine("none")
            figure.dpi = SCREEN_DPI
        return figure

    return wrapper


def new_figure(height_inches: float, width_inches: float = WIDTH_INCHES) -> Figure:
    """Return an empty figure that no window system knows of (safe in threads and batch jobs)."""
    from matplotlib.figure import Figure as _Figure

    # letters are up to 3 % wider or narrower on a coarse raster: measured as they are printed
    return _Figure(figsize=(width_inches, height_inches), layout="constrained", dpi=DPI)


def lay_out(figure: Figure) -> None:
    """Place the panels, for what depends on how large they have become."""
    engine = figure.get_layout_engine()
    assert engine is not None
    engine.execute(figure)


def draw_family(axes: Axes, family: str, x: Float, mean: Float, low: Float, high: Float) -> None:
    """Draw a family's mean as a line in the band of its spread; NaN is a gap, never bridged."""
    style = family_style(family)
    axes.fill_between(x, low, high, color=style.colour, alpha=BAND, linewidth=0, zorder=2)
    lonely = len(x) == 1
    axes.plot(
        x, mean, color=style.colour, linestyle=style.line,
        marker=style.marker if lonely else None, zorder=3,
    )  # fmt: skip


def draw_zero(axes: Axes) -> None:
    """Draw the line between sources and sinks."""
    axes.axhline(0, color=MUTED, linewidth=0.6, zorder=1)


def mark_years(axes: Axes, most: int = 5) -> None:
    """Label whole years only, and at most so many of them."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(most, integer=True, steps=[1, 2, 5, 10]))


def say_empty(axes: Axes, reason: str) -> None:
    """Say in an empty panel why it is empty."""
    axes.text(
        0.5, 0.5, reason, transform=axes.transAxes,
        ha="center", va="center", color=MUTED, fontsize=6.5, wrap=True,
    )  # fmt: skip
    axes.set_yticks([])
    axes.grid(visible=False)


def legend_below(
    figure: Figure, handles: Sequence[Artist], *, most_columns: int = 3, handlelength: float = 2.2
) -> None:
    """Put a legend below the panels, in as many columns as the paper has room for."""
    for columns in range(min(most_columns, len(handles)), 0, -1):
        legend = figure.legend(
            handles=handles, loc="outside lower center", ncols=columns, handlelength=handlelength
        )
        if columns == 1 or legend.get_window_extent().width <= figure.bbox.width:
            return
        legend.remove()


def families_legend(figure: Figure, counts: Mapping[str, int], band: str) -> None:
    """Name families with their largest number of models below the panels, and the band.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Gets the legend.
    counts : mapping of str to int
        Family to number of models; of pairs for ``process``.
    band : str
        What the shaded bands show.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Artist] = []
    for family in sorted(counts, key=family_rank):
        style = family_style(family)
        count = f"{counts[family]} pairs" if family == "process" else f"{counts[family]}"
        line = Line2D([], [], color=style.colour, linestyle=style.line)
        line.set_label(f"{style.label} ({count})")
        handles.append(line)
    handles.append(Patch(color=MUTED, alpha=BAND, linewidth=0, label=f"band: {band}"))
    legend_below(figure, handles)


@dataclass(frozen=True)
class Names:
    """Names as they fit beside each other on an axis.

    Attributes
    ----------
    texts : tuple of str
        Broken into lines where that helps.
    degrees : float
        How far they are turned.
    inches : float
        Height that they need.
    """

    texts: tuple[str, ...]
    degrees: float
    inches: float

    def put(self, axes: Axes, positions: Sequence[float] | Float) -> None:
        """Write the names below an axis."""
        turned = self.degrees not in (0, 90)
        axes.set_xticks(
            positions, self.texts, rotation=self.degrees, fontsize=NAME_POINTS,
            ha="right" if turned else "center", rotation_mode="anchor" if turned else None,
        )  # fmt: skip
        axes.tick_params(axis="x", length=0)


def fit_names(names: Sequence[str], slot_inches: float) -> Names:
    r"""Choose how names are written that have so much room each: level, in lines, or turned.

    Parameters
    ----------
    names : sequence of str
        What is to be written.
    slot_inches : float
        Distance of one name from the next.

    Examples
    --------
    >>> fit_names(["North", "South"], slot_inches=1.0).degrees
    0
    >>> fit_names(["North Atlantic Ocean", "South Atlantic Ocean"], slot_inches=0.8).texts[0]
    'North Atlantic\nOcean'
    >>> fit_names(["North Atlantic"] * 40, slot_inches=0.15).degrees
    90
    """
    line = 1.25 * NAME_POINTS / 72
    room = 0.94 * slot_inches
    widest = max(map(text_inches, names), default=0.0)
    if widest <= room:
        return Names(tuple(names), 0, line)
    for lines in range(2, MOST_LINES + 1):
        broken = [_in_lines(name, lines) for name in names]
        if max(text_inches(part) for name in broken for part in name.split("\n")) <= room:
            return Names(tuple(broken), 0, line * lines)
    # a turned name takes its height over the sine from the next, and reaches out to the left
    wide = line / np.sin(np.radians(35)) <= slot_inches and widest < 1.2
    degrees = 35 if wide else 90
    texts = tuple(shortened(name, LONGEST_INCHES) for name in names)
    highest = max(map(text_inches, texts)) * np.sin(np.radians(degrees))
    return Names(texts, degrees, line + highest)


def _in_lines(name: str, lines: int) -> str:
    """Break a name at its blanks into at most so many lines, as even as they can be."""
    for width in range(-(-len(name) // lines), len(name) + 1):
        parts = wrap(name, width, break_long_words=False, break_on_hyphens=False)
        if len(parts) <= lines:
            return "\n".join(parts)
    return name


def shortened(name: str, inches: float) -> str:
    """Leave out the middle of a name that is longer than that; its ends tell it from others.

    Examples
    --------
    >>> shortened("Temperate Eurasia", 2.0), shortened("Temperate Eurasia, 12", 0.6)
    ('Temperate Eurasia', 'Temp…, 12')
    """
    if text_inches(name) <= inches:
        return name
    for kept in range(len(name) - 1, 2, -1):
        short = f"{name[: kept // 2]}…{name[-(kept - kept // 2) :]}"
        if text_inches(short) <= inches:
            return short
    return name[:1] + "…"


@lru_cache(maxsize=4096)
def text_inches(text: str, points: float = NAME_POINTS) -> float:
    """Return how wide a line of text is on paper."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextToPath

    width, _, _ = TextToPath().get_text_width_height_descent(
        text, FontProperties(family="DejaVu Sans", size=points), ismath=False
    )
    return float(width) / 72
