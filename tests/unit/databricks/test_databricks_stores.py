from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from databricks_standin import stores
from databricks_standin.bench import Bench
from databricks_standin.stores import AZURE, GOOGLE, LAKE, S3
from databricks_standin.tokens import PAT
from databricks_standin.workspace import Workspace
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlflow_rest_export.artifacts import databricks as route
from mlflow_rest_export.artifacts.signed_uploads import upload
from mlflow_rest_export.content import BytesContent, FileContent
from mlflow_rest_export.errors import ApiError

KINDS = (S3, AZURE, LAKE, GOOGLE)
DATA = random.Random(7).randbytes(100_000)


@pytest.fixture(params=KINDS)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with Workspace(request.param) as workspace:
        yield Bench(workspace)


@pytest.fixture
def on_s3() -> Iterator[Bench]:
    with Workspace(S3) as workspace:
        yield Bench(workspace)


@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_a_file_arrives_as_it_is(bench: Bench, size: int, tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_bytes(DATA[:size])

    bench.artifacts.upload(bench.run, "sub dir/ü#%20.json", FileContent(file, size))

    assert bench.stored() == {"sub dir/ü#%20.json": DATA[:size]}
    assert bench.artifacts.listing(bench.run) == {"sub dir/ü#%20.json": size}
    assert b"".join(bench.artifacts.read(bench.run, "sub dir/ü#%20.json")) == DATA[:size]


def test_a_second_upload_replaces_the_first(bench: Bench) -> None:
    bench.artifacts.upload(bench.run, "a", BytesContent(b"longer than the second"))
    bench.artifacts.upload(bench.run, "a", BytesContent(b"second"))

    assert bench.stored() == {"a": b"second"}


def test_the_store_hears_nothing_of_the_workspace(bench: Bench) -> None:
    bench.artifacts.upload(bench.run, "a", BytesContent(b"abc"))
    list(bench.artifacts.read(bench.run, "a"))

    for asked in bench.workspace.stores.calls:
        assert not {"authorization", "cookie", "x-databricks-org-id"} & asked.headers.keys()
        assert PAT not in str(asked.headers)


def test_an_expired_address_is_renewed_once(bench: Bench) -> None:
    bench.artifacts.expect(bench.run, ["a", "b"])
    bench.artifacts.upload(bench.run, "a", BytesContent(b"abc"))
    bench.workspace.stores.expire_all()

    bench.artifacts.upload(bench.run, "b", BytesContent(b"def"))

    assert bench.stored() == {"a": b"abc", "b": b"def"}


def test_an_address_that_is_refused_twice_ends_it(bench: Bench) -> None:
    bench.workspace.stores.fleeting = 100

    with pytest.raises(ApiError, match=r"uploading a to run .*403") as caught:
        bench.artifacts.upload(bench.run, "a", BytesContent(b"abc"))

    assert "canary-signature" not in str(caught.value)
    assert bench.workspace.stores.fleeting == 98


def test_reading_renews_an_expired_address(bench: Bench) -> None:
    bench.artifacts.upload(bench.run, "a", BytesContent(b"abc"))
    bench.workspace.stores.fleeting = 1

    assert b"".join(bench.artifacts.read(bench.run, "a")) == b"abc"


def test_reading_gives_up_at_the_second_refusal(bench: Bench) -> None:
    bench.artifacts.upload(bench.run, "a", BytesContent(b"abc"))
    bench.workspace.stores.fleeting = 5

    with pytest.raises(ApiError, match=r"reading a of run"):
        list(bench.artifacts.read(bench.run, "a"))


def test_a_file_that_is_not_there_is_not_found(bench: Bench) -> None:
    with pytest.raises(ApiError) as caught:
        list(bench.artifacts.read(bench.run, "none"))

    assert caught.value.not_found


def test_a_file_in_pieces_arrives_and_each_piece_may_expire(bench: Bench) -> None:
    lease = bench.lease("a")
    bench.workspace.stores.fleeting = 1

    upload(lease, BytesContent(DATA), block=30_000, at_once=10)

    assert bench.stored() == {"a": DATA}


def test_a_lake_that_lost_what_was_appended_is_written_again() -> None:
    with Workspace(LAKE) as workspace:
        bench = Bench(workspace)
        lease = bench.lease("a")
        workspace.spoil("/artifacts/a", 404, {"error": {"code": "PathNotFound", "message": "gone"}})

        upload(lease, BytesContent(DATA), block=30_000)

        assert bench.stored() == {"a": DATA}


def test_a_lake_that_forbids_is_not_asked_again() -> None:
    with Workspace(LAKE) as workspace:
        bench = Bench(workspace)
        lease = bench.lease("a")
        workspace.spoil("/artifacts/a", 410, {"error": {"code": "Gone", "message": "closed"}}, times=9)

        with pytest.raises(ApiError, match=r"410 Gone: closed"):
            upload(lease, BytesContent(DATA))

        assert len(workspace.calls("/artifacts/a")) == 1


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.integers(0, 5000), block=st.integers(300, 2000), fleeting=st.integers(0, 1))
def test_any_size_in_any_pieces_arrives(bench: Bench, size: int, block: int, fleeting: int) -> None:
    lease = bench.lease("p")
    bench.workspace.stores.fleeting = fleeting

    upload(lease, BytesContent(DATA[:size]), block=block, at_once=100)

    assert bench.stored()["p"] == DATA[:size]


def test_places_of_expected_files_are_asked_for_together(on_s3: Bench) -> None:
    names = [f"f{number}" for number in range(7)]
    on_s3.artifacts.expect(on_s3.run, names)
    for name in names:
        on_s3.artifacts.upload(on_s3.run, name, BytesContent(name.encode()))

    asked = [call.json["path"] for call in on_s3.workspace.calls("credentials-for-write")]
    assert asked == [names] * 3  # one question in three pages
    assert on_s3.stored() == {name: name.encode() for name in names}


def test_more_expected_files_than_a_batch_holds_are_asked_for_in_several(on_s3: Bench) -> None:
    names = [f"f{number}" for number in range(route.BATCH + 10)]
    on_s3.artifacts.expect(on_s3.run, names)

    on_s3.artifacts.upload(on_s3.run, names[0], BytesContent(b"x"))
    on_s3.artifacts.upload(on_s3.run, names[-1], BytesContent(b"x"))

    asked = [call.json for call in on_s3.workspace.calls("credentials-for-write")]
    firsts = [body["path"] for body in asked if "page_token" not in body]
    assert [len(paths) for paths in firsts] == [route.BATCH, 10]


def test_one_path_that_spoils_the_question_costs_itself_only(on_s3: Bench) -> None:
    on_s3.artifacts.expect(on_s3.run, ["good", "../bad"])

    on_s3.artifacts.upload(on_s3.run, "good", BytesContent(b"x"))

    assert on_s3.stored() == {"good": b"x"}


def test_a_bad_path_is_an_error(on_s3: Bench) -> None:
    with pytest.raises(ApiError, match=r"asking where ../bad of run .* Invalid path"):
        on_s3.artifacts.upload(on_s3.run, "../bad", BytesContent(b"x"))


def test_an_answer_without_the_place_is_told(on_s3: Bench) -> None:
    on_s3.workspace.spoil("credentials-for-write", 200, {"credential_infos": []})

    with pytest.raises(ApiError, match=r"the workspace names no place for it"):
        on_s3.artifacts.upload(on_s3.run, "a", BytesContent(b"x"))


def test_a_kind_of_store_may_come_as_its_number() -> None:
    info = route.CredentialInfo.model_validate({"path": "a", "type": 4, "signed_uri": "https://x"})

    assert info.as_place().store.value == LAKE


def test_a_workspace_that_gives_one_page_for_ever_is_told(on_s3: Bench) -> None:
    on_s3.workspace.spoil(
        "credentials-for-write", 200, {"credential_infos": [], "next_page_token": "again"}, times=999
    )

    with pytest.raises(ApiError, match=r"where a of run .* is kept: the workspace gives one page for ever"):
        on_s3.artifacts.upload(on_s3.run, "a", BytesContent(b"x"))
    assert len(on_s3.workspace.calls("credentials-for-write")) == 2


def test_an_unknown_kind_of_store_is_told(on_s3: Bench) -> None:
    on_s3.workspace.spoil(
        "credentials-for-write", 200, {"credential_infos": [{"type": "R2", "signed_uri": "canary"}]}
    )

    with pytest.raises(ApiError, match=r"credential_infos.0.type") as caught:
        on_s3.artifacts.upload(on_s3.run, "a", BytesContent(b"x"))
    assert "canary" not in str(caught.value)


def test_no_secret_is_in_the_repr_of_a_place(on_s3: Bench) -> None:
    assert "canary" not in repr(on_s3.lease("a").place)
    assert stores.HEADERS[S3].keys() == on_s3.lease("a").place.headers.keys()
