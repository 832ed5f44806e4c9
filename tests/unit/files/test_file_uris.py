from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from anybody import bound_by_modes

from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.targets import files


@pytest.mark.parametrize(
    "uri", ["./mlruns", "mlruns", "/data/mlruns", "file:///data", "FILE:/data", "file:mlruns", "../x", "a b"]
)
def test_paths_and_file_uris_are_folders(uri: str) -> None:
    assert files.recognises(uri)


@pytest.mark.parametrize("uri", ["http://h", "https://h", "sqlite:///a.db", "arn:aws:x", "azureml://x"])
def test_other_schemes_are_not(uri: str) -> None:
    assert not files.recognises(uri)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("/data/mlruns", "/data/mlruns"),
        ("/data/../mlruns/", "/mlruns"),
        ("/data/a%20b", "/data/a%20b"),
        ("file:///data/mlruns", "/data/mlruns"),
        ("file:/data/mlruns", "/data/mlruns"),
        ("FILE://LOCALHOST/data/mlruns", "/data/mlruns"),
        ("file:///data/a%20b%23c%C3%BC", "/data/a b#cü"),
    ],
)
def test_a_uri_names_a_path(uri: str, path: str) -> None:
    assert files.path_of(uri) == Path(path)


@pytest.mark.parametrize("uri", ["./mlruns", "mlruns", "file:mlruns", "file:./mlruns"])
def test_relative_paths_start_here(uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert files.path_of(uri) == tmp_path / "mlruns"


def test_a_path_that_is_not_utf8_comes_back_from_its_uri() -> None:
    path = Path(os.fsdecode(b"/data/\xff"))

    assert files.path_of(path.as_uri()) == path


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("file://nas/share/mlruns", "names the machine 'nas'"),
        ("file://mlruns", "perhaps ./mlruns"),
        ("file:", "names no folder"),
        ("", "names no folder"),
        ("a\0b", "names no folder"),
        ("file:///a?b", "write %3F"),
        ("file:///a#b", "%23 for #"),
    ],
)
def test_what_is_no_folder_of_this_machine_is_refused_with_advice(uri: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        files.path_of(uri)


@pytest.mark.parametrize("place", ["artifacts", "task/artifacts/mlruns", "artifacts/x/mlruns"])
def test_a_place_below_artifacts_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(SettingsError, match="finds no runs below a folder named 'artifacts'"):
        files.check_root(tmp_path / place)


def test_a_file_is_no_place_for_runs(tmp_path: Path) -> None:
    (tmp_path / "f").touch()

    for place in (tmp_path / "f", tmp_path / "f/mlruns"):
        with pytest.raises(SettingsError, match="is a file"):
            files.check_root(place)


@pytest.mark.parametrize("neighbour", [".git", "my data", "a" * 65])
def test_a_folder_that_stops_every_listing_of_mlflow_is_named(tmp_path: Path, neighbour: str) -> None:
    (tmp_path / neighbour).mkdir()
    (tmp_path / ".trash").mkdir()
    (tmp_path / "0").mkdir()

    with pytest.raises(SettingsError, match=r"stops at .* such as .*mlruns"):
        files.check_root(tmp_path)
    files.check_root(tmp_path / "mlruns")


@contextlib.contextmanager
def nobody_sees(folder: Path, mode: int) -> Iterator[None]:
    """Give a folder a mode, and be a user who is bound by it."""
    folder.mkdir()
    (folder / "inner").mkdir()
    folder.chmod(mode)
    try:
        with bound_by_modes(folder):
            yield
    finally:
        folder.chmod(0o755)


@pytest.mark.parametrize("place", ["closed", "closed/new/mlruns"])
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, place: str) -> None:
    with (
        nobody_sees(tmp_path / "closed", 0o555),
        pytest.raises(SettingsError, match=r"no permission to write to .*/closed:"),
    ):
        files.check_root(tmp_path / place)


def test_a_folder_that_cannot_be_looked_into_is_refused(tmp_path: Path) -> None:
    with (
        nobody_sees(tmp_path / "closed", 0),
        pytest.raises(SettingsError, match=r"no permission to write to .*/closed:"),
    ):
        files.check_root(tmp_path / "closed/inner/mlruns")


def test_a_folder_that_cannot_be_listed_is_refused(tmp_path: Path) -> None:
    with nobody_sees(tmp_path / "closed", 0o333), pytest.raises(SettingsError, match="cannot list"):
        files.check_root(tmp_path / "closed")
