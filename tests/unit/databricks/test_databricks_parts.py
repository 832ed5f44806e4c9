"""Large files on S3 in parts: each can be sent again, and what is joined is the file that was sent."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from databricks_standin.bench import Bench
from databricks_standin.stores import S3
from databricks_standin.workspace import Workspace
from fault_proxy import FaultProxy
from faults import FAULTS

from mlflow_rest_export.artifacts import databricks as route
from mlflow_rest_export.artifacts.databricks_parts import PartsUpload
from mlflow_rest_export.content import BytesContent, FileContent
from mlflow_rest_export.errors import ApiError, Interrupted
from mlflow_rest_export.network.transport import Transport

DATA = random.Random(7).randbytes(100_000)


@pytest.fixture
def on_s3() -> Iterator[Bench]:
    with Workspace(S3) as workspace:
        yield Bench(workspace)


def parts(bench: Bench, data: bytes = DATA, part: int = 30_000) -> PartsUpload:
    store = Transport(conduct=bench.conduct)
    return PartsUpload(bench.tracking, store, bench.run, "big", BytesContent(data), part=part)


def test_a_large_file_goes_in_parts(on_s3: Bench) -> None:
    parts(on_s3).run()

    assert on_s3.stored() == {"big": DATA}
    assert on_s3.workspace.files.completed == ["upload-1"]


def test_the_route_chooses_parts_by_size(on_s3: Bench, tmp_path: Path) -> None:
    file = tmp_path / "sparse"
    with file.open("wb") as stream:
        stream.truncate(route.PARTS_FROM)
    on_s3.workspace.spoil(
        "create-multipart-upload", 403, {"error_code": "PERMISSION_DENIED", "message": "no"}
    )

    with pytest.raises(ApiError, match=r"uploading big to run .* in parts: .* PERMISSION_DENIED"):
        on_s3.artifacts.upload(on_s3.run, "big", FileContent(file, route.PARTS_FROM))


def test_an_expired_part_is_renewed_by_itself(on_s3: Bench) -> None:
    on_s3.workspace.stores.fleeting = 1

    parts(on_s3).run()

    assert on_s3.stored() == {"big": DATA}
    assert len(on_s3.workspace.calls("get-presigned-upload-part-url")) == 1


def test_a_part_that_is_refused_twice_aborts_the_upload(on_s3: Bench) -> None:
    on_s3.workspace.stores.fleeting = 2

    with pytest.raises(ApiError, match=r"part 1: .* 403 AccessDenied: Request has expired"):
        parts(on_s3).run()

    assert on_s3.workspace.stores.uploads == {}
    assert on_s3.workspace.asked[-1].method == "DELETE"


def test_a_signal_aborts_the_upload_too(on_s3: Bench) -> None:
    class Stopping(BytesContent):
        def chunks(self, start: int = 0, end: int | None = None) -> Iterator[bytes]:
            if start:
                on_s3.conduct.stop.set()
            return super().chunks(start, end)

    upload = PartsUpload(
        on_s3.tracking,
        Transport(conduct=on_s3.conduct),
        on_s3.run,
        "big",
        Stopping(DATA),
        part=30_000,
    )
    with pytest.raises(Interrupted):
        upload.run()

    assert on_s3.workspace.stores.uploads == {}


def test_an_abort_that_fails_hides_nothing(on_s3: Bench) -> None:
    on_s3.workspace.stores.fleeting = 9

    with pytest.raises(ApiError, match=r"part 1"):
        parts(on_s3).run()

    assert on_s3.workspace.stores.uploads == {"upload-1": {}}


JOIN = "complete-multipart-upload"
NOT_JOINED = {"error_code": "INVALID_PARAMETER_VALUE", "message": "parts"}
OLDER = DATA[::-1]
"""Another file of the same size."""


def test_a_refusal_to_join_is_an_error_although_an_older_file_of_this_size_is_there(on_s3: Bench) -> None:
    parts(on_s3, OLDER).run()
    on_s3.workspace.spoil(JOIN, 400, NOT_JOINED, times=9)

    with pytest.raises(ApiError, match=r"in parts: .* INVALID_PARAMETER_VALUE: parts"):
        parts(on_s3).run()

    assert len(on_s3.workspace.calls(JOIN)) == 2  # one for each file
    assert on_s3.stored() == {"big": OLDER}
    assert on_s3.workspace.stores.uploads == {}


@pytest.mark.parametrize("fault", ["reset_before", "error_500_before", "gateway_502_before"])
def test_a_join_that_never_arrived_is_asked_for_again(fault: str) -> None:
    with Workspace(S3) as workspace, FaultProxy(workspace.port) as proxy:
        bench = Bench(workspace, proxy.url)
        proxy.inject(FAULTS[fault], path=JOIN)
        parts(bench).run()

        assert bench.stored() == {"big": DATA}
        assert len(workspace.calls("create-multipart-upload")) == 1


@pytest.mark.parametrize("fault", ["reset_after", "error_500_after", "gateway_502_after"])
@pytest.mark.parametrize("older", [True, False])
def test_a_join_whose_answer_was_lost_ends_in_the_new_file_in_any_case(fault: str, older: bool) -> None:
    with Workspace(S3) as workspace, FaultProxy(workspace.port) as proxy:
        bench = Bench(workspace, proxy.url)
        if older:
            parts(bench, OLDER).run()
        proxy.inject(FAULTS[fault], path=JOIN)
        parts(bench).run()

        assert bench.stored() == {"big": DATA}


def test_a_join_of_which_nobody_can_tell_what_came_is_no_success_over_an_older_file() -> None:
    with Workspace(S3) as workspace, FaultProxy(workspace.port) as proxy:
        bench = Bench(workspace, proxy.url)
        parts(bench, OLDER).run()
        workspace.spoil(JOIN, 400, NOT_JOINED, times=9)
        proxy.inject(FAULTS["reset_before"], path=JOIN)
        with pytest.raises(ApiError, match=r"INVALID_PARAMETER_VALUE: parts"):
            parts(bench).run()

        assert bench.stored() == {"big": OLDER}
        assert workspace.stores.uploads == {}


def test_two_joins_of_which_nobody_can_tell_what_came_are_an_error(on_s3: Bench) -> None:
    parts(on_s3, OLDER).run()
    for _ in range(2):
        on_s3.workspace.spoil(JOIN, 500, {"error_code": "INTERNAL_ERROR", "message": "perhaps"})
        on_s3.workspace.spoil(JOIN, 404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "gone"})

    with pytest.raises(ApiError, match=r"RESOURCE_DOES_NOT_EXIST: gone"):
        parts(on_s3).run()

    assert len(on_s3.workspace.calls("create-multipart-upload")) == 3
    assert on_s3.workspace.stores.uploads == {}


def test_parts_that_could_not_be_joined_are_an_error(on_s3: Bench) -> None:
    on_s3.workspace.spoil(
        "complete-multipart-upload", 400, {"error_code": "INVALID_PARAMETER_VALUE", "message": "parts"}
    )

    with pytest.raises(ApiError, match=r"in parts: .* INVALID_PARAMETER_VALUE: parts"):
        parts(on_s3).run()

    assert on_s3.stored() == {}
    assert on_s3.workspace.stores.uploads == {}


def test_too_few_places_for_the_parts_are_an_error(on_s3: Bench) -> None:
    body = {"upload_id": "u", "upload_credential_infos": []}
    on_s3.workspace.spoil("create-multipart-upload", 200, body)

    with pytest.raises(ApiError, match=r"names too few places"):
        parts(on_s3).run()
