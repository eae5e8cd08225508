"""Sign, species, basis and rate are declared or read, agree, and enter the factor exactly once."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcbudget.errors import FluxDefinitionError, Problems
from hpcbudget.inputs.flux import define_flux
from hpcbudget.inputs.times import TimeAxis
from hpcbudget.options import FluxOptions

MONTHS = TimeAxis.of_months(2000 * 12 + np.arange(24), "standard")


def options(**given: object) -> list[FluxOptions]:
    return [FluxOptions(**given)]  # type: ignore[arg-type]


def factor(units: str, **given: object) -> np.ndarray:
    said = {"sign": "to_atmosphere", "area_basis": "cell", **given}
    return define_flux(options(**said), {"units": units}, "f").kg_c_s(MONTHS)


def test_factors_by_hand() -> None:
    np.testing.assert_array_equal(factor("kg C m-2 s-1"), 1.0)
    np.testing.assert_array_equal(factor("kg C m-2 s-1", sign="to_surface"), -1.0)
    np.testing.assert_allclose(factor("kg m-2 s-1", species="CO2"), 12.011 / 44.009, rtol=1e-15)
    np.testing.assert_allclose(factor("mol m-2 s-1"), 0.012011, rtol=1e-15)
    assert factor("kg C m-2 month-1")[1] == pytest.approx(1 / (29 * 86400), rel=1e-15)
    assert factor("kg C m-2 yr-1")[0] == pytest.approx(1 / (366 * 86400), rel=1e-15)
    assert factor("kg C m-2 yr-1")[12] == pytest.approx(1 / (365 * 86400), rel=1e-15)
    assert factor("kg C m-2 yr-1", year_length_days=365.25)[0] == pytest.approx(
        1 / (365.25 * 86400), rel=1e-15
    )


@given(
    st.sampled_from(["to_atmosphere", "to_surface"]),
    st.sampled_from(["C", "CO2"]),
    st.sampled_from(["s", "d", "month", "yr"]),
    st.sampled_from(["kg", "g", "mol"]),
)
def test_facts_multiply(sign: str, species: str, rate: str, amount: str) -> None:
    given_factor = factor(f"{amount} m-2 {rate}-1", sign=sign, species=species)
    plain = factor(f"{amount} C m-2 {rate}-1")
    ratio = {"to_atmosphere": 1.0, "to_surface": -1.0}[sign]
    if species == "CO2" and amount != "mol":
        ratio *= 12.011 / 44.009
    np.testing.assert_allclose(given_factor, plain * ratio, rtol=1e-14)


def test_more_specific_declarations_win() -> None:
    layers = [FluxOptions(sign="to_surface"), FluxOptions(sign="to_atmosphere", area_basis="cell")]
    flux = define_flux(layers, {"units": "kg C m-2 s-1"}, "f")
    assert (flux.sign, flux.area_basis) == ("to_surface", "cell")


@pytest.mark.parametrize(
    ("standard_name", "sign", "species"),
    [
        ("surface_upward_mass_flux_of_carbon_dioxide_expressed_as_carbon", "to_atmosphere", "C"),
        ("surface_downward_mass_flux_of_carbon_dioxide_expressed_as_carbon", "to_surface", "C"),
        ("surface_net_upward_mass_flux_of_carbon_dioxide_expressed_as_carbon_due_to_emission_from"
         "_anthropogenic_land_use_change", "to_atmosphere", "C"),
        ("surface_downward_mass_flux_of_carbon_dioxide", "to_surface", "CO2"),
        ("tendency_of_atmosphere_mass_content_of_carbon_dioxide", None, None),
    ],
)  # fmt: skip
def test_standard_names(standard_name: str, sign: str | None, species: str | None) -> None:
    attrs = {"units": "kg m-2 s-1", "standard_name": standard_name, "cell_methods": "area: mean"}
    if sign is None:
        with pytest.raises(Problems) as caught:
            define_flux([], attrs, "f")
        assert len(caught.value.problems) == 2
        return
    flux = define_flux([], attrs, "f")
    assert (flux.sign, flux.species, flux.area_basis) == (sign, species, "cell")


@pytest.mark.parametrize(
    ("methods", "basis"),
    [
        ("area: mean where land time: mean", "land"),
        ("area: mean where sea time: mean", "ocean"),
        ("area: mean where ice_free_sea over sea", "sea_ice_free"),
        ("area: time: mean", "cell"),
        ("time: mean", None),
    ],
)
def test_cell_methods(methods: str, basis: str | None) -> None:
    attrs = {"units": "kg C m-2 s-1", "positive": "up", "cell_methods": methods}
    if basis is None:
        with pytest.raises(FluxDefinitionError, match="area_basis of the flux is unknown"):
            define_flux([], attrs, "f")
    else:
        assert define_flux([], attrs, "f").area_basis == basis


def test_contradictions_are_never_resolved() -> None:
    names = {"up": "to_atmosphere", "down": "to_surface"}
    for positive, sign in itertools.product(names, names.values()):
        attrs = {"units": "kg C m-2 s-1", "positive": positive}
        if names[positive] == sign:
            assert define_flux(options(sign=sign, area_basis="cell"), attrs, "f").sign == sign
        else:
            with pytest.raises(FluxDefinitionError, match=f"declared {sign}, but"):
                define_flux(options(sign=sign, area_basis="cell"), attrs, "f")


def test_everything_unknown_is_asked_for_at_once() -> None:
    with pytest.raises(Problems) as caught:
        define_flux([], {"units": "kg m-2 s-1"}, "f.nc, variable nbp")
    told = str(caught.value)
    for choice in ("sign: to_atmosphere", "sign: to_surface", "species: C", "species: CO2",
                   "area_basis: cell", "area_basis: land"):  # fmt: skip
        assert choice in told


def test_history_tells_each_step() -> None:
    flux = define_flux(
        options(sign="to_surface", species="CO2", area_basis="cell"),
        {"units": "kg m-2 month-1"}, "f",
    )  # fmt: skip
    (first, *_) = flux.steps()
    for part in ("'kg m-2 month-1'", "x 12.011/44.009", "month of its real length", "reversed"):
        assert part in first
