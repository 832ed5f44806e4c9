"""Servers that serve no artifacts: files go into their store by whichever way is open from here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from attempts import record
from cloud_standins import S3, Blobs
from cloud_sweep import StoreRuns
from fault_proxy import FaultProxy
from front_door import Asked, FrontDoor, Said
from store_servers import StoreServer
from ways import PRESIGNED, SMALL, attempt, blob_variables, closing

from mlflow_rest_export.exporting.outcomes import Outcome
from mlflow_rest_export.records import Artifact


def test_a_plain_server_signs_urls_for_its_s3(
    s3_server: StoreServer, s3: S3, experiment: str, tmp_path: Path
) -> None:
    wanted = record(tmp_path)

    (result,) = attempt(s3_server.url, experiment).export(wanted)

    assert result.outcome is Outcome.EXPORTED, result.error
    assert not StoreRuns(s3_server, experiment).faults(wanted)
    assert not s3.guard.expired


def test_what_small_uploads_cannot_carry_goes_straight_to_the_store(
    s3_server: StoreServer, s3: S3, experiment: str, tmp_path: Path
) -> None:
    wanted = record(tmp_path)
    big = tmp_path / "job-0" / "f1.txt"
    big.write_bytes(b"0123456789abcdef" * (12 * 65536))
    before = len(s3.door.seen)

    with closing(s3_server, PRESIGNED) as door:
        (result,) = attempt(door.url, experiment, s3.variables).export(wanted)

    assert result.outcome is Outcome.EXPORTED, result.error
    assert not StoreRuns(s3_server, experiment).faults(wanted)
    parts = [asked for asked in s3.door.seen[before:] if "partNumber=" in asked.query]
    assert len(parts) == 2


def test_where_no_way_is_open_the_sentence_says_why_for_each(
    s3_server: StoreServer, s3: S3, experiment: str, tmp_path: Path
) -> None:
    with closing(s3_server, PRESIGNED, SMALL) as door:
        wrong = s3.variables | {"AWS_SECRET_ACCESS_KEY": "canary-wrong"}
        (result,) = attempt(door.url, experiment, wrong).export(record(tmp_path))

    assert result.outcome is Outcome.FAILED
    assert "SignatureDoesNotMatch" in str(result.error)
    assert "canary" not in str(result.error)


def test_difficult_names_are_the_same_for_the_server(
    s3_server: StoreServer, s3: S3, experiment: str, tmp_path: Path
) -> None:
    names = {"a b+c.txt", "é 中文.json", "q?m&x=1.txt", "~x.txt", "a:b@c,d;e='f'(g)!.txt"}
    source = tmp_path / "f"
    source.write_bytes(b"content")
    wanted = replace(
        record(tmp_path, files=0), artifacts=tuple(Artifact(f"d/{name}", source) for name in sorted(names))
    )

    with closing(s3_server, PRESIGNED, SMALL) as door:
        (result,) = attempt(door.url, experiment, s3.variables).export(wanted)

    assert result.outcome is Outcome.EXPORTED, result.error
    assert not StoreRuns(s3_server, experiment).faults(wanted)


@pytest.fixture
def blob_proxy(blobs: Blobs) -> Iterator[FaultProxy]:
    with FaultProxy(blobs.port) as proxy:
        yield proxy


def test_azure_blobs_are_written_directly(
    blob_server: StoreServer, blobs: Blobs, blob_proxy: FaultProxy, experiment: str, tmp_path: Path
) -> None:
    wanted = record(tmp_path)
    (tmp_path / "job-0" / "f1.txt").write_bytes(b"0123456789abcdef" * (12 * 65536))

    with closing(blob_server, SMALL) as door:
        (result,) = attempt(door.url, experiment, blob_variables(blobs, blob_proxy.port)).export(wanted)

    assert result.outcome is Outcome.EXPORTED, result.error
    assert not StoreRuns(blob_server, experiment).faults(wanted)
    blocks_and_their_list = [seen for seen in blob_proxy.seen if "f1.txt" in seen.path]
    assert len(blocks_and_their_list) == 3


def test_a_shared_disk_is_written_to_directly(
    disk_server: StoreServer, experiment: str, tmp_path: Path
) -> None:
    wanted = record(tmp_path)

    with closing(disk_server, SMALL) as door:
        (result,) = attempt(door.url, experiment).export(wanted)

    assert result.outcome is Outcome.EXPORTED, result.error
    assert not StoreRuns(disk_server, experiment).faults(wanted)


def test_a_disk_that_the_server_does_not_see_is_left_as_it_was(
    disk_server: StoreServer, experiment: str, tmp_path: Path
) -> None:
    def elsewhere(asked: Asked) -> Said | None:
        if asked.path.endswith("/artifacts/list"):
            return Said.json(200, {"root_uri": "/elsewhere"})
        return Said(404) if asked.path.startswith(SMALL) else None

    root = Path(disk_server.root)
    before = sorted(root.rglob("*"))
    with FrontDoor(elsewhere, disk_server.port) as door:
        (result,) = attempt(door.url, experiment).export(record(tmp_path))

    assert result.outcome is Outcome.FAILED
    assert "not the server's" in str(result.error)
    assert sorted(root.rglob("*")) == before
