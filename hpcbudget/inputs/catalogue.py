"""All series of a configuration, or all that is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass

from hpcbudget.config import Config
from hpcbudget.errors import ConfigError, HpcBudgetError, raise_all
from hpcbudget.inputs.member import Member
from hpcbudget.inputs.series import Series, SeriesKey


@dataclass(frozen=True)
class Catalogue:
    """Everything that a run will read.

    Attributes
    ----------
    series : tuple of Series
        Sorted by key.
    warnings : tuple of str
        What a user should look at, with file and variable.
    """

    series: tuple[Series, ...]
    warnings: tuple[str, ...] = ()

    def __getitem__(self, key: SeriesKey) -> Series:
        for series in self.series:
            if series.key == key:
                return series
        raise KeyError(str(key))


def open_catalogue(config: Config) -> Catalogue:
    """Open all inputs of a configuration and settle what they mean; no field is read.

    Parameters
    ----------
    config : Config

    Returns
    -------
    Catalogue

    Raises
    ------
    HpcBudgetError, Problems
        Every problem of every member, each with file, variable and remedy. There is no partial
        success: an ensemble with a member left out by accident is another ensemble.
    """
    series: list[Series] = []
    problems: list[HpcBudgetError] = []
    seen: set[tuple[str, str]] = set()
    for ensemble in config.ensembles:
        for name, options in ensemble.members.items():
            if (ensemble.family, name) in seen:
                problems.append(
                    ConfigError(
                        f"member {name!r} stands in two ensembles of family {ensemble.family}",
                        fix="give it another name, and the same model if it is another realisation",
                    )
                )
                continue
            seen.add((ensemble.family, name))
            member = Member(ensemble, name, options, config.data_root, config.period)
            series.extend(member.series())
            problems.extend(member.problems)
    raise_all(problems)
    return Catalogue(tuple(sorted(series, key=lambda s: s.key)))
