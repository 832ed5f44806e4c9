"""Who fills a run, and whether that somebody can still be at work."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from mlflow_rest_export.exporting.owner import UNTOLD, Life, Owner, machine_of

PRINT_MARK = (
    "from mlflow_rest_export.exporting.owner import Owner; print(Owner.of_this_process().mark(), flush=True);"
    "input()"
)


@contextmanager
def another_process() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Start a process that owns a run, and give its mark."""
    process = subprocess.Popen(
        [sys.executable, "-c", PRINT_MARK], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def test_an_export_of_this_process_is_at_work_until_it_ends() -> None:
    ours, other = Owner.of_this_process(), Owner.of_this_process()

    with other.at_work():
        assert ours.life_of(other.mark()) is Life.AT_WORK
    assert ours.life_of(other.mark()) is Life.GONE


def test_an_export_that_broke_off_with_an_error_has_ended() -> None:
    ours, other = Owner.of_this_process(), Owner.of_this_process()

    with pytest.raises(KeyboardInterrupt), other.at_work():
        raise KeyboardInterrupt

    assert ours.life_of(other.mark()) is Life.GONE


def test_every_mark_is_unique() -> None:
    owner = Owner.of_this_process()

    assert len({owner.mark() for _ in range(100)}) == 100


def test_a_mark_survives_being_a_param_of_the_oldest_servers() -> None:
    assert len(Owner.of_this_process().mark()) < 200


def test_another_process_is_at_work_as_long_as_it_runs() -> None:
    ours = Owner.of_this_process()
    with another_process() as (process, mark):
        assert ours.life_of(mark) is Life.AT_WORK

        process.kill()
        process.wait()

        assert ours.life_of(mark) is Life.GONE


def test_a_killed_process_is_gone_even_while_nobody_has_asked_for_its_exit_code() -> None:
    ours = Owner.of_this_process()
    with another_process() as (process, mark):
        os.kill(process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and a zombie from now on

        assert ours.life_of(mark) is Life.GONE


@pytest.mark.skipif(Owner.of_this_process().born == UNTOLD, reason="this system does not tell")
def test_a_process_that_got_the_id_of_a_dead_one_is_not_taken_for_it() -> None:
    ours = Owner.of_this_process()
    with another_process() as (_, mark):
        machine, process, _, *rest = mark.split(":")

        assert ours.life_of(":".join([machine, process, "1", *rest])) is Life.GONE


def test_where_the_system_does_not_tell_when_a_process_began_its_id_counts() -> None:
    ours = Owner.of_this_process()
    with another_process() as (_, mark):
        machine, process, _, *rest = mark.split(":")

        assert ours.life_of(":".join([machine, process, UNTOLD, *rest])) is Life.AT_WORK


def test_an_earlier_process_with_our_own_id_is_gone() -> None:
    ours = Owner.of_this_process()
    earlier = replace(ours, born="0")

    with earlier.at_work():
        assert ours.life_of(earlier.mark()) is Life.GONE


@pytest.mark.parametrize("mark", ["", "abc", "somewhere:12:34:ef:00", ":::"])
def test_nothing_is_known_of_other_machines_and_other_tools(mark: str) -> None:
    assert Owner.of_this_process().life_of(mark) is Life.UNKNOWN


def test_a_process_of_somebody_else_is_there_though_it_cannot_be_signalled() -> None:
    ours = Owner.of_this_process()
    first = replace(ours, process=1, born=UNTOLD)

    assert ours.life_of(first.mark()) is Life.AT_WORK


def test_machines_of_one_name_are_told_apart_by_the_system_that_runs_on_them(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("6d1c3a70-1\n")
    other.write_text("0f4be3d2-2\n")

    names = [machine_of("localhost", "pid:[4026531836]", boot) for boot in (one, other, tmp_path / "none")]

    assert len(set(names)) == 3
    assert machine_of("localhost", "pid:[4026531836]", one) == names[0]
