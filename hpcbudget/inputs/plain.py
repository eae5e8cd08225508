"""Attributes of files as plain Python values that JSON can hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np


def plain_attributes(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Return attributes with numbers as int, float or list and all else as text.

    Examples
    --------
    >>> plain_attributes({"_FillValue": np.float32(-999), "title": "x"})
    {'_FillValue': -999.0, 'title': 'x'}
    """
    plain: dict[str, Any] = {}
    for key, value in attrs.items():
        held = np.asarray(value)
        if held.dtype.kind in "iufb":
            plain[key] = held.ravel()[0].item() if held.size == 1 else held.tolist()
        elif isinstance(value, dict | list):
            plain[key] = value
        else:
            plain[key] = str(value)
    return plain
