"""Our signer against botocore's, on requests that nobody thought of."""

from __future__ import annotations

import hashlib
import string
from datetime import datetime, timezone

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_rest_export.network import sigv4

URL_TEXT = st.text(string.ascii_letters + string.digits + "-._~%/=+:@!$'()*,;", max_size=30)
NAME = st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=20)
VALUE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)
SECRET = st.text(string.ascii_letters + string.digits + "/+", min_size=1, max_size=40)
MOMENTS = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2099, 1, 1))  # noqa: DTZ001
PAIRS = st.lists(st.tuples(URL_TEXT, URL_TEXT), max_size=5)


@settings(max_examples=500)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH"]),
    host=st.sampled_from(["h.example", "H.example:8443", "h.example:443", "[::1]:5000"]),
    path=URL_TEXT,
    pairs=PAIRS,
    headers=st.dictionaries(NAME, VALUE, max_size=5),
    body=st.binary(max_size=50),
    secret=SECRET,
    token=st.one_of(st.just(""), SECRET),
    moment=MOMENTS,
)
def test_the_signature_is_botocores(  # a request has this many parts
    method: str,
    host: str,
    path: str,
    pairs: list[tuple[str, str]],
    headers: dict[str, str],
    body: bytes,
    secret: str,
    token: str,
    moment: datetime,
) -> None:
    headers = {f"x-{name}": value for name, value in headers.items()}
    headers = {name.lower(): value for name, value in headers.items() if not name.lower().startswith("x-amz")}
    url = f"https://{host}/{path}?" + "&".join(f"{name}={value}" for name, value in pairs)
    moment = moment.replace(microsecond=0, tzinfo=timezone.utc)
    keys, scope = sigv4.AwsKeys("AKIA", secret, token), sigv4.Scope("eu-west-1", "sagemaker-mlflow")
    unsigned = sigv4.Unsigned(method=method, url=url, headers=headers, payload_sha256=_hash(body))

    ours = sigv4.signed_headers(unsigned, keys=keys, scope=scope, moment=moment)

    assert ours["Authorization"] == _botocore(unsigned, body, keys, scope, moment)


def _hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _botocore(
    unsigned: sigv4.Unsigned, body: bytes, keys: sigv4.AwsKeys, scope: sigv4.Scope, moment: datetime
) -> str:
    stamp = moment.strftime("%Y%m%dT%H%M%SZ")
    token = {"X-Amz-Security-Token": keys.session_token} if keys.session_token else {}
    request = AWSRequest(
        method=unsigned.method,
        url=unsigned.url,
        headers={**unsigned.headers, "X-Amz-Content-SHA256": _hash(body), "X-Amz-Date": stamp, **token},
        data=body,
    )
    request.context["timestamp"] = stamp
    signer = SigV4Auth(
        Credentials(keys.access_key_id, keys.secret_access_key, keys.session_token or None),
        scope.service,
        scope.region,
    )
    signed = signer.signed_headers(signer.headers_to_sign(request))
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return (
        f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={signed}, "
        f"Signature={signer.signature(text, request)}"
    )
