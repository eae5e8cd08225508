"""All series of a configuration, or all that is wrong with them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hpcbudget.config import Config
from hpcbudget.errors import ConfigError, HpcBudgetError, raise_all
from hpcbudget.inputs.inspect import Findings, inspect
from hpcbudget.inputs.member import Member
from hpcbudget.inputs.notice import Notice
from hpcbudget.inputs.series import Series, SeriesKey


@dataclass(frozen=True)
class Catalogue:
    """Everything that a run will read.

    Attributes
    ----------
    series : tuple of Series
        Sorted by key.
    notices : tuple of Notice
        What a user should look at, with file and variable.
    """

    series: tuple[Series, ...]
    notices: tuple[Notice, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """Each notice by itself, for programs."""
        return tuple(map(str, self.notices))

    def __getitem__(self, key: SeriesKey) -> Series:
        for series in self.series:
            if series.key == key:
                return series
        raise KeyError(str(key))


@dataclass(frozen=True)
class Opened:
    """One member: its series as far as they can be made, and what is wrong with it.

    Attributes
    ----------
    member : Member
    series : tuple of (Series, Findings or None)
        With what a sample of its values shows; None if it could not be read.
    problems : tuple of HpcBudgetError
    """

    member: Member
    series: tuple[tuple[Series, Findings | None], ...]
    problems: tuple[HpcBudgetError, ...]

    @property
    def warnings(self) -> tuple[Notice, ...]:
        """What a user should look at."""
        looked = (w for _, found in self.series if found for w in found.warnings)
        return (*self.member.warnings, *looked)


def open_members(
    config: Config, *, look: bool = True, whole_year: bool = False
) -> Iterator[Opened]:
    """Open every member of a configuration in turn and look at a sample of each series.

    Parameters
    ----------
    config : Config
    look : bool
        Read values at all.
    whole_year : bool
        Judge a year of values instead of one step (see `inspect`).
    """
    seen: set[tuple[str, str]] = set()
    for ensemble in config.ensembles:
        for name, options in ensemble.members.items():
            member = Member(ensemble, name, options, config.data_root, config.period)
            if (ensemble.family, name) in seen:
                twice = ConfigError(
                    f"member {name!r} stands in two ensembles of family {ensemble.family}",
                    fix="give it another name, and the same model if it is another realisation",
                )
                yield Opened(member, (), (twice,))
                continue
            seen.add((ensemble.family, name))
            looked = [
                (s, _look(member, s, config.radius_m, whole_year) if look else None)
                for s in member.series()
            ]
            yield Opened(member, tuple(looked), tuple(member.problems))


def _look(member: Member, series: Series, radius_m: float, whole_year: bool) -> Findings | None:
    try:
        found = inspect(series, radius_m, whole_year=whole_year)
    except HpcBudgetError as error:
        member.note(error)
        return None
    for problem in found.problems:
        member.note(problem)
    return found


def open_catalogue(config: Config, *, look: bool = True) -> Catalogue:
    """Open all inputs of a configuration and settle what they mean.

    Of each series, coordinates, attributes and one step of values are read.

    Parameters
    ----------
    config : Config
    look : bool
        Whether to read that step; the parts of a job array need not all do it again.

    Returns
    -------
    Catalogue

    Raises
    ------
    HpcBudgetError, Problems
        Every problem of every member, each with file, variable and remedy. There is no partial
        success: an ensemble with a member left out by accident is another ensemble.
    """
    opened = list(open_members(config, look=look))
    raise_all(problem for one in opened for problem in one.problems)
    series = sorted((s for one in opened for s, _ in one.series), key=lambda s: s.key)
    return Catalogue(tuple(series), tuple(w for one in opened for w in one.warnings))
