"""From the declaration of a member to its series: every file opened, every fact settled.

Nothing but coordinates and attributes is read here. All problems of a member are collected.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from hpcbudget.errors import FluxDefinitionError, GridError, HpcBudgetError, InputError, Problems
from hpcbudget.inputs.decode import Decoding, decoding_of
from hpcbudget.inputs.fields import Quantity, StaticField, open_field, open_reference
from hpcbudget.inputs.flux import FluxDefinition, define_flux
from hpcbudget.inputs.layout import Layout, find_variable, lay_out
from hpcbudget.inputs.paths import find_files
from hpcbudget.inputs.plain import plain_attributes
from hpcbudget.inputs.preset import Preset, best_fit, fit, load_preset
from hpcbudget.inputs.series import Series, SeriesKey
from hpcbudget.inputs.source import Source, Variable, open_source
from hpcbudget.inputs.store import Part, Store, read_unit
from hpcbudget.inputs.timeline import FileTimes, join_times, read_times
from hpcbudget.options import (
    EnsembleOptions,
    FieldRef,
    GridOptions,
    MemberOptions,
    Reading,
    Term,
    TimeOptions,
)

_M = TypeVar("_M", GridOptions, TimeOptions)


@dataclass
class Member:
    """One member of an ensemble, with the layers of options it is read by.

    Attributes
    ----------
    ensemble : EnsembleOptions
    name : str
    options : MemberOptions
    root : Path
        What relative paths start from.
    period : tuple of int or None
        Inclusive years that count.
    """

    ensemble: EnsembleOptions
    name: str
    options: MemberOptions
    root: Path
    period: tuple[int, int] | None
    problems: list[HpcBudgetError] = field(default_factory=list)
    preset: Preset | None = None
    preset_notes: tuple[str, ...] = ()

    @property
    def where(self) -> str:
        """Name in messages."""
        return f"{self.ensemble.family}, member {self.name}"

    @property
    def layers(self) -> tuple[Reading, ...]:
        """Options, the most specific first."""
        preset = () if self.preset is None else (self.preset.reading,)
        return (self.options, self.ensemble, *preset)

    def series(self) -> Iterator[Series]:
        """Yield the series that can be made; what hinders the others goes to `problems`."""
        try:
            self._choose_preset()
        except HpcBudgetError as error:
            self.note(error)
            return
        components = next((layer.components for layer in self.layers if layer.components), {})
        if not components:
            self.problems.append(
                InputError(
                    "no components are declared",
                    where=self.where,
                    why="it is not known which variables are land, ocean or fossil fluxes",
                    fix="add components: {land: VARIABLE, ocean: VARIABLE}, or a preset",
                )
            )
        for component, terms in components.items():
            names: list[str] = []
            for term in terms:
                base = re.sub(r"[^\w.+-]", "_", term.variable)
                name = base if base not in names else f"{base}-{len(names)}"
                names.append(name)
                key = SeriesKey(
                    self.ensemble.family,
                    self.options.model or self.name,
                    self.name,
                    component,
                    name,
                )
                try:
                    yield self._one(key, term)
                except HpcBudgetError as error:
                    self.note(error)

    def _choose_preset(self) -> None:
        """Load the preset that is asked for and hold it against the first file."""
        spec = self.options.preset or self.ensemble.preset
        if spec is None:
            return
        preset = None if spec == "auto" else load_preset(spec, self.root)
        if self.options.paths is None:
            self.preset = preset
            return
        path = find_files(self.options.paths, self.root, "paths")[0]
        group = self.options.group or (preset.group if preset else None)
        with open_source(path, group) as source:
            found = best_fit(source, path) if preset is None else fit(preset, source)
            # of what a preset knows, only the components that the file has
            wanted = found.preset.reading.components
            kept = {
                c: t for c, t in wanted.items() if all(x.variable in source.variables for x in t)
            }
        reading = found.preset.reading.model_copy(update={"components": kept})
        self.preset = found.preset.model_copy(update={"reading": reading})
        how = "matched" if spec == "auto" else "asked for"
        told = "; ".join(found.met) or "no condition of it holds"
        notes = [f"preset {found.preset.name} ({how}): {told}"]
        notes += [f"preset {found.preset.name}: {text}, unlike its files" for text in found.unmet]
        notes += [f"no {c} in the file" for c in wanted if c not in kept]
        self.preset_notes = tuple(notes)

    def note(self, error: HpcBudgetError) -> None:
        """Add a problem, or several, unless another component has met the very same."""
        for problem in error.problems if isinstance(error, Problems) else (error,):
            placed = problem.at(self.where)
            if str(placed) not in map(str, self.problems):
                self.problems.append(placed)

    def _one(self, key: SeriesKey, term: Term) -> Series:
        patterns = term.paths or self.options.paths
        if patterns is None:
            raise InputError("no paths are given", fix="add paths: FILE or GLOB to the member")
        paths = find_files(patterns, self.root, "paths")
        group = term.group or self.options.group or (self.preset.group if self.preset else None)
        time_options = self._merged("time", TimeOptions)
        grid_options = self._merged("grid", GridOptions)
        fills = term_fills(self.layers)
        files = [self._file(path, group, term, grid_options, time_options, fills) for path in paths]
        first = files[0]
        for other in files[1:]:
            _check_alike(first, other)
        order, times = join_times([f.times for f in files], time_options, first.where)
        steps = times.steps_within(self.period)
        if steps[0] == steps[1]:
            assert self.period is not None
            raise InputError(
                f"no time step lies in the period {self.period[0]}..{self.period[1]}",
                where=first.where,
                why=f"the files hold {times}",
                fix="correct the key period, the paths or the time options",
            )
        parts: list[Part] = []
        at = 0
        for file in (files[i] for i in order):
            axis = file.layout.time_axis
            chunk = 1 if axis is None else read_unit(file.variable, axis)
            parts.append(Part(file.path, at, at + file.times.n, chunk, file.decoding))
            at += file.times.n
        types = {f.decoding.result_type(f.variable.dtype) for f in files}
        store = Store(
            tuple(parts),
            term.variable,
            group,
            first.layout,
            len(first.variable.dims),
            np.dtype(np.result_type(*types)),
        )
        area, fraction, complement, notes = self._measures(first, term, grid_options)
        grid = first.layout.grid
        history = (
            *self.preset_notes,
            f"read {term.variable} of {_shown(paths)}",
            *first.layout.notes,
            f"grid: {grid.describe()} ({grid.rule})",
            *_decoding_notes(files),
            *first.flux.steps(),
            *notes,
        )
        return Series(
            key=key,
            store=store,
            grid=grid,
            times=times,
            steps=steps,
            flux=first.flux,
            factor=first.flux.kg_c_s(times),
            missing=self._missing(),
            cell_area=area,
            fraction=fraction,
            complement=complement,
            history=history,
            attributes={"variable": plain_attributes(first.variable.attrs), "file": first.attrs},
        )

    def _file(
        self,
        path: str,
        group: str | None,
        term: Term,
        grid: GridOptions,
        time: TimeOptions,
        fills: tuple[float, ...],
    ) -> _File:
        where = f"{path}, variable {term.variable}"
        with open_source(path, group) as source:
            variable = find_variable(source, term.variable, where)
            layout = lay_out(source, term.variable, self.options.select, grid, where)
            n = variable.shape[layout.time_axis] if layout.time_axis is not None else 1
            times = read_times(source, layout.time_dim, n, time, where)
            flux_options = [term.flux, *(layer.flux for layer in self.layers)]
            flux = define_flux(flux_options, variable.attrs, where)
            decoding = decoding_of(variable.attrs, variable.dtype, fills, where)
            attrs = plain_attributes(source.attrs)
            own_area = _own_area(source, variable)
        return _File(path, where, variable, layout, times, flux, decoding, attrs, own_area)

    def _measures(
        self, file: _File, term: Term, options: GridOptions
    ) -> tuple[StaticField | None, StaticField | None, bool, list[str]]:
        """Cell area and fraction fields that the area basis needs."""
        notes: list[str] = []
        grid = file.layout.grid
        area: StaticField | None = None
        ref = self._field("cell_area", term)
        if ref is not None:
            area = self._open(ref, file, "area", options)
        elif file.own_area is not None:
            with open_source(file.path) as source:
                area = open_field(source, file.own_area, grid, "area", None, options)
        if area is not None:
            ratio = float(area.read().sum()) / float(grid.area_m2().sum()) - 1.0
            notes.append(
                f"cell area: {area}; total differs from the sphere's boxes by {ratio:+.2e}"
            )
        basis = file.flux.area_basis
        if basis not in ("land", "ocean", "sea_ice_free"):
            return area, None, False, notes
        land, mask = self._field("land_fraction", term), self._field("mask", term)
        wanted = land if basis == "land" else mask
        complement = False
        if wanted is None and basis == "ocean" and land is not None:
            wanted, complement = land, True
        if wanted is None:
            name = "land_fraction" if basis == "land" else "mask"
            raise FluxDefinitionError(
                f"area_basis {basis} needs {name}, which is not declared",
                where=file.where,
                why="part-covered cells would count with their whole area",
                fix=f"add {name}: {{paths: FILE, variable: NAME}} to the member",
            )
        fraction = self._open(wanted, file, "fraction", options)
        notes.append(f"weight: cell area x {'(1 - ' if complement else ''}{fraction}"
                     + (")" if complement else ""))  # fmt: skip
        return area, fraction, complement, notes

    def _open(
        self, ref: FieldRef, file: _File, quantity: Quantity, options: GridOptions
    ) -> StaticField:
        # a preset speaks of the flux's own file, or of what lies beside it
        beside = {"{file}": file.path, "{folder}": str(Path(file.path).parent)}
        patterns = list(ref.paths)
        for mark, place in beside.items():
            patterns = [p.replace(mark, place) for p in patterns]
        (path, *more) = find_files(patterns, self.root, f"{quantity} field {ref.variable}")
        if more:
            raise InputError(
                f"a static field is one file, found {len(more) + 1}",
                where=", ".join([path, *more][:3]),
                fix="narrow the path",
            )
        return open_reference(ref, path, file.layout.grid, quantity, options)

    def _field(self, name: str, term: Term) -> FieldRef | None:
        for layer in (term, *self.layers):
            ref: FieldRef | None = getattr(layer, name)
            if ref is not None:
                return ref
        return None

    def _missing(self) -> Any:
        for layer in self.layers:
            if "missing" in layer.model_fields_set:
                return layer.missing
        return "account"

    def _merged(self, name: str, model: type[_M]) -> _M:
        """Options of several layers, key by key, the most specific first."""
        values: dict[str, Any] = {}
        for layer in self.layers:
            for key in getattr(layer, name).model_fields_set:
                values.setdefault(key, getattr(getattr(layer, name), key))
        return model(**values)


@dataclass(frozen=True)
class _File:
    """What one file of a series says."""

    path: str
    where: str
    variable: Variable
    layout: Layout
    times: FileTimes
    flux: FluxDefinition
    decoding: Decoding
    attrs: dict[str, Any]
    own_area: str | None


def term_fills(layers: tuple[Reading, ...]) -> tuple[float, ...]:
    """Return the declared fill values of the most specific layer that declares any."""
    return next((layer.fill_value for layer in layers if layer.fill_value), ())


def _check_alike(first: _File, other: _File) -> None:
    """Refuse files of one series that differ in grid, dimensions or meaning."""
    if other.layout.grid.content_hash() != first.layout.grid.content_hash():
        raise GridError(
            f"its grid ({other.layout.grid.describe()}) is not that of the other files"
            f" ({first.layout.grid.describe()})",
            where=other.where,
            fix="make it a member of its own, or narrow the glob",
        )
    same = (other.layout.order, other.layout.fixed, other.layout.time_axis) == (
        first.layout.order, first.layout.fixed, first.layout.time_axis,
    )  # fmt: skip
    if not same:
        raise InputError(
            f"its dimensions ({', '.join(other.variable.dims)}) are not those of the other files"
            f" ({', '.join(first.variable.dims)})",
            where=other.where,
            fix="bring the files into one order of dimensions, for example with ncpdq",
        )
    meanings = [
        (f.flux.sign, f.flux.species, f.flux.area_basis, f.flux.unit) for f in (first, other)
    ]
    if meanings[0] != meanings[1]:
        raise FluxDefinitionError(
            f"units {other.flux.units!r} or meaning differ from the other files"
            f" ({first.flux.units!r})",
            where=other.where,
            why="one factor is applied to the whole series",
            fix="make it a member of its own, or mend the attributes",
        )


def _own_area(source: Source, variable: Variable) -> str | None:
    """Cell area that the file itself names in ``cell_measures``."""
    match = re.search(r"area:\s*(\w+)", str(variable.attrs.get("cell_measures", "")))
    return match[1] if match and match[1] in source.variables else None


def _decoding_notes(files: list[_File]) -> list[str]:
    notes = [f"fill values: {', '.join(f'{v:g}' for v in files[0].decoding.fills) or 'none'}"]
    if any(f.decoding.packed for f in files):
        pairs = sorted({(f.decoding.scale, f.decoding.offset) for f in files})
        notes.append("unpacked with " + "; ".join(f"x {s:g} + {o:g}" for s, o in pairs[:3]))
    return notes


def _shown(paths: tuple[str, ...]) -> str:
    return paths[0] if len(paths) == 1 else f"{len(paths)} files, {paths[0]} .. {paths[-1]}"
