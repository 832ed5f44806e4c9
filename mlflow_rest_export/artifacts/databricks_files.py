"""Artifacts in folders of a Databricks workspace: volumes of Unity Catalog, and the old file system."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

from mlflow_rest_export.artifacts.databricks import path_of
from mlflow_rest_export.artifacts.route import RouteUnavailable
from mlflow_rest_export.content import Content
from mlflow_rest_export.errors import ApiError, NotMlflow
from mlflow_rest_export.network.call import Call
from mlflow_rest_export.tracking import replies
from mlflow_rest_export.tracking.protocol import StoredRun
from mlflow_rest_export.tracking.rest import RestTracking

LARGEST = 5 * 1024**3
"""Bytes that the Files API takes in one PUT."""


class _Entry(replies.Reply):
    """One entry of a folder; ``/api/2.0/dbfs/list`` says ``is_dir`` where the Files API says otherwise."""

    path: str
    is_directory: bool = False
    is_dir: bool = False
    file_size: int = 0


class _Folder(replies.Reply):
    """One page of a folder."""

    contents: tuple[_Entry, ...] = ()
    files: tuple[_Entry, ...] = ()
    next_page_token: str = ""


class _FolderRoute:
    """What both have in common: a path for each file, under the credentials of the workspace."""

    list_at: str
    path_in_url = False

    def __init__(self, tracking: RestTracking) -> None:
        self._tracking = tracking
        self._base_url = tracking.target.base_url
        self._transport = tracking.transport

    def listing(self, run: StoredRun) -> dict[str, int | None]:
        """Give every file of the run with its size; a folder that is not there has none."""
        root = path_of(run.artifact_uri).rstrip("/")
        files: dict[str, int | None] = {}
        folders = [root]
        while folders:
            for entry in self._entries(folders.pop(), run):
                path = "/" + entry.path.removeprefix("dbfs:").strip("/")
                if entry.is_directory or entry.is_dir:
                    folders.append(path)
                else:
                    files[path[len(root) + 1 :]] = entry.file_size
        return files

    def _entries(self, folder: str, run: StoredRun) -> Iterator[_Entry]:
        doing = f"listing the artifacts of run {run.run_id}"
        url = f"{self._base_url}{self.list_at}"
        query = [] if self.path_in_url else [("path", folder)]
        if self.path_in_url:
            url += quote(folder, safe="/")
        token: list[tuple[str, str]] = []
        while True:
            call = Call(method="GET", url=url, query=(*query, *token), doing=doing)
            try:
                page = replies.parse(_Folder, self._transport.send_for_json(call), doing=doing)
            except ApiError as error:
                if error.status == 404:
                    return
                raise
            yield from (*page.contents, *page.files)
            if not page.next_page_token:
                return
            if token == [("page_token", page.next_page_token)]:
                raise NotMlflow(f"{doing}: the workspace gives one page for ever", status=200)
            token = [("page_token", page.next_page_token)]

    def _put(
        self,
        method: str,
        url: str,
        run: StoredRun,
        path: str,
        content: Content,
        query: tuple[tuple[str, str], ...],
    ) -> None:
        call = Call(
            method=method,
            url=url,
            query=query,
            doing=f"uploading {path} to run {run.run_id}",
            headers={"Content-Type": "application/octet-stream"},
            content=content,
        )
        self._transport.send(call)

    def _get(self, url: str, run: StoredRun, path: str) -> Iterator[bytes]:
        call = Call(method="GET", url=url, doing=f"reading {path} of run {run.run_id}")
        try:
            yield from self._transport.stream(call)
        except ApiError as error:
            if error.status == 404:
                error.code = "RESOURCE_DOES_NOT_EXIST"  # whatever this service calls it
            raise


class VolumesRoute(_FolderRoute):
    """Volumes of Unity Catalog by the Files API: one PUT a file, folders come by themselves."""

    list_at = "/api/2.0/fs/directories"
    path_in_url = True

    def takes(self, artifact_uri: str) -> bool:
        """Say whether the artifacts are in a volume."""
        return path_of(artifact_uri).startswith("/Volumes/")

    def upload(self, run: StoredRun, path: str, content: Content) -> None:
        """Send one file, over whatever is there."""
        if content.size > LARGEST:
            raise RouteUnavailable("one PUT holds 5 GiB at most", for_all_files=False)
        self._put("PUT", self._url(run, path), run, path, content, (("overwrite", "true"),))

    def read(self, run: StoredRun, path: str) -> Iterator[bytes]:
        """Give one file."""
        return self._get(self._url(run, path), run, path)

    def _url(self, run: StoredRun, path: str) -> str:
        place = f"{path_of(run.artifact_uri).rstrip('/')}/{path}"
        return f"{self._base_url}/api/2.0/fs/files{quote(place, safe='/')}"


class DbfsRoute(_FolderRoute):
    """The old file system: a raw POST for each file."""

    list_at = "/api/2.0/dbfs/list"

    def takes(self, artifact_uri: str) -> bool:
        """Say whether the artifacts are there, and in no volume and no store with signed places."""
        path = path_of(artifact_uri)
        return bool(path) and not path.startswith(("/Volumes/", "/databricks/mlflow-tracking/"))

    def upload(self, run: StoredRun, path: str, content: Content) -> None:
        """Send one file, over whatever is there."""
        self._put("POST", self._url(run, path), run, path, content, ())

    def read(self, run: StoredRun, path: str) -> Iterator[bytes]:
        """Give one file."""
        return self._get(self._url(run, path), run, path)

    def _url(self, run: StoredRun, path: str) -> str:
        place = f"{path_of(run.artifact_uri).rstrip('/')}/{path}"
        return f"{self._base_url}/dbfs{quote(place, safe='/')}"
