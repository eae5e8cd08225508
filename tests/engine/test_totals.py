from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hpcbudget.engine.totals import Totals
from hpcbudget.errors import LedgerError

shapes = st.tuples(st.integers(1, 5), st.integers(1, 6))


@st.composite
def totals(draw: st.DrawFn) -> Totals:
    shape = draw(shapes)
    values = st.floats(allow_infinity=False, width=64)
    parts = [draw(arrays(np.float64, shape, elements=values)) for _ in range(3)]
    return Totals(*parts, audit_error=draw(st.floats(0, 1e-9)))


def same(a: Totals, b: Totals) -> bool:
    return a.to_bytes({}) == b.to_bytes({})


@given(totals())
def test_bytes_round_trip_to_the_bit(t: Totals) -> None:
    back, header = Totals.from_bytes(t.to_bytes({"block": "a/b"}))
    assert header == {"block": "a/b"}
    assert same(back, t)


@given(totals(), st.data())
def test_any_changed_or_lost_byte_is_noticed(t: Totals, data: st.DataObject) -> None:
    raw = bytearray(t.to_bytes({"block": "a/b"}))
    at = data.draw(st.integers(0, len(raw) - 1))
    if data.draw(st.booleans()):
        raw[at] ^= data.draw(st.integers(1, 255))
    else:
        del raw[at:]
    with pytest.raises(LedgerError):
        Totals.from_bytes(bytes(raw))


@given(totals(), st.data())
def test_concatenating_any_cut_gives_the_whole(t: Totals, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, t.steps))
    parts = [
        Totals(t.rate_kg_s[s], t.valid_m2[s], t.missing_m2[s], t.audit_error)
        for s in (slice(None, cut), slice(cut, None))
    ]
    assert same(Totals.concatenate(parts), t)
