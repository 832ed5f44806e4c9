"""The first lines of the page about Databricks, as they stand, before the stand-in of a workspace."""

from __future__ import annotations

from pathlib import Path

from databricks_standin.contents import runs_of
from databricks_standin.tokens import PAT
from databricks_standin.workspace import Workspace
from documented_shell import Shell
from pages import ROOT, blocks


def test_the_lines_of_the_page_export(tmp_path: Path) -> None:
    (text,) = blocks(ROOT / "docs" / "targets" / "databricks.md", "bash")
    shell = Shell(tmp_path)
    with Workspace() as workspace:
        places = {"https://adb-1234567890123456.7.azuredatabricks.net": workspace.url, "RESULTS": "results"}
        done = shell.run(shell.put_in(text.replace("dapi...", PAT), places))

        assert done.returncode == 0, done.stderr
        assert len(runs_of(workspace, "/Shared/evaluations")) == 2
