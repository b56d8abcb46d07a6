from typing import Any

import pytest

from connectors.claims.resolve import flatten
from connectors.huggingface.parse import access_of
from tests.connectors.building import COMMIT, of_huggingface
from tests.connectors.cases import named, read_cases

READ = read_cases(__file__)


def test_a_repo_becomes_a_complete_record() -> None:
    record = flatten(of_huggingface()).to_json()
    assert record["ref"] == f"huggingface:sundayprint/risograph-weekend@{COMMIT}#risograph.safetensors"
    assert (record["base_model"], record["architecture"]) == ("flux.1-dev", "flux1")
    assert record["raw_base_model"] == "black-forest-labs/FLUX.1-dev"
    assert (record["kind"], record["trigger_words"]) == ("style", ["RSGRPH"])
    assert (record["creator"], record["downloads"], record["likes"]) == ("sundayprint", 900, 40)
    assert (record["license"], record["access"]) == ("mit", "open")
    assert record["updated_at"] == "2026-08-01T10:00:00Z"


@pytest.mark.parametrize(("fields", "said"), named(READ["a repo becomes what it and its card say"]))
def test_a_repo_becomes_what_it_and_its_card_say(fields: dict[str, Any], said: dict[str, Any]) -> None:
    lora = of_huggingface(**fields)
    record = {**flatten(lora).to_json(), "description": lora.description}
    assert {key: record[key] for key in said} == said


def test_a_gated_repo_says_so_with_its_reason() -> None:
    lora = of_huggingface(gated="manual")
    assert lora.access == "gated"
    assert lora.versions[0].access_note == "The author grants access one by one, on the repo's own page."


def test_not_for_all_audiences_is_mature() -> None:
    widget = [{"text": "x", "output": {"url": "images/a.png"}}]
    lora = of_huggingface(tags=["lora", "not-for-all-audiences"], cardData={"widget": widget})
    assert (lora.nsfw, lora.versions[0].examples[0].nsfw) == ("mature", "mature")


def test_a_file_name_may_name_a_minor() -> None:
    siblings = [{"rfilename": "schoolgirl.safetensors"}]
    assert of_huggingface(tags=["lora", "nsfw"], siblings=siblings).is_withheld
    assert not of_huggingface(tags=["lora"], siblings=siblings).is_withheld


def test_an_age_in_the_trigger_words_of_a_card_withholds_an_unrated_repo() -> None:
    assert of_huggingface(card="# Ink\n\n## Trigger words\n\n`myjsh` and `6-12yo`\n").is_withheld
    assert not of_huggingface(card="# Ink\n\n## Trigger words\n\n`myjsh` and `20yo`\n").is_withheld


def test_a_card_that_calls_itself_uncensored_is_mature() -> None:
    assert of_huggingface(card="# Ink\n\nAn uncensored LoRA.").nsfw == "mature"


def test_widget_pictures_lie_at_the_same_commit() -> None:
    widget = [{"text": "a boat", "output": {"url": "images/a b.png"}}, {"text": "-", "output": {"url": "c.mp4"}}]
    first, second = flatten(of_huggingface(cardData={"widget": widget})).images
    base = f"https://huggingface.co/sundayprint/risograph-weekend/resolve/{COMMIT}"
    assert (first.url, first.prompt, first.video) == (f"{base}/images/a%20b.png", "a boat", False)
    assert (second.url, second.prompt, second.video) == (f"{base}/c.mp4", None, True)


def test_files_with_sections_of_their_own_have_words_of_their_own() -> None:
    card = "# Two\n## fox\nKeyword: fxx\n[a](a.safetensors)\n## boat\nKeyword: btt\n[b](b.safetensors)\n"
    siblings = [{"rfilename": name} for name in ("a.safetensors", "sub/b.safetensors")]
    lora = of_huggingface(card, cardData={}, siblings=siblings)
    version = lora.versions[0]
    words = {file.name: flatten(lora, version, file).trigger_words for file in version.files}
    assert words == {"a.safetensors": ("fxx",), "b.safetensors": ("btt",)}


def test_widget_prompts_are_hints_only() -> None:
    widget = [{"text": f"vltg01 a {thing}"} for thing in ("boat", "fox", "pier")]
    claims = of_huggingface(cardData={"widget": widget}).claims
    assert [(c.value, c.source) for c in claims if c.field == "trigger_words"] == [(("vltg01",), "example")]


def test_access_and_level_are_claims_too() -> None:
    lora = of_huggingface(gated="auto", id="a/nsfw-fox")
    said = {c.field: (c.value, c.where) for c in lora.claims if c.field in ("access", "nsfw")}
    assert said == {"access": ("gated", "gated"), "nsfw": ("mature", "repo name: nsfw")}


def test_a_repo_that_nothing_rates_has_no_level_and_a_prompt_may_give_it_one() -> None:
    def widget(prompt: str) -> dict[str, object]:
        return {"widget": [{"text": prompt, "output": {"url": "fox.png"}}]}

    plain, told = of_huggingface(cardData=widget("a fox")), of_huggingface(cardData=widget("a naked faun"))
    assert (plain.nsfw, plain.versions[0].examples[0].nsfw) == (None, None)
    assert (told.nsfw, told.versions[0].examples[0].nsfw) == ("mature", "mature")


def no_lora(**fields: Any) -> list[str]:
    """Where it is read that it is none."""
    found = of_huggingface(**{"cardData": {}, **fields})
    return [claim.where for claim in found.claims if claim.field == "is_lora" and claim.value is False]


@pytest.mark.parametrize(("fields", "where"), READ["an adapter of a language model is no lora"])
def test_an_adapter_of_a_language_model_is_no_lora(fields: dict[str, Any], where: str) -> None:
    assert no_lora(**fields) == [where]


@pytest.mark.parametrize("fields", READ["a lora for images is one whatever else it is tagged"])
def test_a_lora_for_images_is_one_whatever_else_it_is_tagged(fields: dict[str, Any]) -> None:
    assert no_lora(**fields) == []


@pytest.mark.parametrize("key", ["instance_prompt", "trigger_words"])
def test_trigger_words_tell_that_it_is_for_grown_ups(key: str) -> None:
    lora = of_huggingface(cardData={key: "sex, missionary"})
    assert [c.where for c in lora.claims if c.field == "nsfw"] == [f"card front matter: {key}: sex"]


@pytest.mark.parametrize(
    ("gated", "disabled", "front", "access"), [*READ["a repo has a gate or is gone"], (None, None, {7: "x"}, "open")]
)
def test_a_repo_has_a_gate_or_is_gone(gated: object, disabled: object, front: dict[Any, Any], access: str) -> None:
    assert access_of(gated, disabled, front)[0] == access
