import pytest

from connectors.ref import Ref
from hub_ui.catalog.row import row_of, searchable, searchable_names, storable, terms, without_markup, words
from tests.hub_ui.catalog.builders import claim, file, lora, version


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Pixel-Art_XL", ["pixel", "art", "xl"]),
        ("FLUX.1 [dev]", ["flux", "1", "dev"]),
        ("Café Ångström", ["cafe", "angstrom"]),
        ("Ｆｕｌｌ ｗｉｄｔｈ", ["full", "width"]),
        ("STRASSE straße", ["strasse", "strasse"]),
        ("水彩画 style", ["水", "彩", "画", "style"]),
        ("ガラス", ["ガ", "ラ", "ス"]),
        ("수채화", ["수채화"]),
        ("عربى نص", ["عربى", "نص"]),
        ("🔥 !!! …", []),
        ("a\x00b\ud800c", ["a", "b", "c"]),
        ("x" * 5_000, ["x" * 64]),
        ("", []),
    ],
)
def test_text_is_cut_into_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("PixelArtRedmond", " pixelartredmond pixel art redmond "),
        ("sdxlLoRA", " sdxllora sdxl lo ra "),
        ("style15V", " style15v style 15 "),
        ("plain words", " plain words "),
    ],
)
def test_joined_up_names_are_found_by_their_parts_too(name: str, expected: str) -> None:
    assert searchable_names(name) == expected


def test_a_description_is_not_taken_apart() -> None:
    assert searchable("A PixelArt LoRA") == " a pixelart lora "


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("sd-xl anime", (("sd", "xl"), ("anime",))),
        ("!!! ???", ()),
        ("word " * 2_000, (("word",),) * 32),
    ],
)
def test_words_written_together_are_a_phrase_up_to_a_limit(text: str, phrases: tuple[tuple[str, ...], ...]) -> None:
    found = terms(text)
    assert found is not None
    assert found.phrases == phrases


def test_only_a_single_last_word_of_three_letters_may_go_on() -> None:
    ends = {text: found.open_end for text in ("pix", "pi", "pixel-art", "水彩", "sd pix") if (found := terms(text))}
    assert ends == {"pix": True, "pi": False, "pixel-art": False, "水彩": False, "sd pix": True}


def test_tags_of_a_description_are_no_words_of_it() -> None:
    assert words(without_markup('<p class="big">Use <b>sks</b>, 3 < 4</p>')) == ["use", "sks", "3", "4"]


def test_what_sqlite_can_not_hold_is_escaped() -> None:
    assert storable("a\ud800\x00b") == "a\\ud800b"


def test_a_row_has_all_that_a_query_filters_by() -> None:
    one = lora(
        creator=" Ada  L",
        tags=("Ink", "INK", "line art"),
        access="gated",
        downloads=7,
        updated_at="1970-01-01T00:01:00Z",
        claims=(claim("trigger_words", ("sks Ink", "ohwx")), claim("rank", 16)),
        versions=(version(files=(file(size=2_000, primary=True), file("civitai:1@10#101", size=1))),),
    )
    row = row_of(one)
    assert row.refs == ("civitai:1",)
    assert {name: values for name, values in row.names.items() if values} == {
        "hubs": ("civitai",),
        "access": ("gated",),
        "creators": ("ada l",),
        "tags": ("ink", "line art"),
        "triggers": ("sks ink", "ohwx"),
    }
    assert (*row.numbers.values(), row.downloads, row.newest) == (16, 2_000, 8, 61)


def test_words_of_a_lora_stand_where_they_weigh() -> None:
    one = lora(title="Title", tags=("Tag",), description="<p>About</p>", claims=(claim("trigger_words", ("sks",)),))
    row = row_of(one)
    assert (row.title, row.tag_words, row.about, row.found) == (" title ", " tag ", " about ", "")
    assert row.words == " 1 sks v1 ink safetensors "


@pytest.mark.parametrize(
    ("ref", "claims", "expected"),
    [
        ("hf:ada/ink", {"license": "mit"}, ("sell_images", "run_as_service", "sell", "merge")),
        ("hf:ada/ink", {"license": "My own words: it may be sold"}, ()),
        ("civitai:1", {"license": "images may be sold, not for sale"}, ("sell_images",)),
        ("hf:ada/ink", {"license": "x", "license_terms": "credit not needed"}, ("no_credit",)),
        ("civitai:1", {}, ()),
    ],
)
def test_a_licence_permits_what_it_says(ref: str, claims: dict[str, str], expected: tuple[str, ...]) -> None:
    one = lora(ref=Ref.parse(ref), claims=tuple(claim(name, value) for name, value in claims.items()))
    assert row_of(one).names["permits"] == expected
