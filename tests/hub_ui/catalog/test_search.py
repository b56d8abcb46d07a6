from pathlib import Path

import pytest

from connectors.query import Query
from connectors.record import NSFW_LEVELS, Example, Nsfw
from connectors.ref import Ref
from hub_ui.catalog.search import Plan, order_key
from tests.hub_ui.catalog.builders import catalog, claim, file, lora, titles, version


@pytest.mark.parametrize("text", ["ada", "sks", "watercolour", "pony", "sdxl", "ink_v2.safetensors", "fine", "1"])
def test_every_text_of_a_lora_finds_it(tmp_path: Path, text: str) -> None:
    version_one = version(base="Pony", files=(file(name="ink_v2.safetensors"),))
    one = lora(
        title="Ink",
        creator="Ada",
        description="<p>Fine lines</p>",
        tags=("Watercolour",),
        claims=(claim("trigger_words", ("sks style",)),),
        versions=(version_one,),
    )
    with catalog(tmp_path, one) as opened:
        assert titles(opened, text) == ["Ink"]


def test_the_place_of_the_words_decides_then_downloads(tmp_path: Path) -> None:
    loras = (
        lora(1, title="Something", description="pixel art", downloads=9_000),
        lora(2, title="Other", tags=("pixel", "art"), downloads=800),
        lora(3, title="Pixel artistry", downloads=70),
        lora(4, title="My pixel art", downloads=6),
        lora(5, title="The pixel art", downloads=50),
        lora(6, title="Pixel Art"),
    )
    expected = ["Pixel Art", "The pixel art", "My pixel art", "Other", "Pixel artistry", "Something"]
    with catalog(tmp_path, *loras) as opened:
        assert titles(opened, "pixel art") == expected


def test_the_word_being_typed_is_found_by_its_beginning(tmp_path: Path) -> None:
    with catalog(tmp_path, lora(1, title="Watercolour"), lora(2, title="Underwater")) as opened:
        assert titles(opened, "waterc") == ["Watercolour"]


def test_part_of_a_japanese_title_is_found(tmp_path: Path) -> None:
    with catalog(tmp_path, lora(1, title="水彩画風"), lora(2, title="画彩")) as opened:
        assert titles(opened, "彩画") == ["水彩画風"]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [("downloads", ["B", "A", "C"]), ("likes", ["C", "B", "A"]), ("newest", ["A", "C", "B"])],
)
def test_sorting_puts_the_unknown_last(tmp_path: Path, sort: str, expected: list[str]) -> None:
    loras = (
        lora(1, title="A", downloads=5, updated_at="2026-02-01T00:00:00Z"),
        lora(2, title="B", downloads=50, updated_at="not a date"),
        lora(3, title="C", likes=1, updated_at="2026-01-31T23:00:00-00:30"),
    )
    with catalog(tmp_path, *loras) as opened:
        assert titles(opened, sort=sort) == expected


@pytest.mark.parametrize("offset", [-5, 2, 10**15])
def test_an_offset_out_of_range_gives_the_first_page_or_an_empty_one(tmp_path: Path, offset: int) -> None:
    with catalog(tmp_path, lora(1), lora(2)) as opened:
        found = opened.search(Query(), offset=offset)
        assert (len(found.records), found.total) == (2 if offset < 0 else 0, 2)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (("sdxl",), ["A", "B"]),
        (("pony",), ["A"]),
        (("Pony",), ["A"]),
        (("SDXL 1.0",), ["B"]),
        (("stabilityai/stable-diffusion-xl-base-1.0",), ["B"]),
        (("my own base",), ["C"]),
        (("pony", "My Own Base"), ["A", "C"]),
        (("flux1",), []),
    ],
)
def test_bases_are_ids_architectures_or_names(tmp_path: Path, asked: tuple[str, ...], expected: list[str]) -> None:
    loras = (
        lora(1, title="A", base="Pony"),
        lora(2, title="B", base="SDXL 1.0"),
        lora(3, title="C", base="My Own Base"),
        lora(4, title="D"),
    )
    with catalog(tmp_path, *loras) as opened:
        assert titles(opened, bases=asked) == expected


def test_a_base_filter_shows_the_version_that_is_for_it(tmp_path: Path) -> None:
    versions = (version("civitai:1@10", base="SD 1.5"), version("civitai:1@11", base="Pony"))
    with catalog(tmp_path, lora(versions=versions)) as opened:
        [record] = opened.search(Query(bases=("sdxl",))).records
    assert (str(record.ref), record.base_model) == ("civitai:1@11", "pony")


def test_the_nsfw_ceiling_is_never_exceeded(tmp_path: Path) -> None:
    loras = [lora(n, title=str(level), nsfw=level) for n, level in enumerate((*NSFW_LEVELS, None), 1)]
    with catalog(tmp_path, *loras) as opened:
        for ceiling, expected in zip(NSFW_LEVELS, (["safe"], ["safe", "soft", "None"]), strict=False):
            assert titles(opened, nsfw=ceiling) == expected


def test_pictures_above_the_ceiling_are_not_remembered_for_it(tmp_path: Path) -> None:
    levels: tuple[Nsfw | None, ...] = (None, "safe")
    examples = tuple(Example(url=f"https://a.example/{n}.png", nsfw=level) for n, level in enumerate(levels))
    with catalog(tmp_path, lora(nsfw="safe", versions=(version("civitai:1@1", examples=examples),))) as opened:
        [strict], [usual] = (opened.search(Query(nsfw=ceiling)).records for ceiling in ("safe", "soft"))
    assert [image.nsfw for image in strict.images] == ["safe"]
    assert [image.nsfw for image in usual.images] == [None, "safe"]


def test_a_removed_lora_is_still_found_and_marked(tmp_path: Path) -> None:
    with catalog(tmp_path, lora()) as opened:
        opened.mark_removed(Ref.parse("civitai:1"))
        [record] = opened.search(Query(text="ink")).records
    assert record.access == "removed"


def test_a_larger_number_comes_before_any_tie() -> None:
    keys = [order_key(count, 28, tie) for count, tie in ((5, 0), (4, 2**64 - 1))]
    assert keys == sorted(keys, reverse=True)


def test_numbers_without_room_in_the_key_stand_with_the_largest_one() -> None:
    assert order_key(2**28 - 1, 28, 0) == order_key(2**30, 28, 0) == 0xFFFFFFF << 36


def test_only_the_conditions_in_use_are_named() -> None:
    assert Plan().conditions() == frozenset()
    marked = Plan(nsfw=0, wanted=(("installed", False), ("favorite", True)))
    assert marked.conditions() == {"nsfw", "installed", "favorite"}
