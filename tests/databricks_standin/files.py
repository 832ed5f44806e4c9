"""Files of runs: signed places, uploads in parts, volumes, the old file system, and the listing."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from databricks_standin.runs import Run, Runs
from databricks_standin.stores import S3, TRACKING, Stores
from databricks_standin.wire import Asked, Refusal, Said, said_json

MOST_PATHS = 2000
PAGE = 3
"""Entries of a page: small, so that every client has to turn it."""
HERE = "mlflow/artifacts"


def root_of(run: Run) -> str:
    """Give what the names of a run's objects begin with, whatever keeps them."""
    uri: str = run.info["artifact_uri"]
    return uri.removeprefix(f"{TRACKING}/").removeprefix("dbfs:")


@dataclass(slots=True)
class Files:
    """The way from a run to its files."""

    runs: Runs
    stores: Stores
    volumes: dict[str, bytes] = field(default_factory=dict)
    dbfs: dict[str, bytes] = field(default_factory=dict)
    completed: list[str] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def answer(self, asked: Asked) -> Said | None:
        """Answer what belongs to files."""
        if asked.path.startswith("/api/2.0/fs/"):
            return self._volume(asked)
        if asked.path.startswith("/dbfs/"):
            return self._old(asked)
        calls: dict[tuple[str, str], Callable[[Asked], Said]] = {
            ("GET", "dbfs/list"): self._list_old,
            ("GET", "dbfs/get-status"): self._status_old,
            ("POST", f"{HERE}/credentials-for-write"): lambda a: self._credentials(a, "PUT"),
            ("POST", f"{HERE}/credentials-for-read"): lambda a: self._credentials(a, "GET"),
            ("GET", f"{HERE}/list"): self._list,
            ("POST", f"{HERE}/create-multipart-upload"): self._begin,
            ("GET", f"{HERE}/get-presigned-upload-part-url"): self._part,
            ("POST", f"{HERE}/complete-multipart-upload"): self._complete,
        }
        call = calls.get((asked.method, asked.path.removeprefix("/api/2.0/")))
        return call(asked) if call else None

    def _part(self, asked: Asked) -> Said:
        key = self._key(asked.query["run_id"], asked.query["path"])
        upload, part = asked.query["upload_id"], int(asked.query["part_number"])
        info = self.stores.sign(asked.origin, "PUT", key, upload=upload, part=part)
        return said_json({"upload_credential_info": info})

    def _key(self, run_id: str, path: str) -> str:
        run = self.runs._run(run_id)  # the stand-in is one thing in several files
        uri = run.info["artifact_uri"]
        if not uri.startswith(f"{TRACKING}/"):
            raise Refusal(400, "INVALID_PARAMETER_VALUE", f"{uri} is not kept by the workspace")
        if not path or path.startswith("/") or ".." in path.split("/"):
            raise Refusal(400, "INVALID_PARAMETER_VALUE", f"Invalid path {path}")
        return f"{root_of(run)}/{path}"

    def _credentials(self, asked: Asked, method: str) -> Said:
        body = asked.json
        paths = body["path"]
        if not isinstance(paths, list) or len(paths) > MOST_PATHS:
            raise Refusal(400, "INVALID_PARAMETER_VALUE", f"path must be a list of at most {MOST_PATHS}")
        start = int(body.get("page_token") or 0)
        infos = [
            {
                "run_id": body["run_id"],
                "path": path,
                **self.stores.sign(asked.origin, method, self._key(body["run_id"], path)),
            }
            for path in paths[start : start + PAGE]
        ]
        page: dict[str, Any] = {"credential_infos": infos}
        if len(paths) > start + PAGE:
            page["next_page_token"] = str(start + PAGE)
        return said_json(page)

    def _list(self, asked: Asked) -> Said:
        run = self.runs._run(asked.query["run_id"])
        root = root_of(run)
        path = asked.query.get("path", "")
        prefix = f"{root}/{path}/" if path else f"{root}/"
        sizes = self.stores.objects
        if path and f"{root}/{path}" in sizes:
            return said_json(
                {"files": [{"path": path, "is_dir": False, "file_size": len(sizes[f"{root}/{path}"])}]}
            )
        names = sorted({key[len(prefix) :].split("/")[0] for key in sizes if key.startswith(prefix)})
        entries = []
        for name in names:
            key = prefix + name
            entry: dict[str, Any] = {"path": key[len(root) + 1 :], "is_dir": key not in sizes}
            if key in sizes:
                entry["file_size"] = str(len(sizes[key]))
            entries.append(entry)
        start = int(asked.query.get("page_token") or 0)
        page: dict[str, Any] = {"root_uri": run.info["artifact_uri"], "files": entries[start : start + PAGE]}
        if len(entries) > start + PAGE:
            page["next_page_token"] = str(start + PAGE)
        return said_json(page)

    def _begin(self, asked: Asked) -> Said:
        body = asked.json
        if self.stores.kind != S3:
            raise Refusal(400, "INVALID_PARAMETER_VALUE", "multipart upload is not supported for this store")
        key, upload = self._key(body["run_id"], body["path"]), f"upload-{next(self._numbers)}"
        self.stores.uploads[upload] = {}
        infos = [
            self.stores.sign(asked.origin, "PUT", key, upload=upload, part=part)
            for part in range(1, body["num_parts"] + 1)
        ]
        abort = self.stores.sign(asked.origin, "DELETE", key, upload=upload)
        return said_json(
            {"upload_id": upload, "upload_credential_infos": infos, "abort_credential_info": abort}
        )

    def _complete(self, asked: Asked) -> Said:
        body = asked.json
        parts = self.stores.uploads.get(body["upload_id"])
        if parts is None:
            raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"upload {body['upload_id']} does not exist")
        for part in body["part_etags"]:
            tag = hashlib.md5(parts.get(part["part_number"], b"?"), usedforsecurity=False).hexdigest()
            if part["etag"] != f'"{tag}"':
                raise Refusal(400, "INVALID_PARAMETER_VALUE", "One or more of the specified parts is wrong")
        whole = b"".join(parts[part["part_number"]] for part in body["part_etags"])
        self.stores.objects[self._key(body["run_id"], body["path"])] = whole
        del self.stores.uploads[body["upload_id"]]
        self.completed.append(body["upload_id"])
        return said_json({})

    def _volume(self, asked: Asked) -> Said | None:
        kind, _, rest = asked.path.removeprefix("/api/2.0/fs/").partition("/")
        path = "/" + rest
        if path.startswith("/WorkspaceInternal/"):
            raise Refusal(403, "PERMISSION_DENIED", "this way to the store is closed here")
        if kind == "directories" and asked.method == "HEAD":
            folder = path.rstrip("/") + "/"
            return Said(200 if any(each.startswith(folder) for each in self.volumes) else 404)
        if kind == "directories" and asked.method == "GET":
            return said_json(self._folder(self.volumes, path, "contents", "is_directory", asked.query))
        if kind == "directories" and asked.method == "PUT":
            return Said(204)
        if kind != "files":
            return None
        if asked.method == "PUT":
            if path in self.volumes and asked.query.get("overwrite") != "true":
                raise Refusal(409, "ALREADY_EXISTS", "The file being created already exists.")
            if path.count("/") < 5:
                raise Refusal(400, "INVALID_PARAMETER_VALUE", "a path has catalog, schema, volume and a name")
            self.volumes[path] = asked.body
            return Said(204)
        if path not in self.volumes:
            raise Refusal(404, "NOT_FOUND", "The file being accessed is not found.")
        return Said(200, b"" if asked.method == "HEAD" else self.volumes[path])

    def _old(self, asked: Asked) -> Said | None:
        path = unquote(asked.path.removeprefix("/dbfs"))
        if asked.method == "POST":
            self.dbfs[path] = asked.body
            return said_json({})
        if path not in self.dbfs:
            raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"No file or directory exists on path {path}.")
        return Said(200, self.dbfs[path])

    def _list_old(self, asked: Asked) -> Said:
        status = self._status_of(asked.query["path"])
        if not status["is_dir"]:
            return said_json({"files": [status]})
        return said_json(self._folder(self.dbfs, status["path"], "files", "is_dir"))

    def _status_old(self, asked: Asked) -> Said:
        return said_json(self._status_of(asked.query["path"]))

    def _status_of(self, path: str) -> dict[str, Any]:
        path = path.rstrip("/")
        is_folder = any(each.startswith(f"{path}/") for each in self.dbfs)
        if not is_folder and path not in self.dbfs:
            raise Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"No file or directory exists on path {path}.")
        return {"path": path, "is_dir": is_folder, "file_size": len(self.dbfs.get(path, b""))}

    def _folder(
        self, files: dict[str, bytes], path: str, name: str, flag: str, query: Any = None
    ) -> dict[str, Any]:
        prefix = path.rstrip("/") + "/"
        names = sorted({key[len(prefix) :].split("/")[0] for key in files if key.startswith(prefix)})
        if not names:
            raise Refusal(404, "NOT_FOUND", f"The directory {path} is not found.")
        entries = [
            {
                "path": prefix + each,
                flag: prefix + each not in files,
                "file_size": len(files.get(prefix + each, b"")),
            }
            for each in names
        ]
        if query is None:
            return {name: entries}
        start = int(query.get("page_token") or 0)
        more = {"next_page_token": str(start + PAGE)} if len(entries) > start + PAGE else {}
        return {name: entries[start : start + PAGE], **more}
