"""Is a flux of the size that its component can have? Unit slips are suspected by name.

The ranges are wide bounds of what inversions, land and ocean models give for the globe (gross: the
sum of magnitudes of all cells in a month; net: the mean of a year, positive to the atmosphere).
They accuse nobody of a wrong flux, only of a wrong unit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Range:
    """Bounds in Pg C/yr of a component's global flux, and the size it usually has."""

    gross: tuple[float, float]
    net: tuple[float, float]
    usual_gross: float
    usual_net: float


RANGES: Final[dict[str, Range]] = {
    "land": Range((0.5, 120.0), (-9.0, 7.0), 40.0, 2.0),
    "ocean": Range((0.4, 15.0), (-5.0, 2.0), 4.0, 2.5),
    "fossil": Range((0.5, 14.0), (0.5, 14.0), 9.0, 9.0),
    "eluc": Range((0.1, 8.0), (-1.5, 5.0), 1.6, 1.2),
    "total": Range((0.5, 130.0), (-10.0, 14.0), 45.0, 4.0),
}
"""Bounds by component; others are held against no bounds."""

SLIPS: Final[tuple[tuple[float, str, str], ...]] = (
    (44.009 / 12.011, "44/12", "mass of CO2 taken for mass of C"),
    (12.0, "12", "a month taken for a year"),
    (16.0, "16", "cell areas of another resolution"),
    (24.0, "24", "an hour taken for a day"),
    (83.26, "83", "moles taken for kg of C"),
    (1e3, "1e3", "g taken for kg"),
    (1e4, "1e4", "cm2 taken for m2"),
    (86400.0, "86400", "a second taken for a day"),
    (1e6, "1e6", "micromoles for moles, or km2 for m2"),
    (2.63e6, "2.6e6", "a second taken for a month"),
    (3.156e7, "3.2e7", "a second taken for a year"),
    (1e9, "1e9", "Tg taken for kg"),
    (1e12, "1e12", "Pg taken for kg"),
    (1e15, "1e15", "Pg taken for g"),
)
"""Factors that units are mistaken by, either way round, and their usual names."""


def suspect_gross(component: str, gross_pgc_yr: float) -> str | None:
    """Return a warning if the sum of magnitudes is out of the component's range.

    Parameters
    ----------
    component : str
    gross_pgc_yr : float
        Global sum of magnitudes of one step, Pg C/yr.

    Examples
    --------
    >>> suspect_gross("ocean", 4.0)
    >>> suspect_gross("ocean", 4.0e3).split(": ")[1].split(" or ")[0]
    'a factor near 1e3 (g taken for kg)'
    """
    bounds = RANGES.get(component)
    if bounds is None or bounds.gross[0] <= gross_pgc_yr <= bounds.gross[1]:
        return None
    if gross_pgc_yr == 0 or not math.isfinite(gross_pgc_yr):
        return f"global sum of magnitudes is {gross_pgc_yr:g} Pg C/yr"
    low, high = bounds.gross
    return (
        f"global sum of magnitudes is {gross_pgc_yr:.3g} Pg C/yr, expected {low:g} to {high:g}: a"
        f" factor near {_name_slips(gross_pgc_yr / bounds.usual_gross)}"
    )


def suspect_net(component: str, net_pgc_yr: float) -> str | None:
    """Return a warning if a year's mean net flux is out of the component's range.

    Parameters
    ----------
    component : str
    net_pgc_yr : float
        Global mean over one year, Pg C/yr, positive to the atmosphere.
    """
    bounds = RANGES.get(component)
    if bounds is None or bounds.net[0] <= net_pgc_yr <= bounds.net[1]:
        return None
    if bounds.net[0] <= -net_pgc_yr <= bounds.net[1]:
        return (
            f"global mean is {net_pgc_yr:+.3g} Pg C/yr to the atmosphere: with the other sign it"
            " would be as expected"
        )
    return (
        f"global mean is {net_pgc_yr:+.3g} Pg C/yr, expected {bounds.net[0]:g} to"
        f" {bounds.net[1]:g}: a factor near {_name_slips(abs(net_pgc_yr) / bounds.usual_net)}"
    )


def _name_slips(ratio: float) -> str:
    """Name the two slips that a ratio to the usual size is nearest to."""
    off = abs(math.log(ratio))
    nearest = sorted(SLIPS, key=lambda slip: abs(off - math.log(slip[0])))[:2]
    return " or near ".join(f"{factor} ({names})" for _, factor, names in nearest)
