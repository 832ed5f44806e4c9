"""Writes the pages that follow from the code: ``python tests/reference_pages.py``."""

from __future__ import annotations

import argparse
import os

from pages import ROOT

from mlflow_rest_export import __version__
from mlflow_rest_export.cli.arguments import parser
from mlflow_rest_export.config import setting_rows

_CONFIGURATION = """\
# Settings

Every key stands under `export.mlflow` in a run config or an `export_config.yml` of the launcher, or alone in
a file given with `--config`; as `-o export.mlflow.KEY=VALUE` on the command line; and in the `config` of
`export_results`. Strongest first: `-o`, flags, `--config` file, `MLFLOW_*` variables, what the job has stored
of its own, default.

| key | type | default | meaning |
|---|---|---|---|
{rows}

A results folder may come from anybody. So what it has stored may shape its own runs and name a server, but
your credentials for MLflow (variables, `token_file`, `token_command`, `headers`, your Azure login) do not go
to an `http`, `https` or `azureml` address that the results alone name: the export of that job is refused
before anything is sent, and `--tracking-uri URI` says that you mean it. Nor may such a server send files to
an object store with your cloud credentials, or onto a disk of this machine. `databricks` and ARNs name no
address; they lead where your own login leads. What your own execution database of the launcher has noted,
and the name of a variable, count as yours.

## How values are written

- `$VAR`, `${{VAR}}` and `${{oc.env:VAR,default}}` in any text stand for a variable; `$$` is a dollar sign.
- Blocks of variables of the launcher (`env_vars`) know `host:NAME`, `runtime:NAME` and `lit:TEXT`; what a
  job's block says wins over the variable of this process.
- `-o export.mlflow.tags.team=eval` sets one entry, `-o 'export.mlflow.log_metrics=[a,b]'` a list,
  `-o '~export.mlflow.KEY'` or `=null` takes a setting back.
- `workers` is 1 to 64.
- Ids are looked up in `NEMO_EVALUATOR_EXEC_DB_FILE`, else in `~/.nemo-evaluator/exec-db/exec.v1.jsonl`.

These variables of the MLflow SDK are read, and the file `~/.mlflow/credentials`:

{variables}
"""
_VARIABLES = (
    *("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_WORKSPACE", "MLFLOW_TRACKING_USERNAME"),
    *("MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_AUTH"),
    *("MLFLOW_TRACKING_AWS_SIGV4", "MLFLOW_TRACKING_INSECURE_TLS", "MLFLOW_TRACKING_SERVER_CERT_PATH"),
    *("MLFLOW_TRACKING_CLIENT_CERT_PATH", "MLFLOW_HTTP_REQUEST_TIMEOUT"),
)


def configuration() -> str:
    """Give ``docs/configuration.md``."""
    rows = []
    for row in setting_rows():
        names = ", ".join(f"`{name}`" for name in (row.key, *row.equal_names))
        default = f"`{row.default}`" if row.default else ""
        rows.append(f"| {names} | {row.kind} | {default} | {row.description} |")
    variables = "\n".join(f"- `{name}`" for name in _VARIABLES)
    return _CONFIGURATION.format(rows="\n".join(rows), variables=variables)


def command_line() -> str:
    """Give ``docs/command-line.md``, as wide as a terminal of 100 columns."""
    os.environ["COLUMNS"] = "100"
    top = parser(__version__)
    groups = next(one for one in top._actions if isinstance(one, argparse._SubParsersAction))
    parts = [("mlflow-rest-export --help", top)]
    parts += [(f"mlflow-rest-export {name} --help", one) for name, one in groups.choices.items()]
    shown = "\n".join(f"```text\n$ {call}\n{one.format_help()}```\n" for call, one in parts)
    return f"# The command line\n\n{shown}"


PAGES = {"configuration.md": configuration, "command-line.md": command_line}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (ROOT / "docs" / name).write_text(page(), encoding="utf-8")
