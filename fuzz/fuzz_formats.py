"""Coverage-guided fuzzing of the result formats with atheris; `nox -s fuzz` runs it.

    python fuzz/fuzz_formats.py lm-eval -max_total_time=600

Without a format it lists them. Starts from the genuine results in ``fixtures/formats`` and changes JSON as
documents, all else as bytes. A result may be readable or not; an exception, or a message that is not one
printable line, is a finding, and libFuzzer writes its input into the working folder.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import atheris

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

with atheris.instrument_imports(include=["mlflow_rest_export.sources"]):
    from mlflow_rest_export.sources import detection
    from mlflow_rest_export.sources.options import ReadOptions

import result_samples as samples
from result_mutations import as_text, mutated

from mlflow_rest_export.limits import STRICTEST
from mlflow_rest_export.planning.plan import Wishes, build
from mlflow_rest_export.records import Unreadable
from mlflow_rest_export.yaml_files import load_yaml

SEEDS = {
    "nemo-launcher": sorted((samples.SAMPLES.parent / "results").rglob("results.yml")),
    "nemo-bundle": [samples.BUNDLE, samples.BUNDLES / "checkpoint.json"],
    "lm-eval": [samples.LM_EVAL],
    "inspect": [samples.INSPECT_EVAL, samples.INSPECT_ZSTD, samples.INSPECT_JSON],
    "lighteval": [samples.LIGHTEVAL, samples.LIGHTEVAL_OLD],
    "helm": [samples.HELM / "stats.json", samples.HELM / "run_spec.json"],
    "eee": [samples.EEE],
    "junit": [samples.JUNIT],
    "table": sorted(path for path in samples.TABLES.iterdir() if path.stem != "leaderboard"),
}
NAMES = {
    "nemo-launcher": ["results.yml", "a.json"],
    "nemo-bundle": ["mmlu/" + samples.BUNDLE.name, "checkpoint.json"],
    "helm": ["stats.json", "run_spec.json"],
    "inspect": ["a.json", "a.eval"],
    "junit": ["a.xml"],
    "table": ["a.csv", "a.json", "a.jsonl", "a.yaml"],
}
"""What the file is called that is changed; ``results_1.json`` where a format does not care."""
AROUND = {"nemo-bundle": samples.BUNDLES, "helm": samples.HELM}
"""The folder in which the file stands, where it is not alone."""
LONGEST = 1 << 18
"""Longest input, in bytes."""


def check(module: detection.Format, path: Path, folder: Path) -> None:
    """Read a file as one format, as whatever it is, and with its folder; plan what comes out of it."""
    module.recognises(path)
    for per_task in (False, True):
        options = ReadOptions(per_task=per_task)
        for read in (module.read(path, options), detection.read([path, folder], options)):
            for found in read:
                if isinstance(found, Unreadable):
                    assert found.reason.isprintable(), found.reason  # noqa: S101  # what is looked for
                else:
                    build(found, (), Wishes(nan="skip"), STRICTEST)


def mutate(data: bytes, longest: int, seed: int) -> bytes:
    """Change a document as a document when it is one, else its bytes."""
    chance = random.Random(seed)  # noqa: S311  # no secret
    try:
        document = json.loads(data) if chance.random() < 0.8 else None
        changed = as_text(mutated(document, chance, chance.randint(1, 3))) if document else b""
    except (ValueError, RecursionError, IndexError):
        changed = b""
    return changed if 0 < len(changed) <= longest else bytes(atheris.Mutate(data, longest))


def fuzz(name: str, folder: Path, options: list[str]) -> None:
    """Fuzz one format in a folder until libFuzzer's own options end it."""
    (module,) = (module for module in detection.formats if name == module.NAME)
    corpus, run = folder / "corpus", folder / "run"
    corpus.mkdir()
    for number, seed in enumerate(SEEDS[name]):
        is_yaml = name == "nemo-launcher"  # JSON is YAML, and can be changed as a document
        data = as_text(load_yaml(seed)) if is_yaml else seed.read_bytes()
        (corpus / f"{number}-{seed.name}").write_bytes(data)
    if name in AROUND:
        shutil.copytree(AROUND[name], run)
    run.mkdir(exist_ok=True)
    names = NAMES.get(name, ["results_1.json"])

    def one(data: bytes) -> None:
        path = run / names[len(data) % len(names)]
        before = path.read_bytes() if path.exists() else None
        path.write_bytes(data)
        check(module, path, run)
        if before is None:
            path.unlink()
        else:
            path.write_bytes(before)

    atheris.Setup([sys.argv[0], f"-max_len={LONGEST}", *options, str(corpus)], one, custom_mutator=mutate)
    atheris.Fuzz()


def main(arguments: list[str]) -> int:
    """List the formats, or fuzz one in a process of its own: libFuzzer ends it and tidies nothing."""
    if not arguments:
        print("\n".join(SEEDS))  # noqa: T201  # nox asks
        return 0
    if arguments[0] == "--in":
        fuzz(arguments[2], Path(arguments[1]), arguments[3:])
        return 0
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        command = [sys.executable, __file__, "--in", folder, *arguments]
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
