"""Unit strings seen in the wild mean one thing each, or are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.errors import UnitsError
from hpcbudget.inputs.units import KG_PER_MOL_C, KG_PER_MOL_CO2, parse_area, parse_units

# text, kg C (of C unless the text says CO2) per area and rate, per, rate
WILD = [
    ("Kg/m2/s", 1.0, "m2", "second"),
    ("kg m-2 s-1", 1.0, "m2", "second"),
    ("kg C m-2 s-1", 1.0, "m2", "second"),
    ("kgC/m^2/s", 1.0, "m2", "second"),
    ("kg m**-2 s**-1", 1.0, "m2", "second"),
    ("kg.m-2.s-1", 1.0, "m2", "second"),
    ("kg(C) m⁻² s⁻¹", 1.0, "m2", "second"),
    ("kg/(m2 s)", 1.0, "m2", "second"),
    ("kg m^{-2} s^{-1}", 1.0, "m2", "second"),
    ("molc/m2/s", KG_PER_MOL_C, "m2", "second"),
    ("mol m-2 s-1", KG_PER_MOL_C, "m2", "second"),
    ("µmol CO2 m-2 s-1", 1e-6 * KG_PER_MOL_C, "m2", "second"),
    ("molec/cm2/s", KG_PER_MOL_C / 6.02214076e23 * 1e4, "m2", "second"),
    ("mol m^{-2} yr^{-1}", KG_PER_MOL_C, "m2", "year"),
    ("mmol m-2 day-1", 1e-3 * KG_PER_MOL_C / 86400, "m2", "second"),
    ("gC m-2 d-1", 1e-3 / 86400, "m2", "second"),
    ("g C m$^{-2}$ d$^{-1}$", 1e-3 / 86400, "m2", "second"),
    ("gC/m2/hr", 1e-3 / 3600, "m2", "second"),
    ("kgC m-2 month-1", 1.0, "m2", "month"),
    ("gC m-2 mon-1", 1e-3, "m2", "month"),
    ("kg-CO2/m2/month", KG_PER_MOL_C / KG_PER_MOL_CO2, "m2", "month"),
    ("kg CO2 cell-1 month-1", KG_PER_MOL_C / KG_PER_MOL_CO2, "cell", "month"),
    ("kg m-2 yr-1", 1.0, "m2", "year"),
    ("tC ha-1 yr-1", 0.1, "m2", "year"),
    ("PgC m-2 yr-1", 1e12, "m2", "year"),
    ("PgC/yr", 1e12, "cell", "year"),
    ("GtC a-1", 1e12, "cell", "year"),
    ("TgC month-1 gridcell-1", 1e9, "cell", "month"),
    ("10^15 g C/yr", 1e12, "cell", "year"),
    ("1e-12 kg C m-2 s-1", 1e-12, "m2", "second"),
    ("Pg C yr$^{-1}$ degree$^{-1}$", 1e12, "degree", "year"),
    ("PgC/yr/deg", 1e12, "degree", "year"),
    ("kilograms of carbon per m2 per year", 1.0, "m2", "year"),
    ("kgC m-2s-1", 1.0, "m2", "second"),
    ("gCm-2d-1", 1e-3 / 86400, "m2", "second"),
    ("mol m -2 yr -1", KG_PER_MOL_C, "m2", "year"),
    ("(kg C m-2 s-1)", 1.0, "m2", "second"),
    ("10-8 mol m-2 s-1", 1e-8 * KG_PER_MOL_C, "m2", "second"),
    ("gC/grid/month", 1e-3, "cell", "month"),
    ("Petagrams C per year", 1e12, "cell", "year"),
    ("Gigatonnes C per year", 1e12, "cell", "year"),
]


@pytest.mark.parametrize(("text", "kg_c", "per", "rate"), WILD, ids=[w[0] for w in WILD])
def test_wild_units(text: str, kg_c: float, per: str, rate: str) -> None:
    unit = parse_units(text)
    species = unit.species or "C"
    assert unit.kg_c(species) == pytest.approx(kg_c, rel=1e-14)
    assert (unit.per, unit.rate) == (per, rate)


@pytest.mark.parametrize(
    "text",
    ["", "1", "m", "Pg", "W m-2", "ppm", "kg C m-2", "kg/m2 s", "kg C m-2 3h-1", "kg CO2eq m-2 s-1",
     "umol/mol", "kg m-2 s-2", "kg(", "degC", "kg m-2 s-1 furlong-1", "kg kg m-2 s-1", "%", "??"],
)  # fmt: skip
def test_bad_input_units_are_refused(text: str) -> None:
    with pytest.raises(UnitsError) as caught:
        parse_units(text)
    assert repr(text) in caught.value.what
    assert "flux: {units:" in caught.value.fix


def test_mass_without_species_offers_both() -> None:
    with pytest.raises(UnitsError, match="C or of CO2") as caught:
        parse_units("kg m-2 s-1").kg_c(None)
    assert "species: C}" in caught.value.fix
    assert "species: CO2}" in caught.value.fix


def test_a_mole_of_co2_holds_a_mole_of_carbon() -> None:
    assert parse_units("mol C m-2 s-1").kg_c("C") == parse_units("mol CO2 m-2 s-1").kg_c("CO2")


@given(
    st.sampled_from(["kg", "g", "Tg", "Pg", "t", "mol", "mmol"]),
    st.sampled_from(["s", "h", "d", "month", "yr"]),
    st.sampled_from(["{a} m-2 {t}-1", "{a}/m2/{t}", "{a} m^-2 {t}^-1", "{a} m^{{-2}} {t}^{{-1}}"]),
)
def test_notations_agree(amount: str, time: str, notation: str) -> None:
    plain = parse_units(f"{amount} m-2 {time}-1")
    other = parse_units(notation.format(a=amount, t=time))
    assert (other.scale, other.per, other.rate) == (plain.scale, plain.per, plain.rate)


def test_areas() -> None:
    assert parse_area("km2") == 1e6
    assert parse_area("m^2") == parse_area("square_meters") == parse_area("sq. m") == 1.0
    assert parse_area("square kilometers") == 1e6
    with pytest.raises(UnitsError, match="no unit of area"):
        parse_area("m")
