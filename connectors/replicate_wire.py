"""Replicate's JSON -> Lora. Replicate has no LoRA type, so a model's inputs say what it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from connectors import replicate_model, replicate_training
from connectors.facts import kind, levels, license, prompt_hints
from connectors.facts.base_models import base_claims, by_id, identify
from connectors.facts.base_names import named_base
from connectors.facts.card_words import card_claims
from connectors.facts.claims import best
from connectors.record import Access, Claim, Example, Lora, Source, Version, WeightFile
from connectors.ref import PINNED, Ref
from connectors.replicate_model import Model, has_weights, is_fine_tune, read
from connectors.wire import Table, address, count, number, table, text, texts, when

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


def is_lora(wire: Table) -> bool:
    """Whether a listing shows it: anything that is a LoRA or takes LoRAs, for pictures or films."""
    model = read(wire)
    return model is not None and replicate_model.is_lora(model)


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
        nsfw=levels.claimed(mature),
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
    training = replicate_training.training_of(wire, trainings)
    return {**wire, "training": training} if training else wire


def lora_of_training(training: Table) -> Lora | None:
    """The LoRA that a finished training made, from the training alone."""
    made = replicate_training.model_of(training)
    return lora(made) if made else None


def _claims(model: Model) -> tuple[Claim, ...]:
    weights_url = address(model.wire.get("weights_url"))
    words = _word_claims(model)
    return (
        *replicate_training.claims(table(model.wire.get("training"))),
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
    hints = prompt_hints.prompt_claims(prompt, model.name, model.about, "default_example.input.prompt")
    return (*card_claims(model.about, "description"), *hints)


def _kind_claims(model: Model, words: tuple[str, ...]) -> tuple[Claim, ...]:
    said = kind.kind_claims((), "tags", model.words.replace("-", " "), "name and description")
    if not is_fine_tune(model):
        runs = Claim(field="kind", value="tool", source="tag", where="inputs")
        return (*said, runs) if replicate_model.uses_loras(model) else ()
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
    named, signature = named_base(model.words), _signature(model)
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
    return levels.worded_claims((), said)


def _examples(model: Model) -> Iterator[Example]:
    """The default example's output, which Replicate deletes for some; the cover picture stays."""
    wire, asked = model.wire, model.example
    example = table(wire.get("default_example"))
    level = levels.claimed(_mature_claims(model))
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
