"""What each server takes, by its version."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_rest_export.limits import STRICTEST, Limits, Version, for_server, parse_version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("1.30.1", (1, 30, 1)),
        ("2.22.5.dev0", (2, 22, 5)),
        ("3.17.2rc1", (3, 17, 2)),
        (" 3.1\n", (3, 1, 0)),
        ("2.x", None),
        ("2", None),
        ("", None),
        ("<!doctype html>", None),
        ("²·³", None),
        ("v2.1", None),
    ],
)
def test_a_version_is_its_first_numbers_and_a_page_is_none(text: str, version: Version | None) -> None:
    assert parse_version(text) == version


@given(st.text())
def test_whatever_a_server_says_of_its_version_can_be_read(text: str) -> None:
    assert parse_version(text) is None or len(parse_version(text) or ()) == 3


@pytest.mark.parametrize(
    ("version", "param", "tag", "colon", "hash_", "twice", "nan", "keys", "datasets"),
    [
        (None, 250, 5000, False, False, True, False, 100, False),
        ((1, 27, 0), 250, 5000, False, True, False, False, 100, False),
        ((1, 30, 1), 500, 5000, False, True, False, False, 100, False),
        ((2, 3, 2), 500, 5000, False, False, True, False, 100, False),
        ((2, 4, 0), 500, 5000, False, False, True, False, 100, True),
        ((2, 7, 1), 500, 5000, False, False, True, False, 100, True),
        ((2, 8, 0), 6000, 5000, False, False, True, False, 100, True),
        ((2, 15, 1), 6000, 5000, False, False, True, False, 100, True),
        ((2, 16, 2), 6000, 5000, True, False, True, False, 100, True),
        ((2, 17, 0), 6000, 8000, True, False, True, False, 100, True),
        ((3, 9, 0), 6000, 8000, True, False, True, False, 100, True),
        ((3, 10, 0), 6000, 8000, True, False, True, True, 1000, True),
    ],
)
def test_limits_are_those_of_the_version(
    version: Version | None,
    param: int,
    tag: int,
    colon: bool,
    hash_: bool,
    twice: bool,
    nan: bool,
    keys: int,
    datasets: bool,
) -> None:
    limits = for_server(version)

    assert (limits.param_value, limits.tag_value) == (param, tag)
    assert (limits.colon_in_keys, limits.hash_in_paths, limits.paths_decoded_twice) == (colon, hash_, twice)
    assert (limits.keeps_nan, limits.batch_metric_keys, limits.dataset_inputs) == (nan, keys, datasets)


@pytest.mark.parametrize(
    "version", [None, (1, 20, 0), (1, 30, 1), (2, 9, 2), (2, 22, 5), (3, 5, 1), (3, 17, 2)]
)
def test_the_strictest_limits_are_within_those_of_every_server(version: Version | None) -> None:
    limits = for_server(version)
    for name in Limits.__slots__:
        strict, real = getattr(STRICTEST, name), getattr(limits, name)
        if name in {"keys_share_folders", "paths_decoded_twice", "lengths_in_bytes"}:
            assert strict >= real
        else:
            assert strict <= real


@given(text=st.text("aé中🙂"), longest=st.integers(0, 40), in_bytes=st.booleans())
def test_a_text_is_cut_to_its_length_without_breaking_a_character(
    text: str, longest: int, in_bytes: bool
) -> None:
    limits = Limits(lengths_in_bytes=in_bytes)
    cut = limits.cut(text, longest)

    assert text.startswith(cut)
    assert limits.length_of(cut) <= longest
    if cut != text:
        assert limits.length_of(text[: len(cut) + 1]) > longest  # one more would have been too many
    assert limits.length_of("é中🙂") == (9 if in_bytes else 3)


@pytest.mark.parametrize(
    ("version", "known"), [(None, False), ((2, 22, 5), False), ((3, 5, 1), False), ((3, 17, 2), True)]
)
def test_servers_before_3_17_are_not_asked_for_files_of_any_name(
    version: Version | None, known: bool
) -> None:
    assert for_server(version).names_come_back is known
