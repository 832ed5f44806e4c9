"""Names against the rules of the servers themselves, which are written out here once more."""

from __future__ import annotations

import posixpath
import re
import urllib.parse
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import permutations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlflow_rest_export.limits import STRICTEST, Limits, for_server
from mlflow_rest_export.planning.names import (
    apart,
    clean_key,
    clean_path,
    clean_text,
    marked_key,
    marked_path,
)

EVERY = [STRICTEST, *(for_server(v) for v in (None, (1, 30, 1), (2, 9, 2), (2, 22, 5), (3, 17, 2)))]
ODD = "/.:;?#%@[]_- \\\0\n\t~ab2F5é日🙂\ud800\u2028"
LONG_PARTS = st.lists(st.text("aé日🙂", min_size=50, max_size=140), min_size=1, max_size=5).map("/".join)
TEXTS = st.one_of(
    LONG_PARTS, st.text(max_size=40), st.text(alphabet=ODD, max_size=20), st.text(ODD, min_size=200)
)
BOTH = st.booleans()


def is_legal_key(key: str, limits: Limits) -> bool:
    """MLflow's ``validate_param_and_metric_name``, ``path_not_unique`` and the limit of length."""
    illegal = r"[^/\w.\- :]" if limits.colon_in_keys else r"[^/\w.\- ]"
    normal = posixpath.normpath(key)
    unique = normal == key and normal != "." and not normal.startswith(("..", "/"))
    on_disk = not limits.keys_share_folders or all(
        len(part.encode("utf-8", "replace")) <= 255 for part in key.split("/")
    )
    if not key or re.search(illegal, key) or not unique or not on_disk:
        return False
    return len(key.encode() if limits.lengths_in_bytes else key) <= limits.key


def decoded(path: str) -> str:
    """MLflow's ``_decode``: until nothing changes any more."""
    for _ in range(10):
        now = urllib.parse.urlunparse(urllib.parse.urlparse(urllib.parse.unquote(path)))
        if now == path:
            return path
        path = now
    raise ValueError(path)


def survives(path: str, limits: Limits) -> bool:
    """Whether a server stores a file under this very name: ``validate_path_is_safe`` and the disk."""
    parts = path.split("/")
    if not all(
        0 < len(part.encode()) <= limits.path_part_bytes and part not in {".", ".."} for part in parts
    ):
        return False
    if re.search(r"[\x00-\x1f\x7f-\x9f\\]", path) or ("#" in path and not limits.hash_in_paths):
        return False
    if re.match("[^/]:", path) or urllib.parse.urlsplit(path).scheme == "file":
        return False
    stored = f"1/abc/artifacts/{path}"
    return not limits.paths_decoded_twice or decoded(stored) == stored


@given(raw=TEXTS, verbatim=BOTH)
@pytest.mark.parametrize("limits", EVERY)
def test_every_clean_key_is_taken_by_the_server(raw: str, verbatim: bool, limits: Limits) -> None:
    assert is_legal_key(clean_key(raw, limits, verbatim=verbatim), limits)


@given(raw=TEXTS, verbatim=BOTH)
@pytest.mark.parametrize("limits", EVERY)
def test_a_clean_key_stays_as_it_is(raw: str, verbatim: bool, limits: Limits) -> None:
    once = clean_key(raw, limits, verbatim=verbatim)

    assert clean_key(once, limits, verbatim=verbatim) == once
    assert clean_key(once, limits, verbatim=True) == once  # so a spooled run keeps its names on its way


@given(raw=TEXTS)
@pytest.mark.parametrize("limits", EVERY)
def test_a_name_that_came_from_an_mlflow_and_is_taken_is_kept(raw: str, limits: Limits) -> None:
    if is_legal_key(raw, limits):
        assert clean_key(raw, limits, verbatim=True) == raw


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ("mmlu_score_micro", "mmlu_score_micro"),
        ("arith_qa_pass@1_correct", "arith_qa_pass_at_1_correct"),
        ("pass@1[avg-of-4]", "pass_at_1_avg-of-4_"),
        ("user@host", "user_at_host"),
        ("a__b", "a_b"),
        ("  spaces inside stay ", "spaces inside stay"),
        ("mtbench:gpt-4", "mtbench_gpt-4"),
        ("métrique/日本", "métrique/日本"),
        ("f1 (macro), %", "f1 _macro_ _"),
        ("", "key"),
        ("   ", "key"),
        (".", "key"),
        ("../../etc", "etc"),
        ("/a//b/./c/", "a/b/c"),
        ("..a", "_a"),
        ("..._a", "_a"),
        ("/ /x", "x"),
    ],
)
def test_keys_are_those_of_the_launcher_and_never_paths_out_of_the_run(raw: str, key: str) -> None:
    assert clean_key(raw, STRICTEST, verbatim=False) == key


def test_a_colon_stays_only_where_the_server_takes_it_and_the_name_came_from_one() -> None:
    new, old = for_server((2, 16, 0)), for_server((2, 15, 1))

    assert clean_key("a:b", new, verbatim=True) == "a:b"
    assert clean_key("a:b", new, verbatim=False) == "a_b"
    assert clean_key("a:b", old, verbatim=True) == "a_b"


@pytest.mark.parametrize("length", [249, 250, 251, 5000])
def test_long_keys_end_in_a_hash_of_the_whole(length: int) -> None:
    raw = "x" * (length - 1)
    one, other = (clean_key(raw + end, for_server((3, 17, 2)), verbatim=False) for end in "ab")

    assert len(one) == min(length, 250)
    assert one != other
    assert (one == f"{raw}a") == (length <= 250)


@given(raw=TEXTS)
@example(raw=";?")
@pytest.mark.parametrize("limits", EVERY)
def test_every_clean_path_is_stored_under_its_very_name(raw: str, limits: Limits) -> None:
    path = clean_path(raw, limits)

    assert survives(path, limits)
    assert clean_path(path, limits) == path


@given(raw=TEXTS)
@example(raw="??")
@example(raw="a?b?")
@pytest.mark.parametrize("limits", EVERY)
def test_a_path_that_survives_is_kept(raw: str, limits: Limits) -> None:
    if clean_text(raw) == raw and survives(raw, limits):
        assert clean_path(raw, limits) == raw


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("artifacts/results.yml", "artifacts/results.yml"),
        ("a b/é 日本 🙂.txt", "a b/é 日本 🙂.txt"),
        ("a#b.txt", "a_b.txt"),
        ("a%20b.txt", "a_20b.txt"),
        ("100%.txt", "100%.txt"),
        ("what?", "what_"),
        ("a/\0../b", "a/b"),
        ("../../x", "x"),
        ("C:/x:y", "C_/x:y"),
        ("::", "__"),
        ("file:/etc", "file_/etc"),
        ("tab\tand\nline", "tab_and_line"),
        ("win\\dows", "win_dows"),
        ("/", "file"),
    ],
)
def test_paths_that_servers_would_alter_or_refuse_are_renamed(raw: str, path: str) -> None:
    assert clean_path(raw, for_server((3, 17, 2))) == path


def test_an_old_server_keeps_what_a_new_one_would_alter() -> None:
    assert clean_path("a#b%20c?", for_server((1, 30, 1))) == "a#b%20c?"


@pytest.mark.parametrize("unit", ["x", "é", "🙂"])
@pytest.mark.parametrize("length", [254, 255, 256, 400])
def test_long_parts_are_cut_by_bytes_and_keep_their_ending(unit: str, length: int) -> None:
    name = unit * (length // len(unit.encode())) + ".json"
    part = clean_path(f"folder/{name}", STRICTEST).removeprefix("folder/")

    assert len(part.encode()) <= 255
    assert part.endswith(".json")
    assert (part == name) == (len(name.encode()) <= 255)


def keys_apart(raws: Sequence[str], limits: Limits = STRICTEST, beside: Sequence[str] = ()) -> dict[str, str]:
    clean = partial(clean_key, limits=limits, verbatim=False)
    mark = partial(marked_key, limits=limits)
    return apart(raws, clean, share_folders=limits.keys_share_folders, mark=mark, beside=beside)


def paths_apart(raws: Sequence[str], limits: Limits = STRICTEST) -> dict[str, str]:
    mark = partial(marked_path, limits=limits)
    return apart(raws, partial(clean_path, limits=limits), share_folders=True, mark=mark)


def folders(names: Sequence[str]) -> set[str]:
    parts = [name.split("/") for name in names]
    return {"/".join(part[:end]) for part in parts for end in range(1, len(part))}


CLOSE = st.lists(st.text("a/#_?@.", max_size=5), max_size=8)


@given(raws=CLOSE)
def test_different_names_stay_different_whatever_becomes_of_them(raws: list[str]) -> None:
    for names, is_fine in ((keys_apart(raws), is_legal_key), (paths_apart(raws), survives)):
        assert set(names) == set(raws)
        assert len(set(names.values())) == len(names)
        assert not set(names.values()) & folders(list(names.values()))
        assert all(is_fine(name, STRICTEST) for name in names.values())


@given(raws=st.lists(st.text("a/#_", max_size=3), max_size=4, unique=True))
def test_names_do_not_depend_on_the_order_in_which_they_come(raws: list[str]) -> None:
    assert all(keys_apart(order) == keys_apart(raws) for order in permutations(raws))
    assert all(paths_apart(order) == paths_apart(raws) for order in permutations(raws))


@given(first=CLOSE, then=CLOSE)
def test_names_stay_out_of_the_way_of_those_that_are_there_and_keep_them_the_next_time(
    first: list[str], then: list[str]
) -> None:
    there = list(keys_apart(first).values())
    names = keys_apart(then, beside=there)
    both = [*there, *names.values()]

    assert not set(both) & folders(both)
    assert len(set(names.values())) == len(names)
    assert all(is_legal_key(name, STRICTEST) for name in names.values())
    assert keys_apart(then, beside=both) == names
    assert keys_apart(first, beside=there) == keys_apart(first)


def test_a_name_that_is_there_is_kept_when_another_one_would_make_a_folder_of_it() -> None:
    names = keys_apart(["acc", "acc/math"], beside=["acc"])

    assert names["acc"] == "acc"
    assert re.fullmatch(r"acc_math-[0-9a-f]{6}", names["acc/math"])


def test_a_name_that_makes_way_changes_no_other() -> None:
    alone = keys_apart(["b", "b/c"])

    assert keys_apart(["b", "b/c", "a/b"], beside=["a", *alone.values()]).items() >= alone.items()


@given(raws=CLOSE)
def test_names_that_are_apart_stay_as_they_are(raws: list[str]) -> None:
    names = list(keys_apart(raws).values())

    assert keys_apart(names) == {name: name for name in names}


def test_the_name_that_is_clean_already_keeps_it_and_the_others_are_marked() -> None:
    names = keys_apart(["a@", "a_at_", "a%%at%"])

    assert names["a_at_"] == "a_at_"
    assert re.fullmatch(r"a_at_-[0-9a-f]{6}", names["a@"])
    assert re.fullmatch(r"a_at_-[0-9a-f]{6}", names["a%%at%"])


def test_a_name_that_looks_like_the_mark_of_another_is_no_collision() -> None:
    marked = keys_apart(["a#", "a_"])["a#"]
    names = keys_apart(["a#", "a_", marked])

    assert names[marked] == marked
    assert len(set(names.values())) == 3


def test_a_name_that_is_also_a_folder_is_marked_where_names_are_paths() -> None:
    assert keys_apart(["a", "a/b"])["a/b"] == "a/b"
    assert re.fullmatch(r"a-[0-9a-f]{6}", keys_apart(["a", "a/b"])["a"])
    free = replace(STRICTEST, keys_share_folders=False)
    assert keys_apart(["a", "a/b"], free) == {"a": "a", "a/b": "a/b"}
    assert re.fullmatch(r"a_-[0-9a-f]{6}", keys_apart(["a#", "a_"], free)["a#"])


def test_a_marked_file_keeps_its_ending_and_its_folder() -> None:
    names = paths_apart(["logs/a#b.json", "logs/a_b.json"])

    assert re.fullmatch(r"logs/a_b-[0-9a-f]{6}\.json", names["logs/a#b.json"])


def test_a_mark_never_makes_a_name_too_long() -> None:
    for unit in ("k", "é", "日"):
        stem = unit * (250 // len(unit.encode()))
        keys = keys_apart([f"{stem}#", f"{stem}_"])
        paths = paths_apart([f"d/{stem}#.txt", f"d/{stem}_.txt"])

        assert all(is_legal_key(key, STRICTEST) for key in keys.values())
        assert all(survives(path, STRICTEST) for path in paths.values())
        assert (len(set(keys.values())), len(set(paths.values()))) == (2, 2)


@given(st.text())
def test_clean_text_can_be_stored_anywhere_and_changes_nothing_else(text: str) -> None:
    cleaned = clean_text(text)

    assert "\0" not in cleaned
    assert cleaned.encode().decode() == cleaned
    if "\0" not in text and not re.search("[\ud800-\udfff]", text):
        assert cleaned == text
