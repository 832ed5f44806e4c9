"""Coverage-guided fuzzing of the result formats with atheris.

    python fuzz/fuzz_formats.py lm-eval -max_total_time=600

Starts from the genuine results in ``fixtures/formats`` and changes JSON as documents, all else as bytes. A
result may be readable or not; an exception, or a message of more than one line, is a finding.
"""

from __future__ import annotations

import json
import random
import shutil
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
from mlflow_rest_export.records import RunRecord, Unreadable

SEEDS = {
    "nemo-bundle": [samples.BUNDLE],
    "lm-eval": [samples.LM_EVAL],
    "inspect": [samples.INSPECT_EVAL, samples.INSPECT_ZSTD, samples.INSPECT_JSON],
    "lighteval": [samples.LIGHTEVAL, samples.LIGHTEVAL_OLD],
    "helm": [samples.HELM / "stats.json", samples.HELM / "run_spec.json"],
    "eee": [samples.EEE],
    "junit": [samples.JUNIT],
    "table": sorted(path for path in samples.TABLES.iterdir() if path.stem != "leaderboard"),
}
ENDINGS = {"table": [".csv", ".json", ".jsonl", ".yaml"], "inspect": [".json"], "junit": [".xml"]}
LONGEST = 1 << 18
"""Longest input, in bytes."""


def check(module: detection.Format, path: Path) -> None:
    """Read a file as one format, and plan what comes out of it."""
    module.recognises(path)
    for per_task in (False, True):
        for found in module.read(path, ReadOptions(per_task=per_task)):
            if isinstance(found, Unreadable):
                assert "\n" not in found.reason, found.reason  # noqa: S101  # what is looked for
            else:
                assert isinstance(found, RunRecord)  # noqa: S101  # the same
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


def main(name: str, options: list[str]) -> None:
    """Fuzz one format until libFuzzer's own options end it."""
    (module,) = (module for module in detection.formats if name == module.NAME)
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    corpus = folder / "corpus"
    corpus.mkdir()
    for seed in SEEDS[name]:
        shutil.copyfile(seed, corpus / seed.name)
    run = Path(shutil.copytree(samples.HELM, folder / "run"))
    names = [f"a{ending}" for ending in ENDINGS.get(name, [".json"])]
    if name == "helm":
        names = [seed.name for seed in SEEDS[name]]

    def one(data: bytes) -> None:
        path = run / names[len(data) % len(names)]
        before = path.read_bytes() if name == "helm" else b""
        path.write_bytes(data)
        check(module, path)
        if name == "helm":
            path.write_bytes(before)

    atheris.Setup([sys.argv[0], f"-max_len={LONGEST}", *options, str(corpus)], one, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
