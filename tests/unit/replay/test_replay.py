from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
import yaml
from exchanges import BASE_URL, as_body, load
from pydantic import ValidationError
from replay import UnknownRequest, UnusedExchange, replay


def written(folder: Path, *exchanges: dict[str, object], **fields: object) -> Path:
    path = folder / "case.yaml"
    origin = fields or {"recorded": "mlflow 9.9.9"}
    path.write_text(yaml.safe_dump({"about": "a case", **origin, "exchanges": list(exchanges)}))
    return path


def exchange(method: str, path: str, answer: str = "ok", **asked: object) -> dict[str, object]:
    return {
        "request": {"method": method, "path": path, **asked},
        "response": {"status": 200, "headers": {"Content-Type": "text/plain"}, "text": answer},
    }


def test_an_answer_comes_back_as_it_was_recorded(tmp_path: Path) -> None:
    path = written(tmp_path, exchange("POST", "/a", json={"b": [1, "ü"]}, query={"q": ["1", "2"], "r": ""}))

    with replay(path):
        answer = requests.post(f"{BASE_URL}/a?q=1&q=2&r=", json={"b": [1, "ü"]}, timeout=1)

    assert (answer.status_code, answer.text, answer.headers["Content-Type"]) == (200, "ok", "text/plain")


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("PUT", "/a?q=1", b'{"b": 1}'),
        ("POST", "/b?q=1", b'{"b": 1}'),
        ("POST", "/a", b'{"b": 1}'),
        ("POST", "/a?q=1&r=2", b'{"b": 1}'),
        ("POST", "/a?q=1", b'{"b": 2}'),
        ("POST", "/a?q=1", b'{"b": 1, "c": 2}'),
        ("POST", "/a?q=1", b"no json"),
        ("POST", "/a?q=1", b""),
    ],
)
def test_a_request_that_differs_anywhere_is_unknown(
    tmp_path: Path, method: str, target: str, body: bytes
) -> None:
    path = written(tmp_path, exchange("POST", "/a", json={"b": 1}, query={"q": "1"}))

    with pytest.raises(UnknownRequest, match="was not recorded"), replay(path):
        requests.request(method, BASE_URL + target, data=body, timeout=1)


def test_an_exchange_nobody_asks_for_fails(tmp_path: Path) -> None:
    path = written(tmp_path, exchange("GET", "/a"), exchange("GET", "/b"))

    with pytest.raises(UnusedExchange, match=r"case\.yaml: nobody asked for GET http://mlflow\.test/b"):  # noqa: SIM117
        with replay(path):
            requests.get(f"{BASE_URL}/a", timeout=1)


def test_an_exchange_is_used_once(tmp_path: Path) -> None:
    path = written(tmp_path, exchange("GET", "/a"))

    with replay(path):
        requests.get(f"{BASE_URL}/a", timeout=1)
        with pytest.raises(UnknownRequest, match="nothing is left"):
            requests.get(f"{BASE_URL}/a", timeout=1)


def test_equal_requests_are_answered_in_the_order_of_the_recording(tmp_path: Path) -> None:
    path = written(tmp_path, exchange("GET", "/a", "first"), exchange("GET", "/a", "second"))

    with replay(path):
        answers = [requests.get(f"{BASE_URL}/a", timeout=1).text for _ in range(2)]

    assert answers == ["first", "second"]


def test_parallel_uploads_find_their_answers_in_any_order(tmp_path: Path) -> None:
    bodies = [f"{number}".encode() * 1000 for number in range(8)]
    exchanges = [
        exchange("PUT", f"/f{n}", str(n), **as_body(body, whole=False)) for n, body in enumerate(bodies)
    ]
    path = written(tmp_path, *exchanges)

    with replay(path), ThreadPoolExecutor(4) as workers:
        answers = workers.map(
            lambda n: requests.put(f"{BASE_URL}/f{n}", data=iter([bodies[n]]), timeout=1).text,
            reversed(range(8)),
        )

        assert list(answers) == list("76543210")


def test_an_escape_in_a_path_is_compared_as_it_is_sent(tmp_path: Path) -> None:
    path = written(tmp_path, exchange("PUT", "/a%2520b"))

    with pytest.raises(UnknownRequest), replay(path):
        requests.put(f"{BASE_URL}/a%20b", timeout=1)


def test_a_named_header_is_compared(tmp_path: Path) -> None:
    path = written(tmp_path, exchange("GET", "/a", headers={"Authorization": "Bearer canary"}))

    with pytest.raises(UnknownRequest, match="Authorization"), replay(path):
        requests.get(f"{BASE_URL}/a", timeout=1)


def test_an_absolute_url_may_lead_to_another_host(tmp_path: Path) -> None:
    url = "https://bucket.example.com/a?signature=x"
    answer = {"status": 200, "headers": {"ETag": '"1"'}}
    path = written(tmp_path, {"request": {"method": "PUT", "url": url, "text": "abc"}, "response": answer})

    with replay(path):
        assert requests.put(url, data=b"abc", timeout=1).headers["ETag"] == '"1"'


@pytest.mark.parametrize("origin", [{"recorded": ""}, {"recorded": "a", "documented": "b"}])
def test_a_fixture_says_where_it_comes_from(tmp_path: Path, origin: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="where it comes from"):
        load(written(tmp_path, exchange("GET", "/a"), **origin))


def test_a_misspelt_key_in_a_fixture_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="qury"):
        load(written(tmp_path, exchange("GET", "/a", qury={"a": "b"})))


def test_bytes_that_are_no_text_survive(tmp_path: Path) -> None:
    content = bytes(range(256))
    said: dict[str, object] = {"status": 200, **as_body(content)}
    path = written(tmp_path, {"request": {"method": "GET", "path": "/a"}, "response": said})

    with replay(path):
        assert requests.get(f"{BASE_URL}/a", timeout=1).content == content
