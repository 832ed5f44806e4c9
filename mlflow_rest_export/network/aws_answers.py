"""What AWS says when it refuses, and what helps. Pure."""

from __future__ import annotations

import re

from mlflow_rest_export.errors import AWS_CREDENTIAL_CODES

_ACTION = re.compile(r"not authorized to perform: ([\w-]+:\w+)(?: on resource: (\S+))?")


def error_type(header: str, body_type: object) -> str:
    """Give the type of an AWS error without what services put around it, "" when there is none.

    Args:
        header: ``x-amzn-ErrorType``, to which some append ``:http://...``.
        body_type: the field ``__type``, in which some put a namespace before ``#``.
    """
    given = header or (body_type if isinstance(body_type, str) else "")
    return given.split(":")[0].rpartition("#")[2]


def advice(code: str, reason: str) -> str:
    """Say what helps against a refusal, "" when AWS's own words must do."""
    denied = _ACTION.search(reason)
    if denied is not None:
        place = f" on {denied.group(2)}" if denied.group(2) else ""
        return f"allow these credentials the IAM action {denied.group(1)}{place}"
    if code != "PERMISSION_DENIED" and reason.startswith("Request is not authorized"):
        return "allow these credentials the IAM action sagemaker:CallMlflowAppApi on the app"
    kind = code.removesuffix("Exception")
    if kind not in AWS_CREDENTIAL_CODES:
        return ""
    if "Expired" in kind or "expired" in reason:
        return "renew the AWS credentials, and check this machine's clock"
    if "Signature" in kind or "Skewed" in kind:
        return "check AWS_SECRET_ACCESS_KEY, the region, and this machine's clock"
    return "check AWS_ACCESS_KEY_ID and AWS_SESSION_TOKEN"
