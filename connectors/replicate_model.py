"""A Replicate model as its JSON describes it, and whether it is a LoRA, takes LoRAs, or neither."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from connectors.facts import prompt_hints
from connectors.ref import is_id
from connectors.wire import Table, address, table, text, texts

# Models with a fine-tune's inputs that carry no fine-tune of their own, though nothing else about them shows it.
_RUNNERS = frozenset({"replicate/fast-flux-trainer", "stability-ai/sdxl"})
_TRAINER = re.compile(r"\btrain(?:er|ing)?\b", re.IGNORECASE)
# Where a runner takes the LoRA of somebody else.
_SLOTS = ("lora_weights", "lora_url", "lora_urls", "loras", "hf_lora", "hf_loras", "hf_lora_url", "lora_input", "lora")
# What a fine-tune's inputs have beside those of its base.
_STRENGTHS = frozenset({"lora_scale", "lora_strength", "lora_weight"})
_OF_A_FINE_TUNE = frozenset({*_STRENGTHS, "replicate_weights"})
_WEIGHTS = r"(?:loras?|weights|safetensors|checkpoints?|ckpt)"
_CONVERTER = re.compile(
    r"\b(?:convert\w*|conversion|merg(?:e[rs]?|ing)|extract\w*)\b\W+(?:\w+\W+){0,4}" + _WEIGHTS + r"\b"
    r"|\b" + _WEIGHTS + r"\W+(?:\w+\W+){0,2}(?:convert\w+|conversion|merg(?:er|ing)|extract\w+)\b",
    re.IGNORECASE,
)
_TRAINS = re.compile(r"\W*(?:train|fine[- ]?tune)s?\b", re.IGNORECASE)
_TUNED = re.compile(r"\b(?:fine[- ]?tun\w+|trained (?:on|with)|dreambooth|lora)\b", re.IGNORECASE)
# Inputs of things that write text. Llama takes `replicate_weights` too.
_WRITES_TEXT = frozenset({"top_p", "max_tokens", "max_new_tokens", "max_length"})
_LORA_WORD = re.compile(r"(?<![a-z])(?<!no )(?<!without )(?<!non-)(?:lora|locon|lycoris)(?:s)?(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """The parts of a model's JSON that are asked for again and again."""

    wire: Table
    owner: str
    name: str
    version: Table
    inputs: Mapping[str, Table]
    schemas: Table

    @property
    def id(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def about(self) -> str:
        return text(self.wire.get("description")) or ""

    @property
    def words(self) -> str:
        return f"{self.name} {self.about}"

    @property
    def example(self) -> Table:
        return table(table(self.wire.get("default_example")).get("input"))


def read(wire: Table) -> Model | None:
    owner, name = text(wire.get("owner"), 100), text(wire.get("name"), 100)
    if owner is None or name is None or not is_id("replicate", f"{owner}/{name}"):
        return None
    version = table(wire.get("latest_version"))
    schemas = table(table(table(version.get("openapi_schema")).get("components")).get("schemas"))
    properties = table(table(schemas.get("Input")).get("properties"))
    inputs = {key: table(value) for key, value in properties.items()}
    return Model(wire=wire, owner=owner, name=name, version=version, inputs=inputs, schemas=schemas)


def is_lora(model: Model) -> bool:
    """Whether a listing shows it: a fine-tune, or something that draws with LoRAs.

    What trains, converts or merges LoRAs is none, nor what writes text, nor a base model that can be fine-tuned.
    """
    if is_fine_tune(model):
        return True
    draws = not model.inputs or any("prompt" in name for name in model.inputs) or _takes_loras(model)
    base = bool(_own_inputs(model)) and _own_inputs(model) <= _OF_A_FINE_TUNE
    return uses_loras(model) and draws and not base and not _writes_text(model) and not _makes_loras(model)


def uses_loras(model: Model) -> bool:
    """Its inputs say so. Where they don't, its words do, if it draws: a checkpoint may have a LoRA built in."""
    if any("lora" in name.lower() for name in (*model.inputs, *_training_inputs(model))):
        return True
    if _writes_text(model):
        return False
    draws = "prompt" in model.inputs or not model.inputs
    return "replicate_weights" in model.inputs or (draws and _LORA_WORD.search(model.words) is not None)


def is_fine_tune(model: Model) -> bool:
    """Whether it draws with weights of its own: words and examples are its own then.

    A training's model takes `replicate_weights`. Others have their weights built in: of a fine-tune's inputs they keep
    the strength, and their words or their example tell what was trained.
    """
    if has_weights(model):
        return True
    built_in = bool(_own_inputs(model)) and _own_inputs(model) <= _STRENGTHS and "prompt" in model.inputs
    return built_in and not _writes_text(model) and not _is_program(model) and _tells_of_training(model)


def has_weights(model: Model) -> bool:
    """Whether it is itself a fine-tune, whose weights Replicate hands out.

    A runner or trainer is a program of its own: it has a repository on GitHub, or takes somebody else's LoRA in its own
    example. What a training makes has neither.
    """
    if table(model.wire.get("training")):
        return True
    borrows = any(texts(model.example.get(name)) for name in _SLOTS)
    return "replicate_weights" in model.inputs and not (_writes_text(model) or _is_program(model) or borrows)


def _own_inputs(model: Model) -> frozenset[str]:
    return frozenset(name for name in model.inputs if "lora" in name.lower() or name == "replicate_weights")


def _writes_text(model: Model) -> bool:
    return not _WRITES_TEXT.isdisjoint(model.inputs)


def _is_program(model: Model) -> bool:
    named = model.id.lower() in _RUNNERS or _TRAINER.search(model.name) is not None
    return named or address(model.wire.get("github_url")) is not None


def _takes_loras(model: Model) -> bool:
    return not {name.lower() for name in model.inputs}.isdisjoint(_SLOTS)


def _makes_loras(model: Model) -> bool:
    named = _TRAINER.search(model.name) or _CONVERTER.search(model.words)
    return named is not None or (not _takes_loras(model) and _TRAINS.match(model.about) is not None)


def _tells_of_training(model: Model) -> bool:
    prompt = text(model.example.get("prompt")) or ""
    hinted = prompt_hints.prompt_claims(prompt, model.name, model.about, "")
    return _TUNED.search(model.words) is not None or bool(hinted)


def _training_inputs(model: Model) -> tuple[str, ...]:
    return tuple(table(table(model.schemas.get("TrainingInput")).get("properties")))
