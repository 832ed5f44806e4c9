"""An executable named ``nemo-evaluator-launcher`` that answers the launcher's own auto-export line.

The scripts of launcher 0.2.6 call ``nemo-evaluator-launcher export JOB --dest mlflow ...``. With the shim
first on the PATH (or alone in an export container) that call reaches this exporter, any other the launcher.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from mlflow_rest_export.atomic_files import unfinished, write_durably
from mlflow_rest_export.errors import SettingsError
from mlflow_rest_export.tracking.store_failures import store_error

NAME = "nemo-evaluator-launcher"
_MARK = "# mlflow-rest-export shim"
_START = "import sys; sys.path[:] = [p for p in sys.path if p]; from mlflow_rest_export.cli import run; run()"
"""Leaves the current folder out of the import path: export jobs run inside folders of results."""
_SCRIPT = """\
#!/bin/sh
{mark}: answers `export ... --dest mlflow`, hands the rest to the launcher further down the PATH
dest= before= command=
for word; do
    case $word in
        -*) ;;
        *) [ -n "$command" ] || command=$word ;;
    esac
    [ "$before" != --dest ] || dest=$word
    case $word in --dest=*) dest=${{word#--dest=}} ;; esac
    before=$word
done
if [ "$command" = export ] && [ "$dest" = mlflow ]; then
    while [ "$1" != export ]; do shift; done  # the launcher's own -v before its command
    exec {python} -c {start} "$@"
fi
set -f
fields=$IFS
IFS=:
for folder in $PATH; do
    launcher=${{folder:-.}}/{name}
    [ -f "$launcher" ] && [ -x "$launcher" ] || continue
    second=
    {{ read -r first; read -r second; }} 2>/dev/null < "$launcher"
    case $second in "{mark}"*) continue ;; esac
    IFS=$fields
    exec "$launcher" "$@"
done
echo "{name}: this is the shim of mlflow-rest-export, which answers 'export ... --dest mlflow' only;" \\
    "for everything else install nemo-evaluator-launcher: it is nowhere on the PATH" >&2
exit 2
"""


def script(python: str) -> str:
    """Give the text of the executable.

    Args:
        python: the interpreter in which this package is installed.
    """
    return _SCRIPT.format(mark=_MARK, name=NAME, python=shlex.quote(python), start=shlex.quote(_START))


def install(folder: Path, *, python: str = sys.executable) -> Path:
    """Write the executable into a folder, which is made when it is not there.

    Returns:
        The place of the executable.

    Raises:
        SettingsError: the launcher itself stands there.
        StoreError: the folder cannot be written.
    """
    place = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if place.exists() and not _is_shim(place):
            raise SettingsError(f"{place} is not a shim but the launcher itself: give another folder")
        with unfinished(folder) as draft:
            write_durably(draft, [script(python).encode()])
            draft.chmod(0o755)
            draft.replace(place)
    except OSError as error:
        raise store_error(f"writing {place}", error) from error
    return place


def _is_shim(place: Path) -> bool:
    with place.open("rb") as file:
        return _MARK.encode() in file.read(200)
