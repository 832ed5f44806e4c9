"""What answers at the end of the way: MLflow or not, whom it sees in us, which version it is, its clock."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mlflow_rest_export import limits as server_limits
from mlflow_rest_export.doctor.check import Check, Layer, failed, ok, warning
from mlflow_rest_export.errors import ApiError, ExportError, TrackingError
from mlflow_rest_export.network.answers import Answer, json_of
from mlflow_rest_export.network.auth import BasicAuth, NoAuth
from mlflow_rest_export.network.call import Call
from mlflow_rest_export.network.failures import host_of
from mlflow_rest_export.tracking.rest import RestTracking

SKEW = 60.0
"""Seconds by which clocks may differ without a word; passing through takes some, too."""
SKEW_OF_SIGNATURES = 300.0
"""AWS refuses signatures that are older (RequestTimeTooSkewed, 15 minutes for S3, 5 elsewhere)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One host.

    Args:
        tracking: its client.
        clock: seconds since 1970.
    """

    tracking: RestTracking
    clock: Callable[[], float] = time.time

    def checks(self) -> Iterator[Check]:
        """Ask for one experiment, the cheapest question that every MLflow answers, and look at the answer."""
        try:
            answer = self._ask()
        except ApiError as error:
            yield failed(Layer.CREDENTIALS if error.refused else Layer.SERVER, error)
            return
        except ExportError as error:
            yield failed(Layer.SERVER, error)
            return
        target = self.tracking.target
        yield ok(Layer.SERVER, f"{target.kind} at {target.base_url}")
        yield self._credentials()
        yield self._clock(answer)
        yield self._features()

    def _ask(self) -> Answer:
        doing = "asking for an experiment"
        call = Call.posting(self.tracking.url_of("experiments/search"), {"max_results": 1}, doing=doing)
        answer = self.tracking.transport.send(call)
        json_of(answer, doing=doing, host=host_of(call.url))
        return answer

    def _credentials(self) -> Check:
        auth = self.tracking.target.auth
        if isinstance(auth, NoAuth):
            return ok(Layer.CREDENTIALS, "none given and none asked for")
        who = _text(auth.username) if isinstance(auth, BasicAuth) else self._user()
        return ok(Layer.CREDENTIALS, f"accepted, as {who}" if who else "accepted")

    def _user(self) -> str:
        """Ask the host who we are, where there is somebody to ask; "" otherwise."""
        target = self.tracking.target
        if not target.user_page:
            return ""
        doing = "asking who we are"
        call = Call(method="GET", url=f"{target.base_url}{target.user_page}", doing=doing)
        try:
            answer = self.tracking.transport.send(call)
            return str(json_of(answer, doing=doing, host=host_of(call.url)).get("userName", ""))
        except TrackingError:
            return ""

    def _clock(self, answer: Answer) -> Check:
        try:
            told = email.utils.parsedate_to_datetime(answer.headers.get("date", "")).timestamp()
        except (TypeError, ValueError):
            return ok(Layer.CLOCK, "the server does not tell its time")
        skew = self.clock() - told
        if abs(skew) <= SKEW:
            return ok(Layer.CLOCK, f"within {SKEW:.0f} s of the server's")
        said = f"{abs(skew):.0f} s {'ahead of' if skew > 0 else 'behind'} the server's"
        advice = "; signatures and tokens fail on that: set this machine's clock (NTP)"
        if self.tracking.target.signs and abs(skew) > SKEW_OF_SIGNATURES:
            return failed(Layer.CLOCK, said + advice)
        return warning(Layer.CLOCK, said + advice)

    def _features(self) -> Check:
        try:
            version = self.tracking.version()
            limits = self.tracking.limits()
        except ExportError as error:
            return failed(Layer.FEATURES, error)
        known = server_limits.parse_version(version)
        said = f"MLflow {version}" if known else "a version that the server does not tell"
        unit = "bytes" if limits.lengths_in_bytes else "characters"
        said += f": params up to {limits.param_value} {unit}, tags up to {limits.tag_value}"
        said += ", dataset inputs" if limits.dataset_inputs else ", no dataset inputs"
        return ok(Layer.FEATURES, said) if known else warning(Layer.FEATURES, said)


def _text(name: bytes | str) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else name
