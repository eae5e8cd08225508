"""Unit strings of carbon fluxes, as groups really write them.

The text is brought into one notation (``Pg C yr$^{-1}$ degree$^{-1}$`` becomes
``Pg*yr^-1*degree^-1`` of carbon) and then read by pint with a registry of our own. In it a month
and a year are dimensions, not numbers of seconds: their length is that of the calendar month or
year a value belongs to, which only the time axis knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Literal

import pint

from hpcbudget.errors import UnitsError

KG_PER_MOL_C = 12.011e-3
"""Molar mass of carbon, kg mol-1 (IUPAC abridged standard atomic weight)."""

KG_PER_MOL_CO2 = 44.009e-3
"""Molar mass of carbon dioxide, kg mol-1 (12.011 + 2 x 15.999)."""

_DEFINITIONS = """
exa- = 1e18 = E-
peta- = 1e15 = P-
tera- = 1e12 = T-
giga- = 1e9 = G-
mega- = 1e6 = M-
kilo- = 1e3 = k-
centi- = 1e-2 = c-
milli- = 1e-3 = m-
micro- = 1e-6 = u-
nano- = 1e-9 = n-
pico- = 1e-12 = p-
gram = [mass] = g
tonne = 1e6 * gram = t = ton
mole = [substance] = mol
molecule = mole / 6.02214076e23
meter = [length] = m = metre
hectare = 1e4 * meter ** 2 = ha
second = [time] = s = sec
minute = 60 * second = min
hour = 3600 * second = h = hr
day = 86400 * second = d
month = [month] = _ = mon = mth = mo
year = [year] = yr = y = a = annum
degree = [latitude] = deg = degree_latitude = degree_lat = degree_north
cell = [cell] = gridcell = gridbox = grid = pixel = box
"""

_DIGITS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻−–₂µμ·×", "0123456789---2uu  ")

# an amount of substance or mass, then carbon or carbon dioxide: kgC, kg-CO2, Pg C, molc, t (CO2)
_SPECIES = re.compile(
    r"(?<![A-Za-z])(?P<amount>[A-Za-z]*?(?:g|grams?|t|tons?|tonnes?|mol|moles?|molecules?))"
    r"(?:(?P<apart>[\s\-_*.]*(?:of\s+)?[(\[]?)(?P<species>CO_?2|C|carbon[ _]dioxide|carbon)[)\]]?"
    r"|(?P<attached>co2|c))"
    r"(?![A-Za-z0-9])"
)
_POWER = re.compile(r"(?<![\w.])([A-Za-z_]+)(?:\^|\*\*)?\(?([+-]?\d+)\)?")
_SQUARE = re.compile(
    r"\b(?:square|sq\.?)[\s_]*((?:centi|kilo)?met(?:er|re)s?|m|cm|km)\b", re.IGNORECASE
)
_FIX = (
    "give the units in the configuration (flux: {units: ...}), for example 'kg C m-2 s-1',"
    " 'mol m-2 s-1', 'kg CO2 m-2 month-1', 'Pg C yr-1'"
)


@dataclass(frozen=True)
class Unit:
    """One flux unit, taken apart.

    Attributes
    ----------
    text : str
        As it was written.
    amount : {"mass", "substance"}
        Whether `scale` leads to kg or to mol.
    scale : float
        kg or mol per m2 (or whole cell, or degree of latitude) per `rate` in one unit.
    per : {"m2", "cell", "degree"}
        What one value is an amount of: "cell" also where no area is written (``PgC/yr``).
    rate : {"second", "month", "year"}
        Months and years have the length of the calendar's.
    species : {"C", "CO2"} or None
        Substance whose mass is counted, where the text says so. One mole of either holds one mole
        of carbon, so moles need none.
    """

    text: str
    amount: Literal["mass", "substance"]
    scale: float
    per: Literal["m2", "cell", "degree"]
    rate: Literal["second", "month", "year"]
    species: Literal["C", "CO2"] | None

    def kg_c(self, species: Literal["C", "CO2"] | None) -> float:
        """Return kg of carbon in one unit (per `per`, per `rate`) of `species`.

        Raises
        ------
        UnitsError
            If the unit is a mass and neither it nor `species` says of what.
        """
        if self.amount == "substance":
            return self.scale * KG_PER_MOL_C
        species = species or self.species
        if species is None:
            raise UnitsError(
                f"units {self.text!r} do not say whether the mass is of C or of CO2",
                why="the two readings differ by a factor of 44.009/12.011 = 3.66",
                fix="declare one of\n  flux: {species: C}\n  flux: {species: CO2}",
            )
        return self.scale if species == "C" else self.scale * (KG_PER_MOL_C / KG_PER_MOL_CO2)


@lru_cache(maxsize=256)
def parse_units(text: str) -> Unit:
    """Read the units of a carbon flux.

    Parameters
    ----------
    text : str
        Units attribute or declaration.

    Returns
    -------
    Unit
        Amount, area, rate and species; nothing that the text does not say.

    Raises
    ------
    UnitsError
        Unknown words, or not an amount of mass or substance per time (and per area, cell or
        degree).

    Examples
    --------
    >>> parse_units("gC m-2 d-1").species
    'C'
    >>> unit = parse_units("Pg C yr$^{-1}$ degree$^{-1}$")
    >>> unit.scale, unit.per, unit.rate
    (1000000000000.0, 'degree', 'year')
    >>> round(parse_units("mol m^{-2} yr^{-1}").kg_c(None), 6)
    0.012011
    """
    plain, species = _normalise(text)
    try:
        quantity = _registry().parse_expression(plain).to_root_units()
        magnitude = float(quantity.magnitude)
        powers = {str(k).strip("[]"): float(v) for k, v in quantity.dimensionality.items()}
    except Exception as error:  # pint raises whatever its tokenizer and operators do
        raise UnitsError(f"units {text!r} cannot be read: {error}", fix=_FIX) from None
    amounts = [name for name in ("mass", "substance") if powers.pop(name, 0.0) == 1.0]
    rates = [name for name in ("time", "month", "year") if powers.pop(name, 0.0) == -1.0]
    areas = {k: powers.pop(k, 0.0) for k in ("length", "latitude", "cell")}
    places = [k for k, v in areas.items() if v]
    if (
        len(amounts) != 1
        or len(rates) != 1
        or powers
        or len(places) > 1
        or any(areas[k] != (-2.0 if k == "length" else -1.0) for k in places)
    ):
        lacks = "" if rates else "; they lack a rate (per second, day, month or year)"
        raise UnitsError(
            f"units {text!r} are no flux of mass or moles per time{lacks}",
            why="no Pg C per year can be computed from them",
            fix=_FIX,
        )
    per: Literal["m2", "cell", "degree"] = "cell"
    if places and places[0] != "cell":
        per = "m2" if places[0] == "length" else "degree"
    rate: Literal["second", "month", "year"] = "second"
    if rates[0] != "time":
        rate = "month" if rates[0] == "month" else "year"
    if amounts[0] == "mass":
        return Unit(text, "mass", magnitude / 1e3, per, rate, species)  # pint's root is the gram
    return Unit(text, "substance", magnitude, per, rate, species)


def _normalise(text: str) -> tuple[str, Literal["C", "CO2"] | None]:
    """Return `text` in pint's notation without the substance, and the substance."""
    plain = text.strip().translate(_DIGITS)
    plain = re.sub(r"\\(?:mathrm|text|rm|,|;)|[${}\\]", " ", plain)
    plain = re.sub(r"^\(([^()]*)\)$", r"\1", plain.strip())  # all of it in brackets
    plain = re.sub(r"\s*\^\s*", "^", plain)
    plain = re.sub(r"(?<=[A-Za-z]) (?=-[1-9]\b)", "", plain)  # m -2
    plain = re.sub(r"(?<=[A-Za-z]-[1-9])(?=[A-Za-z])", " ", plain)  # m-2s-1
    plain = re.sub(r"(?<=[gl]C)(?=m\^?-2)", " ", plain)  # gCm-2, molCm-2
    plain = re.sub(r"^10-(?=\d)", "10^-", plain)
    plain = re.sub(r"\bmolec\b\.?", "molecule", plain)
    plain = re.sub(r"\bgrid[\s_-]?(cell|box|point)s?\b", "cell", plain, flags=re.IGNORECASE)
    plain = _SQUARE.sub(r"\1^2", plain)
    plain = re.sub(r"\s+per\s+", "/", plain, flags=re.IGNORECASE)
    plain = re.sub(r"(?<=[A-Za-z0-9)])\.(?=[A-Za-z(])", " ", plain)
    found: set[Literal["C", "CO2"]] = set()

    def take(match: re.Match[str]) -> str:
        name = match["species"] or match["attached"]
        found.add("CO2" if "2" in name or "dioxide" in name else "C")
        return f"{match['amount']} "

    plain = _SPECIES.sub(take, plain)
    plain = re.sub(r"\b([Kk])([Gg])\b", "kg", plain)
    plain = re.sub(
        r"\b(Mol|Mole|Second|Year|Month|Day|Hour|Meter|(?:Peta|Tera|Giga|Mega|Kilo)?(?:gram|tonne|ton)"
        r"|Gram)(s?)\b",
        _lower,
        plain,
    )
    plain = _POWER.sub(r"\1^(\2)", plain)
    plain = re.sub(r"\s*([/*^()])\s*", r"\1", plain.strip())
    plain = re.sub(r"\)(?=[A-Za-z])|(?<=\w)\((?=[A-Za-z])", _times, plain)
    plain = re.sub(r"\s+", "*", plain)
    return plain, found.pop() if len(found) == 1 else None


def _lower(match: re.Match[str]) -> str:
    return match[0].lower()


def _times(match: re.Match[str]) -> str:
    return ")*" if match[0] == ")" else "*("


@cache
def _registry() -> Any:
    """Registry of the words above and nothing else, so that 'C' is never a coulomb."""
    registry: Any = pint.UnitRegistry(None)
    for line in _DEFINITIONS.strip().splitlines():
        registry.define(line)
    return registry


def parse_area(text: str) -> float:
    """Return m2 in one unit of area.

    Raises
    ------
    UnitsError
        If the text is no area.

    Examples
    --------
    >>> parse_area("km2"), parse_area("m^2")
    (1000000.0, 1.0)
    """
    try:
        quantity = _registry().parse_expression(_normalise(text)[0]).to_root_units()
        if dict(quantity.dimensionality) == {"[length]": 2}:
            return float(quantity.magnitude)
    except Exception:  # whatever pint's tokenizer raises, the text is no area
        pass
    raise UnitsError(f"{text!r} is no unit of area", fix="write it as m2, km2 or ha")
