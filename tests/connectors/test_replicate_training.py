from __future__ import annotations

from typing import Any

import pytest

from connectors import replicate_wire
from connectors.facts.claims import flatten
from tests.connectors.building import HASH, of_replicate, replicate_model

MADE = {"version": f"pearlgrey/fog-harbour:{HASH}", "weights": "https://replicate.delivery/x/trained_model.tar"}


def _training(**fields: Any) -> dict[str, Any]:
    asked = {"trigger_word": "FGHRBR", "autocaption": True, "lora_rank": 16}
    return {"status": "succeeded", "completed_at": "2026-08-01T10:00:00Z", "input": asked, "output": MADE, **fields}


def test_a_finished_training_is_a_lora() -> None:
    lora = replicate_wire.lora_of_training(_training())
    assert lora is not None
    record = flatten(lora)
    assert str(record.ref) == f"replicate:pearlgrey/fog-harbour@{HASH}"
    assert (record.base_model, record.trigger_words, record.rank) == ("flux.1-dev", ("FGHRBR",), 16)
    assert (record.access, record.updated_at) == ("open", "2026-08-01T10:00:00Z")


def test_what_was_asked_for_is_believed_before_the_example() -> None:
    model = replicate_wire.with_training(replicate_model(), [_training(input={"trigger_word": "FGHRBR, fog"})])
    lora = replicate_wire.lora(model)
    assert lora is not None
    said = [(c.value, c.source, c.where) for c in lora.claims if c.field == "trigger_words"]
    assert said[0] == (("FGHRBR", "fog"), "hub", "training.input.trigger_word")


@pytest.mark.parametrize(
    ("asked", "base"),
    [
        ({"trigger_word": "TOK", "autocaption": True}, "flux.1-dev"),
        ({"trigger_word": "TOK", "autocaption": True, "model_type": "schnell"}, "flux.1-schnell"),
        ({"token_string": "TOK"}, "sdxl-1.0"),
        ({"use_face_detection_instead": True}, "sdxl-1.0"),
        ({"input_videos": "x", "timestep_sampling": "sigmoid"}, "hunyuan-video"),
        ({}, None),
    ],
)
def test_what_is_asked_tells_the_trainer(asked: dict[str, Any], base: str | None) -> None:
    lora = replicate_wire.lora_of_training(_training(input=asked))
    assert lora is not None
    assert flatten(lora).base_model == base


@pytest.mark.parametrize(
    "output", [None, {}, {"version": None}, {"version": "x"}, {"version": f"a/b:{HASH[:9]}"}, [], "text", 7]
)
def test_an_unfinished_training_made_nothing(output: object) -> None:
    assert replicate_wire.lora_of_training(_training(output=output)) is None


def test_the_training_of_another_version_is_none_of_its() -> None:
    other = _training(output={"version": f"pearlgrey/fog-harbour:{'ab' * 32}"})
    assert replicate_wire.with_training(replicate_model(), [other]) == replicate_model()


@pytest.mark.parametrize("wrong", [None, 7, "text", [], {"trigger_word": []}, {"lora_rank": "many"}, {"lora_rank": -1}])
def test_a_wrong_type_is_an_absent_value(wrong: object) -> None:
    assert flatten(of_replicate(training=_training(input=wrong))).rank is None
