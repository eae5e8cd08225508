"""What the numbers of a variable mean: sign, species, area basis and rate of a carbon flux.

Each of them is declared in the configuration or read from CF metadata (``units``,
``standard_name``, ``cell_methods``, ``positive``). Where both speak they must agree; where
neither does, the answer is an error that offers the choices. Nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hpcbudget.errors import FluxDefinitionError, HpcBudgetError, UnitsError, raise_all
from hpcbudget.inputs.times import TimeAxis
from hpcbudget.inputs.units import Unit, parse_units
from hpcbudget.options import AreaBasis, FluxOptions, Sign, Species

_SIGN_OF: Final[dict[str, Sign]] = {
    "up": "to_atmosphere",
    "upward": "to_atmosphere",
    "outward": "to_atmosphere",
    "down": "to_surface",
    "downward": "to_surface",
    "into": "to_surface",
}

_AREA_WHERE: Final[tuple[tuple[str, AreaBasis], ...]] = (
    (r"\b(ice[_ ]free[_ ]sea|sea_ice_free)\b", "sea_ice_free"),
    (r"\b(sea|ocean)\b", "ocean"),
    (r"\bland\b", "land"),
)

BASES: Final[dict[str, str]] = {
    "cell": "per m2 of the whole grid cell",
    "land": "per m2 of the land in it (needs land_fraction)",
    "ocean": "per m2 of the sea in it (needs mask)",
    "sea_ice_free": "per m2 of open water in it (needs mask)",
    "per_cell": "the total of the cell",
    "zonal_per_degree": "per degree of a latitude row",
}


@dataclass(frozen=True)
class FluxDefinition:
    """Meaning of a variable's numbers.

    Attributes
    ----------
    sign : {"to_atmosphere", "to_surface"}
        What a positive number stands for.
    species : {"C", "CO2"}
        Substance whose mass the units count.
    area_basis : str
        A key of `BASES`.
    unit : Unit
        Units, taken apart.
    scope : str or None
        Processes that the flux holds (nbp, nee, fire, ocean, fossil, ...), as declared.
    year_length_days : float or None
        Stated length of ``yr-1``; None is the real length of each calendar year.
    origin : tuple of str
        Where each of these facts comes from, for ``check`` and provenance.
    """

    sign: Sign
    species: Species
    area_basis: AreaBasis
    unit: Unit
    scope: str | None = None
    year_length_days: float | None = None
    origin: tuple[str, ...] = ()

    @property
    def units(self) -> str:
        """Units as written."""
        return self.unit.text

    def kg_c_s(self, times: TimeAxis) -> npt.NDArray[np.float64]:
        """Return kg C s-1 to the atmosphere per (number times weight), for every time step.

        The weight is m2, 1 (totals per cell) or degrees, as the area basis asks. The species
        enters once, here; months and years have the length of the step's own calendar.
        """
        to_atmosphere = 1.0 if self.sign == "to_atmosphere" else -1.0
        per_rate = to_atmosphere * self.unit.kg_c(self.species)
        if self.unit.rate == "second":
            return np.full(len(times), per_rate)
        if self.unit.rate == "month":
            if times.carried_seconds is not None:
                raise FluxDefinitionError(
                    f"units {self.units!r} per month do not go with steps of several days",
                    why="a step in two months has no month whose length would count",
                    fix="declare flux: {units: ...} per second, day or year, if that is what it is",
                )
            return per_rate / times.month_seconds
        if self.year_length_days is not None:
            return np.full(len(times), per_rate / (self.year_length_days * 86400.0))
        return per_rate / times.year_seconds

    def steps(self) -> tuple[str, ...]:
        """Return what is done to the numbers, in words, for the history of a series."""
        flip = "" if self.sign == "to_atmosphere" else "; sign reversed (positive was to surface)"
        mass = "moles" if self.unit.amount == "substance" else f"mass of {self.species}"
        if self.unit.amount == "substance":
            mass += " x 12.011 g mol-1"
        elif self.species == "CO2":
            mass += " x 12.011/44.009"
        rate = {
            "second": "per second",
            "month": "per month of its real length",
            "year": "per year of its real length"
            if self.year_length_days is None
            else f"per year of {self.year_length_days:g} days",
        }[self.unit.rate]
        return (
            f"units {self.units!r}: {mass}, {rate} -> kg C s-1, positive to the atmosphere{flip}",
            f"area basis: {BASES[self.area_basis]}",
            *self.origin,
        )


def define_flux(
    options: Iterable[FluxOptions], attrs: Mapping[str, Any], where: str
) -> FluxDefinition:
    """Settle the meaning of a variable from declarations and metadata.

    Parameters
    ----------
    options : iterable of FluxOptions
        Declarations, the most specific first (term, component's member, ensemble, preset).
    attrs : mapping
        Attributes of the variable.
    where : str
        File and variable, for messages.

    Returns
    -------
    FluxDefinition

    Raises
    ------
    UnitsError, FluxDefinitionError, Problems
        All that is unknown or contradictory, at once.

    Examples
    --------
    >>> attrs = {
    ...     "units": "kg m-2 s-1",
    ...     "cell_methods": "area: mean where land time: mean",
    ...     "standard_name": "surface_net_downward_mass_flux_of_carbon_dioxide_expressed_as_carbon"
    ...     "_due_to_all_land_processes",
    ... }
    >>> flux = define_flux([], attrs, "nbp")
    >>> flux.sign, flux.species, flux.area_basis
    ('to_surface', 'C', 'land')
    """
    declared: dict[str, Any] = {}
    for option in options:
        for key, value in option.model_dump(exclude_none=True).items():
            declared.setdefault(key, value)
    problems: list[HpcBudgetError] = []
    origin: list[str] = []
    unit = _unit(declared.get("units"), attrs, where, problems)
    said = _Metadata.read(attrs, unit)

    def settle(name: str, found: dict[str, str], choices: Mapping[str, str], why: str) -> Any:
        """Choose between the declaration and what metadata say; both must agree."""
        wanted = declared.get(name)
        values = set(found.values())
        against = values - {wanted} if wanted else values if len(values) > 1 else set()
        if against:
            sources = "; ".join(f"{source} says {value}" for source, value in found.items())
            problems.append(
                FluxDefinitionError(
                    f"{name}: declared {wanted}, but {sources}" if wanted else f"{name}: {sources}",
                    where=where,
                    why="one of them is wrong, and the total with it",
                    fix=f"declare 'flux: {{{name}: {next(iter(against))}}}', or mend the file's"
                    " attribute (for example with ncatted)",
                )
            )
            return None
        if wanted:
            origin.append(f"{name} {wanted}: declared")
            return wanted
        if values:
            source, value = next(iter(found.items()))
            origin.append(f"{name} {value}: from {source}")
            return value
        problems.append(
            FluxDefinitionError(
                f"{name} of the flux is unknown",
                where=where,
                why=why,
                fix="declare one of\n"
                + "\n".join(
                    f"  flux: {{{name}: {key}}}   # {text}" for key, text in choices.items()
                ),
            )
        )
        return None

    sign = settle(
        "sign",
        said.sign,
        {"to_atmosphere": "positive numbers are emissions", "to_surface": "positive is uptake"},
        "a sink would be taken for a source",
    )
    species: Any = declared.get("species") or "C"
    if unit is not None and unit.amount == "mass":
        species = settle(
            "species",
            said.species,
            {"C": "kg of carbon", "CO2": "kg of carbon dioxide"},
            f"units {unit.text!r} do not say mass of what; the readings differ by 44.009/12.011",
        )
    basis = settle(
        "area_basis",
        said.basis,
        {k: BASES[k] for k in ("cell", "land", "ocean", "sea_ice_free")},
        "cells with part land and part sea would be counted wrongly",
    )
    if unit is not None and basis is not None:
        _check_basis(unit, basis, where, problems)
    raise_all(problems)
    assert unit is not None
    return FluxDefinition(
        sign,
        species,
        basis,
        unit,
        declared.get("scope"),
        declared.get("year_length_days"),
        tuple(origin),
    )


@dataclass(frozen=True)
class _Metadata:
    """What CF attributes say: fact by source."""

    sign: dict[str, str]
    species: dict[str, str]
    basis: dict[str, str]

    @classmethod
    def read(cls, attrs: Mapping[str, Any], unit: Unit | None) -> _Metadata:
        standard = str(attrs.get("standard_name", "")).lower()
        methods = str(attrs.get("cell_methods", "")).lower()
        sign: dict[str, str] = {}
        positive = str(attrs.get("positive", "")).strip().lower()
        if positive in _SIGN_OF:
            sign[f"attribute positive={positive!r}"] = _SIGN_OF[positive]
        if match := re.search(r"(?:^|_)(upward|downward|outward)_", standard):
            sign["standard_name"] = _SIGN_OF[match[1]]
        elif "_flux_into_" in f"_{standard}" and "from_atmosphere" in standard:
            sign["standard_name"] = "to_surface"
        species: dict[str, str] = {}
        if unit is not None and unit.amount == "mass":
            if unit.species:
                species[f"units {unit.text!r}"] = unit.species
            if "expressed_as_carbon" in standard:
                species["standard_name"] = "C"
            elif "mass_flux_of_carbon_dioxide" in standard:
                species["standard_name"] = "CO2"
            elif "mass_flux_of_carbon" in standard:
                species["standard_name"] = "C"
        basis: dict[str, str] = {}
        if unit is not None and unit.per == "degree":
            basis[f"units {unit.text!r}"] = "zonal_per_degree"
        elif unit is not None and unit.per == "cell":
            basis[f"units {unit.text!r}"] = "per_cell"
        elif where := re.search(r"area:\s*\w+\s+where\s+(\w+)", methods):
            for pattern, name in _AREA_WHERE:
                if re.search(pattern, where[1]):
                    basis["cell_methods"] = name
                    break
        elif re.search(r"area:(\s*\w+:)*\s*mean\b(?!\s+where)", methods):
            basis["cell_methods"] = "cell"
        return cls(sign, species, basis)


def _unit(
    declared: str | None, attrs: Mapping[str, Any], where: str, problems: list[HpcBudgetError]
) -> Unit | None:
    """Units from the declaration or the file; the two may differ in the substance only."""
    written = str(attrs.get("units", "")).strip()
    text = declared or written
    if not text:
        problems.append(
            UnitsError(
                "the variable has no units",
                where=where,
                why="no Pg C per year can be computed",
                fix="declare them, for example flux: {units: 'kg C m-2 s-1'}",
            )
        )
        return None
    try:
        unit = parse_units(text)
    except UnitsError as error:
        problems.append(error.at(where))
        return None
    if declared and written and declared != written:
        try:
            other = parse_units(written)
        except UnitsError:
            return unit  # what cannot be read is what a declaration is for
        same = (unit.amount, unit.per, unit.rate) == (other.amount, other.per, other.rate)
        clash = None not in (unit.species, other.species) and unit.species != other.species
        if not same or clash or abs(unit.scale / other.scale - 1) > 1e-9:
            problems.append(
                UnitsError(
                    f"units: declared {declared!r}, but the file says {written!r}",
                    where=where,
                    why="one of them is wrong, and the total with it",
                    fix="correct the declaration, or the file's attribute",
                )
            )
            return None
    return unit


def _check_basis(unit: Unit, basis: str, where: str, problems: list[HpcBudgetError]) -> None:
    """Refuse an area basis that the units cannot have."""
    allowed = {
        "m2": ("cell", "land", "ocean", "sea_ice_free"),
        "cell": ("per_cell",),
        "degree": ("zonal_per_degree",),
    }[unit.per]
    if basis not in allowed:
        problems.append(
            FluxDefinitionError(
                f"area_basis {basis} ({BASES[basis]}) does not go with units {unit.text!r}",
                where=where,
                why=f"those units are per {unit.per}",
                fix=f"declare flux: {{area_basis: {allowed[0]}}}, or correct the units",
            )
        )
