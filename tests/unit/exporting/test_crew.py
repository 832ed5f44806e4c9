"""Steps for many jobs: what one failure costs, and what the end of patience does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from clocks import Clock, Waits, conduct_of
from folder_exports import a_record

from mlflow_rest_export.errors import ApiError, Interrupted, NoAnswer, PlanError
from mlflow_rest_export.exporting.crew import Crew
from mlflow_rest_export.exporting.jobs import Job
from mlflow_rest_export.exporting.outcomes import Outcome


class Scene:
    """A crew with one worker, its jobs, and what it told."""

    def __init__(self, jobs: int = 5) -> None:
        self.clock = Clock()
        self.waits = Waits(self.clock)
        self.conduct = conduct_of(self.clock, waits=self.waits, first_contact=60)
        self.failed: list[str] = []
        self.tried: list[str] = []
        self.jobs = [Job(a_record(str(number))) for number in range(jobs)]

    def run(self, *errors: Exception) -> Crew:
        """Do a step for every job that fails with one of ``errors``, the later ones with none."""
        waiting = list(errors)

        def step(job: Job) -> None:
            self.tried.append(job.record.label)
            if waiting:
                raise waiting.pop(0)

        with ThreadPoolExecutor(1) as pool:
            crew = Crew(
                pool=pool, conduct=self.conduct, on_failure=lambda job: self.failed.append(job.record.label)
            )
            crew.each(self.jobs, step)
        return crew


def test_a_failed_job_costs_no_other_anything() -> None:
    scene = Scene()

    scene.run(PlanError("no"))

    assert scene.tried == ["0", "1", "2", "3", "4"]
    assert scene.failed == ["0"]
    assert [job.outcome for job in scene.jobs] == [Outcome.FAILED, None, None, None, None]


def test_steps_are_done_for_jobs_with_the_outcome_in_question() -> None:
    scene = Scene()
    scene.jobs[1].outcome = Outcome.UNCHANGED

    scene.run()

    assert scene.tried == ["0", "2", "3", "4"]


def test_once_patience_with_the_server_has_ended_nothing_more_is_tried() -> None:
    scene = Scene()
    with scene.conduct.patience.running():
        scene.clock.pass_by(61)

    scene.run(NoAnswer("creating run 0: host did not answer", may_have_arrived=False))

    assert scene.tried == ["0"]
    assert scene.failed == []  # nobody can be told
    assert {job.outcome for job in scene.jobs} == {Outcome.FAILED}
    said = str(scene.jobs[3].error)
    assert said == "exporting 3: not tried any more, since creating run 0: host did not answer"
    assert all(isinstance(job.error, NoAnswer) for job in scene.jobs)


def test_a_server_that_refuses_is_not_out_of_reach() -> None:
    scene = Scene()

    scene.run(ApiError("no", status=403), NoAnswer("lost", may_have_arrived=True))

    assert scene.tried == ["0", "1", "2", "3", "4"]
    assert scene.failed == ["0", "1"]


def test_a_signal_cancels_what_has_not_begun() -> None:
    scene = Scene()

    with pytest.raises(Interrupted):
        scene.run(Interrupted("stopped by a signal"))

    assert len(scene.tried) < 5
    assert scene.failed == []


def test_a_keyboard_interrupt_between_steps_cancels_what_has_not_begun() -> None:
    scene = Scene(jobs=3)

    with pytest.raises(KeyboardInterrupt):
        scene.run(KeyboardInterrupt())  # type: ignore[arg-type]

    assert len(scene.tried) < 3


def crew_of(pool: ThreadPoolExecutor, workers: int) -> Crew:
    scene = Scene()
    return Crew(pool=pool, conduct=scene.conduct, on_failure=lambda _: None, workers=workers)


def test_items_are_spread_over_the_workers_and_their_results_keep_the_order() -> None:
    meeting = threading.Barrier(3, timeout=20)

    def meet(number: int) -> int:
        meeting.wait()
        return number * number

    with ThreadPoolExecutor(3) as pool:
        assert crew_of(pool, 3).spread(meet, range(6)) == [0, 1, 4, 9, 16, 25]


def test_the_first_failure_of_what_is_spread_ends_the_rest() -> None:
    tried: list[int] = []

    def fail(number: int) -> None:
        tried.append(number)
        raise PlanError("no")

    with ThreadPoolExecutor(2) as pool, pytest.raises(PlanError):
        crew_of(pool, 2).spread(fail, range(1000))

    assert len(tried) <= 2


def test_no_more_items_are_taken_than_there_are_workers() -> None:
    """Thousands of files need no memory before their turn comes."""
    taken: list[int] = []
    done: list[int] = []
    ahead: list[int] = []

    def items() -> Iterator[int]:
        for number in range(500):
            taken.append(number)
            ahead.append(len(taken) - len(done))
            yield number

    with ThreadPoolExecutor(2) as pool:
        crew_of(pool, 2).spread(done.append, items())

    assert len(done) == 500
    assert max(ahead) <= 2
