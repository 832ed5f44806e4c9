"""How much is read of a server that holds far more runs than are looked for."""

from __future__ import annotations

import re

from lookup_meaning import matches

from mlflow_rest_export import marks
from mlflow_rest_export.records import Lookup
from mlflow_rest_export.tracking.replies import RunFields, RunsPage
from mlflow_rest_export.tracking.run_search import RUNS_FOR_A_SEARCH, RunSearch
from mlflow_rest_export.tracking.search import PAGE

FILTER = re.compile(r"tags\.`(.*)` (=|LIKE) '(.*?)%?'")


class Store:
    """The runs of a server and what was read of them, page by page."""

    def __init__(self, *keys: str) -> None:
        self.keys = keys
        self.searches: list[str] = []
        self.read = 0

    def ask(self, body: dict[str, object]) -> RunsPage:
        self.searches.append(str(body["filter"]))
        match = FILTER.fullmatch(str(body["filter"]))
        assert match
        lookup = Lookup(match[1], match[3], prefix=match[2] == "LIKE")
        found = [key for key in self.keys if matches(lookup, {marks.KEY: key})]
        start = int(str(body.get("page_token", "0")))
        page = found[start : start + PAGE]
        self.read += len(page)
        more = str(start + PAGE) if start + PAGE < len(found) else ""
        return RunsPage(runs=[_run(key) for key in page], next_page_token=more)


def _run(key: str) -> RunFields:
    info = {"run_id": key, "experiment_id": "1", "status": "FINISHED", "artifact_uri": "x:/"}
    return RunFields.model_validate({"info": info, "data": {"tags": [{"key": marks.KEY, "value": key}]}})


def family(*keys: str) -> Lookup:
    return Lookup(marks.KEY, "lm-eval:", prefix=True, exact=tuple(Lookup(marks.KEY, key) for key in keys))


def names(number: int) -> list[str]:
    return [f"lm-eval:{one:05}" for one in range(number)]


def test_a_family_that_fits_into_one_page_is_one_search() -> None:
    keys = names(40)
    store = Store(*keys)

    found = RunSearch(store.ask).find("1", [family(*keys[:10])], map)

    assert [run.run_id for run in found] == keys
    assert len(store.searches) == 1


def test_of_a_crowd_only_the_wanted_runs_are_read() -> None:
    keys = names(5000)
    store = Store(*keys)
    search = RunSearch(store.ask)
    wanted = keys[:200]

    found = list(search.find("1", [family(*wanted)], map))
    first = store.read
    again = list(search.find("1", [family(*wanted)], map))

    assert [run.run_id for run in found] == [run.run_id for run in again] == wanted
    assert first <= RUNS_FOR_A_SEARCH * len(wanted) + len(wanted)
    assert store.read - first == len(wanted)  # the crowd is remembered


def test_a_family_that_is_little_larger_than_what_is_wanted_is_read_whole() -> None:
    keys = names(2 * PAGE + 1)
    store = Store(*keys)

    found = list(RunSearch(store.ask).find("1", [family(*keys[:PAGE])], map))

    assert [run.run_id for run in found] == keys
    assert len(store.searches) == 3


def test_a_lookup_without_exact_ones_is_read_to_its_end() -> None:
    store = Store(*names(2 * PAGE + 1))

    found = list(RunSearch(store.ask).find("1", [Lookup(marks.KEY, "lm-eval:", prefix=True)], map))

    assert len(found) == 2 * PAGE + 1


def test_the_crowd_of_one_experiment_says_nothing_of_another() -> None:
    keys = names(5000)
    store = Store(*keys)
    search = RunSearch(store.ask)
    list(search.find("1", [family(*keys[:3])], map))
    store.searches.clear()

    list(search.find("2", [family(*keys[:3])], map))

    assert "LIKE" in store.searches[0]
