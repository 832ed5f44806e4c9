from __future__ import annotations

import pytest

from mlflow_rest_export.sources.secret_fields import concealed, concealed_comment, known_secrets


@pytest.mark.parametrize(
    "name",
    [
        "api_key",
        "API_KEY",
        "apiKey",
        "X-API-Key",
        "token",
        "hf_token",
        "Password",
        "passwd",
        "secret",
        "client_secret",
        "secretKey",
        "private-key",
        "Authorization",
        "credentials",
        "cookie",
    ],
)
def test_a_field_whose_exact_name_means_a_secret_is_masked(name: str) -> None:
    assert concealed(("target", name), "abc-123") == "***"


@pytest.mark.parametrize(
    "name",
    [
        "max_tokens",
        "api_key_name",
        "tokenizer",
        "tokens",
        "token_count",
        "password_field",
        "secretary",
        "key",
        "pad_token",
        "eos_token_id",
        "use_auth_token_from",
    ],
)
def test_a_name_that_merely_contains_such_a_word_stays(name: str) -> None:
    assert concealed(("target", name), "abc-123") == "abc-123"


@pytest.mark.parametrize(
    "value",
    [
        "JUDGE_API_KEY",
        "HF_TOKEN",
        "EMPTY",
        "KEY1",
        "$HF_TOKEN",
        "${HF_TOKEN}",
        "${oc.env:HF_TOKEN}",
        "???",
        "host:hf_token",
        "runtime:HF_TOKEN",
        "{{config.api_key}}",
        "<your key>",
        "***",
        "",
        None,
        True,
        "Bearer $TOKEN",
        "$(cat /run/token)",
    ],
)
def test_a_value_that_only_points_to_a_secret_stays(value: object) -> None:
    assert concealed(("judge", "api_key"), value) == value


@pytest.mark.parametrize(
    "value", ["AKIAIOSFODNN7EXAMPLE", "${oc.env:HF_TOKEN,hf_real}", "lit:abc", "judge_key", 12]
)
def test_a_value_that_is_a_secret_itself_is_masked(value: object) -> None:
    assert concealed(("judge", "api_key"), value) == "***"


@pytest.mark.parametrize(
    "names",
    [
        ("env_vars", "A"),
        ("export", "env_vars", "A"),
        ("execution", "env_vars", "export", "A"),
        ("evaluation", "tasks", 2, "env_vars", "A"),
        ("env_vars", "JUDGE_API_KEY"),
    ],
)
def test_a_literal_of_an_environment_block_is_masked(names: tuple[str | int, ...]) -> None:
    assert concealed(names, "lit:x") == "lit:***"
    assert concealed(names, "lit:***") == "lit:***"
    assert concealed(names, "lit:") == "lit:"
    assert concealed(names, "host:A") == "host:A"


def test_a_literal_outside_environment_blocks_stays() -> None:
    assert concealed(("config", "note"), "lit:x") == "lit:x"


def test_in_environment_blocks_the_end_of_the_name_tells_a_secret() -> None:
    assert concealed(("env_vars", "MY_API_KEY"), "sk-1") == "***"
    assert concealed(("env_vars", "MY_MODEL"), "llama-3.1") == "llama-3.1"
    assert concealed(("other", "MY_API_KEY"), "sk-1") == "sk-1"


def test_everything_written_below_a_secret_name_is_masked_but_numbers_count_only_under_the_name_itself() -> (
    None
):
    assert concealed(("credentials", "user"), "joe") == "***"
    assert concealed(("credentials", "port"), 80) == 80
    assert concealed(("password",), 80) == "***"


def test_scores_are_never_masked_whatever_a_task_is_called() -> None:
    assert concealed(("results", "tasks", "password", "value"), "0.5") == "0.5"
    assert concealed(("results", "tasks", "x", "stats", "token"), 0.5) == 0.5


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://user:pass@host/x", "https://***@host/x"),
        ("git+https://ghp_x@host/x and http://a:b@c", "git+https://***@host/x and http://***@c"),
        ("https://u:p@ss@host", "https://***@host"),
        ("postgresql://u:p@db:5432/x", "postgresql://***@db:5432/x"),
        (
            "ssh://git@host/x docker://$oauthtoken@nvcr.io#a",
            "ssh://git@host/x docker://$oauthtoken@nvcr.io#a",
        ),
        ("https://${USER_NAME}@host", "https://${USER_NAME}@host"),
        ("http://127.0.0.1:80/v1?a=1&api_key=s3&b=2", "http://127.0.0.1:80/v1?a=1&api_key=***&b=2"),
        ("https://b/x?X-Amz-Signature=ab12&sig=q", "https://b/x?X-Amz-Signature=***&sig=***"),
        ("serve --api-key abc --max_tokens 5", "serve --api-key *** --max_tokens 5"),
        ("serve --api_key='abc' --api_key_name MY_KEY", "serve --api_key='***' --api_key_name MY_KEY"),
        ("run --token $HF_TOKEN --password {{ x }}", "run --token $HF_TOKEN --password {{ x }}"),
        ("-e JUDGE_API_KEY=abcdefgh -e MAX_TOKENS=4096", "-e JUDGE_API_KEY=*** -e MAX_TOKENS=4096"),
        ("model=x,api_key=abc,url=y", "model=x,api_key=***,url=y"),
        (
            "export API_KEY=${{target.api_endpoint.api_key_name}}",
            "export API_KEY=${{target.api_endpoint.api_key_name}}",
        ),
        ("curl -H 'Authorization: Bearer abcdefghijklmnop1'", "curl -H 'Authorization: Bearer ***'"),
        ("key nvapi-abcdefghijklmnopqrstuvwxyz1", "key nvapi-***"),
        ("a bearer of news --and=more", "a bearer of news --and=more"),
        ("see hf_hub, sk-learn and gh_pages", "see hf_hub, sk-learn and gh_pages"),
    ],
)
def test_secrets_within_longer_texts_are_masked(text: str, shown: str) -> None:
    assert concealed(("command",), text) == shown
    assert concealed(("command",), shown) == shown


def test_a_secret_with_a_field_of_its_own_is_found_wherever_it_recurs() -> None:
    known = known_secrets(
        [(("a", "api_key"), "s3cr3t-value"), (("b", "token"), "short"), (("c",), "other text")]
    )

    assert known == ("s3cr3t-value",)
    assert concealed(("command",), "x s3cr3t-value y", known=known) == "x *** y"


def test_literals_that_are_no_secrets_are_not_hunted_elsewhere() -> None:
    assert known_secrets([(("env_vars", "MODEL_NAME"), "lit:meta/llama-3.1")]) == ()
    assert known_secrets([(("env_vars", "JUDGE_API_KEY"), "lit:dummy-judge-key")]) == ("dummy-judge-key",)


@pytest.mark.parametrize(
    ("comment", "shown"),
    [
        ("# JUDGE_API_KEY: lit:abc", "# JUDGE_API_KEY: lit:***"),
        ('#   api_key: "sk-12345678"', '#   api_key: "***"'),
        ("# export MY_TOKEN=abcdefg1", "# export MY_TOKEN=***"),
        ("# token: the first of the answer", "# token: the first of the answer"),
        ("# max_tokens: 12345678", "# max_tokens: 12345678"),
    ],
)
def test_secrets_that_were_commented_out_are_masked(comment: str, shown: str) -> None:
    assert concealed_comment(comment) == shown
