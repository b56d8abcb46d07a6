from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.filter import filter_loras, is_past
from connectors.query import Query, Range
from tests.connectors.building import civitai_image, civitai_version, of_civitai, of_huggingface


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        (Query(), True),
        (Query(bases=("flux1",)), True),
        (Query(bases=("sdxl", "flux.1-dev")), True),
        (Query(bases=("Flux.1 D",)), True),
        (Query(bases=("sdxl",)), False),
        (Query(kinds=("style",)), True),
        (Query(kinds=("character", "style")), True),
        (Query(kinds=("character",)), False),
    ],
)
def test_a_lora_is_kept_if_it_fits_every_filter(query: Query, kept: bool) -> None:
    assert bool(filter_loras([of_civitai()], query)) is kept


def test_what_has_no_known_kind_fits_no_kind() -> None:
    assert filter_loras([of_civitai(tags=[])], Query(kinds=("style",))) == ()


def test_a_strong_lora_is_kept_only_where_it_was_asked_for() -> None:
    lora = of_civitai(nsfwLevel=8)
    assert filter_loras([lora], Query(nsfw="mature")) == ()
    assert filter_loras([lora], Query(nsfw="explicit")) != ()


def test_pictures_above_the_ceiling_are_left_out() -> None:
    images = [civitai_image(nsfwLevel=level) for level in (1, 2, 0)]
    lora = replace(of_civitai(modelVersions=[civitai_version(images=images)]), nsfw="safe")
    assert [e.nsfw for e in filter_loras([lora], Query(nsfw="soft"))[0].versions[0].examples] == ["safe", "soft", None]
    assert [e.nsfw for e in filter_loras([lora], Query(nsfw="safe"))[0].versions[0].examples] == ["safe"]


def test_what_nobody_rated_is_listed_in_a_safe_search_without_its_pictures() -> None:
    widget = [{"text": "a fox", "output": {"url": "fox.png"}}]
    lora = of_huggingface(cardData={"widget": widget})
    [found] = filter_loras([lora], Query(nsfw="safe"))
    assert (lora.nsfw, len(lora.versions[0].examples)) == (None, 1)
    assert (found.nsfw, found.versions[0].examples) == (None, ())


@pytest.mark.parametrize(
    ("query", "updates", "past"),
    [
        (Query(sort="newest", age=Range(most=86_400)), ["2020-01-02T00:00:00Z", None, "2020-01-01T00:00:00Z"], True),
        (Query(sort="newest", age=Range(most=86_400)), ["2999-01-01T00:00:00Z", "2020-01-01T00:00:00Z"], False),
        (Query(sort="newest", age=Range(most=86_400)), [None], False),
        (Query(sort="newest", age=Range(least=86_400)), ["2020-01-01T00:00:00Z"], False),
        (Query(sort="newest"), ["2020-01-01T00:00:00Z"], False),
        (Query(sort="likes", age=Range(most=86_400)), ["2020-01-01T00:00:00Z"], False),
    ],
)
def test_a_list_of_the_newest_has_nothing_more_once_a_whole_page_is_too_old(
    query: Query, updates: list[str | None], past: bool
) -> None:
    assert is_past(query, updates) is past
