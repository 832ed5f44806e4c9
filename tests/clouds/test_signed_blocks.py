"""A large file at a signed address of Azure goes in blocks: whole or not at all, whichever request breaks."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path

import pytest
import requests
from azureml_door import AzureMlDoor
from cloud_standins import ACCOUNT_KEY, Blobs
from cloud_sweep import SHORT
from fault_proxy import FaultProxy
from faults import FAULTS, Kind
from server_pool import Tally
from test_object_store_route import _conduct

from mlflow_rest_export.artifacts import signed_uploads
from mlflow_rest_export.artifacts.leases import Lease, Place, Store
from mlflow_rest_export.content import FileContent
from mlflow_rest_export.errors import ApiError, NoAnswer
from mlflow_rest_export.network.transport import Transport

BLOCK = 100_000
BYTES = bytes(range(251)) * 1_300


@pytest.mark.parametrize("fault", FAULTS)
def test_whichever_request_breaks_the_blob_is_whole_or_not_there(
    blobs: Blobs, tmp_path: Path, experiment: str, fault: str, long_run: bool, tally: Tally
) -> None:
    if fault not in SHORT and not long_run:
        pytest.skip("a part of the long sweep")
    file = tmp_path / "f"
    file.write_bytes(BYTES)
    content = FileContent(file, len(BYTES))
    with FaultProxy(blobs.port) as proxy:
        guard = AzureMlDoor(0, f"{proxy.url}/devstoreaccount1", ACCOUNT_KEY, "evals")
        plain = AzureMlDoor(0, f"http://127.0.0.1:{blobs.port}/devstoreaccount1", ACCOUNT_KEY, "evals")
        names = ["clean", *(f"{fault} {number}" for number in range(1, 6))]
        for number, name in enumerate(names):
            if number:
                proxy.inject(FAULTS[fault], number=number)
            seen = _stored(guard, plain, (experiment, name), content, stalls=FAULTS[fault].kind is Kind.STALL)
            assert len(proxy.seen) >= 5, "four blocks and their list"
            proxy.forget()
            assert seen in {None, BYTES}, name
            assert _stored(guard, plain, (experiment, name), content) == BYTES, name
            proxy.forget()

    tally.add(f"blocks at signed addresses, {fault}", len(names), 0)


def _stored(
    guard: AzureMlDoor,
    plain: AzureMlDoor,
    where: tuple[str, str],
    content: FileContent,
    *,
    stalls: bool = False,
) -> bytes | None:
    """Upload once, and give what is there then."""
    conduct = dataclasses.replace(_conduct(8.0), timeout=0.8 if stalls else 30.0)

    def place() -> Place:
        return Place(Store.AZURE_BLOB, guard.signed(*where, "rcw"))

    lease = Lease(Transport(conduct=conduct), place(), renew=place, doing="uploading")
    with contextlib.suppress(ApiError, NoAnswer):
        signed_uploads.upload(lease, content, block=BLOCK, at_once=BLOCK)
    answer = requests.get(plain.signed(*where, "r"), timeout=30)
    return answer.content if answer.status_code == 200 else None
