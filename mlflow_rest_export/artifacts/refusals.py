"""When a server's refusal means that it does not offer a way, rather than that something went wrong."""

from __future__ import annotations

from mlflow_rest_export.artifacts.route import RouteUnavailable
from mlflow_rest_export.errors import ApiError


def closed_by(error: ApiError, *, offer: str) -> RouteUnavailable | None:
    """Read an error of an endpoint that not every server has; None when it is an error to be told.

    404 and 405: the server does not know the endpoint. 403: it, or a gateway, forbids it (3.17 says so of
    unknown endpoints, too). 400 and 501: not with this store. A 500 that stays: the server lacks the library
    for its store. Others, credentials among them, are no matter of ways.

    Args:
        error: what the server said.
        offer: what was asked for, in the plural.
    """
    said = f" ({error.reason[:200]})" if error.reason else ""
    if error.status == 404 and error.not_found:
        return None
    if error.status in {404, 405}:
        return RouteUnavailable(f"the server offers no {offer}")
    if error.status == 403 and not error.about_credentials:
        return RouteUnavailable(f"the server forbids {offer}{said}")
    if error.status in {500, 501} or (error.status == 400 and "not supported" in error.reason):
        return RouteUnavailable(f"the server gives no {offer} for this store{said}")
    if error.status == 400 and not error.about_credentials:
        return RouteUnavailable(f"the server gives no {offer} for this file{said}", for_all_files=False)
    return None
