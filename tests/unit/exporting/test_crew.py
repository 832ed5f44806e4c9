"""Steps for many jobs: what one failure costs, and what the end of patience does."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from clocks import Clock, Waits, conduct_of
from folder_exports import a_record

from mlflow_rest_export.errors import ApiError, Interrupted, NoAnswer, PlanError
from mlflow_rest_export.exporting.crew import Crew
from mlflow_rest_export.exporting.flow import Step
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
    with pytest.raises(Interrupted):  # so that whoever still works ends soon, too
        scene.conduct.stop.check()


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


@dataclass
class Course:
    """Jobs with some steps each between their first and their last, and what was done of them."""

    steps: Step
    log: list[str] = field(default_factory=list)

    def begin(self, job: Job) -> list[Step]:
        self.log.append(f"begin {job.record.label}")
        return [self._step] * 4

    def end(self, job: Job) -> None:
        self.log.append(f"end {job.record.label}")

    def _step(self, job: Job) -> None:
        self.steps(job)
        self.log.append(f"step {job.record.label}")

    def run(self, jobs: list[Job], *, workers: int) -> list[str]:
        with ThreadPoolExecutor(workers) as pool:
            crew_of(pool, workers).flow(jobs, self.begin, self.end)
        return self.log


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_a_job_ends_when_all_its_steps_are_done(workers: int) -> None:
    jobs = Scene(jobs=20).jobs

    log = Course(lambda _: None).run(jobs, workers=workers)

    for job in jobs:
        name = job.record.label
        its = [line.split()[0] for line in log if line.split()[1] == name]
        assert its == ["begin", *["step"] * 4, "end"]


def test_a_job_that_was_begun_is_ended_before_the_next_one() -> None:
    log = Course(lambda _: None).run(Scene(jobs=2).jobs, workers=1)

    assert log.index("end 0") < log.index("begin 1")


def test_the_steps_of_one_job_are_done_by_all_workers() -> None:
    meeting = threading.Barrier(4, timeout=20)

    log = Course(lambda _: meeting.wait()).run(Scene(jobs=1).jobs, workers=4)  # type: ignore[arg-type]

    assert log[-1] == "end 0"


def test_a_job_without_steps_is_ended_too() -> None:
    course = Course(lambda _: None)
    with ThreadPoolExecutor(2) as pool:
        crew_of(pool, 2).flow(Scene(jobs=3).jobs, lambda _: [], course.end)

    assert sorted(course.log) == ["end 0", "end 1", "end 2"]


def test_a_job_with_a_failed_step_is_not_ended() -> None:
    def fail(job: Job) -> None:
        if job.record.label == "1":
            raise PlanError("no")

    jobs = Scene(jobs=3).jobs

    log = Course(fail).run(jobs, workers=2)

    assert {line for line in log if line.startswith("end")} == {"end 0", "end 2"}
    assert [job.outcome for job in jobs] == [None, Outcome.FAILED, None]


@pytest.mark.parametrize("broken", [Interrupted("stopped by a signal"), KeyboardInterrupt()])
def test_a_job_whose_step_was_broken_off_is_not_ended(broken: BaseException) -> None:
    meeting = threading.Barrier(4, timeout=20)

    def break_off(_: Job) -> None:
        if meeting.wait() == 0:  # one of the four; the other workers are free for what comes next
            raise broken

    course = Course(break_off)

    with pytest.raises(type(broken)):
        course.run(Scene(jobs=1).jobs, workers=5)

    assert "end 0" not in course.log
