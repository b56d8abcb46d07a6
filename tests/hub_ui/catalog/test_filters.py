"""Each filter of a query, with the index and without it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.query import Query, Range
from connectors.query_language import parse
from connectors.record import Lora
from connectors.ref import Ref
from hub_ui.catalog.search import Facets
from tests.hub_ui.catalog.builders import catalog, claim, file, lora, version

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def sized(number: int, size: int | None) -> tuple[object, ...]:
    return (version(f"civitai:{number}@{number}0", files=(file(size=size),)),)


LORAS = (
    lora(
        1,
        title="Pixel art forest",
        creator="Ada L",
        tags=("Pixel Art", "retro"),
        access="gated",
        updated_at="2026-02-20T00:00:00Z",
        versions=sized(1, 30_000_000),
        claims=(claim("rank", 8), claim("trigger_words", ("sks Pixel",)), claim("license", "not for sale")),
    ),
    lora(
        2,
        title="Art of pixel",
        creator="bob",
        tags=("retro",),
        updated_at="2026-01-01T00:00:00Z",
        versions=sized(2, 150_000_000),
        claims=(claim("rank", 32), claim("license", "it may be sold, merges allowed"), claim("kind", "tool")),
    ),
    lora(
        3,
        ref=Ref.parse("hf:ada/Night"),
        title="Night",
        description="A pixel art night",
        updated_at=None,
        versions=(),
        claims=(claim("license", "Apache-2.0"), claim("kind", "style")),
    ),
)


def found(path: Path, *loras: Lora, refs: tuple[Ref, ...] = (), asked: Query | None = None, **fields: Any) -> list[str]:
    """The titles that are found."""
    with catalog(path, *loras) as opened:
        answer = opened.search(asked or Query(**fields), {"installed": refs, "favorite": refs}, now=NOW)
        assert answer.total == len(answer.records)
        return [record.title for record in answer.records]


# What is asked for in the query language, and the numbers of those that have it; and what nobody can type.
ASKED = [line.split("\t") for line in Path(__file__).with_name("filters.tsv").read_text("utf-8").splitlines()[1:]]
UNTYPED = (
    (Query(rank=Range()), "1 2"),
    (Query(rank=Range(least=9, most=8)), ""),
    (Query(rank=Range(most=-1)), ""),
    (Query(size=Range(least=30_000_001, most=10**30)), "2"),
    (Query(age=Range(most=10**30)), "1 2"),
    (Query(excluded=(("trigger", "any"),)), "2 3"),
)


@pytest.mark.parametrize(("asked", "expected"), [*((parse(text), numbers) for text, numbers in ASKED), *UNTYPED])
def test_a_filter_finds_what_it_says(tmp_path: Path, asked: Query, expected: str) -> None:
    titles = {one.title: str(number) for number, one in enumerate(LORAS, 1)}
    assert sorted(titles[title] for title in found(tmp_path, *LORAS, asked=asked)) == expected.split()


def test_a_base_is_excluded_by_any_of_its_names(tmp_path: Path) -> None:
    loras = (lora(1, base="Pony"), lora(2, base="Illustrious"), lora(3, base="Flux.1 D"))
    assert found(tmp_path, *loras, excluded=(("base", "sdxl"),)) == ["Ink 3"]


def test_words_of_two_texts_are_no_phrase(tmp_path: Path) -> None:
    one = lora(title="Pixel", tags=("art", "deco"), description="wide")
    texts = ("ink art", "art deco", "deco wide", "pixel 1", "1 art")
    assert [text for text in texts if found(tmp_path / text, one, phrases=(text,))] == ["art deco"]


@pytest.mark.parametrize(
    ("wanted", "refs", "expected"),
    [
        (True, ("civitai:2@20", "hf:ada/Night"), ["Art of pixel", "Night"]),
        (False, ("civitai:2@20", "hf:ada/Night"), ["Pixel art forest"]),
        (None, ("civitai:2",), ["Pixel art forest", "Art of pixel", "Night"]),
        (True, (), []),
        (False, (), ["Pixel art forest", "Art of pixel", "Night"]),
    ],
)
@pytest.mark.parametrize("mark", ["installed", "favorite"])
def test_installed_loras_and_favourites_are_told_apart(
    tmp_path: Path, mark: str, wanted: bool | None, refs: tuple[str, ...], expected: list[str]
) -> None:
    fields: dict[str, Any] = {mark: wanted}
    assert found(tmp_path, *LORAS, refs=tuple(map(Ref.parse, refs)), **fields) == expected


def facets(path: Path, refs: tuple[Ref, ...] = (), **fields: Any) -> Facets:
    with catalog(path, *LORAS) as opened:
        return opened.search(Query(**fields), {"installed": refs, "favorite": refs}).facets


@pytest.mark.parametrize(
    ("fields", "facet", "expected"),
    [
        ({"hubs": ("civitai",)}, "hubs", {"civitai": 2, "huggingface": 1}),
        ({"kinds": ("style",)}, "kind", {"tool": 1, "style": 1}),
        ({"creators": ("bob",)}, "creators", {"ada l": 1, "bob": 1}),
        ({"tags": ("pixel art",)}, "tags", {"retro": 2, "pixel art": 1}),
        ({"licenses": ("sell",)}, "permits", {"merge": 2, "sell": 2, "run_as_service": 1, "sell_images": 1}),
        ({"access": ("paid",)}, "access", {"open": 2, "gated": 1}),
        ({"rank": Range(least=20)}, "rank", {8: 1, 32: 1}),
        ({"size": Range(most=1)}, "size", {50_000_000: 1, 200_000_000: 1}),
        ({"installed": False}, "installed", {"yes": 1}),
        ({"favorite": False}, "favorite", {"yes": 1}),
        ({"rank": Range(least=20)}, "installed", {}),
        ({"rank": Range(least=20)}, "tags", {"retro": 1}),
    ],
    ids=str,
)
def test_a_facet_ignores_its_own_filter(tmp_path: Path, fields: dict[str, Any], facet: str, expected: object) -> None:
    assert facets(tmp_path, (Ref.parse("civitai:1"),), **fields).of(facet) == expected


def test_levels_above_the_ceiling_are_counted_and_not_shown(tmp_path: Path) -> None:
    loras = (lora(1, nsfw="soft"), lora(2, nsfw="explicit"), lora(3))
    with catalog(tmp_path, *loras) as opened:
        answer = opened.search(Query(nsfw="soft"))
        assert (answer.total, answer.facets.of("levels")) == (2, {"soft": 2, "explicit": 1})


def test_the_twenty_most_frequent_tags_are_counted(tmp_path: Path) -> None:
    with catalog(tmp_path, *(lora(n, tags=("often", f"tag {n % 25:02}", f"own {n}")) for n in range(800))) as opened:
        tags = opened.search(Query()).facets.of("tags")
        assert (len(tags), tags["often"], set(tags.values())) == (20, 800, {800, 32})


@pytest.mark.parametrize("count", [10, 350])
def test_of_equally_frequent_creators_the_same_ones_are_counted_whatever_came_first(tmp_path: Path, count: int) -> None:
    loras = [lora(n, creator=f"Creator {n}") for n in range(count)]
    found = []
    for order in (loras, loras[::-1]):
        with catalog(tmp_path / order[0].title, *order) as opened:
            found.append(opened.search(Query()).facets.of("creators"))
    assert (found[0], len(found[0])) == (found[1], min(count, 20))
