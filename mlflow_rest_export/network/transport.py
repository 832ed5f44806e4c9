"""The only holder of HTTP connections: sends a call until it is answered, refused, or patience is at its end.

Knows timeouts, authentication at every attempt, what may be sent twice, and how failures are named. Knows
nothing of MLflow's endpoints.
"""

from __future__ import annotations

import itertools
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import requests
from requests.auth import AuthBase

from mlflow_rest_export.errors import ApiError, NoAnswer, SettingsError
from mlflow_rest_export.network.answers import Answer, error_of, json_of, retry_after
from mlflow_rest_export.network.auth import NoAuth, RenewableAuth
from mlflow_rest_export.network.call import Call, Repeat
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.failures import host_of, no_answer
from mlflow_rest_export.network.header_values import UNFIT
from mlflow_rest_export.network.insisting import wait_or_give_up
from mlflow_rest_export.network.pace import Spacing
from mlflow_rest_export.network.quick_connections import QuickAdapter
from mlflow_rest_export.network.sending import Sender
from mlflow_rest_export.network.streamed import Streamed
from mlflow_rest_export.network.tls import Tls
from mlflow_rest_export.redaction import protect_logs, without_secrets

_log = logging.getLogger("mlflow_rest_export")
_T = TypeVar("_T")
CONNECTIONS = 256
"""To one host, kept open at the most; as many are in use at once as there are workers."""


class Transport:
    """Sends calls to one host with one kind of credentials.

    Args:
        conduct: patience, pace and stop, shared with the other transports of the same export.
        auth: credentials, applied at every attempt; nobody by default, as presigned URLs want it.
        tls: certificates.
        headers: sent with every call.
        rates: calls a second that the host allows for paths that end so.
    """

    def __init__(
        self,
        *,
        conduct: Conduct,
        auth: AuthBase | None = None,
        tls: Tls | None = None,
        headers: Mapping[str, str] | None = None,
        rates: Mapping[str, float] | None = None,
    ) -> None:
        protect_logs()
        self.conduct = conduct
        self._auth = auth or NoAuth()
        self._tls = tls or Tls()
        self._headers = {"Accept-Encoding": "identity", **(headers or {})}
        self._spacing = Spacing(rates or {}, clock=time.monotonic)
        self._sender = Sender(
            QuickAdapter(pool_maxsize=CONNECTIONS), headers=self._headers, auth=self._auth, tls=self._tls
        )

    def aside(self, *, seconds: float) -> Transport:
        """Give the same way for what is worth so many seconds only, but is tried even after a signal."""
        conduct = self.conduct.aside(seconds=seconds)
        return Transport(conduct=conduct, auth=self._auth, tls=self._tls, headers=self._headers)

    def send(self, call: Call) -> Answer:
        """Send a call and give its good answer.

        Raises:
            ApiError: the server refuses, or its fault did not pass.
            NoAnswer: it gave no answer in the time there was.
            Interrupted: a signal came.
        """
        return self._insist(call, self._once)

    def send_for_json(self, call: Call) -> Mapping[str, object]:
        """Send a call and give its answer's JSON object, asking again for one cut short; errors as there."""
        reads = call.reads or call.method == "GET"
        host = host_of(call.url)
        return self._insist(
            call, lambda call: json_of(self._once(call), doing=call.doing, host=host, reads=reads)
        )

    def stream(self, call: Call) -> Iterator[bytes]:
        """Send a call and give the body of its good answer in pieces; errors as ``send``."""
        response = self._insist(call, self._open)
        response.raw.enforce_content_length = True  # else urllib3 1.26 takes a file cut short for a whole one
        try:
            for piece in response.iter_content(1 << 20):
                self.conduct.patience.progress()
                yield piece
        except requests.RequestException as error:
            raise no_answer(error, doing=call.doing, url=call.url) from None
        finally:
            response.close()

    def _insist(self, call: Call, attempt: Callable[[Call], _T]) -> _T:
        with self.conduct.patience.running():
            return self._try(call, attempt)

    def _try(self, call: Call, attempt: Callable[[Call], _T]) -> _T:
        conduct = self.conduct
        renewed = False
        for number in itertools.count():
            conduct.stop.check()
            self._prepare(call)
            try:
                with conduct.pace.turn(conduct.stop.check):
                    result = attempt(call)
            except (ApiError, NoAnswer) as error:
                if not renewed and self._renew_after(error):
                    renewed = True
                    continue
                wait_or_give_up(conduct, error, number, repeatable=call.repeat is Repeat.SAFELY)
            else:
                conduct.patience.progress()
                conduct.pace.went_well()
                return result
        raise AssertionError  # pragma: no cover - the loop has no end

    def _prepare(self, call: Call) -> None:
        """Do what may take long before a place among the requests under way is taken."""
        if isinstance(self._auth, RenewableAuth):
            self._auth.prepare(self.conduct)
        delay = self._spacing.reserve(call.url.partition("?")[0])
        if delay > 0:
            self.conduct.stop.wait(delay)

    def _renew_after(self, error: ApiError | NoAnswer) -> bool:
        """Renew refused credentials where that can help; nothing was done, so any call may be sent again.

        Databricks' front door answers 403 for a bad token, too, with the number as ``error_code``.
        """
        refused = isinstance(error, ApiError) and (
            error.status == 401 or (error.status == 403 and error.code == "403")
        )
        return refused and isinstance(self._auth, RenewableAuth) and self._auth.renew(self.conduct)

    def _once(self, call: Call) -> Answer:
        response = self._request(call, stream=False)
        try:
            answer = _answer_of(response)
        finally:
            response.close()
        return _good(answer, call)

    def _open(self, call: Call) -> requests.Response:
        response = self._request(call, stream=True)
        if not 200 <= response.status_code < 300:
            try:
                _good(_answer_of(response), call)
            finally:
                response.close()
        return response

    def _request(self, call: Call, *, stream: bool) -> requests.Response:
        began = time.monotonic()
        try:
            response = self._sender.send(call, self._body(call), timeout=self._timeout(call), stream=stream)
        except requests.RequestException as error:
            failure = no_answer(error, doing=call.doing, url=call.url)
            _log.debug("%s: %s", call.shown, failure)
            raise failure from None
        except OSError as error:  # CA bundle, client certificate
            raise SettingsError(f"{call.doing}: {without_secrets(str(error))}") from None
        except ValueError:  # of http.client, whose words quote the header
            raise SettingsError(f"{call.doing}: a key, a token or a header {UNFIT}") from None
        if _log.isEnabledFor(logging.DEBUG):  # redacting an address takes as long as sending it
            took = (time.monotonic() - began) * 1e3
            _log.debug("%s: %d in %.0f ms", call.shown, response.status_code, took)
        return response

    def _timeout(self, call: Call) -> tuple[float, float]:
        """Give the seconds to wait for a connection, and for each sign of life on it."""
        conduct = self.conduct
        start, end = call.part
        most = conduct.patience.for_one_try()
        return min(conduct.connect_timeout, most), min(conduct.timeout + (end - start) / 1e6, most)

    def _body(self, call: Call) -> bytes | Streamed | None:
        if call.content is None:
            return call.body
        start, end = call.part
        if end <= start:  # an empty stream would be sent chunked, which stores refuse
            return b""
        return Streamed(call.content, start, end, self.conduct, call.farthest)


def _answer_of(response: requests.Response) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, response.content)


def _good(answer: Answer, call: Call) -> Answer:
    if answer.good:
        return answer
    error = error_of(answer, doing=call.doing, host=host_of(call.url))
    error.retry_after = retry_after(answer, now=time.time())
    raise error
