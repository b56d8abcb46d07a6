"""LoRAs like another one, and what a filter is completed with."""

from pathlib import Path
from typing import Any

import pytest

from connectors.errors import NotFound
from connectors.record import Lora
from connectors.ref import Ref
from hub_ui.catalog.catalog import Catalog
from tests.hub_ui.catalog.builders import catalog, claim, file, lora, version

# Enough others that a word, a tag or a kind is rare.
OTHERS = tuple(lora(number, title=f"Other {number}", base="Pony", tags=("common",)) for number in range(100, 300))


INK, HF = "civitai:1", f"hf:a/b@{'0' * 40}"


def titled(*titles: str, **fields: Any) -> list[Lora]:
    return [lora(number, title=title, **fields) for number, title in enumerate(titles, 1)]


def home(ref: str, pinned: str) -> Lora:
    of_one_file = version(pinned, base="Pony", files=(file(sha256="a" * 64),))
    return lora(ref=Ref.parse(ref), title="Rare", versions=(of_one_file,))


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
    with catalog(tmp_path, *loras) as opened:
        assert reasons(opened, 1) == expected


def test_what_shares_a_small_part_is_not_similar(tmp_path: Path) -> None:
    with catalog(tmp_path, *titled("Clock tower beside brick town hall", "Clock", "Clock tower"), *OTHERS) as opened:
        assert reasons(opened, 1) == [("Clock tower", 0.3, "same subject")]


def test_of_few_loras_two_with_the_same_rare_words_are_similar(tmp_path: Path) -> None:
    with catalog(tmp_path, *OTHERS[:40], lora(1, title="SKS Robot", base="Pony", likes=1)) as opened:
        opened.add([lora(1, title="SKS Robot", base="Pony", likes=2), lora(2, title="sks-robot", base="Pony")])
        assert reasons(opened, 1) == [("sks-robot", 1.0, "same subject")]


def test_a_newer_one_by_the_same_creator_needs_fewer_words(tmp_path: Path) -> None:
    loras = titled("Glass owls", "Glass tigers at falling dusk", "Glass boats at dawn", creator="Ada", base="Pony")
    others = (lora(number, title=title, creator="Bob") for number, title in ((0, "Glass cats"), (4, "Tigers dusk")))
    with catalog(tmp_path, *loras, *others, *OTHERS) as opened:
        found = [each for each in reasons(opened, 2) if "Glass" in each[0]]
    assert found == [("Glass owls", 0.208, "same creator, newer")]


# The LoRAs, and the titles of those that are like the first.
ALIKE: dict[str, tuple[list[Lora], list[str]]] = {
    "a base, a kind and a creator alone make nothing similar": (
        titled("Rare", "Odd", creator="Ada", base="Pony", claims=(claim("kind", "style"),)), [],
    ),
    "one word of many is not what another one is about": (
        titled("Eye", "Evil eye Overlord", "Glass eye"), ["Glass eye"],
    ),
    "words in Han count side by side": (titled("水彩画", "水彩画 二", "彩色水"), ["水彩画 二"]),
    "a base model's name is a word like others where the LoRA is for another one": (
        titled("Pony plush", "Pony figure", "Flux figure", base="Flux.1 D"), ["Pony figure"],
    ),
    "none is for another architecture": (
        [lora(n, title=f"Rare {b}", base=b) for n, b in enumerate(("Pony", "Flux.1 D", "Illustrious", None), 1)],
        ["Rare Illustrious"],
    ),
    "neither what is too mature nor what is gone is similar": (
        [
            *(lora(n, title=f"Rare {level}", nsfw=level) for n, level in enumerate(("soft", "safe", "explicit"), 1)),
            lora(4, title="Rare", access="removed"),
        ],
        ["Rare safe"],
    ),
    "the other home of a card is not similar to it": ([home(INK, "civitai:1@10"), home("hf:a/b", HF)], []),
    **{
        f"{title} is said of any LoRA": (
            titled(title, title.replace("Watercolour", "Portrait"), base="Pony", tags=("base_model:x", "anime")), [],
        )
        for title in ("Watercolour LoRA v2", "Pony style", "Anime girl", "水", "1.5 & 2.1")
    },
}  # fmt: skip


@pytest.mark.parametrize("sentence", ALIKE)
def test_what_is_like_the_first(tmp_path: Path, sentence: str) -> None:
    loras, expected = ALIKE[sentence]
    with catalog(tmp_path, *loras, *OTHERS) as opened:
        assert [title for title, *_ in reasons(opened, 1)] == expected


def test_nothing_is_similar_to_what_is_not_in_the_catalog(tmp_path: Path) -> None:
    with catalog(tmp_path, lora(1)) as opened, pytest.raises(NotFound):
        opened.similar(Ref.parse("civitai:2"))


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
def test_a_value_is_completed(tmp_path: Path, field: str, prefix: str, expected: tuple[tuple[str, int], ...]) -> None:
    loras = (
        lora(1, creator="Ada", tags=("Ink",), base="Pony"),
        lora(2, creator="ada", tags=("ink", "sea")),
        lora(3, creator="Al  B", tags=("ink",)),
    )
    with catalog(tmp_path, *loras) as opened:
        assert opened.complete_value(field, prefix) == expected


@pytest.mark.parametrize(
    ("prefix", "expected"), [("sdxl", (("sdxl", 2), ("sdxl-1.0", 2))), ("stab", (("sdxl-1.0", 2),))]
)
def test_a_base_of_several_names_is_one(tmp_path: Path, prefix: str, expected: tuple[tuple[str, int], ...]) -> None:
    loras = (lora(1, base="SDXL 1.0"), lora(2, base="stabilityai/stable-diffusion-xl-base-1.0"))
    with catalog(tmp_path, *loras) as opened:
        assert opened.complete_value("base", prefix) == expected
