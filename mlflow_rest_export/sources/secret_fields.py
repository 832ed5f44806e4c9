"""Which values of a stored config are secrets. Pure; knows no file format.

A value is judged by the names on the way to it and by its text. Masked are the ``lit:`` values of environment
blocks, fields whose exact name means a secret, and secrets inside longer texts (addresses, commands). Names
that merely contain such a word (``max_tokens``, ``api_key_name``) and values that only point to a secret
(``JUDGE_API_KEY``, ``${HF_TOKEN}``, ``host:HF_TOKEN``) stay.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

MASK = "***"
LITERAL = "lit:"
"""How an environment block of the launcher marks a value that stands there itself."""

Names = tuple[str | int, ...]
"""The keys and list indexes that lead to a value."""

_NAMES = (
    *("api_key", "api_keys", "api_token", "api_secret", "x_api_key", "subscription_key"),
    *("ocp_apim_subscription_key", "openai_api_key", "azure_openai_api_key", "anthropic_api_key"),
    *("nvidia_api_key", "ngc_api_key", "wandb_api_key", "judge_api_key"),
    *("token", "access_token", "auth_token", "bearer_token", "id_token", "refresh_token", "session_token"),
    *("security_token", "x_auth_token", "hf_token", "huggingface_token", "hugging_face_hub_token"),
    *("github_token", "gitlab_token", "databricks_token", "mlflow_tracking_token", "aws_session_token"),
    *("password", "passwd", "passphrase", "mlflow_tracking_password"),
    *("secret", "secrets", "client_secret", "secret_key", "secret_access_key", "aws_secret_access_key"),
    *("private_key", "account_key", "access_key", "shared_access_key", "signing_key", "encryption_key"),
    *("authorization", "proxy_authorization", "cookie", "set_cookie", "credential", "credentials"),
    "connection_string",
)
_EXACT = frozenset(name.replace("_", "") for name in _NAMES)
_ENVIRONMENT = frozenset({"env_vars", "env", "environment"})
_VARIABLE = r"[A-Z0-9_]*_(?:API_?KEY|ACCESS_KEY|SECRET_KEY|TOKEN|SECRET|PASSWORD|PASSWD|CREDENTIALS)"
_KNOWN_LENGTH = 8
"""Shorter secrets are not looked for in other values: they would be found in the middle of words."""

_POINTER = re.compile(
    r"""(?:(?i:bearer|basic|token)\s+)?(?:
        [A-Z][A-Z0-9]*(?:_+[A-Z0-9]+)+ | [A-Z]{1,20}\d?   # the name of a variable
      | \$\w+ | \$\{[^},]*\} | \$\([^)]*\) | \{\{.*\}\}   # the value of one, of a command, of a template
      | (?:host|runtime):[A-Za-z_]\w*                     # the launcher's way to say it
      | (?:lit:)?\*+ | \?\?\? | <[^<>]*>                  # masked before, missing, a placeholder
    )""",
    re.VERBOSE | re.DOTALL,
)

_NAME = "(?:" + "|".join(sorted((name.replace("_", "[_-]?") for name in _NAMES), key=len, reverse=True)) + ")"
_LITERAL_START = r"(?![${<%*])"
_SIGNED = "sig|signature|x-(?:amz|goog)-(?:signature|credential|security-token)"
_INLINE = tuple(
    re.compile(pattern)
    for pattern in (
        # an address with user and password, over http with either
        r"\b(?P<keep>(?i:https?)://)(?P<hide>[^\s/?#'\"<>@]+(?:@[^\s/?#'\"<>@]+)*)(?=@)",
        r"\b(?P<keep>[A-Za-z][A-Za-z0-9+.-]{0,20}://)(?P<hide>[^\s/?#'\"<>@:]*:[^\s/?#'\"<>]+)(?=@)",
        # a signed address
        rf"(?i)(?P<keep>[?&;](?:{_NAME}|{_SIGNED})=)(?P<hide>{_LITERAL_START}[^\s&#'\"<>]+)",
        # a command: --api-key X, password=X, HF_TOKEN=X, Authorization: Bearer X
        rf"(?i)(?<![\w.-])(?P<keep>--?{_NAME}(?:=|\s+)['\"]?)(?P<hide>{_LITERAL_START}[^\s'\"-][^\s'\"]*)",
        rf"(?i)(?<![\w-])(?P<keep>{_NAME}=['\"]?)(?P<hide>{_LITERAL_START}[^\s'\"&;,]+)",
        rf"(?P<keep>=['\"]?{LITERAL})(?P<hide>{_LITERAL_START}[^\s'\"]+)",
        rf"(?<![\w-])(?P<keep>{_VARIABLE}=['\"]?)(?P<hide>{_LITERAL_START}[^\s'\"&;,]{{8,}})",
        r"(?P<keep>\b(?i:bearer|basic)\s+)(?P<hide>[\w.~+/=-]{16,})",
        # tokens that cannot be anything else
        r"\b(?P<keep>nvapi-|hf_|sk-(?:proj-|ant-|or-)?|gh[pousr]_|glpat-|dapi)(?P<hide>[A-Za-z0-9]{20}[\w-]*)",
    )
)
_HINT = re.compile(r"://|=|--?\w|(?i:bearer|basic)\s|hf_|gh[pousr]_|dapi")
"""Without any of these no pattern of ``_INLINE`` can match; most values are left at once."""
_COMMENTED = (
    re.compile(rf"(?P<keep>\b{LITERAL})(?P<hide>{_LITERAL_START}[^\s'\"]+)"),
    re.compile(
        rf"(?P<keep>(?<![\w.-])(?:(?i:{_NAME})|{_VARIABLE})['\"]?\s*[:=]\s*['\"]?)"
        rf"(?P<hide>{_LITERAL_START}(?=[^\s'\"]*\d)[^\s'\"]{{8,}})"
    ),
)


def concealed(names: Names, value: object, *, known: Iterable[str] = ()) -> object:
    """Give what may be shown of a value: itself, or a text in which every secret is ``***``.

    Args:
        names: the keys and indexes that lead to it.
        value: text, number, boolean or None.
        known: secrets found elsewhere in the same document.
    """
    if value is None or isinstance(value, bool):
        return value
    text = str(value)
    if _is_environment(names) and text.startswith(LITERAL):
        return value if _POINTER.fullmatch(text) or text == LITERAL else LITERAL + MASK
    if _names_secret(names, text=isinstance(value, str)):
        return value if not text or _POINTER.fullmatch(text) else MASK
    if not isinstance(value, str):
        return value
    return _without_inline(text, known)


def is_pointer(text: str) -> bool:
    """Say whether a text only points to a secret, such as the name of a variable."""
    return _POINTER.fullmatch(text) is not None


def known_secrets(leaves: Iterable[tuple[Names, object]]) -> tuple[str, ...]:
    """Collect the secrets that have a field of their own, longest first; commands may repeat them."""
    found: set[str] = set()
    for names, value in leaves:
        if isinstance(value, str) and _names_secret(names, text=True) and concealed(names, value) != value:
            secret = value.removeprefix(LITERAL)
            if len(secret) >= _KNOWN_LENGTH:
                found.add(secret)
    return tuple(sorted(found, key=lambda secret: (-len(secret), secret)))


def concealed_comment(text: str) -> str:
    """Mask the secrets of a comment: people comment keys out."""
    for pattern in (*_COMMENTED, *_INLINE):
        text = pattern.sub(_hide, text)
    return text


def _without_inline(text: str, known: Iterable[str]) -> str:
    for secret in known:
        text = text.replace(secret, MASK)
    if _HINT.search(text):
        for pattern in _INLINE:
            text = pattern.sub(_hide, text)
    return text


def _hide(match: re.Match[str]) -> str:
    if _POINTER.fullmatch(match["hide"]):
        return match[0]
    return match["keep"] + MASK


def _is_environment(names: Names) -> bool:
    return any(name in _ENVIRONMENT for name in names[:-1])


def _names_secret(names: Names, *, text: bool) -> bool:
    """Whether a name means a secret: a field's own, and for texts also those of the mappings around it.

    In environment blocks the end of the variable's name decides. Scores are measured, so nothing below the
    ``results`` of a results file is named for a secret, whatever a task is called.
    """
    if names[:1] == ("results",):
        return False
    texts = [name for name in names if isinstance(name, str)]
    if any(means_secret(name) for name in (texts if text else texts[-1:])):
        return True
    return bool(texts) and _is_environment(names) and bool(re.fullmatch(_VARIABLE, texts[-1]))


@lru_cache(maxsize=4096)
def means_secret(name: str) -> bool:
    """Say whether a name means a secret, and does not merely contain such a word."""
    return re.sub("[_-]", "", name).strip().lower() in _EXACT
