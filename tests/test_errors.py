from __future__ import annotations

import pickle

import pytest

from hpcbudget.errors import (
    ClosureError,
    ConfigError,
    HpcBudgetError,
    InputError,
    Problems,
    StoppedEarlyError,
    raise_all,
    status_of,
)


def test_every_part_is_shown_on_its_own_line() -> None:
    error = InputError("no variable 'nbp'", where="a.nc", why="nothing to add", fix="a\nb")
    assert str(error).splitlines() == [
        "no variable 'nbp'",
        "  where: a.nc",
        "  why:   nothing to add",
        "  fix:   a",
        "         b",
    ]


def test_errors_survive_the_way_from_a_worker() -> None:
    error = InputError("what", where="here", why="because", fix="do")
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is InputError
    assert str(back) == str(error)
    many = Problems([error, ConfigError("x")])
    assert str(pickle.loads(pickle.dumps(many))) == str(many)


def test_at_puts_the_outer_place_first() -> None:
    assert InputError("x", where="file").at("block").where == "block, file"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ConfigError("x"), 2),
        (InputError("x"), 3),
        (ClosureError("x"), 4),
        (StoppedEarlyError("x"), 75),
        (Problems([InputError("x"), InputError("y")]), 3),
        (Problems([InputError("x"), ConfigError("y")]), 2),
    ],
)
def test_exit_statuses(error: HpcBudgetError, status: int) -> None:
    assert status_of(error) == status


def test_all_problems_are_shown_at_once_and_flattened() -> None:
    a, b, c = InputError("a"), InputError("b"), InputError("c")
    with pytest.raises(Problems) as caught:
        raise_all([a, Problems([b, c])])
    assert caught.value.problems == (a, b, c)
    assert all(f"[{i}] {n}" in str(caught.value) for i, n in enumerate("abc", start=1))


def test_one_problem_is_raised_as_itself_and_none_not_at_all() -> None:
    raise_all([])
    with pytest.raises(InputError):
        raise_all([InputError("only")])
