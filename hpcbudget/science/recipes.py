"""The rules of the Global Carbon Budget's editions, as data that ship with the package."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

import yaml

from hpcbudget.errors import ConfigError
from hpcbudget.options import Model

Ddof = Literal[0, 1]


class OceanRecipe(Model):
    """How the ocean sink is made of models and fCO2 products."""

    estimate: Literal["models", "models_and_products"]
    products_from: int = 1990
    """First year of the products in the estimate."""
    offset_window: tuple[int, int] = (1990, 2001)
    """Years whose mean difference of products and models is carried back before `products_from`."""
    exclude: tuple[str, ...] = ()
    """Parts of the names of products that are not averaged; case is ignored."""


class Adjusted(Model):
    """What an edition's adjusted estimates multiply and add before they average."""

    ocean_model_factor: float
    product_amount: float
    product_amount_not_for: tuple[str, ...]
    land_factor: float
    land_amount: float
    land_amount_years: tuple[int, int]


class Recipe(Model):
    """One edition's rules."""

    citation: str
    ddof: dict[str, Ddof | None]
    """Family -> ddof of its spread; None where the edition gives no spread."""
    ocean: OceanRecipe
    expert_sd: dict[str, float]
    """Uncertainties that are judged, not computed, in Pg C/yr (fossil: a fraction)."""
    dgvm_eluc_sign: Literal[1, -1]
    cement: bool = True
    """Whether the budget counts the carbonation of cement."""
    adjusted: Adjusted | None = None
    note: str = ""


@cache
def editions() -> Mapping[int, Recipe]:
    """Return the recipes of all editions that the package knows."""
    text = files("hpcbudget.science").joinpath("data/gcb.yaml").read_text(encoding="utf-8")
    raw = yaml.safe_load(text)["editions"]
    return {year: Recipe.model_validate(recipe) for year, recipe in raw.items()}


def recipe(edition: int) -> Recipe:
    """Return the recipe of an edition.

    Raises
    ------
    ConfigError
        No recipe of that edition.

    Examples
    --------
    >>> recipe(2021).ocean.offset_window
    (1990, 2001)
    """
    known = editions()
    if edition not in known:
        raise ConfigError(
            f"no recipe of the Global Carbon Budget {edition}",
            fix=f"editions: {', '.join(map(str, known))}",
        )
    return known[edition]


def adjusted_rules(rules: Recipe) -> Adjusted:
    """Return what an edition's adjusted estimates change.

    Raises
    ------
    ConfigError
        The edition has no adjusted estimates.
    """
    if rules.adjusted is None:
        having = [year for year, other in editions().items() if other.adjusted is not None]
        raise ConfigError(
            f"the edition of {rules.citation} has no adjusted estimates",
            fix=f"editions that have: {', '.join(map(str, having))}",
        )
    return rules.adjusted
