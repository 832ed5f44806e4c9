"""No secret is told, and what is none stays."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from mlflow_rest_export.redaction import without_secrets

SECRET = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=12, max_size=40)
WORDS = st.text(" abc.,:;\n'\"&?/<>{}[]()", max_size=12)
PLACES = st.sampled_from(
    [
        "https://me:{}@host/x",
        "https://{}@host/x",
        "https://me:a@{}@host:5000",
        "postgresql+psycopg2://u:{}@h/db",
        "https://h/?sig={}&x=1",
        "https://h/?a=1&X-Amz-Signature={}",
        "https://h/?X-Amz-Security-Token={}&b",
        "https://h/?token={}",
        "?access_token={}",
        "Authorization: Bearer {}",
        "bearer {}",
        "Basic {}==",
        '{{"access_token": "{}"}}',
        "{{'client_secret': '{}'}}",
        '"password":"{}"',
        "eyJ{}.{}.{}",
    ]
)


@given(secret=SECRET, place=PLACES, before=WORDS, after=WORDS)
def test_no_secret_survives_where_secrets_stand(secret: str, place: str, before: str, after: str) -> None:
    assume(secret not in place)
    text = f"{before} {place.replace('{}', secret).replace('{{', '{').replace('}}', '}')} {after}"
    cleaned = without_secrets(text)

    assert secret not in cleaned
    assert without_secrets(cleaned) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "creating run eval-abc: 127.0.0.1:5000 answered 400 BAD_REQUEST: UNIQUE constraint failed",
        "https://mlflow.example.com/#/experiments/7/runs/abc",
        "changed: user@host -> user_at_host",
        "the file /a/b@c.json and http://h/a@b",
        "max_tokens is 4096; api_key_name is KEY",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert without_secrets(text) == text
