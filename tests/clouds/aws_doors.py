"""What stands before SageMaker's MLflow and before S3: checks every signature with botocore, as AWS would.

Refusals have the shapes that AWS documents; see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-troubleshooting.html
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from urllib.parse import parse_qs, urlencode

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from front_door import Asked, Said

WINDOW = timedelta(minutes=5)
PREFIX = "/api/2.0/mlflow/"
_ACTIONS = {
    "runs/create": "CreateRun",
    "runs/log-batch": "LogBatch",
    "runs/update": "UpdateRun",
    "artifacts/presigned-upload-url": "CreatePresignedUploadUrl",
}


@dataclass(slots=True)
class Keys:
    """Somebody's keys, which the test may change while the door is open."""

    access_key: str = "AKIACANARY0000000001"
    secret: str = "canary/secret+key0123456789"
    token: str = ""

    def variables(self) -> dict[str, str]:
        """Give them as the environment has them."""
        found = {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret}
        return {**found, **({"AWS_SESSION_TOKEN": self.token} if self.token else {})}

    def credentials(self) -> Credentials:
        return Credentials(self.access_key, self.secret, self.token or None)


@dataclass(slots=True)
class SageMakerDoor:
    """The guard of one tracking server or app.

    Args:
        arn: of the resource.
        keys: who may come in.
        denied: IAM actions that these keys lack.
        hidden: beginnings of paths that are not there.
        throttled: calls that are too much; counts down.
    """

    arn: str
    keys: Keys
    denied: set[str] = field(default_factory=set)
    hidden: tuple[str, ...] = ()
    throttled: int = 0

    @property
    def is_app(self) -> bool:
        return ":mlflow-app/" in self.arn

    def __call__(self, asked: Asked) -> Said | None:
        header = "x-sm-mlflow-app-arn" if self.is_app else "x-mlflow-sm-tracking-server-arn"
        if header not in asked.headers:
            return Said(500)
        wrong = self._unsigned(asked, header)
        if wrong is not None:
            return _aws(403, *wrong)
        if asked.headers[header] != self.arn:
            return _aws(404, "ResourceNotFound", "no such server")
        if self.throttled:
            self.throttled -= 1
            return _aws(400, "ThrottlingException", "Rate exceeded")
        if self.hidden and asked.path.startswith(self.hidden):
            return Said.json(404, {"message": "Not Found"})
        return self._denied(asked)

    def _denied(self, asked: Asked) -> Said | None:
        action = _ACTIONS.get(asked.path.removeprefix(PREFIX), "Other")
        if self.is_app and "CallMlflowAppApi" in self.denied:
            return Said.json(403, {"message": "Request is not authorized"})
        if action not in self.denied:
            return None
        text = (
            "User: arn:aws:sts::123456789012:assumed-role/Demo/s is not authorized to perform: "
            f"sagemaker-mlflow:{action} on resource: {self.arn} because no identity-based policy allows it"
        )
        return _aws(403, "AccessDeniedException:http://x/", text)

    def _unsigned(self, asked: Asked, arn_header: str) -> tuple[str, str] | None:
        service = "sagemaker" if self.is_app else "sagemaker-mlflow"
        scope = (self.arn.split(":")[3], service)
        if self.keys.token and asked.headers.get("x-amz-security-token") != self.keys.token:
            return "ExpiredTokenException", "The security token included in the request is expired"
        return wrong_signature(asked, self.keys, scope, auth=SigV4Auth, must_sign=(arn_header,))


def wrong_signature(
    asked: Asked,
    keys: Keys,
    scope: tuple[str, str],
    *,
    auth: type[SigV4Auth],
    must_sign: tuple[str, ...] = (),
) -> tuple[str, str] | None:
    """Check an ``Authorization`` header; give code and message of what is wrong, None when nothing is."""
    kind, _, rest = asked.headers.get("authorization", "").partition(" ")
    if kind != "AWS4-HMAC-SHA256":
        return "MissingAuthenticationTokenException", "Missing Authentication Token"
    fields = dict(part.strip().split("=", 1) for part in rest.split(","))
    key, day, region, service, _ = fields["Credential"].split("/")
    date = asked.headers.get("x-amz-date", "")
    signed = fields["SignedHeaders"].split(";")
    hashed = asked.headers.get("x-amz-content-sha256", "")
    unsigned = [name for name in (*must_sign, "host", "x-amz-date") if name not in signed]
    unsigned += [name for name in asked.headers if name.startswith("x-amz-") and name not in signed]
    checks = (
        (key != keys.access_key, "UnrecognizedClientException", "The security token ... is invalid."),
        (bool(unsigned), "InvalidSignatureException", f"not signed: {unsigned}"),
        ((region, service) != scope, "InvalidSignatureException", f"Credential should be scoped to {scope}"),
        (not date.startswith(day), "InvalidSignatureException", "the days differ"),
        (_is_old(date), "InvalidSignatureException", f"Signature expired: {date} is now earlier than"),
        (_is_other_body(hashed, asked.body), "InvalidSignatureException", "the body has another hash"),
        (
            _signature(asked, keys, scope, auth, signed) != fields["Signature"],
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided.",
        ),
    )
    return next(((code, text) for wrong, code, text in checks if wrong), None)


@dataclass(slots=True)
class S3Door:
    """The guard of an S3 with ``moto`` behind it, which itself would take anything.

    Args:
        keys: who may come in, by header or by signed URL.
        expired: signed URLs are treated as old; counts down at each refusal.
        others: further keys that may come in.
    """

    keys: Keys
    region: str = "us-east-1"
    expired: int = 0
    others: list[Keys] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Said | None:
        query = parse_qs(asked.query)
        if "chunked" in asked.headers.get("transfer-encoding", "") and not asked.headers.get(
            "x-amz-decoded-content-length"
        ):
            return _xml(501, "NotImplemented", "A header you provided implies functionality ...")
        if "X-Amz-Signature" in query:
            return self._by_url(asked, query)
        keys = next(
            (keys for keys in self.others if keys.access_key in asked.headers.get("authorization", "")),
            self.keys,
        )
        wrong = wrong_signature(asked, keys, (self.region, "s3"), auth=S3SigV4Auth)
        return _xml(403, "SignatureDoesNotMatch", wrong[1]) if wrong else None

    def _by_url(self, asked: Asked, query: dict[str, list[str]]) -> Said | None:
        if "authorization" in asked.headers or "cookie" in asked.headers:
            return _xml(400, "InvalidArgument", "Only one auth mechanism allowed")
        if self.expired:
            self.expired -= 1
            return _xml(403, "AccessDenied", "Request has expired")
        signed = query["X-Amz-SignedHeaders"][0].split(";")
        missing = [name for name in signed if name not in asked.headers]
        request = AWSRequest(
            method=asked.method,
            url=f"http://{asked.headers['host']}{asked.path}?{_without_signature(query)}",
            headers={name: asked.headers[name] for name in signed if name in asked.headers},
        )
        auth = S3SigV4QueryAuth(self.keys.credentials(), "s3", self.region)
        _at(request, query["X-Amz-Date"][0])
        text = auth.string_to_sign(request, auth.canonical_request(request))
        if missing or auth.signature(text, request) != query["X-Amz-Signature"][0]:
            return _xml(403, "SignatureDoesNotMatch", f"The request signature ... does not match {missing}")
        return None


def _signature(
    asked: Asked, keys: Keys, scope: tuple[str, str], auth: type[SigV4Auth], signed: list[str]
) -> str:
    request = AWSRequest(
        method=asked.method,
        url=f"http://{asked.headers['host']}{asked.target}",
        headers={name: asked.headers[name] for name in signed if name in asked.headers},
        data=asked.body,
    )
    region, service = scope
    signer = auth(keys.credentials(), service, region)
    _at(request, asked.headers.get("x-amz-date", ""))
    text: str = signer.string_to_sign(request, signer.canonical_request(request))
    signature: str = signer.signature(text, request)
    return signature


def _at(request: AWSRequest, date: str) -> None:
    request.context["timestamp"] = date


def _is_old(date: str) -> bool:
    try:
        moment = datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    except ValueError:
        return True
    return abs(datetime.now(timezone.utc) - moment) > WINDOW


def _is_other_body(hashed: str, body: bytes) -> bool:
    if hashed.startswith(("STREAMING-", "UNSIGNED-")):
        return False
    return hashed != hashlib.sha256(body).hexdigest()


def _without_signature(query: dict[str, list[str]]) -> str:
    left = [(name, value) for name, values in query.items() for value in values if name != "X-Amz-Signature"]
    return urlencode(sorted(left), safe="~").replace("+", "%20")


def _aws(status: int, kind: str, message: str) -> Said:
    return Said.json(status, {"message": message}, **{"x-amzn-ErrorType": kind})


def _xml(status: int, code: str, message: str) -> Said:
    text = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'
    return Said(status, {"Content-Type": "application/xml"}, text.encode())
