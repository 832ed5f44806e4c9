"""Certificates of both ends of a connection, as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How servers prove who they are, and we to them."""

    verify: bool | str = True
    """False: not at all; a path: the CA bundle."""
    client_cert: str | None = None
    """One PEM file with certificate and key."""
