"""How the models of the synthetic ensemble write their files: grid, calendar, units, sign, format.

Each family starts with the two recipes that differ most, so that two members per family already
meet every grid, calendar, area basis and both formats.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from hpcbudget.inputs.synthetic_fields import GridName
from hpcbudget.inputs.synthetic_store import Stamp

#: Molar masses of C and CO2: 12.011 and 44.009 g/mol.
KG_C_PER_MOL = 12.011e-3
CO2_PER_C = 44.009 / 12.011

#: Sizes of the demo: models per family, years, degrees. Decoded: 6 MB, 0.46 GB and 8 GB.
SIZES: dict[str, tuple[int, int, float]] = {
    "small": (2, 2, 2.0),
    "default": (2, 10, 0.5),
    "large": (6, 60, 0.5),
}

#: kg C m-2 s-1 times this is the unit's number; then times the length of its month or year.
UNITS: dict[str, tuple[float, Literal["second", "month", "year"]]] = {
    "kg m-2 s-1": (1.0, "second"),
    "gC m-2 d-1": (1e3 * 86400.0, "second"),
    "mol m-2 s-1": (1.0 / KG_C_PER_MOL, "second"),
    "mol m^{-2} yr^{-1}": (1.0 / KG_C_PER_MOL, "year"),
    "kgC m-2 month-1": (1.0, "month"),
    "PgC/yr": (1e-12, "year"),
}


@dataclass(frozen=True)
class Recipe:
    """How one model writes its files.

    Attributes
    ----------
    model : str
    grid : GridName
    calendar : str
    units : str
        Text of the ``units`` attribute, a key of `UNITS`.
    variables : dict
        Component to variable name.
    sign, area_basis, species : str
        As in the configuration's ``flux``.
    dtype : {"f4", "f8"}
    store : {"nc", "zarr"}
    stamp : Stamp
        Where in the month the time coordinate lies.
    masked : bool
        NaN where there is no land (land) or no sea (ocean).
    ice : bool
        No ocean values poleward of a latitude that moves with the season.
    own_area : bool
        The file brings its cell areas.
    realisations : int
        Members that share the model's vote.
    """

    model: str
    grid: GridName
    calendar: str
    units: str
    variables: dict[str, str]
    sign: Literal["to_atmosphere", "to_surface"] = "to_surface"
    area_basis: Literal["cell", "land", "per_cell"] = "cell"
    species: Literal["C", "CO2"] = "C"
    dtype: Literal["f4", "f8"] = "f4"
    store: Literal["nc", "zarr"] = "nc"
    stamp: Stamp = "middle"
    masked: bool = True
    ice: bool = False
    own_area: bool = False
    realisations: int = 1


_ALL = {"land": "bio", "ocean": "ocean", "fossil": "fossil"}

RECIPES: dict[str, tuple[Recipe, ...]] = {
    "land_process": (
        Recipe("Linden", "half", "noleap", "kg m-2 s-1", {"land": "nbp"}, area_basis="land"),
        Recipe(
            "Gingko",
            "gaussian",
            "360_day",
            "kg m-2 s-1",
            {"land": "nee"},
            sign="to_atmosphere",
            species="CO2",
            store="zarr",
            stamp="start",
        ),
        Recipe("Cedar", "one_0_360", "standard", "gC m-2 d-1", {"land": "nbp"}, store="zarr"),
    ),
    "ocean_process": (
        Recipe("Kelvin", "one_0_360", "noleap", "mol m-2 s-1", {"ocean": "fgco2"}, stamp="end"),
        Recipe(
            "Rossby",
            "two_by_two_and_half",
            "standard",
            "kg m-2 s-1",
            {"ocean": "fgco2"},
            species="CO2",
            dtype="f8",
            own_area=True,
        ),
        Recipe("Ekman", "half", "360_day", "mol m^{-2} yr^{-1}", {"ocean": "fgco2"}, store="zarr"),
    ),
    "inversion": (
        Recipe(
            "Aurora",
            "one_180",
            "proleptic_gregorian",
            "kgC m-2 month-1",
            _ALL,
            sign="to_atmosphere",
            store="zarr",
            masked=False,
            realisations=2,
        ),
        Recipe(
            "Borealis",
            "two_by_two_and_half",
            "standard",
            "PgC/yr",
            _ALL,
            sign="to_atmosphere",
            area_basis="per_cell",
            dtype="f8",
            masked=False,
        ),
        Recipe(
            "Zephyr",
            "gaussian",
            "noleap",
            "mol m-2 s-1",
            _ALL,
            sign="to_atmosphere",
            masked=False,
        ),
    ),
    "ocean_product": (
        Recipe(
            "Plankton",
            "one_180",
            "standard",
            "mol m^{-2} yr^{-1}",
            {"ocean": "fgco2_smoothed"},
            sign="to_atmosphere",
            stamp="start",
            ice=True,
        ),
        Recipe(
            "Nekton",
            "one_0_360",
            "standard",
            "gC m-2 d-1",
            {"ocean": "fgco2"},
            store="zarr",
            ice=True,
        ),
        Recipe("Krill", "gaussian", "standard", "mol m-2 s-1", {"ocean": "fgco2"}, dtype="f8"),
    ),
}


def members_of(family: str, models: int) -> Iterator[tuple[str, Recipe]]:
    """Yield member names and recipes; recipes are used again once all have had their turn."""
    for turn, recipe in itertools.islice(
        ((turn, recipe) for turn in itertools.count(1) for recipe in RECIPES[family]), models
    ):
        model = recipe.model if turn == 1 else f"{recipe.model}{turn}"
        again = replace(recipe, model=model)
        if recipe.realisations == 1:
            yield model, again
        else:
            for k in range(1, recipe.realisations + 1):
                yield f"{model}_r{k}", again
