"""The whole knowledge of one MLflow host, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from requests.auth import AuthBase

from mlflow_rest_export.limits import Limits
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.network.tls import Tls
from mlflow_rest_export.network.transport import Transport
from mlflow_rest_export.records import Adjustment
from mlflow_rest_export.routes import Route


class ExperimentNames(Protocol):
    """The rules of a host for names of experiments."""

    def resolve(self, name: str, transport: Transport) -> tuple[str, tuple[Adjustment, ...]]:
        """Give the name as the host wants it, and what was changed."""
        ...

    def before_create(self, name: str, transport: Transport) -> None:
        """Do what the host needs before the experiment can be created."""
        ...


class AnyName:
    """Open-source servers take a name as it is."""

    def resolve(self, name: str, transport: Transport) -> tuple[str, tuple[Adjustment, ...]]:
        """Give the name unchanged."""
        del transport
        return name, ()

    def before_create(self, name: str, transport: Transport) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One MLflow host.

    Args:
        kind: what people call it, such as ``MLflow server`` or ``Databricks``.
        base_url: the tracking URI as an address, without a slash at the end; ``/api/2.0/mlflow/...`` follows.
        auth: credentials for the tracking API, never sent anywhere else.
        routes: the ways for artifacts, in the order in which they are tried.
        limits: what the host accepts; None when its version says so.
        page: prefix of the pages for people; ``/experiments/...`` follows.
        rates: calls a second that the host allows for paths that end so.
        signs: whether requests are signed, so that clocks must agree.
        user_page: path of the page that says who we are; "" when there is none.
        page_of_experiments: what comes after ``page`` for the list of experiments.
        page_query: what comes after the address of every page.
        variables: the environment, for object stores that are reached directly.
    """

    kind: str
    base_url: str
    page: str
    auth: AuthBase
    routes: tuple[Route, ...]
    tls: Tls = field(default_factory=Tls)
    headers: Mapping[str, str] = field(default_factory=dict)
    names: ExperimentNames = field(default_factory=AnyName)
    limits: Limits | None = None
    rates: Mapping[str, float] = field(default_factory=dict)
    signs: bool = False
    user_page: str = ""
    page_of_experiments: str = "experiments"
    page_query: str = ""
    variables: Mapping[str, str] = field(default_factory=dict, repr=False)

    def transport(self, conduct: Conduct) -> Transport:
        """Make the transport that speaks to this host with its credentials."""
        return Transport(
            conduct=conduct, auth=self.auth, tls=self.tls, headers=self.headers, rates=self.rates
        )
