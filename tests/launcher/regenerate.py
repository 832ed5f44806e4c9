"""Make fixtures/auto-export anew with the real launcher: ``python tests/launcher/regenerate.py LAUNCHER``.

``LAUNCHER`` is the ``nemo-evaluator-launcher`` of an environment with nemo-evaluator-launcher 0.2.6. What it
would start is replaced by small stand-ins: ``docker`` fails, ``ssh`` runs its command here, ``rsync`` copies,
``sbatch`` gives a number. The scripts are kept byte for byte; only their folder is fixed (``/tmp/nel``).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

FIXTURES = Path(__file__).parents[2] / "fixtures" / "auto-export"
AT = Path("/tmp/nel")  # noqa: S108  # a place that says nothing of the machine; it stands in the scripts
STANDINS = {
    "docker": "exit 1",
    "ssh": 'until case "$1" in *@*) true;; *) false;; esac; do shift; done; shift; bash -c "$*"',
    "rsync": 'while [ $# -gt 2 ]; do shift; done; mkdir -p "${2#*:}"; cp -r "${1%/}" "${2#*:}/"',
    "sbatch": 'echo "Submitted batch job 4242"',
}
CONFIG = """\
defaults:
  - execution: {executor}
  - deployment: none
  - _self_
execution:
  output_dir: {at}/{kind}
{of_executor}
  auto_export:
    destinations: ["mlflow"]
{of_export}
env_vars:
  JUDGE_API_KEY: lit:dummy-judge-key
export:
  env_vars:
    MLFLOW_TRACKING_URI: host:MLFLOW_TRACKING_URI
  mlflow:{uri}
    experiment_name: auto-export
    description: "Llama 3.1 8B evaluation"
    tags:
      model_family: llama
target:
  api_endpoint:
    model_id: meta/llama-3.1-8b-instruct
    url: http://127.0.0.1:18431/v1/chat/completions
evaluation:
  tasks:
    - name: simple_evals.mmlu
"""
KINDS = {
    "local": {
        "executor": "local",
        "of_executor": "  mode: parallel",
        "of_export": "",
        # run.sh of 0.2.6 reads .secrets.env in a subshell only, so a URI from env_vars arrives empty
        "uri": "\n    tracking_uri: http://mlflow:5000",
    },
    "slurm": {
        "executor": "slurm/default",
        "of_executor": "  hostname: login\n  username: user\n  account: account\n  partition: batch",
        "of_export": "    launcher_install_cmd: pip install mlflow-rest-export && "
        "mlflow-rest-export shim /usr/local/bin",
        "uri": "",
    },
}


def main(launcher: str) -> None:
    """Run the launcher for each executor and keep what it wrote."""
    shutil.rmtree(AT, ignore_errors=True)
    (AT / "bin").mkdir(parents=True)
    for name, body in STANDINS.items():
        program = AT / "bin" / name
        program.write_text(f"#!/bin/bash\n{body}\n")
        program.chmod(0o755)
    environment = {
        "PATH": f"{AT / 'bin'}:{Path(launcher).parent}:{os.environ['PATH']}",
        "HOME": str(AT / "home"),
        "USER": "user",
        "MLFLOW_TRACKING_URI": "http://mlflow:5000",
        "NEMO_EVALUATOR_TELEMETRY_LEVEL": "0",
    }
    for kind, words in KINDS.items():
        config = AT / f"{kind}.yaml"
        config.write_text(CONFIG.format(at=AT, kind=kind, **words))
        subprocess.run([launcher, "run", "--config", str(config)], env=environment, check=True)
        time.sleep(5)  # the launcher leaves the local job behind in the background; let it fail
        keep(kind)
    shutil.copy(AT / "home/.nemo-evaluator/exec-db/exec.v1.jsonl", FIXTURES / "exec.v1.jsonl")
    shutil.rmtree(AT)


def keep(kind: str) -> None:
    """Copy the scripts of one executor."""
    target = FIXTURES / kind
    shutil.rmtree(target, ignore_errors=True)
    for script in (AT / kind).glob("*/*/*"):
        if script.is_file():
            place = target / script.relative_to(AT / kind)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(script, place)


if __name__ == "__main__":
    main(sys.argv[1])
