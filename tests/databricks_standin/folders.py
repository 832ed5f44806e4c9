"""The tree of a workspace: users, folders, and experiments that share one namespace with notebooks."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from typing import Any

from databricks_standin.stores import TRACKING
from databricks_standin.wire import Asked, Refusal, Said, said_json

USER = "user@example.com"


@dataclass(slots=True)
class Folders:
    """Folders and experiments.

    Args:
        root: where the artifacts of experiments are that name no place.
    """

    root: str = TRACKING
    folders: set[str] = field(default_factory=lambda: {"/", "/Users", f"/Users/{USER}", "/Shared"})
    notebooks: set[str] = field(default_factory=set)
    experiments: dict[str, dict[str, Any]] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(2_000_000_000_000_001))

    def answer(self, asked: Asked) -> Said | None:
        """Answer what belongs to the tree."""
        if asked.path == "/api/2.0/preview/scim/v2/Me":
            return said_json({"id": "77", "userName": USER, "schemas": [], "active": True})
        if asked.path == "/api/2.0/workspace/mkdirs":
            parts = asked.json["path"].strip("/").split("/")
            self.folders |= {"/" + "/".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
            return said_json({})
        if asked.path == "/api/2.0/workspace/get-status":
            path = asked.query["path"]
            if path not in self.folders:
                raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"Path ({path}) doesn't exist.")
            return said_json({"object_type": "DIRECTORY", "path": path, "object_id": 42})
        return None

    def get_by_name(self, name: str) -> dict[str, Any]:
        """Find an experiment; only its one spelling is understood."""
        _must_be_absolute(name)
        for experiment in self.experiments.values():
            if experiment["name"] == name:
                return experiment
        raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"Node {name} does not exist.")

    def get(self, number: str) -> dict[str, Any]:
        """Find an experiment by its number."""
        if number not in self.experiments:
            raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"Node ID {number} does not exist.")
        return self.experiments[number]

    def search(self, body: dict[str, Any]) -> dict[str, Any]:
        """Give a page of the experiments that are not deleted."""
        found = [each for each in self.experiments.values() if each["lifecycle_stage"] == "active"]
        start, size = int(body.get("page_token") or 0), int(body.get("max_results") or 1000)
        page: dict[str, Any] = {"experiments": found[start : start + size]} if found else {}
        return {**page, "next_page_token": str(start + size)} if len(found) > start + size else page

    def create(self, body: dict[str, Any]) -> dict[str, Any]:
        """Create an experiment; unlike ``get-by-name`` this tidies the path."""
        _must_be_absolute(body["name"])
        name = re.sub("^/Workspace(?=/)", "", re.sub("/+", "/", body["name"]))
        parent, _, leaf = name.rpartition("/")
        if (parent or "/") not in self.folders:
            raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"Parent directory {parent} does not exist.")
        taken = {experiment["name"] for experiment in self.experiments.values()}
        if name in taken | self.notebooks | self.folders:
            raise Refusal(400, "RESOURCE_ALREADY_EXISTS", f"Node named '{leaf}' already exists")
        number = str(next(self._numbers))
        place = body.get("artifact_location") or f"{self.root}/{number}"
        self.experiments[number] = {
            "experiment_id": number,
            "name": name,
            "artifact_location": place,
            "lifecycle_stage": "active",
            "last_update_time": 1773500966000,
            "creation_time": 1773500966000,
            "tags": [{"key": "mlflow.ownerEmail", "value": USER}, *body.get("tags", [])],
        }
        return self.experiments[number]


def _must_be_absolute(name: str) -> None:
    if not name.startswith("/"):
        raise Refusal(
            400,
            "INVALID_PARAMETER_VALUE",
            f"Got an invalid experiment name '{name}'. An experiment name must be an absolute path within "
            "the Databricks workspace, e.g. '/Users/<some-username>/my-experiment'.",
        )
