from __future__ import annotations

import hashlib
import http.server
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from fault_proxy import FaultProxy
from faults import FAULTS

STALLS = {"stall_before", "stall_after"}


class Handler(http.server.BaseHTTPRequestHandler):
    """Keeps count of its requests and says what it got."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.answer(b"")

    def do_PUT(self) -> None:
        left = int(self.headers["Content-Length"])
        digest = hashlib.sha256()
        while left:
            piece = self.rfile.read(min(left, 1 << 16))
            digest.update(piece)
            left -= len(piece)
        self.answer(digest.hexdigest().encode())

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            content = b""
            while size := int(self.rfile.readline(), 16):
                content += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            self.answer(content)
        else:
            self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def answer(self, content: bytes) -> None:
        self.server.paths.append(self.path)  # type: ignore[attr-defined]
        body = json.dumps({"path": self.path, "content": content.decode()}).encode()
        self.send_response(200)
        if self.path.startswith("/chunked"):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
            return
        if self.path.startswith("/until-closed"):
            self.close_connection = True
        elif self.path.startswith("/close"):
            self.send_header("Connection", "close")
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name of the inherited one
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 64
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.paths: list[str] = []


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultProxy]:
    with FaultProxy(server.server_address[1], record=True) as proxy:
        yield proxy


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def test_without_a_rule_everything_passes_on_one_connection(
    proxy: FaultProxy, session: requests.Session
) -> None:
    answers = [session.post(f"{proxy.url}/a?n={n}", data=f"body {n}", timeout=5).json() for n in range(5)]

    assert [{"path": f"/a?n={n}", "content": f"body {n}"} for n in range(5)] == answers
    assert [(n + 1, "POST", f"/a?n={n}", f"body {n}".encode(), 200) for n in range(5)] == [
        (seen.number, seen.method, seen.target, seen.body, seen.status) for seen in proxy.seen
    ]
    assert answers == [json.loads(seen.answer) for seen in proxy.seen]
    assert len(session.adapters["http://"].poolmanager.pools) == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["/chunked", "/close", "/until-closed"])
def test_every_framing_of_an_answer_passes(proxy: FaultProxy, session: requests.Session, path: str) -> None:
    answers = [session.get(proxy.url + path, timeout=5).json()["path"] for _ in range(3)]

    assert [path] * 3 == answers
    assert [path] * 3 == [json.loads(seen.answer)["path"] for seen in proxy.seen]


def test_a_chunked_request_passes(proxy: FaultProxy, session: requests.Session) -> None:
    answer = session.post(f"{proxy.url}/a", data=iter([b"one ", b"two"]), timeout=5)

    assert answer.json()["content"] == "one two"
    assert proxy.seen[0].body == b"one two"


def test_a_large_upload_passes_unchanged(server: Server, session: requests.Session) -> None:
    content = bytes(range(256)) * (1 << 16)

    with FaultProxy(server.server_address[1]) as proxy:
        answer = session.put(f"{proxy.url}/big", data=content, timeout=20)

        assert answer.json()["content"] == hashlib.sha256(content).hexdigest()
        assert proxy.seen[0].body == b""  # nothing is kept unless asked for


def test_eight_connections_at_once_are_counted_and_carried_right(proxy: FaultProxy) -> None:
    def work(worker: int) -> list[str]:
        with requests.Session() as session:
            session.trust_env = False
            return [
                session.post(f"{proxy.url}/w", data=f"{worker}-{n}", timeout=20).json()["content"]
                for n in range(25)
            ]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(work, range(8)))

    assert [[f"{worker}-{n}" for n in range(25)] for worker in range(8)] == answers
    assert list(range(1, 201)) == [seen.number for seen in proxy.seen]


@pytest.mark.parametrize("name", sorted(FAULTS.keys() - STALLS))
def test_a_fault_hits_the_numbered_request_alone(
    proxy: FaultProxy, server: Server, session: requests.Session, name: str
) -> None:
    proxy.inject(FAULTS[name], number=2)
    url = f"{proxy.url}/x"

    session.post(url, data="1", timeout=5).raise_for_status()
    outcome: object
    try:
        answer = session.post(url, data="2", timeout=5)
        outcome = answer.json() if answer.ok else answer.status_code
    except requests.exceptions.JSONDecodeError:
        outcome = "no JSON"
    except requests.exceptions.RequestException as error:
        outcome = type(error).__name__
    session.post(url, data="3", timeout=5).raise_for_status()

    expected = {"reset": "ConnectionError", "cut": "ChunkedEncodingError", "half": "no JSON"}
    kind = name.split("_", maxsplit=1)[0]
    assert expected.get(kind, FAULTS[name].status) == outcome
    arrived = 3 if FAULTS[name].after else 2
    assert len(server.paths) == arrived
    assert [None, FAULTS[name], None] == [seen.fault for seen in proxy.seen]


@pytest.mark.parametrize("name", sorted(STALLS))
def test_a_stall_gives_no_answer_until_it_is_let_go(
    proxy: FaultProxy, server: Server, session: requests.Session, name: str
) -> None:
    proxy.inject(FAULTS[name], method="POST", path="^/x$")

    with pytest.raises(requests.exceptions.ReadTimeout):
        session.post(f"{proxy.url}/x", data="1", timeout=0.3)
    arrived = 1 if FAULTS[name].after else 0
    assert len(server.paths) == arrived

    proxy.forget()
    session.post(f"{proxy.url}/x", data="2", timeout=5).raise_for_status()
    assert [seen.number for seen in proxy.seen] == [1]


def test_closing_ends_stalled_requests_at_once(server: Server, session: requests.Session) -> None:
    with FaultProxy(server.server_address[1]) as proxy, ThreadPoolExecutor(1) as pool:
        proxy.inject(FAULTS["stall_before"])
        asked = pool.submit(session.post, f"{proxy.url}/x", data="1", timeout=60)
        while not proxy.seen:
            time.sleep(0.01)
        proxy.close()

        with pytest.raises(requests.exceptions.ConnectionError):
            asked.result(timeout=5)


def test_a_rule_may_hit_several_requests_of_a_kind(proxy: FaultProxy, session: requests.Session) -> None:
    proxy.inject(FAULTS["limit_429"], method="PUT", path="/artifacts/", times=2)

    asked = [("PUT", "/a"), ("PUT", "/artifacts/1"), ("POST", "/artifacts/1")]
    asked += [("PUT", "/artifacts/2"), ("PUT", "/artifacts/3")]
    statuses = [
        session.request(method, proxy.url + path, data="x", timeout=5).status_code for method, path in asked
    ]

    assert statuses == [200, 429, 200, 429, 200]


def test_a_fault_does_not_hang_on_a_body_it_cuts_off(proxy: FaultProxy, session: requests.Session) -> None:
    proxy.inject(FAULTS["error_500_before"])

    answer = session.put(f"{proxy.url}/big", data=b"x" * (8 << 20), timeout=10)

    assert answer.status_code == 500
    assert answer.json()["error_code"] == "INTERNAL_ERROR"


def test_searches_are_no_writes(proxy: FaultProxy, session: requests.Session) -> None:
    session.get(f"{proxy.url}/api/2.0/mlflow/experiments/get-by-name?experiment_name=x", timeout=5)
    session.post(f"{proxy.url}/api/2.0/mlflow/runs/search", json={}, timeout=5)
    session.post(f"{proxy.url}/api/2.0/mlflow/runs/create", json={}, timeout=5)
    session.put(f"{proxy.url}/api/2.0/mlflow-artifacts/artifacts/a", data="x", timeout=5)

    assert [seen.path for seen in proxy.writes] == [
        "/api/2.0/mlflow/runs/create",
        "/api/2.0/mlflow-artifacts/artifacts/a",
    ]


def test_hooks_see_a_request_before_and_after_its_effect(server: Server, session: requests.Session) -> None:
    heard: list[tuple[str, int, int]] = []
    with FaultProxy(
        server.server_address[1],
        before=lambda seen: heard.append(("before", seen.number, len(server.paths))),
        after=lambda seen: heard.append(("after", seen.number, len(server.paths))),
    ) as proxy:
        session.get(f"{proxy.url}/a", timeout=5)
        session.get(f"{proxy.url}/b", timeout=5)

    assert heard == [("before", 1, 0), ("after", 1, 1), ("before", 2, 1), ("after", 2, 2)]


def test_a_delay_is_paid_once_a_connection_and_once_a_request(
    server: Server, session: requests.Session
) -> None:
    waits: list[float] = []
    with FaultProxy(server.server_address[1], delay=0.05, sleep=waits.append) as proxy:
        for _ in range(4):
            session.get(f"{proxy.url}/a", timeout=5)

    assert waits == [0.05] * 5


def test_an_upstream_that_is_gone_closes_the_connection(session: requests.Session) -> None:
    with Server() as gone:
        port = gone.server_address[1]
    with FaultProxy(port) as proxy, pytest.raises(requests.exceptions.ConnectionError):
        session.get(f"{proxy.url}/a", timeout=5)


def test_a_connection_the_server_closed_while_idle_is_opened_anew(
    server: Server, session: requests.Session
) -> None:
    Handler.timeout = 0.1
    try:
        with FaultProxy(server.server_address[1]) as proxy:
            session.get(f"{proxy.url}/a", timeout=5).raise_for_status()
            time.sleep(0.3)
            session.post(f"{proxy.url}/b", data="x", timeout=5).raise_for_status()
    finally:
        Handler.timeout = None
    assert server.paths == ["/a", "/b"]
