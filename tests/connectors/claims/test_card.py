from collections.abc import Iterable
from typing import Any

import pytest

from connectors.claims import card
from connectors.claims.card import base_model_claims, disagrees, split_by_file
from connectors.claims.resolve import best
from connectors.record import Claim
from tests.connectors.cases import read_cases

READ = read_cases(__file__)


@pytest.mark.parametrize(("text", "front", "body"), READ["a card is front matter and text"])
def test_a_card_is_front_matter_and_text(text: str, front: dict[str, Any], body: str) -> None:
    found, rest = card.split_card(text)
    assert (dict(found), rest) == (front, body)


@pytest.mark.parametrize(
    "front", ["a: [", "- just\n- a list", "text", "a: 2024-13-45", "a: !!python/object:os.system x", "[" * 1000]
)
def test_broken_or_hostile_front_matter_is_none(front: str) -> None:
    assert card.split_card(f"---\n{front}\n---\nText") == ({}, "Text")


@pytest.mark.parametrize(("text", "plain"), READ["html becomes lines for reading"])
def test_html_becomes_lines_for_reading(text: str, plain: str) -> None:
    assert card.lines(text) == plain


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
    claims = split_by_file(SECTIONS, "card", ())[0]
    assert {file: _words(said)[0] for file, said in claims.items()} == {
        "fox.safetensors": ("fxx",),
        "boat-v2.safetensors": ("btt", "sail"),
    }
    assert [claim.value for claim in claims["boat-v2.safetensors"] if claim.field == "weight"] == [0.5]
    assert claims["fox.safetensors"][0].where == "card: fox: Keyword: fxx"


def test_a_section_about_one_file_is_not_about_the_repo() -> None:
    rest = split_by_file(SECTIONS, "card", ())[1]
    assert "weight: 0.7" in rest
    assert "fxx" not in rest


@pytest.mark.parametrize("body", READ["a card about one lora is left whole"])
def test_a_card_about_one_lora_is_left_whole(body: str) -> None:
    assert split_by_file(body, "card", ()) == ({}, body)


def test_a_title_may_be_the_files_name() -> None:
    body = "# Fox_one\nTrigger\n```bash\nfxx, hat\n```\n# Fox two\n- Trigger\n```\nfxy\n```\n"
    claims = split_by_file(body, "card", ["fox-one.safetensors", "Fox_Two.safetensors"])[0]
    assert {file: _words(said)[0] for file, said in claims.items()} == {
        "fox-one.safetensors": ("fxx", "hat"),
        "fox_two.safetensors": ("fxy",),
    }


def test_a_space_in_a_link_is_a_space_in_the_name() -> None:
    body = "# A\nTrigger: `a1` [x](sub/my%20fox.safetensors)\n# B\nTrigger: `b1` [x](b.safetensors)\n"
    assert set(split_by_file(body, "card", ())[0]) == {"my fox.safetensors", "b.safetensors"}


@pytest.mark.parametrize(("body", "files", "apart"), READ["parts with words of their own are several loras"])
def test_parts_with_words_of_their_own_are_several_loras(body: str, files: int, apart: bool) -> None:
    assert disagrees(body, files) is apart


def test_a_table_tells_files_apart() -> None:
    rows = "| `a.safetensors` | `a1`, hat | x |\n| b.safetensors | - | |\n| c.safetensors | c1 | |\n"
    table = f"| File | Trigger words | Note |\n|---|---|---|\n{rows}"
    claims = split_by_file(table, "card", ())[0]
    assert {file: _words(said)[0] for file, said in claims.items()} == {
        "a.safetensors": ("a1", "hat"),
        "c.safetensors": ("c1",),
    }


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "body", ["# a\n" * 40_000, "|" * 100_000, "| trigger |\n" * 15_000, "a.safetensors " * 12_000, "a" * 200_000]
)
def test_a_card_made_to_be_slow_does_not_hang(body: str) -> None:
    split_by_file(body, "card", ())
    disagrees(body, 2)


def _base(
    front: dict[str, Any] | None = None, hub: object = None, tags: tuple[str, ...] = (), body: str = ""
) -> object:
    return best(base_model_claims(front or {}, hub, tags, body), "base_model")


@pytest.mark.parametrize(("written", "base"), READ["the front matter is a repo a list or a name"])
def test_the_front_matter_is_a_repo_a_list_or_a_name(written: object, base: str | None) -> None:
    assert _base({"base_model": written}) == base


def test_the_name_of_an_unlisted_repo_names_its_base() -> None:
    claims = base_model_claims({"base_model": "x/waiIllustriousSDXL_v170"}, None, (), "")
    assert [(c.field, c.value, c.where) for c in claims] == [
        ("raw_base_model", "x/waiIllustriousSDXL_v170", "card front matter: base_model"),
        ("base_model", "illustrious", "card front matter: base_model: Illustrious"),
        ("architecture", "sdxl", "card front matter: base_model: Illustrious"),
    ]


def test_the_hubs_own_reading_stands_in() -> None:
    assert _base(tags=("lora", "base_model:adapter:Qwen/Qwen-Image")) == "qwen-image"
    assert _base(hub={"relation": "adapter", "models": [{"id": "Qwen/Qwen-Image"}]}) == "qwen-image"


@pytest.mark.parametrize(("tags", "base"), READ["a silent cards tags are read if they agree"])
def test_a_silent_cards_tags_are_read_if_they_agree(tags: list[str], base: str | None) -> None:
    assert _base(tags=tuple(tags)) == base


@pytest.mark.parametrize(("body", "base"), READ["a silent cards text is read if it names one base"])
def test_a_silent_cards_text_is_read_if_it_names_one_base(body: str, base: str | None) -> None:
    assert _base(body=body) == base


def test_a_repos_name_counts_last_but_before_a_tag_that_it_contradicts() -> None:
    claims = base_model_claims({}, None, (), "", "a/fox-sdxl-lora")
    assert {(c.field, c.value, c.where) for c in claims} == {
        ("base_model", "sdxl-1.0", "repo name: sdxl"),
        ("architecture", "sdxl", "repo name: sdxl"),
    }
    assert best(base_model_claims({}, None, ("flux",), "", "a/fox-flux2-klein-9b"), "base_model") == "flux.2-klein-9b"
    assert best(base_model_claims({}, None, ("sdxl",), "for FLUX.1-dev", "a/fox-sd15"), "base_model") == "flux.1-dev"
    assert base_model_claims({}, None, (), "", "stabilityai/sdxl-turbo") == ()


def test_a_statement_of_the_card_is_not_doubted_by_its_text() -> None:
    assert _base({"base_model": "Qwen/Qwen-Image"}, body="trained on SDXL") == "qwen-image"


def test_a_claim_says_where_it_was_read() -> None:
    claims = base_model_claims({}, None, (), "LoRAs for Stable Diffusion 1.5.")
    assert {(claim.source, claim.where) for claim in claims} == {("card", "card: Stable Diffusion 1.5")}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("body", ["base model: " * 15_000, "for " * 50_000, "weights for a" * 15_000, "a/" * 90_000])
def test_a_card_made_to_be_slow_for_its_base_does_not_hang(body: str) -> None:
    base_model_claims({}, None, (), body)


@pytest.mark.parametrize(("text", "scale"), READ["a text says the weight"])
def test_a_text_says_the_weight(text: str, scale: float) -> None:
    claims = card.scale_claims(text, "card")
    assert [claim.value for claim in claims if claim.field == "weight"] == [scale]


@pytest.mark.parametrize(("text", "ends"), READ["a range keeps both ends and starts at the low one"])
def test_a_range_keeps_both_ends_and_starts_at_the_low_one(text: str, ends: list[float]) -> None:
    said = {claim.field: claim.value for claim in card.scale_claims(text, "card")}
    assert said == {"weight": ends[0], "weight_high": ends[1]}


@pytest.mark.parametrize("text", READ["another number is no weight"])
def test_another_number_is_no_weight(text: str) -> None:
    assert card.scale_claims(text, "card") == ()


@pytest.mark.parametrize(("written", "value"), READ["a lora tag tells the authors weight"])
def test_a_lora_tag_tells_the_authors_weight(written: list[str], value: float | None) -> None:
    claims = card.weight_claims(written, "trainedWords")
    assert [claim.value for claim in claims] == ([value] if value is not None else [])


def test_most_of_the_authors_prompts_tell_the_weight() -> None:
    prompts = ["a <lora:Fox:0.7>", "b <lora:fox:0.7>, <lora:other:1>", "c <lora:fox:1>", "d"]
    claims = card.prompt_weight_claims(prompts, ["fox"], "images")
    assert [(c.value, c.source, c.where) for c in claims] == [(0.7, "example", "images: 2 of 3 prompts")]


def test_a_weight_below_0_in_most_prompts_recommends_nothing() -> None:
    prompts = ["a <lora:fox:-0.81>", "b <lora:fox:-0.81>", "c <lora:fox:1>"]
    assert card.prompt_weight_claims(prompts, ["fox"], "images") == ()


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "text",
    ["<lora:" + "a" * 200_000, "<lora:" * 30_000, "recommended " * 16_000, "weight" + " " * 10**5, "0.1 " * 10**5],
)
def test_a_text_made_to_be_slow_for_its_weight_does_not_hang(text: str) -> None:
    card.weight_claims([text], "trainedWords")
    card.scale_claims(text, "card")
    card.prompt_weight_claims([text], ["a"], "images")
