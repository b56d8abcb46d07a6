import logging

import pytest

from connectors.record import Example
from hub_ui.catalog.changes import Change, Stored, change, merge, pieces
from hub_ui.catalog.codec import encode
from tests.hub_ui.catalog.builders import claim, file, lora, version


def stored(document: str, found: str = "") -> Stored:
    return Stored(id=1, document=document, found=found, seen="2026-01-02T00:00:00+00:00")


def changed(*args: object, **fields: object) -> Change:
    made = change(*args, **fields)  # type: ignore[arg-type]
    assert made is not None
    return made


def test_the_same_again_changes_nothing() -> None:
    assert change(lora(), stored(encode(lora()))) is None


def test_another_order_of_parameters_changes_nothing() -> None:
    one, two = (
        lora(versions=(version(examples=(Example(url="https://a.invalid/1", params=params),)),))
        for params in ({"seed": 1, "steps": 25}, {"steps": 25, "seed": 1})
    )
    assert (encode(one) == encode(two), change(two, stored(encode(one)))) == (False, None)


def test_what_was_listed_earlier_adds_to_what_is_known_and_takes_nothing_back() -> None:
    made = changed(lora(likes=3, description="long"), stored(encode(lora(likes=7))), is_older=True)
    assert (made.lora.likes, made.lora.description) == (7, "long")


def test_what_says_less_changes_nothing() -> None:
    assert change(lora(), stored(encode(lora(description="long", claims=(claim("rank", 8),))))) is None


def test_what_says_more_is_merged() -> None:
    made = changed(lora(likes=3), stored(encode(lora(description="long"))))
    assert (made.lora.likes, made.lora.description) == (3, "long")
    assert made.document == encode(lora(likes=3, description="long"))


def test_an_entry_that_can_not_be_read_is_replaced(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        made = changed(lora(), stored("{"))
    assert (made.lora, made.known) == (lora(), None)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ink", ""),
        ("portrait ink", " portrait "),
        ("Watercolour-Portrait", " watercolour portrait "),
        ("zebra apple", " apple | zebra "),
        ("", ""),
    ],
)
def test_words_that_a_lora_does_not_say_are_remembered(text: str, found: str) -> None:
    assert changed(lora(), None, pieces(text)).row.found == found


def test_remembered_words_stay_and_new_ones_come() -> None:
    made = changed(lora(), stored(encode(lora()), " zebra "), pieces("apple"))
    assert made.row.found == " apple | zebra "


def test_remembered_words_go_once_the_lora_says_them() -> None:
    made = changed(lora(description="a zebra"), stored(encode(lora()), " apple | zebra "))
    assert made.row.found == " apple "


def test_only_so_many_words_are_remembered_whichever_came_first() -> None:
    words = [f"w{number:03}" for number in range(80)]
    kept = f" {' | '.join(words[:50])} "
    late = f" {' | '.join(words[30:])} "
    assert changed(lora(), stored(encode(lora()), late), pieces(" ".join(words[:30]))).row.found == kept
    assert change(lora(), stored(encode(lora()), kept), pieces(" ".join(words[50:]))) is None


def test_a_value_that_is_not_said_leaves_the_old_one() -> None:
    known = lora(creator="ada", downloads=5, description="long", description_format="html", tags=("ink",))
    merged = merge(known, lora(downloads=7))
    assert (merged.creator, merged.downloads, merged.description, merged.tags) == ("ada", 7, "long", ("ink",))
    assert merged.description_format == "html"


def test_a_listing_does_not_erase_the_files_a_get_knew() -> None:
    known = lora(versions=(version(files=(file(size=5, sha256="ab"),)),))
    merged = merge(known, lora(versions=(version(),)))
    assert merged.versions[0].files[0].sha256 == "ab"


def test_a_file_listed_again_without_its_hash_keeps_it() -> None:
    known = lora(versions=(version(files=(file(size=5, sha256="ab", primary=True),)),))
    merged = merge(known, lora(versions=(version(files=(file(),)),)))
    assert merged.versions[0].files == (file(size=5, sha256="ab", primary=True),)


def test_only_one_file_stays_primary() -> None:
    known = lora(versions=(version(files=(file(primary=True), file("civitai:1@10#101"))),))
    merged = merge(known, lora(versions=(version(files=(file("civitai:1@10#101", primary=True),)),)))
    assert {str(each.ref): each.primary for each in merged.versions[0].files} == {
        "civitai:1@10#101": True,
        "civitai:1@10#100": False,
    }


def test_new_versions_come_first_and_known_ones_stay() -> None:
    merged = merge(lora(versions=(version("civitai:1@10"),)), lora(versions=(version("civitai:1@11"),)))
    assert [str(each.ref) for each in merged.versions] == ["civitai:1@11", "civitai:1@10"]


def test_a_source_replaces_only_what_it_said_itself() -> None:
    header = claim("rank", 16, source="header")
    merged = merge(lora(claims=(claim("rank", 8), header)), lora(claims=(claim("rank", 32, where="elsewhere"),)))
    assert merged.claims == (claim("rank", 32, where="elsewhere"), header)


def test_a_thin_listing_does_not_open_what_a_get_knew_as_gated() -> None:
    known = lora(access="gated", nsfw="mature", versions=(version(access="paid", files=(file(),)),))
    merged = merge(known, lora(versions=(version(),)))
    assert (merged.access, merged.nsfw, merged.versions[0].access) == ("gated", "mature", "paid")


def test_a_get_that_knows_as_much_opens_it() -> None:
    assert merge(lora(access="gated", nsfw="mature"), lora()).access == "open"


def test_a_note_goes_with_what_it_was_about() -> None:
    early = version(access="paid", access_note="Early access until Friday.", claims=(claim("rank", 8),))
    known = lora(versions=(early,))
    listed, opened = lora(versions=(version(),)), lora(versions=(version(claims=(claim("rank", 8),)),))
    assert merge(known, listed).versions[0].access_note == "Early access until Friday."
    assert merge(known, opened).versions[0].access_note is None


def test_what_says_no_level_leaves_the_known_one() -> None:
    assert merge(lora(nsfw="mature"), lora()).nsfw == "mature"
    assert merge(lora(nsfw="mature"), lora(nsfw="safe")).nsfw == "safe"
    assert merge(lora(), lora(nsfw="safe")).nsfw == "safe"


def test_a_listing_can_close_what_was_open() -> None:
    assert merge(lora(), lora(access="gated", versions=())).access == "gated"


def test_what_was_removed_is_back_once_it_is_listed() -> None:
    assert merge(lora(access="removed"), lora(versions=())).access == "open"


def test_a_picture_listed_without_its_prompt_keeps_it() -> None:
    first = Example(url="a", prompt="ink", params={"seed": 1}, width=64, height=48)
    known = version(examples=(first, Example(url="b")))
    merged = merge(lora(versions=(known,)), lora(versions=(version(examples=(Example(url="a"),)),)))
    assert merged.versions[0].examples == known.examples


def test_a_full_answer_replaces_the_pictures() -> None:
    known = version(examples=(Example(url="a"),))
    merged = merge(lora(versions=(known,)), lora(versions=(version(examples=(Example(url="b"),)),)))
    assert merged.versions[0].examples == (Example(url="b"),)
