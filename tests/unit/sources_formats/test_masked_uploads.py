"""No file that is uploaded holds a secret: for every format, wherever in its files the secret stands."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from result_samples import BUNDLE, EEE, HELM, INSPECT_JSON, LIGHTEVAL, LM_EVAL, document, written

from mlflow_rest_export.records import RunRecord
from mlflow_rest_export.sources import detection
from mlflow_rest_export.sources.masked_files import MAX_MASKED
from mlflow_rest_export.sources.options import ReadOptions

KEY = "sk-q7" + "Q7" * 12
URL = "https://user:q7q7q7q7@host/v1"
PLACES = {"url": URL, "token_name": "max_tokens", "max_tokens": 7}
SECRETS = {"api_key": KEY, **PLACES}
ADDRESS = b"https://***@host/v1"


def read(path: Path) -> list[RunRecord]:
    found = list(detection.read([path], ReadOptions()))
    assert all(isinstance(each, RunRecord) for each in found), found
    return [each for each in found if isinstance(each, RunRecord)]


def contents(record: RunRecord) -> dict[str, bytes]:
    return {
        artifact.path: artifact.content
        if isinstance(artifact.content, bytes)
        else artifact.content.read_bytes()
        for artifact in record.artifacts
    }


def lm_eval(result: dict[str, Any]) -> None:
    result["config"]["model_args"] = SECRETS
    result["config"]["judges"] = [{"client_secret": KEY}, ["word", SECRETS]]
    next(iter(result["configs"].values()))["metadata"] = SECRETS


def inspect(log: dict[str, Any]) -> None:
    log["eval"] |= {"model_args": SECRETS, "model_base_url": URL}
    log["eval"]["task_args"] = {"judges": [SECRETS], "tokens": [1, 2], "token": [KEY]}
    log["eval"]["model_generate_config"] = {"extra_headers": {"Authorization": f"Bearer {KEY}"}}
    log["eval"]["dataset"]["location"] = URL
    log["samples"][0]["metadata"] = {"headers": {"authorization": f"Bearer {KEY}"}, "token": "word"}


def lighteval(result: dict[str, Any]) -> None:
    result["config_general"]["model_config"] = SECRETS
    result["config_tasks"] = {"x": {"name": "x", "hf_token": KEY, **PLACES, "judges": [SECRETS, [SECRETS]]}}


def eee(result: dict[str, Any]) -> None:
    result["model_info"]["additional_details"] = SECRETS
    result["evaluation_results"][0]["source_data"] = {"dataset_name": "d", "url": [URL]}


def bundle(result: dict[str, Any]) -> None:
    result["config"] |= SECRETS
    result["benchmark"]["token"] = KEY


CASES: list[tuple[Path, Callable[[dict[str, Any]], None]]] = [
    (LM_EVAL, lm_eval),
    (INSPECT_JSON, inspect),
    (LIGHTEVAL, lighteval),
    (EEE, eee),
    (BUNDLE, bundle),
]


@pytest.mark.parametrize(("sample", "change"), CASES)
def test_secrets_of_a_json_result_are_masked_in_place(
    sample: Path, change: Callable[[dict[str, Any]], None], tmp_path: Path
) -> None:
    result = document(sample)
    change(result)
    path = written(tmp_path, sample.name, json.dumps(result, indent=3))

    (record,) = read(path)

    assert "q7q7" not in repr(record)
    assert KEY not in repr(record)
    (uploaded,) = contents(record).values()
    before = path.read_bytes().replace(f'"Authorization": "Bearer {KEY}'.encode(), b'"Authorization": "***')
    for plain, shown in ((URL.encode(), ADDRESS), (KEY.encode(), b"***")):
        assert plain in before
        before = before.replace(plain, shown)
    assert uploaded == before
    assert ("secrets are masked in the copy") in [note.reason for note in record.adjustments]


def test_a_log_in_an_archive_that_holds_secrets_stays_here_and_says_so(tmp_path: Path) -> None:
    log = document(INSPECT_JSON)
    inspect(log)
    del log["samples"]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("header.json", json.dumps(log))

    (record,) = read(written(tmp_path, "a.eval", buffer.getvalue()))

    assert record.artifacts == ()
    assert [note.reason for note in record.adjustments if note.field.startswith("artifact")] == [
        "it may hold secrets that cannot be masked: it is a ZIP archive; take them out to have it uploaded"
    ]


def test_secrets_beside_a_bundle_are_masked_and_words_of_samples_stay(tmp_path: Path) -> None:
    path = written(tmp_path, BUNDLE.name, BUNDLE.read_text())
    rows = [
        {"headers": {"Authorization": f"Bearer {KEY}"}, "prompt": "token", "logprobs": [{"token": "word"}]},
        {"body": json.dumps({"api_key": "abcd1234efgh"}), "secret": "${HF_TOKEN}", "password": "hunter"},
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    written(tmp_path, "model_traffic.jsonl", text)
    written(tmp_path, "results.jsonl", '{"token": "word"}\n')

    (record,) = read(path)

    found = contents(record)
    assert found["model_traffic.jsonl"].decode() == text.replace(KEY, "***").replace("abcd1234efgh", "***")
    assert found["results.jsonl"] == b'{"token": "word"}\n'
    assert [note.field for note in record.adjustments] == ["artifact model_traffic.jsonl"]


def test_a_large_file_beside_a_result_that_holds_secrets_stays_here(tmp_path: Path) -> None:
    path = written(tmp_path, BUNDLE.name, BUNDLE.read_text())
    line = json.dumps({"text": "x" * 1000}).encode() + b"\n"
    lines = line * (MAX_MASKED // len(line) + 1)
    written(tmp_path, "a.jsonl", lines)
    written(tmp_path, "b.jsonl", lines + json.dumps({"api_key": KEY}).encode())

    (record,) = read(path)

    assert [artifact.path for artifact in record.artifacts] == [BUNDLE.name, "a.jsonl"]
    assert [note.field for note in record.adjustments] == ["artifact b.jsonl"]


def test_secrets_of_a_helm_scenario_are_masked(tmp_path: Path) -> None:
    run = Path(shutil.copytree(HELM, tmp_path / "run"))
    written(run, "scenario.json", {"definition_path": URL, "api_key": KEY})

    (record,) = read(run)

    assert contents(record)["scenario.json"] == b'{"definition_path": "%b", "api_key": "***"}' % ADDRESS
    assert "q7q7" not in repr(record.datasets)


def test_secret_properties_of_junit_are_masked(tmp_path: Path) -> None:
    text = (
        "<testsuite name='a'><properties><property name=\"api_key\"\n value='{key}'/>"
        "<property value='{url}' name='u' /><property name='max_tokens' value='5'/></properties>"
        "<testcase name='t'><properties><property name='token' value='{key}'></property></properties>"
        "</testcase></testsuite>"
    )
    path = written(tmp_path, "a.xml", text.format(key=KEY, url=f"{URL}?a=1&amp;b"))

    (record,) = read(path)

    assert contents(record)["a.xml"].decode() == text.replace("'{key}'", '"***"').replace(
        "'{url}'", f'"{ADDRESS.decode()}?a=1&amp;b"'
    )


def test_xml_whose_secrets_cannot_be_found_stays_here(tmp_path: Path) -> None:
    head = "<?xml version='1.0' encoding='UTF-16'?>"
    text = f"{head}<testsuite><property name='token' value='{KEY}'/></testsuite>"

    (record,) = read(written(tmp_path, "a.xml", text.encode("utf-16")))

    assert record.artifacts == ()
    assert record.params == {"testsuite.token": "***"}


TABLES = {
    "a.csv": 'model, api_key,"note",acc\nm,{key},"see {url}, now",1\r\n"m","{key}",,2\n\nm,,x,3',
    "b.tsv": "\ufeffapi_key\tacc\n{key}\t1\n",
    "b.csv": '\ufeff"api_key","acc"\r\n"{key}","1"\r\n',
    "cells.csv": 'log,acc\r\n"{{""{url}"": 0.5}}",1\r\n',
    "unnamed.csv": ",acc\nsee {url},1\n",
    "c.jsonl": '{{"api_key":  "{key}", "acc": 1}}\n\n{{"x": {{"url": "{url}"}}, "acc": 2}}\n',
    "d.json": '[{{"x": {{"token": "{key}"}}, "acc": 1}}]',
    "list.json": '[{{"judges": [{{"name": "j", "api_key": "{key}"}}, "word"], "acc": 1}}]',
    "list.jsonl": '{{"judges": [["{url}", {{"a": {{"token": "{key}"}}}}]], "acc": 1}}\n',
    "e.yaml": "api_key: {key}  # mine\nacc: 1\n",
}


@pytest.mark.parametrize("name", TABLES)
def test_secrets_of_a_table_are_masked_in_place(name: str, tmp_path: Path) -> None:
    path = written(tmp_path, name, TABLES[name].format(key=KEY, url=URL).encode())

    records = read(path)

    for record in records:
        assert "q7" not in repr(record)
        assert contents(record)[name].decode().replace('"***"  #', "***  #") == TABLES[name].format(
            key="***", url=ADDRESS.decode()
        )


def test_a_secret_column_that_is_skipped_is_masked_too(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", f"api_key,acc\n{KEY},1\n")

    (record,) = detection.read([path], ReadOptions(columns={"api_key": "skip"}))

    assert isinstance(record, RunRecord)
    assert contents(record) == {"a.csv": b"api_key,acc\n***,1\n"}


def test_a_table_whose_masked_cell_holds_half_a_character_stays_here_and_says_so(tmp_path: Path) -> None:
    cell = json.dumps({"token": KEY, "out": "\ud83d"}).replace('"', '""')
    path = written(tmp_path, "a.csv", f'log,acc\n"{cell}",1\n')

    (record,) = read(path)

    assert record.artifacts == ()
    assert KEY not in repr(record)
    assert any("half a character" in note.reason for note in record.adjustments)
