"""The completions, asked of real shells."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

COMMAND = f"{sys.executable} -m mlflow_rest_export completion"
ZSH = shutil.which("zsh") or ""


def completed(*words: str) -> list[str]:
    """Ask bash what it offers when Tab is pressed behind these words."""
    line = " ".join(f"'{word}'" for word in ("mlflow-rest-export", *words))
    ask = f'COMP_WORDS=({line}); COMP_CWORD={len(words)}; _mlflow_rest_export; echo "${{COMPREPLY[@]}}"'
    said = subprocess.run(
        ["/bin/bash", "-c", f'eval "$({COMMAND} bash)"\n{ask}'],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert said.stderr == ""
    return said.stdout.split()


def test_commands_are_offered_first() -> None:
    assert completed("") == [*["export", "watch", "doctor", "shim", "completion"], "--help", "--version"]
    assert completed("do") == ["doctor"]


def test_options_of_the_command_are_offered() -> None:
    assert completed("export", "8abcd123", "--tra") == ["--tracking-uri"]
    assert completed("watch", "out", "--id") == ["--idle"]
    assert "--write" in completed("doctor", "--")


def test_values_are_offered_where_there_are_few() -> None:
    assert completed("export", "--format", "lm") == ["lm-eval"]
    assert completed("completion", "") == ["bash", "zsh"]


def test_elsewhere_the_shell_offers_files() -> None:
    assert completed("export", "") == []


@pytest.mark.skipif(not ZSH, reason="no zsh on this machine")
def test_zsh_takes_the_script() -> None:
    load = f'autoload -U compinit && compinit -D; eval "$({COMMAND} zsh)"'
    said = subprocess.run([ZSH, "-f", "-c", load], capture_output=True, text=True, check=False, timeout=30)

    assert (said.returncode, said.stderr) == (0, "")


def test_the_script_of_zsh_can_stand_in_a_folder_of_functions() -> None:
    said = subprocess.run([*COMMAND.split(), "zsh"], capture_output=True, text=True, check=True, timeout=30)

    assert said.stdout.startswith("#compdef mlflow-rest-export\n")
