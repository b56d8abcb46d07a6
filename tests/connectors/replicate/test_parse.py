from typing import Any, get_args

import pytest

from connectors.claims.resolve import flatten
from connectors.connector import filter_loras
from connectors.query import Query
from connectors.record import Kind, Lora
from connectors.replicate import parse
from tests.connectors.building import HASH, of_replicate, replicate_model, replicate_version
from tests.connectors.cases import named, read_cases

READ = read_cases(__file__)


def test_a_fine_tune_becomes_a_complete_record() -> None:
    record = flatten(of_replicate()).to_json()
    assert record["ref"] == f"replicate:pearlgrey/fog-harbour@{HASH}"
    assert (record["base_model"], record["architecture"]) == ("flux.1-dev", "flux1")
    assert (record["creator"], record["downloads"], record["likes"]) == ("pearlgrey", 77, None)
    assert record["trigger_words"] == ["TOK"]
    assert record["updated_at"] == "2026-08-01T10:00:00Z"
    assert record["file"] == {"name": "fog-harbour.safetensors", "size": None, "sha256": None, "format": "safetensors"}


@pytest.mark.parametrize(("fields", "said"), named(READ["a model becomes what it says"]))
def test_a_model_becomes_what_it_says(fields: dict[str, Any], said: dict[str, Any]) -> None:
    record = flatten(of_replicate(**fields)).to_json()
    assert {key: record[key] for key in said} == said


def test_a_choice_of_model_tells_the_base_model() -> None:
    version = replicate_version()
    version["openapi_schema"]["components"]["schemas"]["model"] = {"enum": ["tiny-shapes"]}
    record = flatten(of_replicate(latest_version=version))
    assert (record.base_model, record.raw_base_model) == ("tiny-shapes", "tiny-shapes")


def test_weights_url_may_name_the_base_or_the_lora_itself() -> None:
    base = of_replicate(inputs=("prompt", "loras"), weights_url="https://huggingface.co/Qwen/Qwen-Image")
    own = of_replicate(weights_url="https://huggingface.co/pearlgrey/fog")
    assert flatten(base).base_model == "qwen-image"
    assert flatten(own).base_model == "flux.1-dev"
    assert [c.value for c in own.claims if c.field == "weights_url"] == ["https://huggingface.co/pearlgrey/fog"]


def is_listed(lora: Lora) -> bool:
    """By asking for it or without."""
    return any(filter_loras([lora], query) for query in (Query(), Query(kinds=get_args(Kind))))


def test_a_base_model_that_kept_the_strength_of_another_program_is_no_fine_tune() -> None:
    example = {"input": {"prompt": "a pier at dawn"}}
    assert not is_listed(of_replicate(inputs=("prompt", "lora_scale"), default_example=example))


@pytest.mark.parametrize("words", ["no LoRA needed", "without LoRA"])
def test_what_takes_no_lora_says_so(words: str) -> None:
    assert not is_listed(of_replicate(inputs=(), description=words))


@pytest.mark.parametrize("inputs", [("prompt", "top_p"), ("audio",), ("prompt",), ("prompt", "top_p", "use_lora")])
def test_the_word_alone_lists_nothing_whose_inputs_take_no_lora(inputs: tuple[str, ...]) -> None:
    assert not is_listed(of_replicate(inputs=inputs, description="fine-tuned with LoRA"))


def test_a_name_tells_that_it_is_for_grown_ups() -> None:
    lora = of_replicate(name="nsfw-fog", cover_image_url="https://replicate.delivery/x/a.png")
    assert (lora.nsfw, lora.versions[0].examples[0].nsfw) == ("mature", "mature")


def test_an_examples_prompt_tells_it_too() -> None:
    example = {"input": {"prompt": "TOK, a nude figure study"}, "output": ["https://replicate.delivery/x/a.png"]}
    lora = of_replicate(default_example=example)
    assert (lora.nsfw, lora.versions[0].examples[0].nsfw) == ("mature", "mature")
    assert of_replicate().nsfw is None


def test_a_model_without_a_version_is_nothing_yet() -> None:
    lora = of_replicate(description="My LoRA of a pier", latest_version=None)
    assert not is_listed(lora)
    assert (flatten(lora).kind, lora.versions) == (None, ())


@pytest.mark.parametrize(("words", "listed"), [("with LCM LoRA", True), ("a flora of the alps", False), ("x", False)])
def test_without_any_inputs_the_word_decides(words: str, listed: bool) -> None:
    assert is_listed(of_replicate(inputs=(), description=words)) is listed


def test_a_cover_is_shown_where_the_output_is_gone() -> None:
    lora = of_replicate(cover_image_url="https://replicate.delivery/x/cover.mp4?a=1")
    assert [(image.url, image.video) for image in flatten(lora).images] == [
        ("https://replicate.delivery/x/cover.mp4?a=1", True)
    ]


@pytest.mark.parametrize("owner", [None, "", "a/b", "a b", "x#y", [], "\u202e"])
def test_a_model_whose_name_is_no_name_is_none(owner: object) -> None:
    assert parse.lora(replicate_model(owner=owner)) is None


MADE = {"version": f"pearlgrey/fog-harbour:{HASH}", "weights": "https://replicate.delivery/x/trained_model.tar"}


def _training(**fields: Any) -> dict[str, Any]:
    asked = {"trigger_word": "FGHRBR", "autocaption": True, "lora_rank": 16}
    return {"status": "succeeded", "completed_at": "2026-08-01T10:00:00Z", "input": asked, "output": MADE, **fields}


def test_a_finished_training_is_a_lora() -> None:
    lora = parse.lora_of_training(_training())
    assert lora is not None
    record = flatten(lora)
    assert str(record.ref) == f"replicate:pearlgrey/fog-harbour@{HASH}"
    assert (record.base_model, record.trigger_words, record.rank) == ("flux.1-dev", ("FGHRBR",), 16)
    assert (record.access, record.updated_at) == ("open", "2026-08-01T10:00:00Z")


def test_what_was_asked_for_is_believed_before_the_example() -> None:
    model = parse.with_training(replicate_model(), [_training(input={"trigger_word": "FGHRBR, fog"})])
    lora = parse.lora(model)
    assert lora is not None
    said = [(c.value, c.source, c.where) for c in lora.claims if c.field == "trigger_words"]
    assert said[0] == (("FGHRBR", "fog"), "hub", "training.input.trigger_word")


@pytest.mark.parametrize(("asked", "base"), READ["what is asked tells the trainer"])
def test_what_is_asked_tells_the_trainer(asked: dict[str, Any], base: str | None) -> None:
    lora = parse.lora_of_training(_training(input=asked))
    assert lora is not None
    assert flatten(lora).base_model == base


@pytest.mark.parametrize(
    "output", [None, {}, {"version": None}, {"version": "x"}, {"version": f"a/b:{HASH[:9]}"}, [], "text", 7]
)
def test_an_unfinished_training_made_nothing(output: object) -> None:
    assert parse.lora_of_training(_training(output=output)) is None


def test_the_training_of_another_version_is_none_of_its() -> None:
    other = _training(output={"version": f"pearlgrey/fog-harbour:{'ab' * 32}"})
    assert parse.with_training(replicate_model(), [other]) == replicate_model()
