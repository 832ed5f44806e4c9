"""The command ``completion``: words and options for bash and zsh, made from the parser itself."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping

from mlflow_rest_export import __version__
from mlflow_rest_export.cli import exit_codes
from mlflow_rest_export.cli.arguments import commands_of, parser
from mlflow_rest_export.cli.console import Voice

_BASH = """\
_mlflow_rest_export() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} words=
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{commands}"
    else
        case "${{COMP_WORDS[1]}} $before" in
{choices}        esac
        if [ -z "$words" ] && [[ $word == -* ]]; then
            case "${{COMP_WORDS[1]}}" in
{options}            esac
        fi
    fi
    [ -z "$words" ] || COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _mlflow_rest_export mlflow-rest-export
"""
_ZSH = """\
#compdef mlflow-rest-export
autoload -U +X bashcompinit && bashcompinit
"""


def main(chosen: argparse.Namespace) -> int:
    """Print the script."""
    voice = Voice()
    voice.script(script(chosen.shell))
    return voice.code(exit_codes.GOOD)


def script(shell: str) -> str:
    """Give the script; that of zsh uses the form of bash, which zsh understands with ``bashcompinit``."""
    commands = commands_of(parser(__version__))
    text = _BASH.format(
        commands=" ".join([*commands, "--help", "--version"]),
        choices="".join(_choices(commands)),
        options="".join(
            f'                {name}) words="{" ".join(_options(command))}" ;;\n'
            for name, command in commands.items()
        ),
    )
    return _ZSH + text if shell == "zsh" else text


def _options(command: argparse.ArgumentParser) -> Iterator[str]:
    for action in command._actions:  # noqa: SLF001  # no other way
        yield from (option for option in action.option_strings if option.startswith("--"))


def _choices(commands: Mapping[str, argparse.ArgumentParser]) -> Iterator[str]:
    """Give a line for each option or word that takes one of a few values."""
    for name, command in commands.items():
        for action in command._actions:  # noqa: SLF001  # the same
            befores = action.option_strings or [name]
            for before in befores if action.choices else ():
                values = " ".join(str(choice) for choice in action.choices or ())
                yield f'            "{name} {before}") words="{values}" ;;\n'
