"""The stand-in as a whole: a threaded server on a loopback port, with knobs for what goes wrong."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from urllib.parse import parse_qsl, unquote, urlsplit

from typing_extensions import Self

from databricks_standin.files import Files
from databricks_standin.folders import Folders
from databricks_standin.runs import Runs
from databricks_standin.stores import ROOTS, S3, STORES, TRACKING, Stores
from databricks_standin.tokens import WORKSPACE_ID, Tokens
from databricks_standin.wire import Asked, Refusal, Said


@dataclass(slots=True)
class Knob:
    """So many answers that go wrong for paths that end so."""

    ending: str
    said: Said
    times: int = 1


class Workspace:
    """A workspace; a context manager.

    Args:
        place: where artifacts are: the kind of object store behind it, or another of ``PLACES``.
    """

    def __init__(self, place: str = S3) -> None:
        self.tokens = Tokens()
        self.folders = Folders(ROOTS.get(place, TRACKING))
        self.stores = Stores(place if place in STORES else S3)
        self.runs = Runs(self.folders)
        self.files = Files(self.runs, self.stores)
        self.asked: list[Asked] = []
        self.knobs: list[Knob] = []
        self._lock = threading.RLock()
        self._server = _server(self)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def rate_limit(self, ending: str, *, times: int = 1, seconds: str = "0") -> None:
        """Answer so many calls with 429."""
        text = "REQUEST_LIMIT_EXCEEDED: Exceeded workspace rate limit"
        self.spoil(
            ending, 429, {"error_code": "REQUEST_LIMIT_EXCEEDED", "message": text}, seconds, times=times
        )

    def spoil(self, ending: str, status: int, body: object, wait: str = "", *, times: int = 1) -> None:
        """Answer so many calls with something else; a text is sent as it is."""
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        headers = {"Retry-After": wait} if wait else {}
        self.knobs.append(Knob(ending, Said(status, content, headers), times))

    def calls(self, ending: str) -> list[Asked]:
        """Give the requests whose path ends so."""
        return [asked for asked in self.asked if asked.path.endswith(ending)]

    def answer(self, asked: Asked) -> Said:
        """Answer a request, as fast as memory."""
        with self._lock:
            self.asked.append(asked)
            try:
                return self._spoilt(asked) or self._answer(asked)
            except Refusal as refusal:
                return refusal.said()
            except (KeyError, ValueError, TypeError) as error:
                return Refusal(400, "MALFORMED_REQUEST", f"missing or wrong: {error!r}").said()

    def _spoilt(self, asked: Asked) -> Said | None:
        for knob in self.knobs:
            if knob.times and asked.path.endswith(knob.ending):
                knob.times -= 1
                return knob.said
        return None

    def _answer(self, asked: Asked) -> Said:
        if asked.path.startswith("/_store/"):
            return self.stores.answer(asked)
        said = self.tokens.answer(asked)
        if said is None:
            self.tokens.check(asked)
            if asked.headers.get("x-databricks-org-id", WORKSPACE_ID) != WORKSPACE_ID:
                raise Refusal(400, "INVALID_PARAMETER_VALUE", "this is another workspace")
            said = self.folders.answer(asked) or self.runs.answer(asked) or self.files.answer(asked)
        if said is None:
            raise Refusal(404, "ENDPOINT_NOT_FOUND", f"No API found for '{asked.method} {asked.path}'")
        return said


def _server(workspace: Workspace) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = 60

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is inherited
            del format, args

        def _serve(self) -> None:
            address = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            chunked = "chunked" in headers.get("transfer-encoding", "")
            body = self._chunks() if chunked else self.rfile.read(int(headers.get("content-length", 0)))
            said = workspace.answer(
                Asked(
                    method=self.command,
                    path=unquote(address.path),
                    query=dict(parse_qsl(address.query, keep_blank_values=True)),
                    headers=headers,
                    body=body,
                    chunked=chunked,
                )
            )
            self.send_response(said.status)
            for name, value in {"x-request-id": "req-1", "Server": "databricks", **said.headers}.items():
                self.send_header(name, value)
            if said.status != 204:
                self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(said.body)

        def _chunks(self) -> bytes:
            whole = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                whole += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return whole

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve  # noqa: N815  # names of http.server

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    return server
