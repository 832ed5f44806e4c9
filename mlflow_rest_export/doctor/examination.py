"""The order in which the layers are looked at; it ends at the first that fails, since the rest would, too."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlflow_rest_export.atomic_files import UNFINISHED
from mlflow_rest_export.config import Layers
from mlflow_rest_export.connection import Connection
from mlflow_rest_export.doctor.check import Check, Layer, State, failed, ok, warning
from mlflow_rest_export.doctor.network import Way
from mlflow_rest_export.doctor.service import Service
from mlflow_rest_export.doctor.storing import Storing
from mlflow_rest_export.doctor.versions import versions
from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.exporting.stores import Store, open_store
from mlflow_rest_export.network.conduct import Conduct
from mlflow_rest_export.redaction import without_secrets
from mlflow_rest_export.targets import http
from mlflow_rest_export.tracking.files import FileTracking
from mlflow_rest_export.tracking.rest import RestTracking

PATIENCE = 15.0
"""Seconds for an answer when no ``--timeout`` is given: a doctor is asked by somebody who waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """Everything between this machine and a run that is seen.

    Args:
        layers: the settings of the export that is to work.
        write: whether to send a tiny run.
    """

    layers: Layers
    write: bool = False

    def checks(self) -> Iterator[Check]:
        """Give the layers one after the other, up to and with the first that fails."""
        for check in self._all():
            yield check
            if check.state is State.FAILED:
                return

    def _all(self) -> Iterator[Check]:
        yield versions()
        settings = self.layers.settings
        try:
            uri = settings.required_tracking_uri()
            connection = self.layers.connection()
            conduct = Conduct.ordinary(workers=1, timeout=settings.timeout or PATIENCE)
            store = open_store(uri, connection, conduct)
        except SettingsError as error:
            yield failed(Layer.SETTINGS, error)
            return
        yield ok(Layer.SETTINGS, f"{without_secrets(uri)}, experiment {settings.experiment_name!r}")
        for said in http.warnings(uri, connection):
            yield warning(Layer.SETTINGS, said)
        yield from self._of_store(store, connection)
        yield from Storing(
            store=store,
            experiment=settings.experiment_name,
            write=self.write,
            restore=settings.restore_experiment,
        ).checks()

    def _of_store(self, store: Store, connection: Connection) -> Iterator[Check]:
        tracking = store.tracking
        if isinstance(tracking, FileTracking):
            yield _about_folder(tracking.root)
        if isinstance(tracking, RestTracking):
            target = tracking.target
            yield from Way(url=target.base_url, tls=target.tls, variables=connection.environment).checks()
            yield from Service(tracking=tracking).checks()


def _about_folder(root: Path) -> Check:
    """Write into the folder or the nearest one above it: the system's word beforehand may be wrong."""
    existing = next(path for path in (root, *root.parents) if os.path.exists(path))  # noqa: PTH110  # never raises
    try:
        with tempfile.TemporaryDirectory(dir=existing, prefix=UNFINISHED):
            pass
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        said = f"{existing} cannot be written ({reason}): choose another folder for the runs"
        return failed(Layer.FOLDER, said)
    return ok(Layer.FOLDER, f"{root} can be written")
