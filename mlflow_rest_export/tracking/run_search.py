"""Searches for runs of one server: page by page, and no more pages than what is asked for is worth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from mlflow_rest_export.records import Lookup
from mlflow_rest_export.tracking import replies, search
from mlflow_rest_export.tracking.protocol import Each, StoredRun

RUNS_FOR_A_SEARCH = 5
"""Runs that cost about as much to read as one more search does.

On 3.17.2 with sqlite a search takes as long as 20 runs of a page, be there 1,000 runs or 10,000; but searches
go side by side, and pages one after the other.
"""


class RunSearch:
    """Finds runs.

    Args:
        ask: sends the body of ``runs/search``, and gives one page.
    """

    def __init__(self, ask: Callable[[dict[str, object]], replies.RunsPage]) -> None:
        self._ask = ask
        self._crowded: set[tuple[str, str, str]] = set()
        """Experiment, tag and value of lookups that found far too much once."""

    def pages(
        self, experiment_ids: Sequence[str], filter_string: str, *, view: str = "ACTIVE_ONLY"
    ) -> Iterator[replies.RunsPage]:
        """Give all pages of one search; each is asked for when it is wanted."""
        token = ""
        while True:
            page = self._ask(search.body_of(experiment_ids, filter_string, view=view, token=token))
            yield page
            token = page.next_page_token
            if not token:
                return

    def find(self, experiment_id: str, lookups: Sequence[Lookup], each: Each) -> Iterator[StoredRun]:
        """Search for each lookup, and for its exact ones instead where it finds too much."""
        exact: list[Lookup] = []
        for lookup, runs in zip(lookups, each(partial(self._few, experiment_id), lookups), strict=True):
            if runs is None:
                exact += lookup.exact
            else:
                yield from runs
        for runs in each(partial(self._all, experiment_id), exact):
            yield from runs

    def _few(self, experiment_id: str, lookup: Lookup) -> list[StoredRun] | None:
        """Give what a lookup finds; None where its exact ones are the cheaper way."""
        if not lookup.exact:
            return self._all(experiment_id, lookup)
        name = (experiment_id, lookup.tag, lookup.value)
        worth = max(search.PAGE, RUNS_FOR_A_SEARCH * len(lookup.exact))
        found: list[StoredRun] = []
        for page in (
            self.pages([experiment_id], search.filter_of(lookup)) if name not in self._crowded else ()
        ):
            found += [run.as_run() for run in page.runs]
            if not page.next_page_token:
                return found
            if len(found) >= worth:
                self._crowded.add(name)
                break
        return None

    def _all(self, experiment_id: str, lookup: Lookup) -> list[StoredRun]:
        pages = self.pages([experiment_id], search.filter_of(lookup))
        return [run.as_run() for page in pages for run in page.runs]
