"""What the numbers of a flux are multiplied with: cell areas and the fraction they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hpcbudget.errors import FluxDefinitionError, InputError
from hpcbudget.inputs.fields import StaticField, open_field, open_reference
from hpcbudget.inputs.moving import open_moving
from hpcbudget.inputs.opened import OpenedFile
from hpcbudget.inputs.paths import find_files
from hpcbudget.inputs.source import open_source
from hpcbudget.inputs.store import MovingFraction
from hpcbudget.inputs.times import TimeAxis
from hpcbudget.options import FieldRef, GridOptions


@dataclass(frozen=True)
class Weights:
    """Fields that weigh the cells, or a fraction for each step.

    Attributes
    ----------
    area : StaticField or None
        Cell areas of the file's own; None for the boxes of the sphere.
    fraction : StaticField or None
        Part of a cell that the flux stands for.
    complement : bool
        Whether that is one minus the field.
    moving : MovingFraction or None
        The same for each step, where it changes with time.
    notes, warnings : tuple of str
        For the history, and for the user.
    """

    area: StaticField | None = None
    fraction: StaticField | None = None
    complement: bool = False
    moving: MovingFraction | None = None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def find_weights(
    file: OpenedFile,
    times: TimeAxis,
    options: GridOptions,
    refs: Mapping[str, FieldRef | None],
    root: Path,
) -> Weights:
    """Find the cell area and the fraction that the area basis of a flux needs.

    Parameters
    ----------
    file : OpenedFile
        First file of the flux.
    times : TimeAxis
    options : GridOptions
    refs : mapping
        Declared fields: ``cell_area``, ``land_fraction``, ``mask``.
    root : Path
        What relative paths start from.

    Raises
    ------
    FluxDefinitionError
        If the basis needs a field that is not declared.
    InputError, GridError, TimeError
        If a field does not fit the flux.
    """
    notes: list[str] = []
    warnings: list[str] = []
    basis = file.flux.area_basis
    area = _cell_area(file, options, refs["cell_area"], root)
    if area is not None:
        ratio = float(area.read().sum()) / float(file.layout.grid.area_m2().sum()) - 1.0
        notes.append(f"cell area: {area}; total differs from the sphere's boxes by {ratio:+.2e}")
        # areas of ocean cells alone are 0.71 of the sphere
        least = -0.4 if basis in ("ocean", "sea_ice_free") else -0.02
        if not least < ratio < 0.02:
            warnings.append(f"cell areas differ by {ratio:+.1%} from the grid's ({area})")
    if basis not in ("land", "ocean", "sea_ice_free"):
        return Weights(area, notes=tuple(notes), warnings=tuple(warnings))
    stands_for: Literal["land", "sea"] = "land" if basis == "land" else "sea"
    land, mask = refs["land_fraction"], refs["mask"]
    from_land = mask is None and basis == "ocean"
    wanted = land if basis == "land" or from_land else mask
    if wanted is None:
        name = "land_fraction" if basis == "land" else "mask"
        raise FluxDefinitionError(
            f"area_basis {basis} needs {name}, which is not declared",
            where=file.where,
            why="part-covered cells would count with their whole area",
            fix=f"add {name}: {{paths: FILE, variable: NAME}} to the member",
        )
    path = _path(wanted, file, root)
    grid = file.layout.grid
    if not from_land:
        moving = open_moving(path, wanted.variable, wanted.scale, grid, times, options, stands_for)
        if moving is not None:
            notes.append(f"weight: cell area x {wanted.variable} of {path} at each step")
            if moving.store.n_steps == 12 < times.span_months.sum():
                warnings.append(
                    f"the twelve months of {wanted.variable} are used for every year ({path})"
                )
            return Weights(area, moving=moving, notes=tuple(notes), warnings=tuple(warnings))
    fraction = open_reference(wanted, path, grid, "fraction", options)
    complement = (fraction.covers or ("land" if from_land else stands_for)) != stands_for
    notes.append(f"weight: cell area x {f'(1 - {fraction})' if complement else fraction}")
    return Weights(area, fraction, complement, None, tuple(notes), tuple(warnings))


def _cell_area(
    file: OpenedFile, options: GridOptions, ref: FieldRef | None, root: Path
) -> StaticField | None:
    """Find the cell area that is declared, or that the file itself names."""
    grid = file.layout.grid
    if ref is not None:
        return open_reference(ref, _path(ref, file, root), grid, "area", options)
    if file.own_area is None:
        return None
    with open_source(file.path) as source:
        return open_field(source, file.own_area, grid, "area", None, options)


def _path(ref: FieldRef, file: OpenedFile, root: Path) -> str:
    """Return the one file of a field."""
    # a preset speaks of the flux's own file, or of what lies beside it
    beside = {"{file}": file.path, "{folder}": str(Path(file.path).parent)}
    patterns = list(ref.paths)
    for mark, place in beside.items():
        patterns = [p.replace(mark, place) for p in patterns]
    (path, *more) = find_files(patterns, root, f"field {ref.variable}")
    if more:
        raise InputError(
            f"the field {ref.variable} is one file, found {len(more) + 1}",
            where=", ".join([path, *more][:3]),
            fix="narrow the path",
        )
    return path
