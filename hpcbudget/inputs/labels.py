"""Names along a dimension: ensemble members, sectors, whatever is told by text or numbers."""

from __future__ import annotations

import difflib

from hpcbudget.errors import InputError
from hpcbudget.inputs.source import Source


def find_index(source: Source, dim: str, length: int, wanted: str | int, where: str) -> int:
    """Return the index of a label along a dimension.

    Raises
    ------
    InputError
        If the label is not there, or stands for several; or the index is out of range.
    """
    labels = names_along(source, dim, length)
    text = str(wanted).strip()
    found = [i for i, label in enumerate(labels) if label == text]
    if not found and isinstance(wanted, str):
        found = [i for i, label in enumerate(labels) if label.lower() == text.lower()]
    if len(found) == 1:
        return found[0]
    if not found and isinstance(wanted, int) and -length <= wanted < length:
        return wanted % length
    near = difflib.get_close_matches(text, labels, n=1)
    raise InputError(
        f"{dim}: {'several are' if found else 'none is'} named {text!r}",
        where=where,
        fix=(f"did you mean {near[0]!r}? " if near else "")
        + f"It has {length}: "
        + (", ".join(labels) if labels else f"indices 0 to {length - 1}"),
    )


def labels_of(source: Source, dim: str) -> list[str]:
    """Return the names along a dimension that are kept as text, or nothing."""
    kept = source.attrs.get("labels", {})
    if isinstance(kept, dict) and dim in kept:
        return [str(label) for label in kept[dim]]
    named = [f"{dim}_name", f"{dim}_names", f"{dim}_label", dim]
    for name in (*named, *(n for n in source.variables if n not in named)):
        variable = source.variables.get(name)
        if variable is None or dim not in variable.dims or len(variable.dims) > 2:
            continue
        kind = variable.dtype.kind
        if kind in "iufb" or (len(variable.dims) == 2 and kind != "S"):
            continue
        values = source.read(name)
        if kind == "S" and values.ndim == 2:  # one character per element
            if variable.dims.index(dim) == 1:
                values = values.T
            return [b"".join(row).decode("utf-8", "replace").strip(" \0") for row in values]
        if values.ndim == 1:
            return [
                (v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v)).strip(" \0")
                for v in values.tolist()
            ]
    return []


def names_along(source: Source, dim: str, length: int) -> list[str]:
    """Return the names along a dimension, or the numbers of its coordinate."""
    names = labels_of(source, dim)
    own = source.variables.get(dim)
    if not names and own is not None and own.shape == (length,):
        names = [f"{v:g}" if isinstance(v, float) else str(v) for v in source.read(dim).tolist()]
    return names
