"""The errors a caller can meet, each one sentence a tired person can act on.

Two questions decide the class: did we get an answer (``ApiError``) or not (``NoAnswer``), and whose
move is it (the settings, the input, the server). Exit codes are chosen from the class in ``cli`` alone.
"""

from __future__ import annotations

import re

AWS_CREDENTIAL_CODES = frozenset(
    {
        *("ExpiredToken", "InvalidToken", "InvalidClientTokenId", "UnrecognizedClient", "InvalidAccessKeyId"),
        *("InvalidSignature", "SignatureDoesNotMatch", "IncompleteSignature", "MissingAuthenticationToken"),
        *("RequestExpired", "RequestTimeTooSkewed"),
    }
)
"""Without ``Exception`` at their end; from the services' "common errors" and S3's error codes."""

AWS_THROTTLING_CODES = frozenset({"Throttling", "Throttled", "TooManyRequests", "RequestLimitExceeded"})

_BUSY_DATABASE = re.compile(r"QueuePool limit of size|\([\w.]*OperationalError\)")


def why(error: OSError) -> str:
    """Say why something cannot be read or written: the system's own words, to go on a sentence with."""
    return (error.strerror or str(error) or "unknown error").lower()


class ExportError(Exception):
    """Base of everything this package raises on purpose; ``str()`` is one line for people."""


class SettingsError(ExportError):
    """The command line, a config file or the environment asks for something impossible."""


class SourceError(ExportError):
    """A result on disk cannot be read; the sentence names the file and the place in it."""


class PlanError(ExportError):
    """A record cannot be expressed in MLflow as asked (``nan: fail``, for one)."""


class VerifyError(ExportError):
    """What was read back differs from what was sent."""


class Conflict(ExportError):
    """Another exporter owns the run, or the store holds something that must not be overwritten."""


class Interrupted(ExportError):
    """A signal asked the export to stop; what was begun is left resumable."""


class TrackingError(ExportError):
    """Base of what goes wrong between us and a tracking store or an artifact store."""


class StoreError(TrackingError):
    """A folder that holds runs cannot be read or written; the sentence names the place and the reason."""


class NoAnswer(TrackingError):
    """The server gave no usable answer.

    Attributes:
        may_have_arrived: True when the request may have had its effect all the same (the connection broke
            after sending), False when it surely had none (refused, name not resolved).
        origin: what was raised below. It is no ``__cause__``: a traceback would show it, and with it the
            whole address, which may be signed.
    """

    def __init__(self, message: str, *, may_have_arrived: bool, origin: BaseException | None = None) -> None:
        super().__init__(message)
        self.may_have_arrived = may_have_arrived
        self.origin = origin


class ApiError(TrackingError):
    """The server answered with an error.

    Attributes:
        status: HTTP status.
        code: the server's ``error_code`` ("" when it gave none; integers of front doors as text).
        reason: what the server said, cut to a bound.
        request_id: the server's id of the request, "" when it sent none.
        may_have_arrived: True when the request may have had its effect all the same: any 5xx, a database
            that was busy, and a good status with a body that cannot be read.
    """

    def __init__(
        self, message: str, *, status: int, code: str = "", reason: str = "", request_id: str = ""
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.reason = reason
        self.request_id = request_id
        self.retry_after: float | None = None
        """Seconds that the server asks us to wait, None when it asked for nothing."""
        self.location = ""
        """Where a redirect leads, without its query; we follow none."""
        self.bucket_region = ""
        """The region of the bucket, which S3 tells even those it refuses."""

    @property
    def may_have_arrived(self) -> bool:
        """Whether the request may have had its effect although the answer is an error."""
        return self.status >= 500 or self.status < 300 or self.status == 408 or self.database_busy

    @property
    def not_found(self) -> bool:
        """Whether the server, or a store, says that the thing asked for does not exist."""
        return self.code in {"RESOURCE_DOES_NOT_EXIST", "NoSuchKey", "BlobNotFound"}

    @property
    def already_exists(self) -> bool:
        """Whether the server says that the name is taken."""
        return self.code in {"RESOURCE_ALREADY_EXISTS", "ALREADY_EXISTS"}

    @property
    def refused(self) -> bool:
        """Whether the server knows us too little (401) or allows us too little (403)."""
        return self.status in {401, 403} or self.about_credentials

    @property
    def throttled(self) -> bool:
        """Whether it was too much at once; AWS may say so with 400 and a code."""
        code = self.code.removesuffix("Exception")
        return self.status == 429 or code in AWS_THROTTLING_CODES or self.database_busy

    @property
    def database_busy(self) -> bool:
        """Whether MLflow says with 400 BAD_REQUEST that its database had no time for us.

        "QueuePool limit": all connections of a server process were taken for 30 s. It has 15, and a log-batch
        takes two (1.30.1 to 3.17.2, ``mlflow/store/db/utils.py``). "OperationalError", such as "database is
        locked": 1.30.1 alone says so with 400; 2.9.2 and later do with 503.
        """
        return self.code == "BAD_REQUEST" and _BUSY_DATABASE.match(self.reason) is not None

    @property
    def about_credentials(self) -> bool:
        """Whether the server doubts who we are; AWS says so with 400 or 403 and a code."""
        return self.status == 401 or self.code.removesuffix("Exception") in AWS_CREDENTIAL_CODES


class ParamConflict(ApiError):
    """The run already has a param of this name with another value; nothing of the batch was stored."""


class NotMlflow(ApiError):
    """Something answered, but not as MLflow does: a web page, a login, half a JSON text."""
