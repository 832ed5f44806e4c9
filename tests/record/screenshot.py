"""Take docs/run-in-mlflow.png anew: ``screenshot.py PYTHON [CHROMIUM]``, with a Python that has MLflow.

A real server, an export of the sample results, and a real browser without a screen, told what to do through
its debugging pipe (which needs no library): open the run, unfold its description, take the picture.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from mlflow_server import MlflowServer

from mlflow_rest_export import export_results

ROOT = Path(__file__).parents[2]
PICTURE = ROOT / "docs" / "run-in-mlflow.png"
WIDTH, HEIGHT = 1050, 1450
"""Pixels, so that the whole table of scores is seen."""
PATIENCE = 120.0
"""Seconds until the page must show something."""
CLOSE = """
[...document.querySelectorAll('button')].filter(one => /close/i.test(one.ariaLabel))
    .map(one => one.click()).length
"""
"""The assistant beside the run, which is open in a new browser."""
UNFOLD = """
[...document.querySelectorAll('button')].filter(one => one.textContent.trim() == 'Show more')
    .map(one => one.click()).length
"""


class Browser:
    """A chromium without a screen."""

    def __init__(self, program: str, profile: Path) -> None:
        theirs, self._to = os.pipe()
        self._from, their_answers = os.pipe()
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe"]
        flags += [f"--user-data-dir={profile}", f"--window-size={WIDTH},{HEIGHT}", "--hide-scrollbars"]
        line = f'exec "$0" "$@" 3<&{theirs} 4>&{their_answers}'  # the two numbers are the protocol's
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", line, program, *flags],
            pass_fds=(theirs, their_answers),
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs)
        os.close(their_answers)
        self._answers = os.fdopen(self._from, "rb")
        self._numbers = itertools.count(1)
        self._rest = b""

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(timeout=30)

    def ask(self, method: str, session: str = "", **words: object) -> dict[str, Any]:
        """Send one command and wait for its answer."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": words}
        message |= {"sessionId": session} if session else {}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = json.loads(self._read())
            if answer.get("id") == number:
                if "error" in answer:
                    raise RuntimeError(answer["error"])
                result: dict[str, Any] = answer["result"]
                return result

    def _read(self) -> bytes:
        while b"\0" not in self._rest:
            piece = os.read(self._from, 1 << 16)
            if not piece:
                raise RuntimeError("the browser has ended")
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        return message


def picture(browser: Browser, url: str) -> bytes:
    """Open the page of a run, unfold the description, and give the picture."""
    target = browser.ask("Target.createTarget", url=url)["targetId"]
    session = browser.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
    deadline = time.monotonic() + PATIENCE
    while not browser.ask("Runtime.evaluate", session, expression=UNFOLD)["result"].get("value"):
        if time.monotonic() > deadline:
            raise TimeoutError("the page shows no description to unfold")
        time.sleep(0.5)
    browser.ask("Runtime.evaluate", session, expression=CLOSE)
    time.sleep(1)  # the page has no sign of having been drawn
    taken = browser.ask("Page.captureScreenshot", session, format="png")
    return base64.b64decode(taken["data"])


def main() -> None:
    """Take the picture."""
    python, program = Path(sys.argv[1]), (sys.argv[2:] or ["chromium"])[0]
    with tempfile.TemporaryDirectory() as folder:
        server = MlflowServer("3.17.2", python, Path(folder, "server"))
        try:
            server.start()
            settings = {"tracking_uri": server.url, "experiment_name": "nightly-evaluations"}
            answer: Any = export_results(str(ROOT / "fixtures" / "results"), config=settings)
            url = next(run["run_url"] for run in answer["runs"] if run["metrics"] == 12)
            with contextlib.closing(Browser(program, Path(folder, "profile"))) as browser:
                PICTURE.write_bytes(picture(browser, url))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
