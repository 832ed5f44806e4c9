"""The layers of the design and the house rules, checked on the source itself."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import mlflow_rest_export

PACKAGE = "mlflow_rest_export"
ROOT = Path(mlflow_rest_export.__file__).parent

LAYERS = {
    # leaves: know nothing of this package but each other
    0: """__init__ errors limits records mlruns_layout mlruns_reading mlruns_seal routes progress content
        on_demand yaml_files marks connection atomic_files extras redaction mlflow_tags yaml_values""",
    # input: what comes from disk and from the user; the pure plan
    1: "sources config planning",
    # network: one kind of host, one connection
    2: "targets network",
    # MLflow's own terms
    3: "tracking artifacts",
    # shell: knows the order of things
    4: "api export_call exporting watch doctor shim live_run live_sender live_values client",
    # door: the only place that talks to people
    5: "cli __main__",
}
PLACES = {name: layer for layer, names in LAYERS.items() for name in names.split()}

OPTIONAL = {"botocore", "obstore", "zstandard", "google", "azure"}
"""Third-party modules of the extras: imported inside the function that needs them, nowhere else."""

HEAVY = {"pydantic", "yaml", "requests", "tqdm", "urllib3", *OPTIONAL}
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "base", "common", "misc", "core"}
MODULE_LINES = 300
FUNCTION_LINES = 40

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> list[str]:
    return sorted(path.relative_to(ROOT).with_suffix("").as_posix() for path in ROOT.rglob("*.py"))


@cache
def source(module: str) -> str:
    return (ROOT / f"{module}.py").read_text()


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(source(module))


def unit(module: str) -> str:
    """Give the name that ``LAYERS`` knows: the first part below the package."""
    return module.split("/", maxsplit=1)[0]


def layer(module: str) -> int:
    return PLACES.get(unit(module), 0)


def dotted(module: str) -> str:
    return ".".join([PACKAGE, *[part for part in module.split("/") if part != "__init__"]])


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imports(module: str) -> Iterator[str]:
    """Give the dotted name of everything that ``module`` imports while running, wherever it stands."""
    waiting: list[ast.AST] = [tree(module)]
    while waiting:
        node = waiting.pop()
        if is_type_checking(node):
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and "." in str(node.value):  # a table of ``on_demand``
            yield f"{PACKAGE}.{str(node.value).partition(':')[0]}"
        waiting.extend(ast.iter_child_nodes(node))


def first_parts(module: str) -> set[str]:
    return {name.split(".")[0] for name in imports(module)}


def own_imports(module: str) -> set[str]:
    """Give the modules of this package that ``module`` imports, as file names without their suffix."""
    known = {dotted(other): other for other in modules()}
    found = {known[name] for name in imports(module) if name in known}
    return {other for other in found if other != module}


def functions(module: str) -> Iterator[Function]:
    return (node for node in ast.walk(tree(module)) if isinstance(node, Function))


def uses(module: str, *texts: str) -> bool:
    """Say whether an attribute or a name of ``texts`` (``os.environ``, ``print``) stands in the code."""
    nodes = (node for node in ast.walk(tree(module)) if isinstance(node, (ast.Attribute, ast.Name)))
    return any(ast.unparse(node) in texts for node in nodes)


def lines(function: Function) -> int:
    """Count the lines of a function's body, its docstring apart."""
    documented = ast.get_docstring(function, clean=False) is not None
    first = function.body[1] if documented and len(function.body) > 1 else function.body[0]
    return (function.end_lineno or first.lineno) - first.lineno + 1


def imports_inside(function: Function) -> Iterator[str]:
    """Give the first part of every name that a function imports for itself."""
    for node in ast.walk(function):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


def test_every_module_has_a_place_in_the_layers() -> None:
    homeless = {unit(module) for module in modules()} - PLACES.keys()

    assert not homeless, "say in LAYERS where it belongs"


def test_imports_point_down() -> None:
    upward = [
        f"{module} imports {other}"
        for module in modules()
        for other in own_imports(module)
        if layer(other) > layer(module)
    ]

    assert not upward


def test_no_modules_import_each_other_in_a_circle() -> None:
    left = {module: own_imports(module) - {"__init__"} for module in modules()}
    while free := [module for module, needs in left.items() if not needs]:
        left = {module: needs - set(free) for module, needs in left.items() if module not in free}

    assert not left


def test_what_stands_above_the_plan_knows_no_network() -> None:
    network = {"requests", "urllib3", "socket", "http"}
    guilty = [module for module in modules() if layer(module) <= 1 and network & first_parts(module)]

    assert not guilty


def test_only_the_command_line_prints() -> None:
    below = [module for module in modules() if layer(module) < PLACES["cli"]]

    assert not [module for module in below if uses(module, "print", "sys.stdout", "sys.stderr")]
    assert not [module for module in below if {"tqdm", "argparse"} & first_parts(module)]


def test_only_settings_and_targets_read_the_environment() -> None:
    others = [module for module in modules() if unit(module) not in {"config", "targets"}]

    assert not [module for module in others if uses(module, "os.environ", "os.getenv", "environ", "getenv")]


def test_only_the_transport_talks_http() -> None:
    verbs = [f"requests.{name}" for name in ("get", "post", "put", "patch", "delete", "request", "session")]
    others = [module for module in modules() if module not in {"network/transport", "network/sending"}]

    assert not [module for module in others if uses(module, "requests.Session", "Session", *verbs)]


def test_a_module_fits_on_a_few_screens() -> None:
    sizes = {module: len(source(module).splitlines()) for module in modules()}

    assert not {module: size for module, size in sizes.items() if size > MODULE_LINES}


def test_a_function_fits_on_one_screen() -> None:
    sizes = {f"{m}:{function.name}": lines(function) for m in modules() for function in functions(m)}

    assert not {name: size for name, size in sizes.items() if size > FUNCTION_LINES}


def test_imports_stand_at_the_top_unless_an_extra_is_needed() -> None:
    inside = {
        f"{module}:{function.name} imports {name}"
        for module in modules()
        if unit(module) != "cli"  # a command imports what it needs, so that --help costs little
        for function in functions(module)
        for name in imports_inside(function)
        if name not in OPTIONAL
    }

    assert not inside


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert not [module for module in modules() if VAGUE_NAMES & set(module.split("/"))]


def test_importing_the_package_loads_nothing_heavy_and_opens_no_file() -> None:
    script = f"""
import json, sys
opened = []
sys.addaudithook(lambda event, args: opened.append(str(args[0])) if event == "open" else None)
import {PACKAGE}
{PACKAGE}.__version__
opened = [name for name in opened if not name.endswith((".py", ".pyc"))]
print(json.dumps({{"modules": sorted(sys.modules), "opened": opened}}))
"""
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    answer = json.loads(said.stdout)

    assert not HEAVY & set(answer["modules"])
    assert not answer["opened"]
    assert [name for name in answer["modules"] if name.startswith(PACKAGE)] == [PACKAGE]
