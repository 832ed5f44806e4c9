"""The names of the ways an artifact can take. Targets list them in order, ``artifacts`` maps them to code."""

from __future__ import annotations

import enum


class Route(enum.Enum):
    """One way for the bytes of an artifact."""

    PROXIED = "through the tracking server"
    SAME_HOST = "the artifact URI itself, an address of this server"
    DATABRICKS = "Databricks credentials"
    DATABRICKS_FILES = "Databricks Files API"
    DBFS = "Databricks file system"
    AZUREML = "Azure ML credentials"
    PRESIGNED = "presigned upload URL"
    SMALL_UPLOAD = "the server's small-file upload"
    OBJECT_STORE = "direct to the object store"
    SHARED_DISK = "a disk shared with the server"
