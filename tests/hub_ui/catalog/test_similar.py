"""LoRAs like another one, and what a filter is completed with."""

import random
from pathlib import Path

import pytest

from connectors.errors import NotFound
from connectors.record import Lora
from connectors.ref import Ref
from hub_ui.catalog.catalog import Catalog
from tests.hub_ui.catalog.builders import both, catalog, claim, file, lora, version

# Enough others that a word, a tag or a kind is rare.
OTHERS = tuple(lora(number, title=f"Other {number}", base="Pony", tags=("common",)) for number in range(100, 300))


def similar(of: Catalog, number: int, **fields: object) -> list[str]:
    found = of.similar(Ref.parse(f"civitai:{number}"), **fields)  # type: ignore[arg-type]
    return [each.record.title for each in found]


def reasons(of: Catalog, number: int) -> list[tuple[str, float, str]]:
    return [(each.record.title, each.score, each.reason) for each in of.similar(Ref.parse(f"civitai:{number}"))]


def test_what_shares_more_comes_first_and_what_shares_little_not_at_all(tmp_path: Path) -> None:
    loras = (
        lora(1, title="Ink forest", base="Pony", tags=("trees", "common", "paper")),
        lora(2, title="Forest", base="Pony"),
        lora(3, title="Ink forest at night", base="Pony", tags=("ink",)),
        lora(4, title="Sea", base="Pony", tags=("trees",)),
        lora(5, title="Boat", base="Pony", tags=("trees", "paper")),
        *OTHERS,
    )
    expected = [
        ("Ink forest at night", 0.571, "same subject"),
        ("Boat", 0.429, "same words"),
        ("Forest", 0.286, "same subject"),
    ]
    with both(tmp_path, *loras) as catalogs:
        assert [reasons(each, 1) for each in catalogs] == [expected] * 2


def test_what_shares_a_small_part_is_not_similar(tmp_path: Path) -> None:
    titles = {1: "Clock tower beside brick town hall", 2: "Clock", 3: "Clock tower"}
    with both(tmp_path, *(lora(number, title=title) for number, title in titles.items()), *OTHERS) as catalogs:
        assert [reasons(each, 1) for each in catalogs] == [[("Clock tower", 0.3, "same subject")]] * 2


def test_of_few_loras_two_with_the_same_rare_words_are_similar(tmp_path: Path) -> None:
    with catalog(tmp_path, *OTHERS[:40], lora(1, title="SKS Robot", base="Pony", likes=1)) as opened:
        opened.add([lora(1, title="SKS Robot", base="Pony", likes=2), lora(2, title="sks-robot", base="Pony")])
        assert reasons(opened, 1) == [("sks-robot", 1.0, "same subject")]


@pytest.mark.parametrize("title", ["Watercolour LoRA v2", "Pony style", "Anime girl", "水", "1.5 & 2.1"])
def test_words_of_any_lora_make_nothing_similar(tmp_path: Path, title: str) -> None:
    loras = (lora(1, title=title, base="Pony", tags=("base_model:x", "anime")), *OTHERS)
    other = title.replace("Watercolour", "Portrait")
    with both(tmp_path, *loras, lora(2, title=other, base="Pony", tags=("base_model:x", "anime"))) as catalogs:
        assert [similar(each, 1) for each in catalogs] == [[]] * 2


def test_the_base_the_kind_and_the_creator_alone_make_nothing_similar(tmp_path: Path) -> None:
    style = (claim("kind", "style"),)
    loras = [
        lora(number, title=title, creator="Ada", base="Pony", claims=style)
        for number, title in ((1, "Rare"), (2, "Odd"))
    ]
    with both(tmp_path, *loras, *OTHERS) as catalogs:
        assert [similar(each, 1) for each in catalogs] == [[]] * 2


def test_a_newer_one_by_the_same_creator_needs_fewer_words(tmp_path: Path) -> None:
    titles = {1: "Glass owls", 2: "Glass tigers at falling dusk", 3: "Glass boats at dawn"}
    loras = [lora(number, title=title, creator="Ada", base="Pony") for number, title in titles.items()]
    others = (lora(number, title=title, creator="Bob") for number, title in ((0, "Glass cats"), (4, "Tigers dusk")))
    with both(tmp_path, *loras, *others, *OTHERS) as catalogs:
        expected = [("Glass owls", 0.208, "same creator, newer")]
        assert [[each for each in reasons(one, 2) if "Glass" in each[0]] for one in catalogs] == [expected] * 2


def test_one_word_of_many_is_not_what_another_one_is_about(tmp_path: Path) -> None:
    titles = {1: "Eye", 2: "Evil eye Overlord", 3: "Glass eye"}
    with both(tmp_path, *(lora(number, title=title) for number, title in titles.items()), *OTHERS) as catalogs:
        assert [similar(each, 1) for each in catalogs] == [["Glass eye"]] * 2


def test_words_in_han_count_side_by_side(tmp_path: Path) -> None:
    titles = {1: "水彩画", 2: "水彩画 二", 3: "彩色水"}
    with both(tmp_path, *(lora(number, title=title) for number, title in titles.items()), *OTHERS) as catalogs:
        assert [similar(each, 1) for each in catalogs] == [["水彩画 二"]] * 2


def test_none_is_for_another_architecture(tmp_path: Path) -> None:
    titles = {1: "Pony", 2: "Flux.1 D", 3: "Illustrious", 4: None}
    loras = [lora(number, title=f"Rare {base}", base=base, tags=("rare",)) for number, base in titles.items()]
    with both(tmp_path, *loras, *OTHERS) as catalogs:
        assert [similar(each, 1) for each in catalogs] == [["Rare Illustrious"]] * 2


def test_neither_what_is_too_mature_nor_what_is_gone_is_similar(tmp_path: Path) -> None:
    levels = {1: "soft", 2: "safe", 3: "explicit"}
    loras = [lora(number, title=f"Rare {level}", nsfw=level) for number, level in levels.items()]
    with both(tmp_path, *loras, lora(4, title="Rare", access="removed"), *OTHERS) as catalogs:
        assert [similar(each, 1) for each in catalogs] == [["Rare safe"]] * 2
        assert [similar(each, 1, nsfw="explicit", limit=1) for each in catalogs] == [["Rare safe"]] * 2


def test_the_other_home_of_a_card_is_not_similar_to_it(tmp_path: Path) -> None:
    def home(ref: str, pinned: str) -> Lora:
        files = (file(sha256="a" * 64),)
        return lora(ref=Ref.parse(ref), title="Rare", versions=(version(pinned, base="Pony", files=files),))

    loras = (home("civitai:1", "civitai:1@10"), home("hf:ada/ink", f"hf:ada/ink@{'0' * 40}"))
    with both(tmp_path, *loras, *OTHERS) as catalogs:
        for each in catalogs:
            assert each.similar(Ref.parse("civitai:1")) == each.similar(Ref.parse("hf:ada/ink")) == ()


def test_nothing_is_similar_to_what_is_not_in_the_catalog(tmp_path: Path) -> None:
    with catalog(tmp_path, lora(1)) as opened, pytest.raises(NotFound):
        opened.similar(Ref.parse("civitai:2"))


@pytest.mark.parametrize("number", range(0, 100, 10))
def test_the_index_and_the_scan_agree(tmp_path: Path, number: int) -> None:
    draw = random.Random(number)
    words = ("ink", "pixel", "art", "night", "sea", "robot", "水彩")
    loras = [
        lora(
            each,
            title=f"{' '.join(draw.choices(words, k=2))} {each}",
            base=draw.choice(("Pony", "SDXL 1.0", "Flux.1 D", None)),
            tags=tuple(draw.choices(words, k=2)),
            claims=(claim("kind", draw.choice(("style", "tool"))),),
        )
        for each in range(100)
    ]
    with both(tmp_path, *loras) as (indexed, scanned):
        found = similar(indexed, number)
        assert found == similar(scanned, number)
        assert len(found) <= 12


@pytest.mark.parametrize(
    ("field", "prefix", "expected"),
    [
        ("creator", "a", (("ada", 2), ("al b", 1))),
        ("creator", "AD", (("ada", 2),)),
        ("tag", "", (("ink", 3), ("sea", 1))),
        ("tag", "x", ()),
        ("base", "p", (("pony", 1),)),
        ("base", "", (("pony", 1), ("sdxl", 1))),
    ],
)
def test_a_value_is_completed_most_frequent_first(
    tmp_path: Path, field: str, prefix: str, expected: tuple[tuple[str, int], ...]
) -> None:
    loras = (
        lora(1, creator="Ada", tags=("Ink",), base="Pony"),
        lora(2, creator="ada", tags=("ink", "sea")),
        lora(3, creator="Al  B", tags=("ink",)),
    )
    with both(tmp_path, *loras) as catalogs:
        assert [each.complete_value(field, prefix) for each in catalogs] == [expected] * 2
