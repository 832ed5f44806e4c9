"""How a method of MLflow's tracking API is called: JSON in, a checked reply out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from mlflow_rest_export.network.call import Call, Repeat
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.targets.target import Target
from mlflow_rest_export.tracking import replies

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

    def url_of(self, path: str) -> str:
        """Give the address of an endpoint such as ``runs/create``."""
        return f"{self.target.base_url}/api/2.0/mlflow/{path}"

    def get(self, path: str, kind: type[_R], query: Mapping[str, str], *, doing: str) -> _R:
        """Ask an endpoint."""
        call = Call(method="GET", url=self.url_of(path), query=tuple(query.items()), doing=doing)
        return replies.parse(kind, self.transport.send_for_json(call), doing=doing)

    def post(
        self,
        path: str,
        kind: type[_R],
        body: Mapping[str, object] | bytes,
        *,
        doing: str,
        repeat: Repeat = Repeat.SAFELY,
        reads: bool = False,
    ) -> _R:
        """Post a JSON object to an endpoint, given as such or written out."""
        call = Call.posting(self.url_of(path), body, doing=doing, repeat=repeat, reads=reads)
        return replies.parse(kind, self.transport.send_for_json(call), doing=doing)
