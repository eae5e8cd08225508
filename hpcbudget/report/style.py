"""How every figure looks: one colour, line and name per method family, one way to save.

The colours stay apart for readers with deuteranopia or protanopia and reach a contrast of 3:1
on white and on the dark page (a test computes both); line styles and markers say the same
again for print in grey.  Figures are drawn for a two-column page (180 mm) at 7 to 8 pt.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import matplotlib as mpl

from hpcbudget.files import write_atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH_INCHES: Final = 180 / 25.4
DPI: Final = 300
SCREEN_DPI: Final = 160
"""Of what is rastered (map cells) in a figure of the page."""
UNIT: Final = "Pg C yr$^{-1}$"
SIGN: Final = "+ to atmosphere"

INK: Final = "#1f2429"
MUTED: Final = "#5b6570"
RULE: Final = "#d5dae0"
PAPER: Final = "#ffffff"

# what the page shows in place of the four neutral colours when the reader prefers dark
DARK: Final = {INK: "#e8ebee", MUTED: "#a5aeb8", RULE: "#3a424b", PAPER: "#171b20"}


Line = Literal["-", "--", "-.", ":"] | tuple[float, tuple[float, ...]]


@dataclass(frozen=True)
class FamilyStyle:
    """The looks of one method family.

    Attributes
    ----------
    label : str
        As a legend names it.
    short : str
        As a crowded axis names it.
    colour : str
        Hexadecimal.
    line : str or tuple
        Matplotlib line style; dashes are close enough to follow a jagged series.
    marker : str
        Matplotlib marker.
    """

    label: str
    short: str
    colour: str
    line: Line
    marker: Literal["o", "s", "D", "v", "^", "P"]


FAMILIES: Final[dict[str, FamilyStyle]] = {
    "process": FamilyStyle("Process models, land + ocean", "Process", "#8a5fc0", "-", "D"),
    "land_process": FamilyStyle("Land models (DGVM)", "DGVM", "#0b8f5a", "-", "s"),
    "ocean_process": FamilyStyle("Ocean models (GOBM)", "GOBM", "#2468c4", "-", "o"),
    "ocean_product": FamilyStyle("fCO$_2$ products", "fCO$_2$", "#2aa0c8", (0, (2.2, 0.9)), "v"),
    "inversion": FamilyStyle("Inversions", "Inversions", "#d55e00", (0, (9, 1.0)), "^"),
    "bookkeeping": FamilyStyle("Bookkeeping, inventories", "Inventories", "#8f6a28", ":", "P"),
}  # fmt: skip
"""Families in the order in which legends and tables list them."""

COMPONENT_LABELS: Final[dict[str, str]] = {
    "ocean": "Ocean",
    "land": "Land",
    "total": "Total",
    "fossil": "Fossil",
    "eluc": "Land-use change",
    "land_s2": "Land without land-use change",
    "carbonation": "Cement carbonation",
    "growth": "Atmospheric growth",
}

_RC: Final[Mapping[Any, Any]] = {
    "font.family": "DejaVu Sans",
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.labelsize": 7.5,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.unicode_minus": True,
    "grid.color": RULE,
    "grid.linewidth": 0.5,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.size": 2.5,
    "ytick.major.size": 0,
    "xtick.major.width": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.3,
    "lines.markersize": 4.5,
    "figure.facecolor": PAPER,
    "axes.facecolor": "none",
    "savefig.facecolor": PAPER,
    "mathtext.default": "regular",
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
}


def family_style(family: str) -> FamilyStyle:
    """Return the looks of a family; one the project does not know is drawn in grey.

    Examples
    --------
    >>> family_style("inversion").label, family_style("towers").label
    ('Inversions', 'towers')
    """
    return FAMILIES.get(family) or FamilyStyle(family, family, MUTED, ":", "P")


def family_rank(family: str) -> tuple[int, str]:
    """Sort key: known families in their order, others after them by name."""
    names = list(FAMILIES)
    return (names.index(family) if family in FAMILIES else len(names), family)


def component_label(component: str) -> str:
    """Return the name of a component as figures and tables print it."""
    return COMPONENT_LABELS.get(component, component.replace("_", " ").capitalize())


@contextmanager
def paper() -> Iterator[None]:
    """Draw in the project's style, whatever the user's own settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC)
        yield


def save_figure(figure: Figure, stem: Path) -> tuple[Path, Path]:
    """Write ``STEM.png`` (300 dpi) and ``STEM.pdf`` without dates, so equal input is equal bytes.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Finished figure.
    stem : Path
        Path without suffix.

    Returns
    -------
    tuple of Path
        The PNG and the PDF.
    """
    png, pdf = stem.with_name(stem.name + ".png"), stem.with_name(stem.name + ".pdf")
    undated = {"Creator": "hpcbudget", "Producer": None, "CreationDate": None}
    with paper():
        raster, vector = io.BytesIO(), io.BytesIO()
        figure.savefig(raster, format="png", dpi=DPI, metadata={"Software": "hpcbudget"})
        figure.savefig(vector, format="pdf", metadata=undated)
    write_atomic(png, raster.getvalue())
    write_atomic(pdf, vector.getvalue())
    return png, pdf


def themed_svg(figure: Figure, name: str) -> str:
    """Return the figure as SVG text whose neutral colours follow the reader's light or dark.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Finished figure.
    name : str
        Salt of the element ids, so that two figures on one page never share one.
    """
    text = io.StringIO()
    undated = {"Date": None, "Creator": "hpcbudget", "Format": None}
    with paper(), mpl.rc_context({"svg.hashsalt": name}):
        figure.savefig(text, format="svg", dpi=SCREEN_DPI, metadata=undated)
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    neutral = {light: f"--c{i}" for i, light in enumerate(DARK)}
    for light, variable in neutral.items():
        svg = re.sub(light, f"var({variable})", svg, flags=re.IGNORECASE)
    light_rule = "".join(f"{variable}:{light};" for light, variable in neutral.items())
    dark_rule = "".join(f"{variable}:{DARK[light]};" for light, variable in neutral.items())
    rules = (
        f"<style>:root{{{light_rule}}}"
        f"@media (prefers-color-scheme: dark){{:root{{{dark_rule}}}}}</style>"
    )
    opening = svg.index(">") + 1
    return svg[:opening] + rules + svg[opening:]
