"""MLflow's tracking API, one typed method an endpoint. Knows paths and shapes, no order of things.

Each method declares whether its call may be repeated blindly; where it may not, the outcome of a lost answer
is found out before anything is sent again (``create_run`` here, ``log-batch`` in ``delivery``).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future

from mlflow_rest_export import limits as server_limits
from mlflow_rest_export import mlflow_tags
from mlflow_rest_export.errors import ApiError, NoAnswer
from mlflow_rest_export.limits import Limits
from mlflow_rest_export.marks import OWNER
from mlflow_rest_export.network.call import Call, Repeat
from mlflow_rest_export.network.passing_faults import may_pass
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.records import Dataset, Lookup, Metric, RunStatus
from mlflow_rest_export.targets.target import Target
from mlflow_rest_export.tracking import delivery, replies
from mlflow_rest_export.tracking.first_alone import FirstAlone
from mlflow_rest_export.tracking.protocol import Each, NewRun, StoredRun
from mlflow_rest_export.tracking.rest_experiments import Experiments
from mlflow_rest_export.tracking.run_search import RunSearch

PAGE_OF_POINTS = 25_000
"""Servers from 3.1 to 3.12 answer a history without ``max_results`` with an empty page."""
TRIES_OF_CREATE = 6
"""Over some ten seconds; each lost one is followed by a search."""


class RestTracking(Experiments):
    """The tracking API of one host; every method raises ``ApiError`` or ``NoAnswer`` when it could not.

    Args:
        target: the host.
        transport: how to reach it.
    """

    def __init__(self, target: Target, transport: Transport) -> None:
        super().__init__(target, transport)
        self._limits = target.limits
        self._asked: Future[Limits] | None = None
        self._lock = threading.Lock()
        self._naming = FirstAlone()
        self._search = RunSearch(self._page_of_runs)

    def limits(self) -> Limits:
        """Say what the server accepts, asking for its version once.

        Whoever wants to know meanwhile waits for the same answer, or fails with the same error: on a silent
        server each would spend seconds of its own. Gateways may hide ``/version`` behind any 4xx; then the
        limits are those of the oldest servers.
        """
        if self._limits is not None:
            return self._limits
        with self._lock:
            asked, first = self._asked, self._asked is None
            if asked is None:
                asked = self._asked = Future()
        if first:
            self._ask(asked)
        return asked.result()

    def _ask(self, asked: Future[Limits]) -> None:
        try:
            self._limits = server_limits.for_server(server_limits.parse_version(self.version()))
        except BaseException as error:  # noqa: BLE001  # raised by whoever wanted to know
            self._asked = None  # so that who comes later asks again
            asked.set_exception(error)
        else:
            asked.set_result(self._limits)

    def version(self) -> str:
        """Give the version that the server tells, "" when it tells none (before 2.1, behind gateways)."""
        call = Call(
            method="GET", url=f"{self.target.base_url}/version", doing="asking for the server's version"
        )
        try:
            return self.transport.send(call).body[:40].decode("ascii", "replace").strip()
        except ApiError as error:
            if error.status < 500:
                return ""
            raise

    def find_runs(
        self, experiment_id: str, lookups: Sequence[Lookup], *, each: Each = map
    ) -> Iterator[StoredRun]:
        """Search the active runs of an experiment, one search for each lookup or its exact ones."""
        return self._search.find(experiment_id, lookups, each)

    def search_runs(
        self, experiment_ids: Sequence[str], filter_string: str = "", *, view: str = "ACTIVE_ONLY"
    ) -> Iterator[StoredRun]:
        """Search runs with MLflow's own filter language, page by page."""
        for page in self._search.pages(experiment_ids, filter_string, view=view):
            yield from (run.as_run() for run in page.runs)

    def _page_of_runs(self, body: Mapping[str, object]) -> replies.RunsPage:
        return self.post("runs/search", replies.RunsPage, body, doing="searching for runs", reads=True)

    def create_run(self, new: NewRun) -> StoredRun:
        """Create a run, once: a lost answer is settled by a search for the owner's mark."""
        body = {
            "experiment_id": new.experiment_id,
            "run_name": new.run_name,
            "start_time": new.start_time,
            "tags": [{"key": key, "value": value} for key, value in new.tags.items()],
        }
        doing = f"creating the run {new.run_name}"
        for number in range(TRIES_OF_CREATE):
            try:
                made = self.post(
                    "runs/create", replies.RunReply, body, doing=doing, repeat=Repeat.IF_NOT_SENT
                )
                return made.run.as_run()
            except (ApiError, NoAnswer) as error:
                if not error.may_have_arrived:
                    raise
                lost = error
            for run in self.find_runs(new.experiment_id, [Lookup(OWNER, new.tags[OWNER])]):
                return run
            self.pause(lost, number)
        raise lost

    def get_run(self, run_id: str) -> StoredRun:
        """Read a run."""
        query = {"run_id": run_id, "run_uuid": run_id}
        return self.get("runs/get", replies.RunReply, query, doing=f"reading run {run_id}").run.as_run()

    def log_values(
        self,
        run_id: str,
        *,
        metrics: Iterable[Metric] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Write values in as many batches as they need; each point lands once."""
        delivery.deliver(self, run_id, metrics=metrics, params=params or {}, tags=tags or {})

    def log_batch(self, run_id: str, body: bytes) -> None:
        """Send one ``log-batch`` body; never repeated here when its outcome is unknown."""
        doing = f"writing values to run {run_id}"
        self.post("runs/log-batch", replies.Reply, body, doing=doing, repeat=Repeat.IF_NOT_SENT)

    def pause(self, error: ApiError | NoAnswer, number: int) -> None:
        """Wait before what failed for time ``number`` (from 0) is tried again; raise what will not pass."""
        conduct = self.transport.conduct
        if not may_pass(error, number):
            raise error
        wait = conduct.backoff.wait(number, asked=None, chance=conduct.chance())
        if isinstance(error, ApiError) and error.throttled:
            conduct.pace.slow_down(wait)
        conduct.stop.wait(wait)

    def metric_history(self, run_id: str, key: str) -> Iterator[Metric]:
        """Give every point of a metric, page by page."""
        query = {"run_id": run_id, "run_uuid": run_id, "metric_key": key, "max_results": str(PAGE_OF_POINTS)}
        doing = f"reading metric {key} of run {run_id}"
        while True:
            page = self.get("metrics/get-history", replies.MetricsPage, query, doing=doing)
            yield from (metric.as_metric() for metric in page.metrics)
            if not page.next_page_token:
                return
            query["page_token"] = page.next_page_token

    def log_inputs(self, run_id: str, datasets: Sequence[Dataset]) -> None:
        """Record dataset inputs; the same ones again change nothing.

        Where two runs name a new dataset at once, one gets 400 "UNIQUE constraint failed" (3.17.2,
        sqlite): asked again, the server finds the dataset that the other one made. Among runs of ours the
        first goes alone, so that no request is sent in vain.
        """
        with self._naming.turn(frozenset((dataset.name, dataset.digest) for dataset in datasets)):
            self._log_inputs(run_id, datasets, tries=4)

    def _log_inputs(self, run_id: str, datasets: Sequence[Dataset], *, tries: int) -> None:
        body = {"run_id": run_id, "datasets": [_dataset(dataset) for dataset in datasets]}
        doing = f"naming the datasets of run {run_id}"
        try:
            self.post("runs/log-inputs", replies.Reply, body, doing=doing)
        except ApiError as error:
            if error.code != "BAD_REQUEST" or tries == 1:
                raise
            self._log_inputs(run_id, datasets, tries=tries - 1)

    def update_run(self, run_id: str, *, status: RunStatus, end_time: int | None, run_name: str) -> None:
        """Set status, end time and name together: servers before 2.3 reset whatever is left out."""
        body: dict[str, object] = {"run_id": run_id, "status": status.name, "run_name": run_name}
        if end_time is not None:
            body["end_time"] = end_time
        self.post("runs/update", replies.Reply, body, doing=f"setting run {run_id} to {status.name}")

    def delete_tag(self, run_id: str, key: str) -> None:
        """Take a tag from a run; one that it does not have is fine."""
        doing = f"deleting the tag {key} of run {run_id}"
        try:
            self.post("runs/delete-tag", replies.Reply, {"run_id": run_id, "key": key}, doing=doing)
        except ApiError as error:
            if error.refused or key in self.get_run(run_id).tags:
                raise

    def delete_run(self, run_id: str) -> None:
        """Move a run to the bin; one that is there already is fine."""
        try:
            self.post("runs/delete", replies.Reply, {"run_id": run_id}, doing=f"deleting run {run_id}")
        except ApiError as error:
            if error.refused or not self.get_run(run_id).deleted:
                raise

    def restore_run(self, run_id: str) -> None:
        """Bring a run back from the bin."""
        self.post("runs/restore", replies.Reply, {"run_id": run_id}, doing=f"restoring run {run_id}")

    def list_artifacts(self, run_id: str, path: str = "") -> Iterator[replies.FileReply]:
        """List one folder of a run's artifacts; paths are relative to the run."""
        query = {"run_id": run_id, "run_uuid": run_id, **({"path": path} if path else {})}
        doing = f"listing the artifacts of run {run_id}"
        while True:
            page = self.get("artifacts/list", replies.FilesPage, query, doing=doing)
            yield from page.files
            if not page.next_page_token:
                return
            query["page_token"] = page.next_page_token

    def run_url(self, run: StoredRun) -> str:
        """Give the page of a run."""
        return self._page(f"{run.experiment_id}/runs/{run.run_id}")

    def experiment_url(self, experiment_id: str) -> str:
        """Give the page of an experiment."""
        return self._page(experiment_id)

    def _page(self, path: str) -> str:
        return f"{self.target.page}/{self.target.page_of_experiments}/{path}{self.target.page_query}"


def _dataset(dataset: Dataset) -> dict[str, object]:
    fields = {
        "name": dataset.name,
        "digest": dataset.digest,
        "source_type": dataset.source_type,
        "source": dataset.source,
        "schema": dataset.schema,
        "profile": dataset.profile,
    }
    tags = [{"key": mlflow_tags.CONTEXT, "value": dataset.context}] if dataset.context else []
    return {"dataset": {name: value for name, value in fields.items() if value}, "tags": tags}
