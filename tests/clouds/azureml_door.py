"""What stands before an Azure ML workspace: login, its own addresses, artifacts as signed blobs of azurite.

Follows azureml-mlflow 1.62 and lightly issue 256: a path can be announced once.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from front_door import Asked, Said, handed_on

WORKSPACE = "/subscriptions/s-1/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"
SCOPE = "https://management.azure.com/.default"
SAS_VERSION = "2021-12-02"
_RUN = re.compile(r"/experiments/([^/]+)/runs/([^/]+)/artifacts(/batch/metadata|/contentinfo)$")
_WRITE = re.compile(rf"/artifact/v2\.0{WORKSPACE}/artifacts/ExperimentRun/dcid\.([^/]+)/write$")


@dataclass(slots=True)
class AzureMlDoor:
    """The guard of one workspace, and of the login service.

    Args:
        server: port of the MLflow server behind it.
        blob_url: azurite, or a proxy before it, with the account's name.
        account_key: of that account.
        container: where artifacts go.
        secret: of the service principal ``app-1``.
        writes_again: whether the address that ``contentinfo`` gives may be written to.
    """

    server: int
    blob_url: str
    account_key: str
    container: str
    secret: str = "canary-secret"
    writes_again: bool = True
    url: str = ""
    logins: int = 0
    revoked: int = 0
    """Logins whose tokens are no longer taken."""
    announced: dict[str, set[str]] = field(default_factory=dict)
    """Run id -> paths."""

    def _tokens(self) -> list[str]:
        return [f"eyJcanary.login.{number}" for number in range(self.revoked + 1, self.logins + 1)]

    def __call__(self, asked: Asked) -> Said:
        if asked.path == "/tenant-1/oauth2/v2.0/token":
            return self._login(asked)
        if asked.headers.get("authorization") not in [f"Bearer {token}" for token in self._tokens()]:
            return Said.json(401, {"error": {"code": "UserError", "message": "token expired"}})
        if asked.path.startswith((f"/history/v1.0{WORKSPACE}/", f"/artifact/v2.0{WORKSPACE}/")):
            return self._artifacts(asked)
        prefix = f"/mlflow/v2.0{WORKSPACE}"
        if not asked.target.startswith(f"{prefix}/api/2.0/mlflow/"):
            return Said.json(404, {"error": {"code": "UserError", "message": "no such address"}})
        if asked.path.endswith("/artifacts/list"):
            return self._listing(asked)
        asked.target = asked.target.removeprefix(prefix)
        return self._with_own_uris(handed_on(asked, self.server))

    def _login(self, asked: Asked) -> Said:
        form = {name: values[0] for name, values in parse_qs(asked.body.decode()).items()}
        wanted = {"grant_type": "client_credentials", "client_id": "app-1", "client_secret": self.secret}
        if form != wanted | {"scope": SCOPE}:
            return Said.json(401, {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid"})
        self.logins += 1
        return Said.json(
            200, {"access_token": self._tokens()[-1], "expires_in": 3599, "token_type": "Bearer"}
        )

    def _artifacts(self, asked: Asked) -> Said:
        if writing := _WRITE.fullmatch(asked.path):
            return self._place(writing[1], parse_qs(asked.query)["path"][0], "rcw")
        found = _RUN.search(asked.path)
        if found is None:
            return Said.json(404, {"error": {"code": "UserError", "message": "no such address"}})
        known = self.announced.setdefault(found[2], set())
        if found[3] == "/contentinfo":
            path = parse_qs(asked.query)["path"][0]
            return self._place(found[2], path, "rcw" if self.writes_again else "r")
        answer: dict[str, dict[str, object]] = {"artifactContentInformation": {}, "errors": {}}
        for path in [entry["path"] for entry in json.loads(asked.body)["paths"]]:
            if path in known:
                text = f"Resource Conflict: ArtifactId ExperimentRun/dcid.{found[2]}/{path} already exists."
                answer["errors"][path] = {"error": {"code": "UserError", "message": text}}
            else:
                known.add(path)
                uri = self.signed(found[2], path, "rcw")
                answer["artifactContentInformation"][path] = {"contentUri": uri, "path": path}
        return Said.json(200, answer)

    def _place(self, run_id: str, path: str, permissions: str) -> Said:
        if path not in self.announced.get(run_id, ()):
            return Said.json(404, {"error": {"code": "UserError", "message": "Artifact not found"}})
        return Said.json(200, {"contentUri": self.signed(run_id, path, permissions)})

    def _listing(self, asked: Asked) -> Said:
        query = parse_qs(asked.query)
        folder = query.get("path", [""])[0]
        files: dict[str, bool] = {}
        for path in self.announced.get(query["run_id"][0], ()):
            if not folder or path.startswith(f"{folder}/"):
                rest = path[len(folder) + 1 if folder else 0 :]
                name = rest.split("/")[0]
                files[f"{folder}/{name}" if folder else name] = "/" in rest
        listed = [{"path": path, "is_dir": is_dir, "file_size": -1} for path, is_dir in sorted(files.items())]
        return Said.json(200, {"root_uri": "azureml://x", "files": listed})

    def _with_own_uris(self, said: Said) -> Said:
        """Put the workspace's artifact URIs in the place of the server's."""

        def own(found: re.Match[bytes]) -> bytes:
            run_id = found[1].decode()
            host = urlsplit(self.url).netloc
            uri = f"azureml://{host}/mlflow/v2.0{WORKSPACE}/experiments/my evals/runs/{run_id}/artifacts"
            return f'"artifact_uri": "{uri}"'.encode()

        said.body = re.sub(rb'"artifact_uri": "[^"]*/([0-9a-f]{32})/artifacts"', own, said.body)
        return said

    def signed(self, run_id: str, path: str, permissions: str) -> str:
        """Give the address of a blob with a signature that azurite checks."""
        account = urlsplit(self.blob_url).path.strip("/")
        name = f"{self.container}/ExperimentRun/dcid.{run_id}/{path}"
        expiry = (datetime.now(timezone.utc) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        fields = [permissions, "", expiry, f"/blob/{account}/{name}", "", "", "", SAS_VERSION, "b", *[""] * 7]
        digest = hmac.new(base64.b64decode(self.account_key), "\n".join(fields).encode(), hashlib.sha256)
        query = {
            "sv": SAS_VERSION,
            "se": expiry,
            "sr": "b",
            "sp": permissions,
            "sig": base64.b64encode(digest.digest()).decode(),
        }
        return f"{self.blob_url}/{quote(name)}?{urlencode(query)}"
