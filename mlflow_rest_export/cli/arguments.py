"""The words of the command line and their help. Imports ``argparse`` alone."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import NoReturn

FORMATS = (
    "auto",
    "nemo-launcher",
    "nemo-bundle",
    "lm-eval",
    "inspect",
    "lighteval",
    "helm",
    "eee",
    "mlruns",
    "table",
    "junit",
)


class Misuse(Exception):
    """The words make no sense; ``program`` is the command whose help tells more."""

    def __init__(self, sentence: str, *, program: str) -> None:
        super().__init__(sentence)
        self.program = program


class Parser(argparse.ArgumentParser):
    """A parser that leaves the telling to others: argparse quotes words, which may hold a password."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong.

        Raises:
            Misuse: always.
        """
        raise Misuse(message, program=self.prog)


def commands_of(top: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    """Give the commands by their names."""
    groups = (action for action in top._actions if isinstance(action, argparse._SubParsersAction))  # noqa: SLF001  # no other way
    return next(groups).choices


def parser(version: str) -> argparse.ArgumentParser:
    """Make the parser of the whole command line."""
    top: argparse.ArgumentParser = Parser(
        prog="mlflow-rest-export",
        description="Put evaluation results into any MLflow, without MLflow installed.",
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"mlflow-rest-export {version}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _export(commands)
    _watch(commands)
    _doctor(commands)
    _shim(commands)
    _completion(commands)
    return top


def _watch(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "watch",
        help="export launcher jobs as they complete",
        description="Watch a folder of the launcher and export each job once, when it is complete. Ends when "
        "all jobs of its invocations are final. While the server cannot be reached it goes on trying.",
        epilog="After SIGTERM what is complete is exported still; exit codes as of export; 1 also when a "
        "job was not complete at the end, with --idle when one never came, or when none was found.",
        allow_abbrev=False,
    )
    what = command.add_argument_group("what")
    what.add_argument("folder", metavar="DIR", help="output, invocation or job folder; need not be there yet")
    what.add_argument(
        "--idle", type=float, metavar="SECONDS", help="end after so long without any news, and not before"
    )
    what.add_argument(
        "--grace",
        type=float,
        default=25.0,
        metavar="SECONDS",
        help="after SIGTERM, time to finish what is in hand (default: 25; pods are killed after 30)",
    )
    _settings(what)
    _where(command.add_argument_group("where"))
    _content(command.add_argument_group("content"))
    _how(command.add_argument_group("how"), first_contact=15)
    _talk(command.add_argument_group("talk"))


def _doctor(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "doctor",
        help="look at everything between this machine and a run",
        description="Look at settings, proxy, name, connection, certificate, credentials, server and "
        "experiment: one line each, ok or what to do.",
        epilog="Exit codes, by the first layer that fails: 0 none, 2 settings, 4 credentials, 10 folder or "
        "proxy, 11 name, 12 tcp, 13 tls, 14 server, 15 clock, 16 experiment, 17 run, 18 artifacts.",
        allow_abbrev=False,
    )
    _address(command)
    _settings(command)
    command.add_argument(
        "--restore-experiment", action="store_const", const=True, help="a deleted experiment is no failure"
    )
    command.add_argument("--timeout", metavar="SECONDS", help="how long to wait for the server (default: 15)")
    command.add_argument(
        "--write", action="store_true", help="send a tiny run with a file and delete it; its experiment stays"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")


def _shim(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "shim",
        help="answer the launcher's auto-export",
        description="Write an executable named nemo-evaluator-launcher into a folder. It answers `export ... "
        "--dest mlflow` with this exporter and hands all else to the real launcher further down the PATH.",
        allow_abbrev=False,
    )
    command.add_argument("folder", metavar="DIR", help="made when it is not there; put it first on the PATH")


def _completion(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "completion",
        help="completion for a shell",
        description='Print the completion for a shell: eval "$(mlflow-rest-export completion bash)", or zsh.',
        allow_abbrev=False,
    )
    command.add_argument("shell", choices=("bash", "zsh"))


def _export(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "export",
        help="export results",
        description="Export results of launcher jobs (by id) and of files and folders (by path).",
        epilog="Exit codes: 0 all there, 1 a run failed, 2 usage or settings, 3 some runs only in the spool, "
        "4 credentials refused, 130/143 after a signal.",
        allow_abbrev=False,
    )
    _what(command.add_argument_group("what"))
    _where(command.add_argument_group("where"))
    _content(command.add_argument_group("content"))
    how = command.add_argument_group("how")
    _how(how)
    how.add_argument("--dry-run", action="store_true", help="show what would be sent; asks nobody")
    _talk(command.add_argument_group("talk"))


def _what(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "things",
        nargs="+",
        metavar="ID|PATH",
        help="launcher invocation or job id or unique prefix; file or folder of results; mlruns folder",
    )
    group.add_argument("--dest", default="mlflow", help="destination; mlflow is the one this tool has")
    _settings(group)
    group.add_argument(
        "--job-dirs", nargs="+", action="extend", metavar="DIR", help="output folders to look for jobs in"
    )
    group.add_argument("--format", choices=FORMATS, help="format of the results (default: by content)")
    group.add_argument(
        "--map",
        nargs="+",
        action="extend",
        metavar="COLUMN=KIND",
        help="tables: column=metric|param|tag|step|timestamp|skip",
    )
    group.add_argument("--per-task", action="store_const", const=True, help="one child run a task")
    group.add_argument("--include-deleted", action="store_const", const=True, help="mlruns: deleted runs too")
    group.add_argument(
        "--shard", metavar="I/N|slurm", help="handle part I of N only, the same part every time"
    )


def _settings(group: argparse._ActionsContainer) -> None:
    group.add_argument("--config", metavar="FILE", help="run config, export_config.yml or the settings alone")
    group.add_argument(
        "-o",
        "--override",
        action="append",
        default=[],
        metavar="export.mlflow.KEY=VALUE",
        help="set one setting; repeatable",
    )


def _address(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--tracking-uri",
        metavar="URI",
        help="http(s)://..., databricks, databricks://PROFILE, arn:aws:sagemaker:..., azureml://..., or a "
        "folder such as ./mlruns (default: MLFLOW_TRACKING_URI)",
    )
    group.add_argument("--experiment-name", metavar="NAME", help='default: "nemo-evaluator-launcher"')


def _where(group: argparse._ArgumentGroup) -> None:
    _address(group)
    group.add_argument("--run-name", metavar="NAME", help="default: made from the result")
    group.add_argument(
        "--create-parents", action="store_const", const=True, help="Databricks: create the folder, too"
    )
    group.add_argument(
        "--restore-experiment", action="store_const", const=True, help="restore a deleted experiment"
    )


def _content(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--log-metrics",
        nargs="+",
        action="extend",
        metavar="M",
        help="keep metrics whose name contains one of these, in any case",
    )
    for name, text in (
        ("--log-artifacts", "upload evaluation artifacts (default: true)"),
        ("--copy-artifacts", "another name of --log-artifacts"),
        ("--log-logs", "upload execution logs (default: false)"),
        ("--copy-logs", "another name of --log-logs"),
        ("--only-required", "upload only the required artifacts (default: true)"),
    ):
        group.add_argument(name, nargs="?", const="true", metavar="BOOL", help=text)


def _how(group: argparse._ArgumentGroup, *, first_contact: int = 60) -> None:
    group.add_argument(
        "--skip-existing", action="store_const", const=True, help="leave complete runs alone, even if changed"
    )
    group.add_argument("--workers", metavar="N", help="requests under way at once (default: 8)")
    group.add_argument(
        "--timeout",
        metavar="SECONDS",
        help="give up after so long without any progress "
        f"(default: {first_contact} for the first contact, 600 later)",
    )
    group.add_argument("--spool", metavar="DIR", help="keep runs that cannot be sent in this folder (exit 3)")
    group.add_argument("--verify", action="store_const", const=True, help="read everything back and compare")


def _talk(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--json", action="store_true", help="print one JSON object")
    loudness = group.add_mutually_exclusive_group()
    loudness.add_argument("-q", "--quiet", action="store_true", help="errors only")
    loudness.add_argument("-v", "--verbose", action="count", default=0, help="say more; -vv: every request")
    group.add_argument("--log-file", metavar="F", help="write what -vv would say to a file")
    group.add_argument("--no-progress", action="store_true", help="no progress bar")
