from __future__ import annotations

from collections.abc import Iterable

import pytest

from connectors.facts.card_files import disagrees, tell_apart
from connectors.record import Claim


def _words(claims: Iterable[Claim]) -> list[object]:
    return [claim.value for claim in claims if claim.field == "trigger_words"]


SECTIONS = """
# Some LoRAs

Use them at weight: 0.7.

## fox

Keyword: fxx
[fox.safetensors](fox.safetensors)

## boat

Trigger words: `btt`, `sail`. Recommended strength: 0.5
[Boat-v2.safetensors](Boat-v2.safetensors)
"""


def test_a_section_that_names_one_file_is_about_that_file() -> None:
    claims = tell_apart(SECTIONS, "card", ()).claims
    assert {file: _words(said)[0] for file, said in claims.items()} == {
        "fox.safetensors": ("fxx",),
        "boat-v2.safetensors": ("btt", "sail"),
    }
    assert [claim.value for claim in claims["boat-v2.safetensors"] if claim.field == "weight"] == [0.5]
    assert claims["fox.safetensors"][0].where == "card: fox: Keyword: fxx"


def test_what_is_about_one_file_is_not_about_the_repo() -> None:
    rest = tell_apart(SECTIONS, "card", ()).rest
    assert "weight: 0.7" in rest
    assert "fxx" not in rest


@pytest.mark.parametrize(
    "body",
    [
        "## Usage\n\nTrigger word: `fxx`\nload fox.safetensors\n",
        "## A\n\nTrigger word: `a1`\n\n## B\n\nTrigger word: `b1`\n",
        "## All\n\nTrigger word: `fxx`: a.safetensors and b.safetensors\n",
        "",
    ],
)
def test_a_card_about_one_lora_is_left_whole(body: str) -> None:
    apart = tell_apart(body, "card", ())
    assert (dict(apart.claims), apart.rest) == ({}, body)


def test_a_title_may_be_the_files_name() -> None:
    body = "# Fox_one\nTrigger\n```bash\nfxx, hat\n```\n# Fox two\n- Trigger\n```\nfxy\n```\n"
    claims = tell_apart(body, "card", ["fox-one.safetensors", "Fox_Two.safetensors"]).claims
    assert {file: _words(said)[0] for file, said in claims.items()} == {
        "fox-one.safetensors": ("fxx", "hat"),
        "fox_two.safetensors": ("fxy",),
    }


def test_a_space_in_a_link_is_a_space_in_the_name() -> None:
    body = "# A\nTrigger: `a1` [x](sub/my%20fox.safetensors)\n# B\nTrigger: `b1` [x](b.safetensors)\n"
    assert set(tell_apart(body, "card", ()).claims) == {"my fox.safetensors", "b.safetensors"}


@pytest.mark.parametrize(
    ("body", "files", "apart"),
    [
        ("## A\nTrigger word: `a1`\n## B\nTrigger word: `b1`\n", 2, True),
        ("## A\nTrigger word: `a1`\n## B\nTrigger word: `b1`\n", 1, False),
        ("## A\nTrigger word: `a1`\n## Trigger words\n`a1`, `hat`\n", 2, False),
        ("## A\nTrigger word: `a1` a.safetensors b.safetensors\n## B\nTrigger word: `b1`\n", 0, True),
    ],
)
def test_parts_with_words_of_their_own_are_several_loras(body: str, files: int, apart: bool) -> None:
    assert disagrees(body, files) is apart


def test_a_table_tells_files_apart() -> None:
    rows = "| `a.safetensors` | `a1`, hat | x |\n| b.safetensors | - | |\n| c.safetensors | c1 | |\n"
    table = f"| File | Trigger words | Note |\n|---|---|---|\n{rows}"
    claims = tell_apart(table, "card", ()).claims
    assert {file: _words(said)[0] for file, said in claims.items()} == {
        "a.safetensors": ("a1", "hat"),
        "c.safetensors": ("c1",),
    }


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "body", ["# a\n" * 40_000, "|" * 100_000, "| trigger |\n" * 15_000, "a.safetensors " * 12_000, "a" * 200_000]
)
def test_a_card_made_to_be_slow_does_not_hang(body: str) -> None:
    tell_apart(body, "card", ())
    disagrees(body, 2)
