"""Series: one term of one component of one member, ready to be integrated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from hpcbudget.inputs.fields import StaticField
from hpcbudget.inputs.flux import FluxDefinition
from hpcbudget.inputs.store import Store
from hpcbudget.inputs.times import TimeAxis
from hpcbudget.space.grid import Grid

Float = npt.NDArray[np.float64]


@dataclass(frozen=True, order=True)
class SeriesKey:
    """Name of a series; sorting keys sorts everything that is summed.

    Attributes
    ----------
    family, model, member, component, term : str
        A component is the sum of its terms (bio + fire = land).
    """

    family: str
    model: str
    member: str
    component: str
    term: str

    def __str__(self) -> str:
        return f"{self.family}/{self.member}/{self.component}.{self.term}"


@dataclass(frozen=True, eq=False)
class Series:
    """Everything needed to turn stored numbers into kg C s-1 to the atmosphere.

    Attributes
    ----------
    key : SeriesKey
    store : Store
        Where the numbers are.
    grid : Grid
        Their cells.
    times : TimeAxis
        Their months and lengths.
    steps : (int, int)
        Half-open range of steps that touch the configured period.
    flux : FluxDefinition
        What they mean.
    factor : float64[step]
        ``sum(weight * value) * factor`` is kg C s-1, positive to the atmosphere.
    missing : {"account", "error"}
        Whether cells without a value are counted as missing area or refused.
    cell_area, fraction : StaticField or None
        Area of the cells (None: of the sphere's boxes) and fraction that the flux stands for.
    complement : bool
        Whether that fraction is one minus the field (sea from a land fraction).
    history : tuple of str
        Every step applied, in words.
    attributes : dict
        Attributes of files and variable, for provenance.
    """

    key: SeriesKey
    store: Store
    grid: Grid
    times: TimeAxis
    steps: tuple[int, int]
    flux: FluxDefinition
    factor: Float
    missing: Literal["account", "error"] = "account"
    cell_area: StaticField | None = None
    fraction: StaticField | None = None
    complement: bool = False
    history: tuple[str, ...] = ()
    attributes: dict[str, Any] = field(default_factory=dict, repr=False)

    def measure(self, radius_m: float) -> tuple[Float, Float]:
        """Return what each cell's number is multiplied with, and the area it stands for.

        Parameters
        ----------
        radius_m : float
            Radius of the sphere, for cells without an area of their own.

        Returns
        -------
        weight : float64[cell]
            m2 of the area basis, 1 for totals per cell, degrees of latitude for zonal data.
        area_m2 : float64[cell]
            Area that a missing value leaves unaccounted for; 0 outside the basis.
        """
        area = self.grid.area_m2(radius_m) if self.cell_area is None else self.cell_area.read()
        if self.fraction is not None:
            fraction = np.clip(self.fraction.read(), 0.0, 1.0)
            area = area * (1.0 - fraction if self.complement else fraction)
        if self.flux.area_basis == "per_cell":
            return np.ones(self.grid.size), area
        if self.flux.area_basis == "zonal_per_degree":
            return self.grid.lat_width_deg(), area
        return area, area

    def describe(self) -> dict[str, Any]:
        """Return where the series comes from and what was done to it, for provenance."""
        return {
            "series": str(self.key),
            "files": [part.path for part in self.store.parts],
            "variable": self.store.variable,
            "grid": self.grid.describe(),
            "calendar": self.times.calendar,
            "times": str(self.times),
            "resolution": self.times.resolution,
            "history": list(self.history),
            "attributes": self.attributes,
        }
