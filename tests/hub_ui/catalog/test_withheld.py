"""What nobody is shown, and what is no LoRA, in the catalog: kept, and in none of its lists."""

from pathlib import Path
from typing import Any

import pytest

from connectors.errors import Withheld
from connectors.query import Query
from connectors.record import Claim, Example, Kind, Lora
from connectors.ref import Ref
from tests.hub_ui.catalog.builders import catalog, claim, file, lora, titles, version

REF = Ref.parse("civitai:1")
MINOR = claim("minor", True)
# Enough others that a word is rare.
OTHERS = tuple(lora(number, title=f"Other {number}") for number in range(100, 120))


def rare(number: int, *claims: Claim, **fields: Any) -> Lora:
    return lora(number, title="Rare ink", claims=claims, **fields)


def images(*levels: str) -> tuple[Example, ...]:
    return tuple(Example(url=f"https://a.example/{level}.png", nsfw=level) for level in levels)  # type: ignore[arg-type]


def test_a_withheld_lora_is_in_no_list_and_not_opened(tmp_path: Path) -> None:
    with catalog(tmp_path, rare(1, MINOR, nsfw="mature"), rare(2, nsfw="mature"), *OTHERS) as opened:
        answer = opened.search(Query(text="rare", nsfw="explicit"))
        assert ([record.ref.id for record in answer.records], answer.total) == (["2"], 1)
        assert answer.facets.of("levels") == {"mature": 1}
        assert opened.similar(Ref.parse("civitai:2"), nsfw="explicit") == ()
        with pytest.raises(Withheld):
            opened.lora(REF)


def test_a_lora_that_was_listed_is_gone_once_its_hub_withholds_it(tmp_path: Path) -> None:
    with catalog(tmp_path, rare(1, nsfw="mature"), rare(2, nsfw="mature")) as opened:
        [number, _] = opened.listing(Query(nsfw="explicit", limit=9)).ids
        opened.withhold([REF, Ref.parse("civitai:77")])
        assert titles(opened, nsfw="explicit") == ["Rare ink"]
        assert opened.cards([number], Query(nsfw="explicit")) == {}
        with pytest.raises(Withheld):
            opened.lora(Ref.parse("civitai:@10"))


def test_nothing_but_hashes_is_kept_of_a_withheld_lora(tmp_path: Path) -> None:
    shown = version(files=(file(sha256="a" * 64),), examples=images("mature"), description="what is new")
    with catalog(tmp_path, rare(1, nsfw="mature", creator="Ada", tags=("ink",), versions=(shown,))) as opened:
        opened.withhold([REF])
        of_images = version("civitai:2@20", examples=images("mature"))
        opened.add([rare(2, MINOR, nsfw="mature", creator="Ada", versions=(of_images,))])
        document = " ".join(opened.documents())
        assert [word for word in ("Rare", "Ada", "a.example", "what is new", "safetensors") if word in document] == []
        assert [ref.lora for ref in opened.by_sha256("a" * 64)] == [REF]


@pytest.mark.parametrize("nsfw", [None, "safe"])
def test_a_withheld_lora_stays_so_for_an_answer_that_does_not_know_the_mark(tmp_path: Path, nsfw: str | None) -> None:
    with catalog(tmp_path, rare(1, MINOR, nsfw="mature")) as opened:
        # More than is kept of it, so that it would not count as the thinner answer.
        opened.add([rare(1, claim("rank", 4), claim("kind", "style"), claim("license", "mit"), nsfw=nsfw)])
        assert titles(opened, nsfw="explicit") == []
        opened.add([rare(1, claim("minor", False), nsfw="soft")])
        assert titles(opened) == ["Rare ink"]


def test_its_copy_on_another_hub_is_on_the_same_card_and_so_in_no_list(tmp_path: Path) -> None:
    copy = version(f"hf:ada/ink@{'0' * 40}", files=(file(f"hf:ada/ink@{'0' * 40}#ink.safetensors", sha256="a" * 64),))
    ours = version(files=(file(sha256="a" * 64),))
    loras = (rare(1, nsfw="mature", versions=(ours,)), lora(ref=Ref.parse("hf:ada/ink"), title="Ink", versions=(copy,)))
    with catalog(tmp_path, *loras) as opened:
        opened.withhold([REF])
        assert titles(opened, nsfw="explicit") == []


def test_a_listing_of_a_minors_images_takes_away_the_strong_ones_that_were_known(tmp_path: Path) -> None:
    known = version(examples=images("safe", "mature"))
    with catalog(tmp_path, rare(1, nsfw="soft", versions=(known,))) as opened:
        opened.add([rare(1, MINOR, nsfw="soft", versions=(version(examples=images("safe")),))])
        [record] = opened.search(Query(nsfw="explicit")).records
    assert [image.nsfw for image in record.images] == ["safe"]


def test_what_is_no_lora_is_kept_and_in_no_list(tmp_path: Path) -> None:
    with catalog(tmp_path, rare(1, claim("is_lora", False)), rare(2), *OTHERS) as opened:
        assert [record.ref.id for record in opened.search(Query(text="rare", nsfw="explicit")).records] == ["2"]
        assert opened.lora(REF).title == "Rare ink"


@pytest.mark.parametrize(("kinds", "expected"), [((), ["Style"]), (("style",), ["Style"]), (("runner",), ["Runner"])])
def test_a_runner_is_found_by_asking_for_its_kind(tmp_path: Path, kinds: tuple[Kind, ...], expected: list[str]) -> None:
    loras = [
        lora(n, title=kind.title(), claims=(claim("kind", kind),)) for n, kind in enumerate(("runner", "style"), 1)
    ]
    with catalog(tmp_path, *loras) as opened:
        assert titles(opened, kinds=kinds) == expected


def test_runners_are_not_counted_nor_similar_nor_offered(tmp_path: Path) -> None:
    runner = rare(1, claim("kind", "runner"), creator="Ada", tags=("ink",), access="generation-only")
    with catalog(tmp_path, runner, rare(2, tags=("ink",)), *OTHERS) as opened:
        facets = opened.search(Query(text="rare")).facets
        assert (facets.of("kind"), facets.of("access"), facets.of("creators")) == ({}, {"open": 1}, {})
        assert opened.similar(Ref.parse("civitai:2")) == ()
        assert (opened.complete_value("creator", "a"), opened.complete_value("tag", "ink")) == ((), (("ink", 1),))
