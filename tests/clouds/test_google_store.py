"""Google's store by its XML API, which is S3's: ``moto`` stands in for it, without Google's login."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from cloud_standins import S3
from front_door import Asked, FrontDoor, Said
from test_object_store_route import RUN, _route

from mlflow_rest_export.artifacts.object_store import ObjectStoreRoute
from mlflow_rest_export.content import FileContent

THERE = dataclasses.replace(RUN, artifact_uri="gs://evals/google/7/r1/artifacts")


def _bearers_only(asked: Asked) -> Said | None:
    return None if asked.headers.get("authorization", "").startswith("Bearer ") else Said(401)


@pytest.fixture
def route(s3: S3) -> Iterator[ObjectStoreRoute]:
    with FrontDoor(_bearers_only, s3.port) as door:
        yield _route({"STORAGE_EMULATOR_HOST": door.url})


@pytest.mark.parametrize("size", [0, 3, (8 << 20) + 1, 20 << 20])
@pytest.mark.parametrize("path", ["d/a b+c.json", "d/é 中.txt"])
def test_files_arrive_whole_and_are_read_back(
    route: ObjectStoreRoute, tmp_path: Path, size: int, path: str
) -> None:
    file = tmp_path / "f"
    file.write_bytes(bytes(range(251)) * (size // 251 + 1))

    route.upload(THERE, path, FileContent(file, size))

    assert b"".join(route.read(THERE, path)) == file.read_bytes()[:size]
