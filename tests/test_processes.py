"""Helpers do what one process would do, in the same order, and what they raise is raised."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hpcbudget.errors import ClusterError, InputError
from hpcbudget.processes import spread


def square(number: int) -> tuple[int, int]:
    return os.getpid(), number**2


def printing(number: int) -> int:
    os.write(1, b"a library says something\n")
    return number


def refusing(number: int) -> int:
    if number == 7:
        raise InputError("seven", where="here")
    return number


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_results_keep_their_order(workers: int) -> None:
    found = list(spread(square, range(40), workers))
    assert [result for _, result in found] == [n**2 for n in range(40)]
    assert len({process for process, _ in found}) <= workers


def test_few_items_are_done_here() -> None:
    assert {process for process, _ in spread(square, range(5), 8)} == {os.getpid()}


def test_what_libraries_print_is_no_answer() -> None:
    assert list(spread(printing, range(8), 2)) == list(range(8))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_goes_wrong_in_a_helper_is_raised_here(workers: int) -> None:
    with pytest.raises(InputError, match="seven") as caught:
        list(spread(refusing, range(30), workers))
    assert caught.value.where == "here"


def slow_here(number: int) -> int:
    if os.environ["PARENT"] == str(os.getpid()):
        done.append(number)
        while len(done) == 1 and not Path(os.environ["MARK"]).exists():
            pass
        return number
    Path(os.environ["MARK"]).touch()
    os._exit(9)


done: list[int] = []


def test_a_helper_that_is_killed_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PARENT", str(os.getpid()))
    monkeypatch.setenv("MARK", str(tmp_path / "mark"))
    with pytest.raises(ClusterError, match="ended with status 9"):
        list(spread(slow_here, range(30), 2))


def test_a_script_without_a_guard_may_call_it(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from hpcbudget.processes import spread\nprint(sum(spread(abs, range(-9, 9), 2)))\n"
    )
    said = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["81"]
