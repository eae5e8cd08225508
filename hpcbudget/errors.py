"""One exception tree: each error says what is wrong, where, why it matters, and what to type.

The command line maps ``exit_code`` to the process's exit status: 2 configuration, 3 data,
4 the budget does not close, 75 stopped before the time limit (run again to go on).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Self


class HpcBudgetError(ValueError):
    """Base of every error a user can cause or mend.

    Parameters
    ----------
    what : str
        The fact, in one sentence.
    where : str, optional
        Dataset, member, file, block or configuration key.
    why : str, optional
        What would go wrong with the numbers if it were let through.
    fix : str, optional
        What to type, install or edit.

    Examples
    --------
    >>> print(ConfigError("unknown key 'regoins'", where="my.yaml", fix="did you mean 'regions'?"))
    unknown key 'regoins'
      where: my.yaml
      fix:   did you mean 'regions'?
    """

    exit_code: ClassVar[int] = 3

    def __init__(self, what: str, *, where: str = "", why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        lines = [self.what]
        for label, text in (("where", self.where), ("why", self.why), ("fix", self.fix)):
            if text:
                head, *rest = text.splitlines()
                lines.append(f"  {label + ':':<6} {head}")
                lines.extend(f"         {line}" for line in rest)
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by keywords, so that an error raised on a worker arrives whole."""
        return _rebuild, (type(self), self.what, self.where, self.why, self.fix)

    def at(self, where: str) -> Self:
        """Return the same error with its place put before what it already names."""
        place = f"{where}, {self.where}" if self.where else where
        return type(self)(self.what, where=place, why=self.why, fix=self.fix)


def _rebuild(
    cls: type[HpcBudgetError], what: str, where: str, why: str, fix: str
) -> HpcBudgetError:
    return cls(what, where=where, why=why, fix=fix)


class ConfigError(HpcBudgetError):
    """The configuration cannot be understood."""

    exit_code = 2


class PlanError(ConfigError):
    """The plan does not fit into the memory, time or space that was allowed."""


class InputError(HpcBudgetError):
    """A file, store or variable is absent, unreadable or not what was declared."""


class FluxDefinitionError(InputError):
    """Sign, species, area basis, rate or units are unknown or contradict each other."""


class UnitsError(FluxDefinitionError):
    """A unit string has no single meaning as a carbon flux."""


class TimeError(InputError):
    """Time steps are missing, doubled, unsorted or cannot be decoded."""


class GridError(InputError):
    """Cell bounds are absent, overlap or do not cover what they claim to."""


class GridNameError(GridError):
    """What was typed for a grid is neither the name of one nor a file."""

    exit_code = 2


class RegionError(ConfigError):
    """A region set cannot be read or has no well-defined fractions."""


class MissingChunkError(InputError):
    """A stored chunk is missing, truncated or corrupt; it is never taken as a fill value."""


class BackendError(ConfigError):
    """An optional program or library that was asked for is not installed."""


class RegridError(InputError):
    """Weights and data do not belong together, or regridding cannot keep its promise."""


class LedgerError(HpcBudgetError):
    """The record of finished blocks cannot be trusted or written."""


class OutputError(HpcBudgetError):
    """A file cannot be written: no space, no permission, no folder."""


class BusyError(ConfigError):
    """Another driver is at work on the same output directory."""


class BlockError(HpcBudgetError):
    """One or more blocks failed for good; all others are finished and kept."""


class ClusterError(HpcBudgetError):
    """Workers could not be started, reached or kept."""


class ClosureError(HpcBudgetError):
    """The budget does not close within its tolerance."""

    exit_code = 4


class StoppedEarlyError(HpcBudgetError):
    """The run stopped in good order before its time limit; run again to go on."""

    exit_code = 75


class Problems(HpcBudgetError):  # noqa: N818 - reads as what it is: several errors at once
    """All problems found at once, so that a user mends them in one go.

    Parameters
    ----------
    problems : sequence of HpcBudgetError
        Flattened if some of them are `Problems` themselves.
    """

    def __init__(self, problems: Sequence[HpcBudgetError]) -> None:
        flat: list[HpcBudgetError] = []
        for problem in problems:
            flat.extend(problem.problems if isinstance(problem, Problems) else [problem])
        self.problems: tuple[HpcBudgetError, ...] = tuple(flat)
        super().__init__(f"{len(flat)} problems" if len(flat) != 1 else "1 problem")

    def __str__(self) -> str:
        if len(self.problems) == 1:
            return str(self.problems[0])
        blocks = [f"[{i}] {p}" for i, p in enumerate(self.problems, start=1)]
        return "\n".join([f"{len(self.problems)} problems:", *blocks])

    def __reduce__(self) -> tuple[object, ...]:
        return Problems, (self.problems,)

    def at(self, where: str) -> Self:
        """Put the place before that of each problem."""
        return type(self)([problem.at(where) for problem in self.problems])

    @property
    def exit_status(self) -> int:
        """2 if any problem is one of configuration, else the data's 3."""
        return min((status_of(p) for p in self.problems), default=3)


def status_of(error: HpcBudgetError) -> int:
    """Return the exit status that the command line ends with for `error`."""
    return error.exit_status if isinstance(error, Problems) else error.exit_code


def raise_all(problems: Iterable[HpcBudgetError]) -> None:
    """Raise what was collected: nothing, the one error, or all of them as `Problems`."""
    collected = list(problems)
    if len(collected) == 1:
        raise collected[0]
    if collected:
        raise Problems(collected)
