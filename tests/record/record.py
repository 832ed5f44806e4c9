"""Record fixtures/oss/<version>/*.yaml from a real server: ``record.py VERSION PYTHON [CASE...]``.

``nox -s record`` does so for every version. Every case of ``client_contract`` runs against a server of its
own through the recording proxy. What differs from one recording to the next (addresses, run ids, times) is
replaced by placeholders in the order in which it appears, so that recording again changes nothing unless the
server or the client did.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import yaml
from client_contract import CASES, client_of
from exchanges import as_body
from fault_proxy import FaultProxy
from faults import Seen
from mlflow_server import MlflowServer

FIXTURES = Path(__file__).parents[2] / "fixtures/oss"
KEPT_HEADERS = {"content-type", "retry-after", "www-authenticate", "location"}
RUN_ID = re.compile(r"(?<![0-9a-zA-Z])(?!f{32})[0-9a-f]{32}(?![0-9a-zA-Z])")
MILLISECONDS = re.compile(r"(?<![0-9a-zA-Z])1[0-9]{12}(?![0-9a-zA-Z])")
FIRST_TIME = 1_700_000_000_000


class Scrubber:
    """Replaces what is different at each recording; the same thing by the same placeholder."""

    def __init__(self, address: str, folder: str, begun: int) -> None:
        self._address = address
        self._folder = folder
        self._begun = begun
        self._ids: dict[str, str] = {}
        self._times: dict[str, str] = {}

    def text(self, text: str) -> str:
        """Give ``text`` with placeholders."""
        text = text.replace(self._address, "mlflow.test").replace(self._folder, "/server")
        text = RUN_ID.sub(lambda found: self._id(found.group()), text)
        return MILLISECONDS.sub(lambda found: self._time(found.group()), text)

    def bytes(self, content: bytes) -> bytes:
        """The same for bytes; what is no text stays."""
        try:
            return self.text(content.decode()).encode()
        except UnicodeDecodeError:
            return content

    def _id(self, found: str) -> str:
        return self._ids.setdefault(found, f"{len(self._ids) + 1:032x}")

    def _time(self, found: str) -> str:
        if not self._begun <= int(found) <= time.time() * 1000:  # one of the case's own
            return found
        return self._times.setdefault(found, str(FIRST_TIME + len(self._times)))


def exchange(seen: Seen, scrub: Scrubber) -> dict[str, object]:
    """Give one exchange in the form of ``exchanges.Exchange``."""
    parts = urlsplit(scrub.text(seen.target))
    query: dict[str, object] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        earlier = query.get(name)
        query[name] = (
            value if earlier is None else [*earlier, value] if isinstance(earlier, list) else [earlier, value]
        )
    sent_type, got_type = (headers.get("content-type", "") for headers in (seen.headers, seen.answer_headers))
    headers = {
        name.title(): scrub.text(value) for name, value in seen.answer_headers.items() if name in KEPT_HEADERS
    }
    return {
        "request": {
            "method": seen.method,
            "path": parts.path,
            **({"query": query} if query else {}),
            **as_body(scrub.bytes(seen.body), content_type=sent_type, whole=False),
        },
        "response": {
            "status": seen.status,
            **({"headers": headers} if headers else {}),
            **as_body(scrub.bytes(seen.answer), content_type=got_type),
        },
    }


def record(server: MlflowServer, name: str) -> dict[str, object]:
    """Run a case through the proxy and give its recording."""
    begun = int(time.time() * 1000)
    with FaultProxy(server.port, record=True) as proxy:
        CASES[name](client_of(proxy.url), name.replace("_", " "))
        scrub = Scrubber(f"127.0.0.1:{proxy.port}", str(server.folder), begun)
        exchanges = [exchange(seen, scrub) for seen in proxy.seen]
    return {
        "about": name.replace("_", " "),
        "recorded": f"mlflow {server.version}",
        "exchanges": exchanges,
    }


def main() -> None:
    """Record every case, or those that are named, against one server."""
    version, python, *names = sys.argv[1:]
    place = FIXTURES / version
    place.mkdir(parents=True, exist_ok=True)
    for name in names or CASES:
        with tempfile.TemporaryDirectory() as folder:
            server = MlflowServer(version, Path(python), Path(folder).resolve())
            try:
                recording = record(server.start(), name)
            finally:
                server.stop()
        text = yaml.safe_dump(
            json.loads(json.dumps(recording)), sort_keys=False, allow_unicode=True, width=120
        )
        (place / f"{name}.yaml").write_text(text, encoding="utf-8")
        print(f"{version} {name}: {len(recording['exchanges'])} exchanges")  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
