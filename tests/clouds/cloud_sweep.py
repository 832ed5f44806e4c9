"""Breaks requests of an export one by one, on the way to any of the hosts that it talks to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import requests
from attempts import Attempt
from fault_proxy import FaultProxy
from faults import FAULTS, Fault, Kind
from stored_runs import StoredRuns

from mlflow_rest_export.exporting.outcomes import Outcome
from mlflow_rest_export.records import RunRecord

SHORT = ("reset_after",)
"""The fault of the short run: everything arrived, and no answer came."""


@dataclass(frozen=True, slots=True)
class StoreRuns(StoredRuns):
    """Runs whose files are read through the server, whatever the store."""

    def content(self, run: dict[str, Any], path: str) -> bytes:
        query = {"run_uuid": run["info"]["run_id"], "run_id": run["info"]["run_id"], "path": path}
        answer = requests.get(f"{self.server.url}/get-artifact", params=query, timeout=60)
        answer.raise_for_status()
        return answer.content


@dataclass(slots=True)
class CloudSweep:
    """One export, again and again.

    Args:
        attempt: makes the export into an experiment of that name.
        stored: reads what there is, past every proxy.
        proxies: those that stand before the hosts of the export.
        forget: lets them begin anew.
        wanted: what the run must be in the end.
    """

    attempt: Callable[[str], Attempt]
    stored: Callable[[str], StoredRuns]
    proxies: Sequence[FaultProxy]
    forget: Callable[[], None]
    wanted: RunRecord
    cases: int = 0
    wrong: dict[str, list[str]] = field(default_factory=dict)

    def run(self, experiment: str, *, long_run: bool) -> None:
        """Break every request in turn."""
        counts = self._count(f"{experiment} clean")
        for where, count in enumerate(counts):
            for name in FAULTS if long_run else SHORT:
                for number in range(1, count + 1):
                    self._hit(f"{experiment} {where} {name} {number}", self.proxies[where], name, number)

    def _count(self, experiment: str) -> list[int]:
        self.forget()
        (result,) = self.attempt(experiment).export(self.wanted)
        assert result.outcome is Outcome.EXPORTED, result.error
        counts = [len(proxy.seen) for proxy in self.proxies]
        assert all(counts), f"a way was not used: {counts}"
        assert not self.stored(experiment).faults(self.wanted)
        return counts

    def _hit(self, case: str, proxy: FaultProxy, name: str, number: int) -> None:
        self.forget()
        fault = FAULTS[name]
        proxy.inject(fault, number=number)
        (first,) = _in_time(self.attempt(case), fault).export(self.wanted)
        self.forget()
        (second,) = self.attempt(case).export(self.wanted)
        wrong = self.stored(case).faults(self.wanted)
        if second.outcome not in {Outcome.EXPORTED, Outcome.UNCHANGED}:
            wrong.append(f"re-run {second.outcome}: {second.error}")
        self.cases += 1
        if wrong:
            self.wrong[f"{case}, at first {first.outcome.value} ({first.error})"] = wrong


def _in_time(attempt: Attempt, fault: Fault) -> Attempt:
    if fault.kind is not Kind.STALL:
        return attempt
    return Attempt(
        uri=attempt.uri, experiment=attempt.experiment, answer_timeout=0.8, connection=attempt.connection
    )
