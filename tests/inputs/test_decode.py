"""Raw numbers become the values that were meant, and nothing else becomes missing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hpcbudget.errors import InputError
from hpcbudget.inputs.decode import Decoding, decoding_of
from hpcbudget.kernels.blank import blank

FILLS = (1e20, -9999.0, 9.969209968386869e36)


@given(
    st.sampled_from(["<f4", "<f8"]).flatmap(
        lambda d: hnp.arrays(
            d, st.integers(0, 9000), elements=st.sampled_from([0.0, 1.5, -9999.0, np.nan, np.inf])
        )
    )
)
def test_blank_is_an_exact_comparison(values: np.ndarray) -> None:
    fills = np.array(FILLS, values.dtype)
    expected = np.where(np.isin(values, fills), np.nan, values)
    blank(values, fills)
    np.testing.assert_array_equal(values, expected)


def test_float32_fill_is_what_float32_holds() -> None:
    raw = np.array([1e20, 9.969209968386869e36, 1.0], np.float32)
    assert np.isnan(Decoding(FILLS)(raw)[:2]).all()
    assert Decoding(FILLS)(raw.astype(np.float64))[0] != 1e20  # a double of that number is another


@given(st.integers(-32768, 32767), st.floats(1e-12, 1e3), st.floats(-1e3, 1e3))
def test_packed_numbers(number: int, scale: float, offset: float) -> None:
    raw = np.array([number], np.int16)
    values = Decoding((-32768.0,), scale, offset)(raw)
    assert values.dtype == np.float64
    if number == -32768:
        assert np.isnan(values[0])
    else:
        assert values[0] == number * scale + offset


def test_types() -> None:
    assert Decoding().result_type(np.dtype("f4")) == np.float32
    assert Decoding().result_type(np.dtype("f2")) == np.float32
    assert Decoding().result_type(np.dtype("i2")) == np.float64
    assert Decoding(scale=2.0).result_type(np.dtype("f4")) == np.float64
    assert Decoding((300.0, -1.0, 0.5))(np.array([1, 255], np.uint8)).tolist() == [1.0, 255.0]


def test_infinity_can_be_declared_missing() -> None:
    assert np.isnan(Decoding((np.inf,))(np.array([np.inf, 1.0]))[0])


def test_attributes() -> None:
    attrs = {"_FillValue": np.float32(1e20), "missing_value": np.array([-999.0, -99.0])}
    found = decoding_of(attrs, np.dtype("f4"), (-1.0,), "f")
    assert {-999.0, -99.0, -1.0} < set(found.fills)
    assert any(abs(f - 9.96921e36) < 1e32 for f in found.fills)
    assert decoding_of({}, np.dtype("i1"), (), "f").fills == ()
    with pytest.raises(InputError, match="not a number"):
        decoding_of({"_FillValue": "none"}, np.dtype("f4"), (), "f")


def test_bytes_that_mean_unsigned_ones() -> None:
    attributes = {"_Unsigned": "true", "_FillValue": np.int8(-1), "scale_factor": 0.5}
    decoding = decoding_of(attributes, np.dtype("i1"), (), "x.nc")
    raw = np.array([0, 127, -128, -2, -1], np.int8)
    np.testing.assert_array_equal(decoding(raw), [0.0, 63.5, 64.0, 127.0, np.nan])


@pytest.mark.parametrize(
    ("attributes", "kept"),
    [
        ({"valid_range": [-5.0, 5.0]}, [0, 1]),
        ({"valid_min": -6.0}, [0, 1, 2]),
        ({"valid_max": 4.0}, [1, 3]),
        ({}, [0, 1, 2, 3]),
    ],
)
@pytest.mark.parametrize("kind", ["f4", "f8", "i2"])
def test_numbers_outside_the_valid_range_are_missing(
    attributes: dict[str, object], kept: list[int], kind: str
) -> None:
    raw = np.array([5, -5, 6, -7], kind)
    values = decoding_of(attributes, raw.dtype, (), "x.nc")(raw.copy())
    assert np.flatnonzero(~np.isnan(values)).tolist() == kept


def test_the_valid_range_is_that_of_packed_numbers() -> None:
    attributes = {"valid_range": np.array([0, 100], np.int16), "scale_factor": 10.0}
    values = decoding_of(attributes, np.dtype("i2"), (), "x.nc")(np.array([50, 101], np.int16))
    np.testing.assert_array_equal(values, [500.0, np.nan])


@pytest.mark.parametrize("kind", ["i2", "i4", "u2", "u4", "f4", "f8"])
def test_what_was_never_written_is_missing_without_any_attribute(kind: str) -> None:
    import netCDF4

    raw = np.array([7, netCDF4.default_fillvals[kind]], kind)
    values = decoding_of({}, raw.dtype, (), "x.nc")(raw.copy())
    np.testing.assert_array_equal(values, [7.0, np.nan])


def test_bad_input_valid_range_of_three_numbers() -> None:
    with pytest.raises(InputError, match="valid_range"):
        decoding_of({"valid_range": [1, 2, 3]}, np.dtype("f4"), (), "x.nc")
