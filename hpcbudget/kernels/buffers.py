"""Views of arrays as the kernels want them."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Return a read-only view, so that one compiled version serves buffers of every origin."""
    view = array.view()
    view.flags.writeable = False
    return view
