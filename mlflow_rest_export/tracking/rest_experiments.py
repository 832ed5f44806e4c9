"""The methods of MLflow's tracking API for experiments."""

from __future__ import annotations

from collections.abc import Iterator

from mlflow_rest_export.errors import ApiError
from mlflow_rest_export.tracking import replies
from mlflow_rest_export.tracking.protocol import Experiment
from mlflow_rest_export.tracking.rest_calls import RestCalls

PAGE = 1000
"""Experiments in one page."""


class Experiments(RestCalls):
    """Experiments of one host; every method raises ``ApiError`` or ``NoAnswer`` when it could not."""

    def find_experiment(self, name: str) -> Experiment | None:
        """Find an experiment by name, a deleted one too."""
        name, adjustments = self.target.names.resolve(name, self.transport)
        doing = f"looking for the experiment {name!r}"
        try:
            reply = self.get(
                "experiments/get-by-name", replies.ExperimentReply, {"experiment_name": name}, doing=doing
            )
        except ApiError as error:
            if error.not_found:
                return None
            raise
        found = reply.experiment.as_experiment()
        return Experiment(found.experiment_id, found.name, deleted=found.deleted, adjustments=adjustments)

    def create_experiment(self, name: str) -> Experiment:
        """Create an experiment; one that somebody else created meanwhile is as good."""
        asked = name
        name, adjustments = self.target.names.resolve(name, self.transport)
        self.target.names.before_create(name, self.transport)
        doing = f"creating the experiment {name!r}"
        try:
            made = self.post("experiments/create", replies.CreatedExperiment, {"name": name}, doing=doing)
        except ApiError as error:
            found = self.find_experiment(asked) if error.already_exists else None
            if found is None:
                raise
            return found
        return Experiment(made.experiment_id, name, adjustments=adjustments, is_new=True)

    def get_experiment(self, experiment_id: str) -> Experiment:
        """Read an experiment."""
        query = {"experiment_id": experiment_id}
        doing = f"reading experiment {experiment_id}"
        return self.get(
            "experiments/get", replies.ExperimentReply, query, doing=doing
        ).experiment.as_experiment()

    def restore_experiment(self, experiment_id: str) -> None:
        """Bring a deleted experiment back; one that is active already is fine."""
        doing = f"restoring experiment {experiment_id}"
        try:
            self.post("experiments/restore", replies.Reply, {"experiment_id": experiment_id}, doing=doing)
        except ApiError:
            if self.get_experiment(experiment_id).deleted:
                raise

    def search_experiments(
        self, filter_string: str = "", *, view: str = "ACTIVE_ONLY", page_size: int = PAGE
    ) -> Iterator[Experiment]:
        """Search experiments with MLflow's own filter language, page by page.

        Args:
            filter_string: such as ``name LIKE 'eval%'`` or ``tags.team = 'a'``; "" for all.
            view: ``ACTIVE_ONLY``, ``DELETED_ONLY`` or ``ALL``.
            page_size: experiments asked for at once.
        """
        body: dict[str, object] = {"max_results": page_size, "view_type": view}
        if filter_string:
            body["filter"] = filter_string
        while True:
            page = self.post(
                "experiments/search",
                replies.ExperimentsPage,
                body,
                doing="searching for experiments",
                reads=True,
            )
            yield from (found.as_experiment() for found in page.experiments)
            if not page.next_page_token:
                return
            body["page_token"] = page.next_page_token

    def update_experiment(self, experiment_id: str, *, name: str) -> None:
        """Rename an experiment."""
        name, _ = self.target.names.resolve(name, self.transport)
        body = {"experiment_id": experiment_id, "new_name": name}
        self.post("experiments/update", replies.Reply, body, doing=f"renaming experiment {experiment_id}")

    def set_experiment_tag(self, experiment_id: str, key: str, value: str) -> None:
        """Set a tag of an experiment, over whatever value it has."""
        body = {"experiment_id": experiment_id, "key": key, "value": value}
        doing = f"setting the tag {key} of experiment {experiment_id}"
        self.post("experiments/set-experiment-tag", replies.Reply, body, doing=doing)

    def delete_experiment(self, experiment_id: str) -> None:
        """Move an experiment with its runs to the bin; one that is there already is fine."""
        doing = f"deleting experiment {experiment_id}"
        try:
            self.post("experiments/delete", replies.Reply, {"experiment_id": experiment_id}, doing=doing)
        except ApiError as error:
            if error.refused or not self.get_experiment(experiment_id).deleted:
                raise
