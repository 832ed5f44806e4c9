"""How a method of MLflow's tracking API is called: JSON in, a checked reply out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeVar

from mlflow_rest_export.network.call import Call, Repeat
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.targets.target import Target
from mlflow_rest_export.tracking import replies

API = "/api/2.0/mlflow"

_R = TypeVar("_R", bound=replies.Reply)


class RestCalls:
    """Calls to the tracking API of one host.

    Args:
        target: the host.
        transport: how to reach it.
    """

    def __init__(self, target: Target, transport: Transport) -> None:
        self.target = target
        self.transport = transport

    def _get(self, path: str, kind: type[_R], query: Mapping[str, str], *, doing: str) -> _R:
        url = f"{self.target.base_url}{API}/{path}"
        call = Call(method="GET", url=url, query=tuple(query.items()), doing=doing)
        return replies.parse(kind, self.transport.send_for_json(call), doing=doing)

    def _post(
        self,
        path: str,
        kind: type[_R],
        body: Mapping[str, object],
        *,
        doing: str,
        repeat: Repeat = Repeat.SAFELY,
        reads: bool = False,
    ) -> _R:
        call = self._call(path, json.dumps(body).encode(), doing=doing, repeat=repeat, reads=reads)
        return replies.parse(kind, self.transport.send_for_json(call), doing=doing)

    def _call(
        self,
        path: str,
        body: bytes,
        *,
        doing: str,
        repeat: Repeat = Repeat.IF_NOT_SENT,
        reads: bool = False,
    ) -> Call:
        return Call(
            method="POST",
            url=f"{self.target.base_url}{API}/{path}",
            doing=doing,
            headers={"Content-Type": "application/json"},  # mandatory since 2.9
            body=body,
            repeat=repeat,
            reads=reads,
        )
