"""The Python API: the launcher's ``export_results``, and a typed client for everything else."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from mlflow_rest_export.client import Client
from mlflow_rest_export.config import check_destination, read_environment, resolve
from mlflow_rest_export.errors import ExportError, SettingsError
from mlflow_rest_export.export_call import ExportCall
from mlflow_rest_export.exporting.outcomes import Outcome, RunResult
from mlflow_rest_export.exporting.stores import open_store
from mlflow_rest_export.network.conduct import Conduct


def export_results(
    invocation_ids: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    dest: str = "mlflow",
    config: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """Export results, with the signature and the answer of nemo-evaluator-launcher's function.

    Args:
        invocation_ids: invocation ids, job ids, unique prefixes, or paths of results.
        dest: ``mlflow``.
        config: settings as under ``export.mlflow``, or a whole run config.

    Returns:
        ``success`` and ``metadata`` as the launcher gives them, and ``runs``: for each run what ``--json``
        tells. Nothing is raised for what can be told so: a failure as a whole has ``metadata.error``.
    """
    results: list[RunResult] = []
    try:
        things = _texts(invocation_ids)
        check_destination(dest)
        layers = resolve(environment=read_environment(), config=config)
        results.extend(ExportCall.of(things, layers).run())
    except (ExportError, OSError) as error:
        return cut_short(results, f"Export failed: {error}")
    return answer(results)


def _texts(invocation_ids: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[str]:
    many = [invocation_ids] if isinstance(invocation_ids, (str, os.PathLike)) else invocation_ids
    try:
        return [os.fspath(thing) for thing in many]
    except TypeError:
        raise SettingsError("invocation_ids must be an id or a path, or a list of them") from None


def answer(results: Sequence[RunResult]) -> dict[str, object]:
    """Give the answer of ``export_results`` and of ``--json`` for these results."""
    good = {Outcome.EXPORTED, Outcome.UNCHANGED, Outcome.PLANNED}
    outcomes = [result.outcome for result in results]
    return {
        "success": Outcome.FAILED not in outcomes and Outcome.SPOOLED not in outcomes,
        "metadata": {
            "successful_jobs": sum(outcome in good for outcome in outcomes),
            "failed_jobs": outcomes.count(Outcome.FAILED),
            "skipped_jobs": outcomes.count(Outcome.SKIPPED),
            "spooled_jobs": outcomes.count(Outcome.SPOOLED),
        },
        "runs": [result.as_json() for result in results],
    }


def cut_short(results: Sequence[RunResult], reason: str) -> dict[str, object]:
    """Give the answer of a call that ended before its time, with what became of the runs until then."""
    told = answer(results)
    counts = told["metadata"] if results else {}
    return {**told, "success": False, "metadata": {**counts, "error": reason}}  # type: ignore[dict-item]


def connect(tracking_uri: str | None = None, *, workers: int = 8, timeout: float | None = None) -> Client:
    """Open an MLflow, with credentials from the ``MLFLOW_*`` variables; nothing is asked of it yet.

    Args:
        tracking_uri: ``http(s)://...``, ``databricks``, an ARN, ``./mlruns``, ...; None:
            ``MLFLOW_TRACKING_URI``.
        workers: requests under way at the most.
        timeout: seconds without progress after which to give up; None: 60 at first, 600 later.

    Raises:
        SettingsError: no host is known for the URI, or what it needs is missing.
    """
    config = {} if tracking_uri is None else {"tracking_uri": tracking_uri}
    layers = resolve(environment=read_environment(), config=config)
    conduct = Conduct.ordinary(workers=workers, timeout=timeout)
    store = open_store(layers.settings.required_tracking_uri(), layers.connection(), conduct)
    return Client(store, layers.environment, layers.settings.experiment_name)
