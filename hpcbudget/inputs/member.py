"""From the declaration of a member to its series: every file opened, every fact settled.

Nothing but coordinates and attributes is read here. All problems of a member are collected.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from hpcbudget.errors import HpcBudgetError, InputError, Problems, TimeError
from hpcbudget.inputs.notice import Notice
from hpcbudget.inputs.opened import OpenedFile, Request, check_alike, decoding_notes, open_file
from hpcbudget.inputs.paths import find_files
from hpcbudget.inputs.plain import plain_attributes
from hpcbudget.inputs.preset import Preset, best_fit, fit, load_preset
from hpcbudget.inputs.registration import suspect_edges, suspect_places
from hpcbudget.inputs.series import Series, SeriesKey
from hpcbudget.inputs.source import open_source
from hpcbudget.inputs.store import MovingFraction, Part, Store, units_along_time
from hpcbudget.inputs.timeline import join_times
from hpcbudget.inputs.weights import find_weights
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
    problems : list of HpcBudgetError
        What hinders its series.
    warnings : list of Notice
        What a user should look at.
    preset : Preset or None
        The one that is used, with the components that the file has.
    """

    ensemble: EnsembleOptions
    name: str
    options: MemberOptions
    root: Path
    period: tuple[int, int] | None
    problems: list[HpcBudgetError] = field(default_factory=list)
    warnings: list[Notice] = field(default_factory=list)
    preset: Preset | None = None
    preset_note: str = ""

    @property
    def where(self) -> str:
        """Name in messages."""
        return f"{self.ensemble.family}, member {self.name}"

    @property
    def layers(self) -> tuple[Reading, ...]:
        """Options, the most specific first."""
        preset = () if self.preset is None else (self.preset.reading,)
        return (self.options, self.ensemble, *preset)

    def note(self, error: HpcBudgetError) -> None:
        """Add a problem, or several, unless another component has met the very same."""
        for problem in error.problems if isinstance(error, Problems) else (error,):
            placed = problem.at(self.where)
            if str(placed) not in map(str, self.problems):
                self.problems.append(placed)

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
            made: list[Series] = []
            for term in terms:
                base = re.sub(r"[^\w.+-]", "_", term.variable)
                name = base if base not in names else f"{base}-{len(names)}"
                names.append(name)
                model = self.options.model or self.name
                key = SeriesKey(self.ensemble.family, model, self.name, component, name)
                try:
                    made.append(self._one(key, term))
                except HpcBudgetError as error:
                    self.note(error)
            self._check_terms(component, made)
            yield from made

    def _check_terms(self, component: str, made: list[Series]) -> None:
        """Refuse terms of a component that do not cover the same steps of the period."""
        for other in made[1:]:
            first, second = (s.times.first_month[slice(*s.steps)] for s in (made[0], other))
            if not np.array_equal(first, second):
                self.problems.append(
                    TimeError(
                        f"the terms of {component} cover different months: {made[0].key.term}"
                        f" {made[0].times}, {other.key.term} {other.times}",
                        where=self.where,
                        why="their sum would mix one term with both",
                        fix="set period: to the years that all terms cover",
                    )
                )

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
            wanted, held = found.preset.reading.components, source.variables
            kept = {c: t for c, t in wanted.items() if all(x.variable in held for x in t)}
        reading = found.preset.reading.model_copy(update={"components": kept})
        self.preset = found.preset.model_copy(update={"reading": reading})
        how = "matched" if spec == "auto" else "asked for"
        told = "; ".join(found.met) or "none of its conditions holds"
        self.preset_note = f"preset {found.preset.name} ({how}): {told}"
        self.warnings.extend(
            Notice(self.where, f"preset {found.preset.name} expects other files: {text}", path)
            for text in found.unmet
        )
        if not (self.options.components or self.ensemble.components):
            self.warnings.extend(
                Notice(
                    self.where,
                    f"no {component} flux: not all of"
                    f" {', '.join(t.variable for t in wanted[component])} are in the file",
                    path,
                )
                for component in wanted
                if component not in kept
            )

    def _one(self, key: SeriesKey, term: Term) -> Series:
        patterns = term.paths or self.options.paths
        if patterns is None:
            raise InputError("no paths are given", fix="add paths: FILE or GLOB to the member")
        paths = find_files(patterns, self.root, "paths")
        request = self._request(term)
        files = [open_file(path, request) for path in paths]
        first = files[0]
        for other in files[1:]:
            check_alike(first, other)
        order, times = join_times([f.times for f in files], request.time, first.where)
        steps = times.steps_within(self.period)
        if steps[0] == steps[1]:
            assert self.period is not None
            raise InputError(
                f"no time step lies in the period {self.period[0]}..{self.period[1]}",
                where=first.where,
                why=f"the files hold {times}",
                fix="correct the key period, the paths or the time options",
            )
        refs = {n: self._field(n, term) for n in ("cell_area", "land_fraction", "mask")}
        weights = find_weights(first, times, request.grid, refs, self.root)
        self.warnings.extend(Notice(self.where, text) for text in weights.warnings)
        grid = first.layout.grid
        self.warnings.extend(
            Notice(self.where, odd, paths[0])
            for odd in (suspect_edges(grid), suspect_places(grid))
            if odd
        )
        shown = paths[0] if len(paths) == 1 else f"{len(paths)} files, {paths[0]} .. {paths[-1]}"
        history = (
            *filter(None, [self.preset_note]),
            f"read {term.variable} of {shown}",
            *first.layout.notes,
            f"grid: {grid.describe()} ({grid.rule})"
            + (f", every row counts {grid.width_deg:g} degrees" if grid.width_deg else ""),
            *decoding_notes(files),
            *first.flux.steps(),
            *weights.notes,
        )
        store = _store([files[i] for i in order], request, weights.moving)
        return Series(
            key=key,
            store=store,
            grid=grid,
            times=times,
            steps=steps,
            flux=first.flux,
            factor=first.flux.kg_c_s(times),
            missing=self._missing(),
            cell_area=weights.area,
            fraction=weights.fraction,
            complement=weights.complement,
            history=history,
            attributes={"variable": plain_attributes(first.variable.attrs), "file": first.attrs},
        )

    def _request(self, term: Term) -> Request:
        return Request(
            variable=term.variable,
            group=term.group or self.options.group or (self.preset.group if self.preset else None),
            select=self.options.select,
            flux=(term.flux, *(layer.flux for layer in self.layers)),
            grid=self._grid_options(),
            time=self._merged("time", TimeOptions),
            fills=next((layer.fill_value for layer in self.layers if layer.fill_value), ()),
        )

    def _grid_options(self) -> GridOptions:
        """Options of the grid, with the file of its corners found under the data root."""
        options = self._merged("grid", GridOptions)
        if options.corners is None:
            return options
        paths = find_files(options.corners.paths, self.root, "grid.corners")
        corners = options.corners.model_copy(update={"paths": paths})
        return options.model_copy(update={"corners": corners})

    def _field(self, name: str, term: Term) -> FieldRef | None:
        for layer in (term, *self.layers):
            ref: FieldRef | None = getattr(layer, name)
            if ref is not None:
                return ref
        return None

    def _missing(self) -> Literal["error", "account"]:
        chosen = [x.missing for x in self.layers if "missing" in x.model_fields_set]
        return chosen[0] if chosen else "account"

    def _merged(self, name: str, model: type[_M]) -> _M:
        """Options of several layers, key by key, the most specific first."""
        values: dict[str, Any] = {}
        for layer in self.layers:
            for key in getattr(layer, name).model_fields_set:
                values.setdefault(key, getattr(getattr(layer, name), key))
        return model(**values)


def _store(files: list[OpenedFile], request: Request, moving: MovingFraction | None) -> Store:
    """Describe where the numbers of a series are; `files` are in order of time."""
    first = files[0]
    parts: list[Part] = []
    start = 0
    for file in files:
        axis = file.layout.time_axis
        chunk, piece = units_along_time(file.variable, axis)
        stop = start + file.times.n
        parts.append(Part(file.path, start, stop, chunk, piece, file.decoding))
        start += file.times.n
    types = {file.decoding.result_type(file.variable.dtype) for file in files}
    return Store(
        tuple(parts),
        request.variable,
        request.group,
        first.layout,
        len(first.variable.dims),
        np.dtype(np.result_type(*types) if moving is None else np.float64),
        moving,
    )
