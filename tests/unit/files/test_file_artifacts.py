from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mlruns_stores import a_run, folder_of, store

from mlflow_rest_export.artifacts.files import FileArtifacts
from mlflow_rest_export.content import BytesContent, content_of
from mlflow_rest_export.errors import ApiError, SourceError, StoreError
from mlflow_rest_export.tracking.protocol import StoredRun


@pytest.fixture
def run(tmp_path: Path) -> StoredRun:
    return a_run(store(tmp_path / "mlruns"))


@pytest.fixture
def folder(tmp_path: Path, run: StoredRun) -> Path:
    return folder_of(store(tmp_path / "mlruns"), run)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("path", ["a.txt", "a/b c/d#e%20ü.txt", ".hidden", "..two dots"])
def test_a_file_is_stored_listed_and_read(run: StoredRun, folder: Path, path: str) -> None:
    artifacts = FileArtifacts()

    artifacts.upload(run, path, BytesContent(b"hello"))

    assert artifacts.listing(run) == {path: 5}
    assert b"".join(artifacts.read(run, path)) == b"hello"
    assert (folder / "artifacts" / path).read_bytes() == b"hello"
    assert names(folder) == ["artifacts", "meta.yaml", "metrics", "params", "tags"]


def test_a_file_replaces_the_one_before(run: StoredRun) -> None:
    artifacts = FileArtifacts()

    for text in (b"long before", b""):
        artifacts.upload(run, "f", BytesContent(text))

    assert artifacts.listing(run) == {"f": 0}
    assert list(artifacts.read(run, "f")) == []


def test_a_run_without_files_lists_none(run: StoredRun, folder: Path) -> None:
    (folder / "artifacts").rmdir()

    assert FileArtifacts().listing(run) == {}


@pytest.mark.parametrize("path", ["missing", "folder"])
def test_what_is_no_file_is_not_found(run: StoredRun, folder: Path, path: str) -> None:
    (folder / "artifacts/folder").mkdir()

    with pytest.raises(ApiError) as caught:
        list(FileArtifacts().read(run, path))

    assert caught.value.not_found


@pytest.mark.parametrize("path", ["", ".", "..", "../x", "/etc/x", "a//b", "a/../b"])
def test_a_path_that_leads_out_of_the_run_is_refused(run: StoredRun, path: str) -> None:
    with pytest.raises(StoreError, match="is no path of an artifact"):
        FileArtifacts().upload(run, path, BytesContent(b"x"))
    with pytest.raises(StoreError, match="is no path of an artifact"):
        list(FileArtifacts().read(run, path))


def test_a_file_in_the_place_of_a_folder_is_said(run: StoredRun) -> None:
    FileArtifacts().upload(run, "a", BytesContent(b"x"))

    with pytest.raises(StoreError, match=r"storing a/b in run .* move it away"):
        FileArtifacts().upload(run, "a/b", BytesContent(b"x"))


def test_a_folder_in_the_place_of_a_file_is_said(run: StoredRun) -> None:
    FileArtifacts().upload(run, "a/b", BytesContent(b"x"))

    with pytest.raises(StoreError, match=r"storing a in run .* move it away"):
        FileArtifacts().upload(run, "a", BytesContent(b"x"))


def test_a_source_that_becomes_shorter_is_not_the_stores_fault(
    run: StoredRun, folder: Path, tmp_path: Path
) -> None:
    source = tmp_path / "log"
    source.write_bytes(b"x" * 100)
    content = content_of(source)
    os.truncate(source, 10)

    with pytest.raises(SourceError, match=r"log\.txt could not be read while it was stored"):
        FileArtifacts().upload(run, "log.txt", content)

    assert FileArtifacts().listing(run) == {}
    assert names(folder) == ["artifacts", "meta.yaml", "metrics", "params", "tags"]


def test_many_files_may_be_stored_at_once(run: StoredRun) -> None:
    artifacts = FileArtifacts()

    def upload(number: int) -> None:
        artifacts.upload(run, f"d{number % 3}/{number % 20}", BytesContent(bytes([number % 20]) * 1000))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(upload, range(200)))

    assert set(artifacts.listing(run).values()) == {1000}
    for path in artifacts.listing(run):
        assert set(b"".join(artifacts.read(run, path))) == {int(path.split("/")[1])}


def test_links_and_pipes_are_no_files_of_their_own(run: StoredRun, folder: Path) -> None:
    FileArtifacts().upload(run, "d/f", BytesContent(b"x"))
    (folder / "artifacts/link").symlink_to(folder / "artifacts/d/f")
    (folder / "artifacts/loop").symlink_to(folder / "artifacts")
    (folder / "artifacts/nowhere").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "artifacts/pipe")

    assert FileArtifacts().listing(run) == {"d/f": 1, "link": 1}
