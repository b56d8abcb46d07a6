from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from connectors.query import Query
from connectors.record import NSFW_LEVELS, Example, Lora, Nsfw
from hub_ui.catalog import rings
from hub_ui.catalog.search import Plan, order_key
from tests.hub_ui.catalog.builders import catalog, claim, file, lora, titles, version

INK = lora(
    1, title="Ink", creator="Ada", description="<p>Fine lines</p>", tags=("Watercolour",),
    claims=(claim("trigger_words", ("sks style",)),),
    versions=(version(base="Pony", files=(file(name="ink_v2.safetensors"),)),),
)  # fmt: skip
PLACES = (
    lora(1, title="Something", description="pixel art", downloads=9_000),
    lora(2, title="Other", tags=("pixel", "art"), downloads=800),
    lora(3, title="Pixel artistry", downloads=70),
    lora(4, title="My pixel art", downloads=6),
    lora(5, title="The pixel art", downloads=50),
    lora(6, title="Pixel Art"),
)
NUMBERS = (
    lora(1, title="A", downloads=5, updated_at="2026-02-01T00:00:00Z"),
    lora(2, title="B", downloads=50, updated_at="not a date"),
    lora(3, title="C", likes=1, updated_at="2026-01-31T23:00:00-00:30"),
)
BASES = [
    lora(n, title=t, base=b) for n, t, b in ((1, "A", "Pony"), (2, "B", "SDXL 1.0"), (3, "C", "Mine"), (4, "D", None))
]
LEVELS = [lora(n, title=str(level), nsfw=level) for n, level in enumerate((*NSFW_LEVELS, None), 1)]
# LoRAs, what is asked of them, and the titles that are found.
FOUND: dict[str, tuple[Sequence[Lora], dict[str, Any], list[str]]] = {
    **{f"every text of a LoRA finds it: {text}": ([INK], {"text": text}, ["Ink"])
       for text in ("ada", "sks", "watercolour", "pony", "sdxl", "ink_v2.safetensors", "fine", "1")},
    "the place of the words decides, then downloads": (
        PLACES, {"text": "pixel art"},
        ["Pixel Art", "The pixel art", "My pixel art", "Other", "Pixel artistry", "Something"],
    ),
    "the word being typed is found by its beginning": (
        [lora(1, title="Watercolour"), lora(2, title="Underwater")], {"text": "waterc"}, ["Watercolour"],
    ),
    "part of a Japanese title is found": (
        [lora(1, title="水彩画風"), lora(2, title="画彩")], {"text": "彩画"}, ["水彩画風"],
    ),
    "downloads that are not known stand last": (NUMBERS, {"sort": "downloads"}, ["B", "A", "C"]),
    "so do likes": (NUMBERS, {"sort": "likes"}, ["C", "B", "A"]),
    "so do times": (NUMBERS, {"sort": "newest"}, ["A", "C", "B"]),
    "a base is an architecture": (BASES, {"bases": ("sdxl",)}, ["A", "B"]),
    "or an id": (BASES, {"bases": ("Pony",)}, ["A"]),
    "or a hub's name": (BASES, {"bases": ("SDXL 1.0",)}, ["B"]),
    "or a repo": (BASES, {"bases": ("stabilityai/stable-diffusion-xl-base-1.0",)}, ["B"]),
    "or a name that nobody has listed": (BASES, {"bases": ("pony", "MINE")}, ["A", "C"]),
    "another base has none": (BASES, {"bases": ("flux1",)}, []),
    "safe is safe alone": (LEVELS, {"nsfw": "safe"}, ["safe"]),
    "soft is what nobody rated, too": (LEVELS, {"nsfw": "soft"}, ["safe", "soft", "None"]),
}  # fmt: skip


@pytest.mark.parametrize("sentence", FOUND)
def test_what_is_asked_for_is_found_best_first(tmp_path: Path, sentence: str) -> None:
    loras, asked, expected = FOUND[sentence]
    with catalog(tmp_path, *loras) as opened:
        assert titles(opened, **asked) == expected


def test_of_many_a_class_of_places_and_popularity_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rings, "MOST", 0)
    popular = lora(7, title="Sea", tags=("pixel art",), downloads=90_000)
    with catalog(tmp_path, popular, *PLACES) as opened:
        found = titles(opened, "pixel art")
    assert found == ["Pixel Art", "Sea", "The pixel art", "My pixel art", "Other", "Pixel artistry", "Something"]


@pytest.mark.parametrize(("offset", "expected"), [(-5, [1, 2]), (1, [2, 3]), (2, [3]), (3, []), (10**15, [])])
def test_a_page_begins_at_its_offset(tmp_path: Path, offset: int, expected: list[int]) -> None:
    with catalog(tmp_path, lora(1), lora(2), lora(3)) as opened:
        found = opened.search(Query(limit=2), offset=offset)
        assert ([record.title for record in found.records], found.total) == ([f"Ink {n}" for n in expected], 3)


def test_a_base_filter_shows_the_version_that_is_for_it(tmp_path: Path) -> None:
    versions = (version("civitai:1@10", base="SD 1.5"), version("civitai:1@11", base="Pony"))
    with catalog(tmp_path, lora(versions=versions)) as opened:
        [record] = opened.search(Query(bases=("sdxl",))).records
    assert (str(record.ref), record.base_model) == ("civitai:1@11", "pony")


@pytest.mark.parametrize(("base", "count"), [("chroma", 1), ("flux1", 1), ("sdxl", 0)])
def test_base_filter_finds_every_architecture_that_the_file_fits(tmp_path: Path, base: str, count: int) -> None:
    several = claim("architectures", ("flux1", "chroma"), source="header")
    likely = claim("architecture", "flux1", source="probably")
    with catalog(tmp_path, lora(claims=(several, likely))) as opened:
        found = opened.search(Query(bases=(base,))).records
    assert [record.alternatives for record in found] == [("chroma",)] * count


def test_pictures_above_the_ceiling_are_not_remembered_for_it(tmp_path: Path) -> None:
    levels: tuple[Nsfw | None, ...] = (None, "safe")
    examples = tuple(Example(url=f"https://a.example/{n}.png", nsfw=level) for n, level in enumerate(levels))
    with catalog(tmp_path, lora(nsfw="safe", versions=(version("civitai:1@1", examples=examples),))) as opened:
        [strict], [usual] = (opened.search(Query(nsfw=ceiling)).records for ceiling in ("safe", "soft"))
    assert [image.nsfw for image in strict.images] == ["safe"]
    assert [image.nsfw for image in usual.images] == [None, "safe"]


def test_a_larger_number_comes_before_any_tie_and_one_without_room_stands_with_the_largest() -> None:
    assert order_key(5, 28, 0) > order_key(4, 28, 2**64 - 1)
    assert order_key(2**28 - 1, 28, 0) == order_key(2**30, 28, 0) == 0xFFFFFFF << 36


def test_only_the_conditions_in_use_are_named() -> None:
    assert Plan().conditions() == frozenset()
    marked = Plan(nsfw=0, wanted=(("installed", False), ("favorite", True)))
    assert marked.conditions() == {"nsfw", "installed", "favorite"}
