"""Files on a disk that this machine may share with the server."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import responses
from cloud_clients import RUN_ID, client, run

from mlflow_rest_export.artifacts.route import RouteUnavailable
from mlflow_rest_export.artifacts.shared_disk import SharedDiskRoute
from mlflow_rest_export.content import BytesContent, FileContent
from mlflow_rest_export.errors import ApiError, SourceError
from mlflow_rest_export.tracking.protocol import StoredRun

OSS = "http://mlflow.test"
ABC = BytesContent(b"abc")


@pytest.fixture
def api() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock(assert_all_requests_are_fired=False) as api:
        yield api


@pytest.fixture
def route() -> SharedDiskRoute:
    return SharedDiskRoute(client(OSS))


def _run(root: Path, *, as_uri: bool = False) -> StoredRun:
    place = root / "7" / RUN_ID / "artifacts"
    return run(place.as_uri() if as_uri else str(place))


def _lists(api: responses.RequestsMock, *paths: str, status: int = 200) -> None:
    files = [{"path": path, "is_dir": False, "file_size": 3} for path in paths]
    api.add("GET", f"{OSS}/api/2.0/mlflow/artifacts/list", body=json.dumps({"files": files}), status=status)


@pytest.mark.parametrize("as_uri", [True, False])
def test_a_file_that_the_server_sees_stays(
    api: responses.RequestsMock, route: SharedDiskRoute, tmp_path: Path, *, as_uri: bool
) -> None:
    root = tmp_path / "a b%20é"
    _lists(api, "d/a.json")

    route.upload(_run(root, as_uri=as_uri), "d/a.json", ABC)

    assert (root / "7" / RUN_ID / "artifacts/d/a.json").read_bytes() == b"abc"
    assert b"".join(route.read(_run(root), "d/a.json")) == b"abc"


def test_the_server_is_asked_once_a_run(
    api: responses.RequestsMock, route: SharedDiskRoute, tmp_path: Path
) -> None:
    _lists(api, *(f"{number}.txt" for number in range(8)))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: route.upload(_run(tmp_path), f"{number}.txt", ABC), range(8)))

    assert len(api.calls) == 1
    assert len(list((tmp_path / "7" / RUN_ID / "artifacts").iterdir())) == 8


def test_what_the_server_does_not_see_is_taken_away_with_its_folders(
    api: responses.RequestsMock, route: SharedDiskRoute, tmp_path: Path
) -> None:
    _lists(api)

    with pytest.raises(RouteUnavailable, match="not the server's") as raised:
        route.upload(_run(tmp_path / "new"), "d/a.json", ABC)

    assert raised.value.for_all_files
    assert list(tmp_path.iterdir()) == []


def test_folders_that_were_there_stay(
    api: responses.RequestsMock, route: SharedDiskRoute, tmp_path: Path
) -> None:
    (tmp_path / "7").mkdir()
    _lists(api)

    with pytest.raises(RouteUnavailable):
        route.upload(_run(tmp_path), "a.json", ABC)

    assert [path.name for path in tmp_path.rglob("*")] == ["7"]


def test_when_the_server_cannot_be_asked_nothing_is_left_behind(
    api: responses.RequestsMock, route: SharedDiskRoute, tmp_path: Path
) -> None:
    _lists(api, status=403)

    with pytest.raises(ApiError):
        route.upload(_run(tmp_path / "new"), "a.json", ABC)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_closes_the_way(route: SharedDiskRoute, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)

    with pytest.raises(RouteUnavailable, match="cannot be written to"):
        route.upload(_run(tmp_path / "x"), "a.json", ABC)


def test_a_file_in_the_place_of_a_folder_closes_the_way(route: SharedDiskRoute, tmp_path: Path) -> None:
    (tmp_path / "7").write_text("no folder")

    with pytest.raises(RouteUnavailable, match="cannot be written to"):
        route.upload(_run(tmp_path), "a.json", ABC)


@pytest.mark.parametrize("uri", ["/etc", "file:///etc/somewhere/artifacts", "relative/0123456789abcdef/a"])
def test_a_server_names_no_folder_to_us_but_the_runs_own(route: SharedDiskRoute, uri: str) -> None:
    with pytest.raises(RouteUnavailable, match="is no absolute folder of this run"):
        route.upload(run(uri), "a.json", ABC)


def test_a_name_that_leads_out_of_the_folder_is_not_followed(route: SharedDiskRoute, tmp_path: Path) -> None:
    with pytest.raises(RouteUnavailable, match="leads out") as raised:
        route.upload(_run(tmp_path), "../../../../x", ABC)

    assert not raised.value.for_all_files


def test_half_a_file_is_never_seen(
    api: responses.RequestsMock, route: SharedDiskRoute, tmp_path: Path
) -> None:
    _lists(api, "a.json")
    short = tmp_path / "short"
    short.write_bytes(b"abc")

    with pytest.raises(SourceError, match="became shorter"):
        route.upload(_run(tmp_path / "root"), "a.json", FileContent(short, 10))

    assert [path for path in (tmp_path / "root").rglob("*") if path.is_file()] == []


def test_two_writers_of_one_file_do_not_clash(
    api: responses.RequestsMock, route: SharedDiskRoute, tmp_path: Path
) -> None:
    _lists(api, "a.bin")
    route.upload(_run(tmp_path), "a.bin", ABC)
    sources = []
    for letter in b"ab":
        source = tmp_path / f"source-{letter}"
        source.write_bytes(bytes([letter]) * 3_000_000)
        sources.append(FileContent(source, 3_000_000))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: route.upload(_run(tmp_path), "a.bin", content), sources * 8))

    stored = (tmp_path / "7" / RUN_ID / "artifacts/a.bin").read_bytes()
    assert (len(stored), len(set(stored))) == (3_000_000, 1)
    assert [path.name for path in (tmp_path / "7" / RUN_ID).iterdir()] == ["artifacts"]


def test_a_name_as_long_as_the_disk_allows_is_stored(
    api: responses.RequestsMock, route: SharedDiskRoute, tmp_path: Path
) -> None:
    name = "中" * 85
    _lists(api, name)

    route.upload(_run(tmp_path), name, ABC)

    assert (tmp_path / "7" / RUN_ID / "artifacts" / name).read_bytes() == b"abc"


def test_a_name_that_is_too_long_for_the_disk_closes_the_way_for_itself(
    route: SharedDiskRoute, tmp_path: Path
) -> None:
    with pytest.raises(RouteUnavailable, match="too long") as raised:
        route.upload(_run(tmp_path), "中" * 86, ABC)

    assert not raised.value.for_all_files


def test_reading_what_is_not_here_closes_the_way(route: SharedDiskRoute, tmp_path: Path) -> None:
    with pytest.raises(RouteUnavailable, match="no such file"):
        list(route.read(_run(tmp_path), "a.json"))


@pytest.mark.parametrize(
    ("uri", "takes"),
    [
        ("/a/b", True),
        ("file:///a", True),
        ("file://localhost/a", True),
        ("file://host/a", False),
        ("s3://b", False),
    ],
)
def test_only_folders_are_taken(route: SharedDiskRoute, uri: str, *, takes: bool) -> None:
    assert route.takes(uri) is takes
