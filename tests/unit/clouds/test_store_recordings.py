"""Ways for artifacts of servers that serve none: which is taken, and why not another."""

from __future__ import annotations

import logging

import pytest
from cloud_clients import FIXTURES, artifacts, run
from replay import replay

from mlflow_rest_export.content import BytesContent
from mlflow_rest_export.errors import ApiError, TrackingError
from mlflow_rest_export.extras import is_installed

OSS = "http://mlflow.test"
RUN = run("s3://bkt/mlflow/7/0123456789abcdef0123456789abcdef/artifacts")
PATH = "d/a b.json"
ABC = BytesContent(b"abc")


@pytest.mark.parametrize(
    "case", ["presigned", "presigned_expired", "not_an_s3", "no_library", "store_refuses"]
)
def test_a_file_arrives(case: str) -> None:
    with replay(FIXTURES / f"stores/{case}.yaml"):
        artifacts(OSS).upload(RUN, PATH, ABC)


def test_an_empty_file_arrives() -> None:
    with replay(FIXTURES / "stores/presigned_empty.yaml"):
        artifacts(OSS).upload(RUN, PATH, BytesContent(b""))


def test_a_closed_way_is_tried_once_and_its_reason_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mlflow_rest_export")
    with replay(FIXTURES / "stores/small_upload.yaml"):
        store = artifacts(OSS)
        store.upload(RUN, PATH, ABC)
        store.upload(RUN, PATH, ABC)

    assert caplog.text.count("presigned upload URL (the server offers no signed URLs)") == 1
    assert caplog.text.count("artifacts at s3://bkt go this way: the server's small-file upload") == 1


@pytest.mark.skipif(is_installed("obstore"), reason="says what is missing")
@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("forbidden", ["the server forbids signed URLs (no)", "forbids small-file uploads", "pip install"]),
        ("bad_name", ["the server gives no signed URLs for this file (Invalid path)", "small-file uploads"]),
    ],
)
def test_where_no_way_is_open_the_sentence_says_why_for_each(case: str, words: list[str]) -> None:
    with replay(FIXTURES / f"stores/{case}.yaml"), pytest.raises(TrackingError) as raised:
        artifacts(OSS).upload(RUN, PATH, ABC)

    said = str(raised.value)
    assert [word for word in words if word not in said] == []


@pytest.mark.parametrize("case", ["no_run", "unauthorised"])
def test_what_is_no_matter_of_ways_is_told_as_it_is(case: str) -> None:
    with replay(FIXTURES / f"stores/{case}.yaml"), pytest.raises(ApiError):
        artifacts(OSS).upload(RUN, PATH, ABC)


@pytest.mark.parametrize("case", ["presigned_read", "read_by_server"])
def test_a_file_is_read_back(case: str) -> None:
    with replay(FIXTURES / f"stores/{case}.yaml"):
        assert b"".join(artifacts(OSS).read(RUN, PATH)) == b"abc"


def test_a_server_that_signs_no_downloads_may_sign_uploads_all_the_same() -> None:
    with replay(FIXTURES / "stores/uploads_without_downloads.yaml"):
        store = artifacts(OSS)
        read = [b"".join(store.read(RUN, PATH)) for _ in range(2)]
        store.upload(RUN, PATH, ABC)

    assert read == [b"abc", b"abc"]
