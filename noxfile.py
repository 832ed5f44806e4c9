"""Everything that checks the project: `nox` runs the default sessions, `nox -l` lists all of them.

Nothing but Python is needed. Environments are kept under .nox and used again; those of the MLflow servers
are keyed by their requirement lists. A session whose interpreter is missing says so and fails nothing.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nox

PROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
NEWER = [f"3.{minor}" for minor in range(10, 20) if f"3.{minor}" not in PYTHONS]
"""Tested where they are installed; nobody misses them."""
TEST = nox.project.dependency_groups(PROJECT, "test")
SIDE_BY_SIDE = ("-n", "2")
"""Options of pytest for the unit tests, which share nothing; the others have servers in common."""
SERVERS_AT = Path(".nox/servers").resolve()

OLD, NEW = ("3.11", "3.10"), ("3.11", "3.12", "3.10", "3.13")
SERVERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    # version: Pythons it runs on, best first; requirements (the caps are what that release did not foresee)
    "1.30.1": (
        OLD,
        (
            "mlflow==1.30.1",
            "setuptools<81",
            "sqlalchemy<2",
            "flask<2.3",
            "werkzeug<3",
            "numpy<2",
            "pandas<2",
        ),
    ),
    "2.9.2": (OLD, ("mlflow==2.9.2", "setuptools<81", "sqlalchemy<2.1")),
    "2.22.5": (NEW, ("mlflow==2.22.5", "sqlalchemy<2.1")),
    "3.5.1": (NEW, ("mlflow==3.5.1", "sqlalchemy<2.1")),
    "3.17.2": (NEW, ("mlflow[auth]==3.17.2",)),
    "3.17.2-stores": (NEW, ("mlflow==3.17.2", "boto3", "azure-storage-blob", "moto[server,s3]>=5.1")),
    "databricks-sdk": (NEW, ("databricks-sdk==0.156.0", "mlflow-skinny==3.17.2")),
    "sagemaker-mlflow": (NEW, ("sagemaker-mlflow==0.5.0", "mlflow-skinny==3.17.2")),
}
AZURITE = "azurite@3.35.0"
"""Azure's blob storage for tests, from npm."""
MAJORS = ("1.30.1", "2.22.5", "3.17.2")
SQL = ("1.30.1", "2.9.2", "2.22.5", "3.5.1", "3.17.2")

nox.needs_version = ">=2024.10.9"
nox.options.reuse_venv = "yes"

_not_run: list[str] = []


def _say_what_was_not_run() -> None:
    for line in _not_run:
        print(f"NOT RUN: {line}", file=sys.stderr)  # noqa: T201  # the last lines of a run


atexit.register(_say_what_was_not_run)


def _places(version: str) -> Iterable[Path]:
    """Give every place where Python ``version`` may be: PATH, pyenv, uv, this interpreter."""
    home = Path.home()
    yield Path(sys.executable)
    for folder in os.environ.get("PATH", "").split(os.pathsep):
        yield Path(folder, f"python{version}")
    pyenv = Path(os.environ.get("PYENV_ROOT", home / ".pyenv"))
    data = Path(os.environ.get("XDG_DATA_HOME", home / ".local/share"))
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR", data / "uv/python"))
    for root in (pyenv / "versions", uv):
        yield from sorted(root.glob(f"*{version}*/bin/python{version}"), reverse=True)


def _works(python: Path, version: str) -> bool:
    """Say whether this is a Python ``version`` that can make environments; a shim of pyenv may not be."""
    code = "import ensurepip, ssl, sys, venv; print('%d.%d' % sys.version_info[:2])"
    try:
        said = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return False
    return said.stdout.strip() == version


def _find(version: str) -> str | None:
    """Find an interpreter of ``version`` that works."""
    return next((str(python) for python in _places(version) if _works(python, version)), None)


FOUND = {version: python for version in (*PYTHONS, *NEWER) if (python := _find(version))}
UNITS = [version for version in (*PYTHONS, *NEWER) if version in FOUND or version in PYTHONS]
nox.options.sessions = ["lint", "types", *(f"unit-{version}" for version in UNITS)]
nox.options.sessions += ["floors", "wheel", "servers", "clouds", "standins"]


def _missing(session: nox.Session, what: str) -> None:
    """Note what this machine cannot run and go on."""
    _not_run.append(f"{session.name}: {what}")
    session.warn(f"NOT RUN: {what}")


def _install(session: nox.Session) -> None:
    session.install("-e", ".", *TEST)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style and formatting."""
    session.install(*nox.project.dependency_groups(PROJECT, "lint"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types, of the package and of the tests (a conftest.py each, so a run each)."""
    session.install("-e", ".", *nox.project.dependency_groups(PROJECT, "types"), "nox")
    session.run("mypy")
    for folder in (
        "tests/unit",
        "tests/clouds",
        "tests/standins",
        "tests/servers",
        "tests/record",
        "tests/typing",
        "tests/wheel",
        "noxfile.py",
    ):
        session.run("mypy", folder)


def _unit(session: nox.Session) -> None:
    """Run the unit tests; on one Python with coverage and its gate."""
    _install(session)
    measured = session.name == f"unit-{GATE}" and not session.posargs
    session.run("pytest", "-q", *SIDE_BY_SIDE, *(["--cov"] if measured else []), *session.posargs)


def _no_unit(session: nox.Session) -> None:
    """Say that the unit tests did not run on this Python."""
    version = session.name.removeprefix("unit-")
    _missing(session, f"no working Python {version} on this machine")
    session.skip(f"NOT RUN, no working Python {version} on this machine")


GATE = next((version for version in ("3.12", *reversed(PYTHONS)) if version in FOUND), "")
for _version in UNITS:
    if _version in FOUND:
        nox.session(python=FOUND[_version], name=f"unit-{_version}")(_unit)
    else:
        nox.session(python=False, name=f"unit-{_version}")(_no_unit)


@nox.session(python=FOUND.get(PYTHONS[0], False))
def floors(session: nox.Session) -> None:
    """Run the unit tests on the lowest Python with the lowest dependencies that pyproject.toml permits."""
    if PYTHONS[0] not in FOUND:
        _missing(session, f"no working Python {PYTHONS[0]} on this machine")
        session.skip(f"NOT RUN, no working Python {PYTHONS[0]} on this machine")
    pins = [re.sub(">=", "==", text) for text in PROJECT["project"]["dependencies"]]
    session.install(*pins, *TEST)
    session.install("--no-deps", "-e", ".")
    session.run("python", "-m", "pip", "list", "--format=freeze")
    session.run("pytest", "-q", *SIDE_BY_SIDE, *session.posargs)


@nox.session
def wheel(session: nox.Session) -> None:
    """Build both distributions, install the wheel into a fresh environment and look at it from outside."""
    session.install("build")
    built = Path(session.create_tmp(), "dist")
    shutil.rmtree(built, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(built), silent=True)
    fresh = Path(session.create_tmp(), "fresh")
    shutil.rmtree(fresh, ignore_errors=True)
    session.run("python", "-m", "venv", str(fresh))
    session.run("python", "tests/wheel/check_wheel.py", str(built), str(fresh))
    session.run(
        "python", "tests/wheel/check_documents.py", str(built), str(Path(session.create_tmp(), "docs"))
    )


def _server_environment(version: str) -> tuple[str, Path | str]:
    """Make the environment of one MLflow server unless it is there; give its Python, or what went wrong."""
    pythons, requirements = SERVERS[version]
    python = next((FOUND[candidate] for candidate in pythons if candidate in FOUND), None)
    if python is None:
        return version, f"MLflow {version} needs Python {' or '.join(sorted(pythons))}, which is not here"
    key = hashlib.sha256("\n".join([python, *requirements]).encode()).hexdigest()[:12]
    folder = SERVERS_AT / f"{version}-{key}"
    inside = folder / "bin/python"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([python, "-m", "venv", folder], check=True)
        install = [str(inside), "-m", "pip", "install", "-qq", *requirements]
        subprocess.run(install, check=True)
        (folder / "complete").touch()
    return version, inside


def _against_servers(session: nox.Session, versions: Iterable[str], *arguments: str) -> None:
    """Run tests/servers with an environment that has this package and no MLflow."""
    _install(session)
    session.log("making the servers' environments (minutes at the first time)")
    with ThreadPoolExecutor(2) as pool:
        environments = list(pool.map(_server_environment, versions))
    options = []
    for version, found in environments:
        if isinstance(found, str):
            _missing(session, found)
        else:
            options.append(f"--mlflow-env={version}={found}")
    if not options:
        session.skip("NOT RUN, no server can run here")
    session.run("pytest", "-q", "tests/servers", *options, *arguments, *session.posargs)


@nox.session
def servers(session: nox.Session) -> None:
    """Run the tests against real MLflow servers, one of each major version."""
    _against_servers(session, MAJORS, "-m", "not minutes")


def _azurite() -> Path | str:
    """Install azurite unless it is there; give its program, or what went wrong."""
    folder = Path(".nox/azurite").resolve()
    program = folder / "node_modules/.bin/azurite-blob"
    npm = shutil.which("npm")
    if program.exists():
        return program
    if npm is None:
        return "there is no npm, so Azure's blobs are not tested"
    command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), AZURITE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return program if program.exists() else f"npm could not install azurite: {done.stderr[-300:]}"


def _against_clouds(session: nox.Session, *arguments: str) -> None:
    """Run tests/clouds with an environment that has the extras and no MLflow."""
    session.install("-e", ".[aws,objectstore]", *TEST)
    session.log("making the servers' environments (minutes at the first time)")
    options = []
    with ThreadPoolExecutor(2) as pool:
        found = dict(pool.map(_server_environment, ["3.17.2-stores", "sagemaker-mlflow"]))
    found["azurite"] = _azurite()
    for name, option in (
        ("3.17.2-stores", "--cloud-env"),
        ("sagemaker-mlflow", "--plugin-env"),
        ("azurite", "--azurite"),
    ):
        place = found[name]
        if isinstance(place, str):
            _missing(session, place)
        else:
            options.append(f"{option}={place}")
    base = Path(session.create_tmp(), "base")
    if not base.exists():
        session.run("python", "-m", "venv", str(base))
        session.run(str(base / "bin/python"), "-m", "pip", "install", "-qq", "-e", ".", external=True)
    options.append(f"--base-env={base.resolve() / 'bin/python'}")
    session.run("pytest", "-q", "tests/clouds", *options, *arguments, *session.posargs)


@nox.session
def clouds(session: nox.Session) -> None:
    """Run the tests against stand-ins for clouds: real stores behind doors that check every signature."""
    _against_clouds(session)


@nox.session
def clouds_exactly_once(session: nox.Session) -> None:
    """Break every request on the way to every cloud, kill at every one, race for many rounds (long)."""
    _against_clouds(session, "--long", "-s", "-k", "exactly_once or signed_blocks")


def _against_standins(session: nox.Session, *arguments: str) -> None:
    """Run tests/standins with an environment that has this package and no MLflow."""
    _install(session)
    _, found = _server_environment("databricks-sdk")
    options = [] if isinstance(found, str) else [f"--databricks-env={found}"]
    if isinstance(found, str):
        _missing(session, found)
    session.run("pytest", "-q", "tests/standins", *options, *arguments, *session.posargs)


@nox.session
def standins(session: nox.Session) -> None:
    """Prove the stand-in for Databricks with the official SDK, and export to it while requests fail."""
    _against_standins(session)


@nox.session
def standins_faults(session: nox.Session) -> None:
    """Break every request to Databricks in every way, for every login and store (long)."""
    _against_standins(session, "--long")


@nox.session
def compat(session: nox.Session) -> None:
    """Run the tests against every server version, and a file store; the sweeps have sessions of their own."""
    kinds = ",".join([*SQL, "2.22.5-files"])
    _against_servers(session, SQL, "--servers", kinds, "-m", "not (faults or kill or race)")


@nox.session
def faults(session: nox.Session) -> None:
    """Break every request of an export in every way (long)."""
    kinds = "3.17.2,2.22.5,1.30.1,2.22.5-files"
    _against_servers(session, MAJORS, "--servers", kinds, "--long", "-s", "-m", "faults")


@nox.session
def kill(session: nox.Session) -> None:
    """Kill the exporter at every request (long)."""
    _against_servers(session, ["3.17.2"], "--long", "-s", "-m", "kill")


@nox.session
def race(session: nox.Session) -> None:
    """Let eight exporters race for the same runs, many rounds on every server (long)."""
    kinds = ",".join([*SQL, "2.22.5-files"])
    _against_servers(session, SQL, "--servers", kinds, "--long", "-s", "-m", "race")


@nox.session
def record(session: nox.Session) -> None:
    """Record fixtures/oss anew from real servers."""
    _install(session)
    harness = os.pathsep.join(("tests", "tests/servers"))
    for version, found in map(_server_environment, session.posargs or SQL):
        if isinstance(found, str):
            _missing(session, found)
        else:
            session.run("python", "tests/record/record.py", version, str(found), env={"PYTHONPATH": harness})


FUZZED = next((FOUND[version] for version in ("3.12", "3.13", "3.11") if version in FOUND), None)
"""atheris has no wheels for other Pythons."""


@nox.session(python=FUZZED or False)
def fuzz(session: nox.Session) -> None:
    """Fuzz the readers of all formats, 600 s each, two at a time (`-- lm-eval 60` for one, and for 60 s)."""
    if FUZZED is None:
        _missing(session, "atheris needs Python 3.11, 3.12 or 3.13, which is not here")
        session.skip("NOT RUN, no Python that atheris works with")
    session.install("-e", ".[inspect]", "atheris")
    program = [str(Path(session.bin, "python")), "fuzz/fuzz_formats.py"]
    listed = subprocess.run(program, capture_output=True, text=True, check=True)  # atheris talks on stderr
    formats = session.posargs[:1] or listed.stdout.split()
    seconds = session.posargs[1] if len(session.posargs) > 1 else "600"

    def one(name: str) -> subprocess.CompletedProcess[str]:
        command = [*program, name, f"-max_total_time={seconds}", "-print_final_stats=1"]
        return subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)

    with ThreadPoolExecutor(2) as pool:
        results = dict(zip(formats, pool.map(one, formats), strict=True))
    for name, done in results.items():
        tried = re.search(r"number_of_executed_units: *([0-9]+)", done.stderr)
        nothing = f"nothing found in {tried[1] if tried else 'unknown'} inputs"
        session.log(f"{name}: " + (done.stderr[-3000:] if done.returncode else nothing))
    if found := [name for name, done in results.items() if done.returncode]:
        session.error(f"found something in {', '.join(found)}; the input is in the file crash-... here")


@nox.session(python=FOUND.get("3.12", False))
def benchmark(session: nox.Session) -> None:
    """Measure this project beside its peers, on a Python all support (hours; `-- --quick` for minutes)."""
    if "3.12" not in FOUND:
        _missing(session, "no working Python 3.12 on this machine, which all that is compared runs on")
        session.skip("NOT RUN, no working Python 3.12 on this machine")
    session.install("typing-extensions", "-e", ".")
    session.run("python", "benchmarks/run.py", *session.posargs)
