"""The client's contract on exchanges recorded from real servers (``tests/record``)."""

from __future__ import annotations

from pathlib import Path

import pytest
from client_contract import CASES, client_of
from exchanges import BASE_URL
from replay import replay

RECORDINGS = Path(__file__).parents[3] / "fixtures/oss"
VERSIONS = sorted(path.name for path in RECORDINGS.iterdir())


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("version", VERSIONS)
def test_the_client_keeps_its_contract_on_a_recording(version: str, case: str) -> None:
    with replay(RECORDINGS / version / f"{case}.yaml"):
        CASES[case](client_of(BASE_URL), case.replace("_", " "))


def test_every_major_version_was_recorded() -> None:
    assert {"1", "2", "3"} == {version.split(".")[0] for version in VERSIONS}
