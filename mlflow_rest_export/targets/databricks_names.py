"""Names of experiments in a Databricks workspace: places in its tree of folders and notebooks."""

from __future__ import annotations

import re
import threading

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from mlflow_rest_export.errors import ApiError, NotMlflow, SettingsError
from mlflow_rest_export.network.call import Call
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.records import Adjustment

ME = "/api/2.0/preview/scim/v2/Me"
_STATUS = "/api/2.0/workspace/get-status"
_MKDIRS = "/api/2.0/workspace/mkdirs"


class _Me(BaseModel):
    """Answer of the current user's page."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    user_name: str = Field(alias="userName", min_length=1)


class FolderNames:
    """The rules of Databricks: a name is an absolute path, and its folder must be there.

    Args:
        base_url: of the workspace.
        create_parents: create a missing folder instead of raising an error.
    """

    def __init__(self, base_url: str, *, create_parents: bool) -> None:
        self._base_url = base_url
        self._create_parents = create_parents
        self._me = ""
        self._lock = threading.Lock()

    def resolve(self, name: str, transport: Transport) -> tuple[str, tuple[Adjustment, ...]]:
        """Give the absolute path in the one form that all calls understand, and what was changed.

        Raises:
            SettingsError: nothing of the name is left.
        """
        full = canonical(name)
        reason = "Databricks keeps an experiment at one place under one spelling"
        if not full.startswith("/"):
            full = f"/Users/{self._user(transport)}/{full}"
            reason = "Databricks wants an absolute path; this is the home folder of the current user"
        return full, () if full == name else (Adjustment("experiment name", name, full, reason),)

    def before_create(self, name: str, transport: Transport) -> None:
        """See to the folder of an experiment.

        Raises:
            SettingsError: it is not there, and nobody asked for its creation.
        """
        folder = name.rpartition("/")[0]
        if not folder:
            return
        doing = f"looking for the folder {folder}"
        if self._create_parents:
            making = f"creating the folder {folder}"
            transport.send(Call.posting(f"{self._base_url}{_MKDIRS}", {"path": folder}, doing=making))
            return
        try:
            transport.send(
                Call(method="GET", url=f"{self._base_url}{_STATUS}", doing=doing, query=(("path", folder),))
            )
        except ApiError as error:
            if error.not_found:
                raise SettingsError(
                    f"the folder {folder} of the experiment {name} is not in the workspace: give "
                    "--create-parents to have it created, or choose a name below /Users/YOU or /Shared"
                ) from None
            if not error.refused:
                raise

    def _user(self, transport: Transport) -> str:
        with self._lock:
            if not self._me:
                doing = "asking who the current user is"
                call = Call(method="GET", url=f"{self._base_url}{ME}", doing=doing)
                try:
                    self._me = _Me.model_validate(transport.send_for_json(call)).user_name
                except ValidationError:
                    raise NotMlflow(
                        f"{doing}: the answer names nobody; give the experiment an absolute name such as "
                        "/Shared/my-evaluations",
                        status=200,
                    ) from None
            return self._me


def canonical(name: str) -> str:
    """Write a path as ``get-by-name`` wants it: ``create`` strips more than it does (mlflow issue 11077).

    Raises:
        SettingsError: no name is left.
    """
    path = re.sub("/{2,}", "/", name.strip())
    path = re.sub(r"[/\s]+$", "", re.sub("^/Workspace(?=/|$)", "", path))
    if not path:
        raise SettingsError(f"the experiment name {name!r} names a folder of the workspace, no experiment")
    return path
