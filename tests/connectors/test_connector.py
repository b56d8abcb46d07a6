from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import connectors
from connectors.connector import filter_loras, is_past
from connectors.errors import BadAnswer, Withheld
from connectors.query import Query
from connectors.query_language import parse
from connectors.record import Claim, Kind, Lora, check_shown, keep_permitted
from connectors.ref import HubName, Ref
from tests.connectors.building import civitai_image, civitai_version, of_civitai, of_huggingface, of_replicate
from tests.connectors.cases import read_cases
from tests.connectors.serving import Hub, said

READ = read_cases(__file__)


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


def test_a_strong_lora_is_kept_only_where_it_was_asked_for() -> None:
    lora = of_civitai(nsfwLevel=8)
    assert filter_loras([lora], Query(nsfw="mature")) == ()
    assert filter_loras([lora], Query(nsfw="explicit")) != ()


def test_pictures_above_the_ceiling_are_left_out() -> None:
    images = [civitai_image(nsfwLevel=level) for level in (1, 2, 0)]
    lora = replace(of_civitai(modelVersions=[civitai_version(images=images)]), nsfw="safe")
    assert [e.nsfw for e in filter_loras([lora], Query(nsfw="soft"))[0].versions[0].examples] == ["safe", "soft", None]
    assert [e.nsfw for e in filter_loras([lora], Query(nsfw="safe"))[0].versions[0].examples] == ["safe"]


@pytest.mark.parametrize("lora", [of_civitai(nsfwLevel=0, modelVersions=[]), of_huggingface(), of_replicate()])
def test_what_nobody_rated_is_in_the_usual_search_and_in_no_safe_one(lora: Lora) -> None:
    assert lora.nsfw is None
    assert filter_loras([lora], Query()) == (lora,)
    assert filter_loras([lora], Query(nsfw="safe")) == ()


@pytest.mark.parametrize(("kinds", "kept"), [((), False), (("style",), False), (("runner",), True)])
def test_a_runner_is_found_by_asking_for_its_kind_alone(kinds: tuple[Kind, ...], kept: bool) -> None:
    runner = of_replicate(inputs=("prompt", "lora_weights"))
    assert bool(filter_loras([runner], Query(kinds=kinds))) is kept


LEVELS = (1, 2, 4, 8)


def marked(level: int, **marks: Any) -> Lora:
    """With an image of each level up to this one."""
    images = [civitai_image(nsfwLevel=each) for each in LEVELS if each <= level]
    return of_civitai(nsfwLevel=level, modelVersions=[civitai_version(images=images)], **marks)


@pytest.mark.parametrize(("level", "withheld"), [(1, False), (2, False), (4, True), (8, True), (32, True)])
def test_a_minors_lora_above_soft_is_withheld(level: int, withheld: bool) -> None:
    lora = marked(level, minor=True)
    assert (lora.is_withheld, marked(level).is_withheld) == (withheld, False)
    assert bool(filter_loras([lora], Query(nsfw="explicit"))) is not withheld


def test_nothing_of_a_withheld_lora_is_left_but_its_level_its_mark_and_its_hashes() -> None:
    lora = marked(8, minor=True, name="Saltmarsh Gouache")
    [file] = lora.versions[0].files
    assert (lora.title, lora.creator, lora.description, lora.tags, lora.nsfw) == ("4128", None, "", (), "explicit")
    assert (lora.versions[0].examples, lora.versions[0].claims, file.name, file.sha256) == ((), (), "", "ab" * 32)
    assert [claim.field for claim in lora.claims] == ["minor"]


def test_a_withheld_lora_is_refused_with_a_reason() -> None:
    with pytest.raises(Withheld, match=r"mark civitai:4128 as showing a minor.*at any level"):
        check_shown(marked(8, minor=True))


def test_of_what_is_for_safe_work_only_no_image_above_soft_is_shown() -> None:
    [found] = filter_loras([marked(8, sfwOnly=True)], Query(nsfw="explicit"))
    assert [example.nsfw for example in found.versions[0].examples] == ["safe", "soft"]


def test_of_a_minors_lora_no_image_above_soft_is_shown_whatever_the_hub_calls_the_whole() -> None:
    lora = replace(marked(8), nsfw="soft", claims=(Claim(field="minor", value=True, source="hub", where="minor"),))
    assert [example.nsfw for example in keep_permitted(lora).versions[0].examples] == ["safe", "soft"]


@pytest.mark.parametrize(("query", "updates", "past"), READ["a list of the newest ends after a page too old"])
def test_a_list_of_the_newest_ends_after_a_page_too_old(query: str, updates: list[str | None], past: bool) -> None:
    assert is_past(parse(query), updates) is past


SOME = Ref(hub="civitai", id="1", version="2")
# What each hub is asked for a list, and by whom: Replicate's results, CivitAI's items, Hugging Face's list itself.
LISTS: tuple[tuple[HubName, str, Callable[[Any], object]], ...] = (
    ("civitai", "/api/v1/models", lambda hub: hub.search(Query())),
    ("civitai", "/api/v1/images", lambda hub: hub.images(SOME)),
    ("huggingface", "/api/models", lambda hub: hub.search(Query())),
    ("huggingface", "/api/models/a/b/commits/main", lambda hub: hub.history(Ref(hub="huggingface", id="a/b"))),
    ("replicate", "/v1/models", lambda hub: hub.search(Query())),
)


@pytest.mark.parametrize(("hub", "path", "ask"), LISTS, ids=[path for _, path, _ in LISTS])
@pytest.mark.parametrize("body", [7, None, {}, {"items": None, "results": None}, {"items": {}, "results": {}}, "text"])
def test_a_page_needs_a_list(server: Hub, hub: HubName, path: str, ask: Callable[[Any], object], body: object) -> None:
    server.answers[path] = said(body)
    with pytest.raises(BadAnswer, match=r"answered without a list of (models|images|commits)"):
        ask(connectors.build({hub: server.url}, {hub: "k"})[0])
