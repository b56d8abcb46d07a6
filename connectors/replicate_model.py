"""A Replicate model as its JSON describes it, and whether it is a LoRA, takes LoRAs, or neither."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from connectors.ref import is_id
from connectors.wire import Table, address, table, text, texts

# Models with a fine-tune's inputs that carry no fine-tune of their own, though nothing else about them shows it.
_RUNNERS = frozenset({"replicate/fast-flux-trainer", "stability-ai/sdxl"})
_TRAINER = re.compile(r"\btrain(?:er|ing)?\b", re.IGNORECASE)
# Where a runner takes the LoRA of somebody else.
_SLOTS = ("lora_weights", "lora_url", "lora_urls", "loras", "hf_lora", "hf_loras", "hf_lora_url", "lora_input", "lora")
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
    """Its inputs say so. Where they don't, its words do, if it draws: a checkpoint may have a LoRA built in."""
    if any("lora" in name.lower() for name in (*model.inputs, *_training_inputs(model))):
        return True
    if _WRITES_TEXT & set(model.inputs):
        return False
    draws = "prompt" in model.inputs or not model.inputs
    return "replicate_weights" in model.inputs or (draws and _LORA_WORD.search(model.words) is not None)


def _training_inputs(model: Model) -> tuple[str, ...]:
    return tuple(table(table(model.schemas.get("TrainingInput")).get("properties")))


def has_weights(model: Model) -> bool:
    """Whether it is itself a fine-tune, whose weights Replicate hands out.

    A runner or trainer is a program of its own: it has a repository on GitHub, or takes somebody else's LoRA in its own
    example. What a training makes has neither.
    """
    if table(model.wire.get("training")):
        return True
    slot = "replicate_weights" in model.inputs and not _WRITES_TEXT & set(model.inputs)
    program = address(model.wire.get("github_url")) is not None or _TRAINER.search(model.name) is not None
    borrows = any(texts(model.example.get(name)) for name in _SLOTS)
    return slot and not program and not borrows and model.id.lower() not in _RUNNERS
