"""A Replicate model as its JSON describes it, and whether it is a LoRA, takes LoRAs, or neither."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from connectors.claims import kind, license, nsfw, trigger_words
from connectors.claims.base_models import base_claims, by_id, find_base_name, identify
from connectors.claims.resolve import best
from connectors.claims.trigger_words import card_claims, prompt_field_claims
from connectors.http.json_fields import Table, address, count, number, table, text, texts, when, whole
from connectors.record import Access, Claim, Example, Lora, Source, Version, WeightFile
from connectors.ref import PINNED, Ref, is_id

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
    hinted = trigger_words.prompt_claims(prompt, model.name, model.about, "")
    return _TUNED.search(model.words) is not None or bool(hinted)


def _training_inputs(model: Model) -> tuple[str, ...]:
    return tuple(table(table(model.schemas.get("TrainingInput")).get("properties")))


# The trainers call the word by different names.
_WORDS = ("trigger_word", "token_string")
_RANKS_TOLD = ("lora_rank", "rank")
# What only the trainer of one base model asks.
_ASKED: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"autocaption", "trigger_word"}), "flux.1-dev"),
    (frozenset({"token_string"}), "sdxl-1.0"),
    (frozenset({"use_face_detection_instead"}), "sdxl-1.0"),
    (frozenset({"input_videos", "timestep_sampling"}), "hunyuan-video"),
)
_MADE = re.compile(r"(?P<owner>[^/\s:]{1,100})/(?P<name>[^/\s:]{1,100}):(?P<version>[0-9a-f]{64})")


def model_of(training: Table) -> dict[str, object] | None:
    """The model that a finished training made, as far as the training tells of it; None for one that made none."""
    made = _MADE.fullmatch(text(table(training.get("output")).get("version"), 300) or "")
    if made is None:
        return None
    version = {"id": made["version"], "created_at": training.get("completed_at")}
    return {"owner": made["owner"], "name": made["name"], "latest_version": version, "training": training}


def training_of(wire: Table, trainings: Iterable[Table]) -> Table | None:
    """The training that made a model's version."""
    version = text(table(wire.get("latest_version")).get("id")) or ""
    if not PINNED["replicate"].fullmatch(version):
        return None
    made = (training for training in trainings if str(table(training.get("output")).get("version")).endswith(version))
    return next(made, None)


def claims(training: Table) -> Iterator[Claim]:
    asked = table(training.get("input"))
    for key in _WORDS:
        for claim in prompt_field_claims([word] if (word := text(asked.get(key), 300)) else [], ""):
            yield Claim(field=claim.field, value=claim.value, source="hub", where=f"training.input.{key}")
    for key in _RANKS_TOLD:
        if (rank := whole(asked.get(key))) is not None and 0 < rank <= 1024:
            yield Claim(field="rank", value=rank, source="hub", where=f"training.input.{key}")
    yield from _base(asked)
    if weights := address(table(training.get("output")).get("weights")):
        yield Claim(field="weights_url", value=weights, source="hub", where="training.output.weights")


def _base(asked: Table) -> Iterator[Claim]:
    base = next((base for keys, base in _ASKED if keys <= set(asked)), None)
    if text(asked.get("model_type")) == "schnell" and base == "flux.1-dev":
        base = "flux.1-schnell"
    if base:
        yield from (c for c in base_claims(base, "hub", "training.input") if c.field != "raw_base_model")


# Base models by the inputs a model takes: the trainers of Replicate each leave their own set.
_SIGNATURES: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"replicate_weights", "lora_scale", "extra_lora"}), "flux.1-dev"),
    (frozenset({"lora_url", "lora_strength", "replicate_weights"}), "hunyuan-video"),
    (frozenset({"replicate_weights", "lora_scale", "refine"}), "sdxl-1.0"),
    # The LCM fork of the SDXL trainer has no refiner.
    (frozenset({"replicate_weights", "lora_scale", "scheduler", "apply_watermark"}), "sdxl-1.0"),
)
_PARAMS = (
    "seed",
    "num_inference_steps",
    "guidance_scale",
    "lora_scale",
    "width",
    "height",
    "aspect_ratio",
    "scheduler",
    "negative_prompt",
    "guidance",
    "steps",
    "lora_strength",
    "num_frames",
    "image",
    "control_image",
)
_NO_WEIGHTS = "A trainer or runner: it takes LoRAs, and can be used on Replicate only."
_BUILT_IN = "Its weights are built in and not handed out: it can be used on Replicate only."


def describes_lora(wire: Table) -> bool:
    """Whether a listing shows it: anything that is a LoRA or takes LoRAs, for pictures or films."""
    model = read(wire)
    return model is not None and is_lora(model)


def lora(wire: Table) -> Lora | None:
    """None for something without owner and name. Any model can be opened; only LoRAs are listed."""
    model = read(wire)
    if model is None:
        return None
    ref = Ref(hub="replicate", id=model.id)
    version = _version(model, ref)
    mature = _mature_claims(model)
    return Lora(
        ref=ref,
        title=model.name,
        url=address(wire.get("url")) or f"https://replicate.com/{model.id}",
        creator=model.owner,
        description=model.about,
        description_format="text",
        nsfw=nsfw.level_of(mature),
        downloads=count(wire.get("run_count")),
        updated_at=version.updated_at if version else when(wire.get("created_at")),
        access=_access(model),
        versions=(version,) if version else (),
        claims=(*_claims(model), *mature),
    )


def _access(model: Model) -> Access:
    return "open" if has_weights(model) else "generation-only"


def _version(model: Model, ref: Ref) -> Version | None:
    version_id = text(model.version.get("id"))
    if version_id is None or not PINNED["replicate"].fullmatch(version_id):
        return None
    here = ref.at(version_id)
    weights = WeightFile(ref=here, name=f"{model.name}.safetensors", primary=True)
    return Version(
        ref=here,
        name=version_id[:8],
        updated_at=when(model.version.get("created_at")),
        access=_access(model),
        access_note=None if has_weights(model) else _BUILT_IN if is_fine_tune(model) else _NO_WEIGHTS,
        files=(weights,) if has_weights(model) else (),
        examples=tuple(_examples(model)),
    )


def with_version(wire: Table, version: Table) -> dict[str, object]:
    """The model as it was at another of its versions."""
    return {**wire, "latest_version": version}


def with_training(wire: Table, trainings: Iterable[Table]) -> Table:
    """The model with the training that made it, if it is among the key's own."""
    training = training_of(wire, trainings)
    return {**wire, "training": training} if training else wire


def lora_of_training(training: Table) -> Lora | None:
    """The LoRA that a finished training made, from the training alone."""
    made = model_of(training)
    return lora(made) if made else None


def _claims(model: Model) -> tuple[Claim, ...]:
    weights_url = address(model.wire.get("weights_url"))
    words = _word_claims(model)
    return (
        *claims(table(model.wire.get("training"))),
        *_base_claims(model),
        *words,
        *_kind_claims(model, best(words, "trigger_words") or ()),
        *license.replicate_claims(model.wire.get("license_url")),
        *((Claim(field="weights_url", value=weights_url, source="hub", where="weights_url"),) if weights_url else ()),
        *_weight_claims(model),
        Claim(field="access", value=_access(model), source="hub", where="inputs"),
    )


def _word_claims(model: Model) -> tuple[Claim, ...]:
    """A runner's example shows somebody else's words."""
    if not is_fine_tune(model):
        return ()
    prompt = text(model.example.get("prompt")) or ""
    hints = trigger_words.prompt_claims(prompt, model.name, model.about, "default_example.input.prompt")
    return (*card_claims(model.about, "description"), *hints)


def _kind_claims(model: Model, words: tuple[str, ...]) -> tuple[Claim, ...]:
    said = kind.kind_claims((), "tags", model.words.replace("-", " "), "name and description")
    if not is_fine_tune(model):
        runs = Claim(field="kind", value="tool", source="tag", where="inputs")
        return (*said, runs) if uses_loras(model) else ()
    prompts = texts(model.example.get("prompt"))
    return (*said, *kind.word_claims(words), *kind.prompt_claims(prompts, words, "default_example.input.prompt"))


def _weight_claims(model: Model) -> tuple[Claim, ...]:
    """The strength the example was made with: the author's choice, or the trainer's default. A runner has none."""
    if not is_fine_tune(model):
        return ()
    for name in ("lora_scale", "lora_strength"):
        if (scale := number(model.example.get(name))) is not None:
            where = f"default_example.input.{name}"
            return (Claim(field="weight", value=scale, source="example", where=where),)
    return ()


def _base_claims(model: Model) -> tuple[Claim, ...]:
    """What fields say, then words, then the inputs. Only a field holds a name as someone wrote it."""
    written = (claim for name, where in _written_bases(model) for claim in base_claims(name, "hub", where))
    guessed = (claim for name, source, where in _read_bases(model) for claim in base_claims(name, source, where))
    return (*written, *(claim for claim in guessed if claim.field != "raw_base_model"))


def _signature(model: Model) -> str | None:
    return next((base for inputs, base in _SIGNATURES if inputs <= set(model.inputs)), None)


def _written_bases(model: Model) -> Iterator[tuple[str, str]]:
    repo = "/".join(urlsplit(address(model.wire.get("weights_url")) or "").path.split("/")[1:3])
    if identify(repo):
        yield repo, "weights_url"
    choices = texts(table(model.schemas.get("model")).get("enum")) + texts(model.inputs.get("model", {}).get("enum"))
    yield from ((choice, "inputs.model") for choice in choices if identify(choice))


def _read_bases(model: Model) -> Iterator[tuple[str, Source, str]]:
    named, signature = find_base_name(model.words), _signature(model)
    # Words tell one lineage from another on the architecture that the inputs show, but don't contradict the inputs.
    if named and (signature is None or _same_architecture(named[0], signature)):
        yield named[0], "tag", f"name and description: {named[1]}"
    if signature:
        yield signature, "hub", "inputs"


def _same_architecture(one: str, other: str) -> bool:
    first, second = by_id(one), by_id(other)
    return first is not None and second is not None and first.architecture == second.architecture


def _mature_claims(model: Model) -> tuple[Claim, ...]:
    prompt = text(model.example.get("prompt")) or ""
    said = ((model.words, "name and description"), (prompt, "default_example.input.prompt"))
    return nsfw.text_claims((), said)


def _examples(model: Model) -> Iterator[Example]:
    """The default example's output, which Replicate deletes for some; the cover picture stays."""
    wire, asked = model.wire, model.example
    example = table(wire.get("default_example"))
    level = nsfw.level_of(_mature_claims(model))
    params = {name: asked[name] for name in _PARAMS if isinstance(asked.get(name), str | int | float)}
    seen = set[str]()
    for url in (address(value) for value in texts(example.get("output"))):
        if url is not None and _is_picture(url):
            seen.add(url)
            prompt = text(asked.get("prompt"), 20_000)
            yield Example(url=url, prompt=prompt, nsfw=level, params=params, video=_is_video(url))
    cover = address(wire.get("cover_image_url"))
    if cover is not None and cover not in seen and _is_picture(cover):
        yield Example(url=cover, nsfw=level, video=_is_video(cover))


def _is_picture(url: str) -> bool:
    return re.search(r"\.(?:png|jpe?g|webp|gif|avif|mp4|webm)(?:\?|$)", url.lower()) is not None


def _is_video(url: str) -> bool:
    return re.search(r"\.(?:mp4|webm)(?:\?|$)", url.lower()) is not None
