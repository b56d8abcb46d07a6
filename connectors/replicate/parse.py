"""Convert Replicate's JSON to a Lora. Replicate has no type for LoRAs, so they are recognised by their inputs."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from connectors.claims import content, license, minors, read_tables, read_wording, trigger_words
from connectors.claims.base_models import architecture_of, base_claims, find_base_name, identify
from connectors.claims.resolve import best
from connectors.claims.trigger_words import card_claims
from connectors.http.json_fields import Table, address, count, number, table, text, texts, when, whole
from connectors.record import Access, Claim, Example, Lora, Nsfw, Source, Version, WeightFile
from connectors.ref import Ref, is_id, is_pinned_version

_INPUTS = read_wording("inputs", "replicate.toml").words
_STRENGTHS = _INPUTS["strengths"]
_TRAINERS = read_tables("replicate.toml")["trainer"]
# Models that have the inputs of a fine-tune, but are not fine-tunes.
_RUNNERS = frozenset({"replicate/fast-flux-trainer", "stability-ai/sdxl"})
_TRAINER = re.compile(r"\btrain(?:er|ing)?\b", re.IGNORECASE)
_TUNED = re.compile(r"\b(?:fine[- ]?tun\w+|trained (?:on|with)|dreambooth|lora)\b", re.IGNORECASE)
_LORA_WORD = re.compile(r"(?<![a-z])(?<!no )(?<!without )(?<!non-)(?:lora|locon|lycoris)(?:s)?(?![a-z])", re.IGNORECASE)
_VIDEO = re.compile(r"\.(?:mp4|webm)(?:\?|$)", re.IGNORECASE)
_IMAGE = re.compile(r"\.(?:png|jpe?g|webp|gif|avif|mp4|webm)(?:\?|$)", re.IGNORECASE)
_NO_WEIGHTS = "A hosted model that takes LoRAs or trains them, and is none: it can be used on Replicate only."
_BUILT_IN = "Its weights are built in and not handed out: it can be used on Replicate only."
_VERSION_NAME = re.compile(r"(?P<owner>[^/\s:]{1,100})/(?P<name>[^/\s:]{1,100}):(?P<version>[0-9a-f]{64})")


@dataclass(frozen=True, kw_only=True, slots=True)
class Model:
    """The parts of a model's JSON that several functions read."""

    data: Table
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
        return text(self.data.get("description")) or ""

    @property
    def words(self) -> str:
        return f"{self.name} {self.about}"

    @property
    def example(self) -> Table:
        return table(table(self.data.get("default_example")).get("input"))


def read(data: Table) -> Model | None:
    owner, name = text(data.get("owner"), 100), text(data.get("name"), 100)
    if owner is None or name is None or not is_id("replicate", f"{owner}/{name}"):
        return None
    version = table(data.get("latest_version"))
    schemas = table(table(table(version.get("openapi_schema")).get("components")).get("schemas"))
    properties = table(table(schemas.get("Input")).get("properties"))
    inputs = {key: table(value) for key, value in properties.items()}
    return Model(data=data, owner=owner, name=name, version=version, inputs=inputs, schemas=schemas)


def is_runner(model: Model) -> bool:
    """Return whether a model runs, trains or converts any LoRA, judged by its inputs.

    A model whose inputs are unknown is judged by its words. A model without a version can't be run: it was created for
    a training or a push.
    """
    inputs, training = _lora_inputs(model), table(table(model.schemas.get("TrainingInput")).get("properties"))
    takes_loras = inputs or any("lora" in name.lower() for name in training)
    if not takes_loras and (model.inputs or not model.version or _LORA_WORD.search(model.words) is None):
        return False
    # A base model may have the input for a LoRA's strength only, left over from another program.
    return not (is_fine_tune(model) or _writes_text(model) or (inputs and inputs <= _STRENGTHS))


def is_fine_tune(model: Model) -> bool:
    """Return whether a model has trained weights, so that its words and its example describe them.

    A model that a training made has the input `replicate_weights`. Other models have built-in weights: their only LoRA
    input is the strength, and their words or their example prove the fine-tuning.
    """
    if has_weights(model):
        return True
    inputs = _lora_inputs(model)
    if not inputs or not inputs <= _STRENGTHS or "prompt" not in model.inputs:
        return False
    if _writes_text(model) or _is_program(model):
        return False
    prompt = text(model.example.get("prompt")) or ""
    hints = trigger_words.prompt_claims(prompt, model.name, model.about, "")
    return _TUNED.search(model.words) is not None or bool(hints)


def has_weights(model: Model) -> bool:
    """Return whether a model is a fine-tune whose weights can be downloaded.

    A runner or trainer is not: it has a repository on GitHub, or another LoRA in its example. The model of a training
    has neither.
    """
    if table(model.data.get("training")):
        return True
    takes_another = any(texts(model.example.get(name)) for name in _INPUTS["slots"])
    return "replicate_weights" in model.inputs and not (_writes_text(model) or _is_program(model) or takes_another)


def _lora_inputs(model: Model) -> frozenset[str]:
    return frozenset(name for name in model.inputs if "lora" in name.lower() or name == "replicate_weights")


def _writes_text(model: Model) -> bool:
    return not _INPUTS["writes_text"].isdisjoint(model.inputs)


def _is_program(model: Model) -> bool:
    has_name = model.id.lower() in _RUNNERS or _TRAINER.search(model.name) is not None
    return has_name or address(model.data.get("github_url")) is not None


def lora(data: Table) -> Lora | None:
    """Convert a model to a Lora. Return None if it has no owner or name.

    Other models than LoRAs are converted too, because a visitor may open them. Lists omit them (see filter_loras).
    """
    model = read(data)
    if model is None:
        return None
    ref = Ref(hub="replicate", id=model.id)
    prompt = text(model.example.get("prompt")) or ""
    short_texts = ((model.words, "name and description"), (prompt, "default_example.input.prompt"))
    mature = content.mature_claims((), short_texts)
    level = content.level_of(mature)
    stated = tuple(_claims(model))
    minor = minors.minor_claims(level, short_texts, claims=stated)
    access: Access = "open" if has_weights(model) else "generation-only"
    version = None
    if (version_id := text(model.version.get("id"))) and is_pinned_version("replicate", version_id):
        pinned = ref.at(version_id)
        weights = WeightFile(ref=pinned, name=f"{model.name}.safetensors", primary=True)
        version = Version(
            ref=pinned,
            name=version_id[:8],
            updated_at=when(model.version.get("created_at")),
            access=access,
            access_note=None if access == "open" else _BUILT_IN if is_fine_tune(model) else _NO_WEIGHTS,
            files=(weights,) if access == "open" else (),
            examples=tuple(_examples(model, level)),
        )
    return Lora(
        ref=ref,
        title=model.name,
        url=address(data.get("url")) or f"https://replicate.com/{model.id}",
        creator=model.owner,
        description=model.about,
        description_format="text",
        nsfw=level,
        downloads=count(data.get("run_count")),
        updated_at=version.updated_at if version else when(data.get("created_at")),
        access=access,
        private=data.get("visibility") == "private",
        versions=(version,) if version else (),
        claims=(*stated, Claim(field="access", value=access, source="hub", where="inputs"), *mature, *minor),
    )


def with_training(data: Table, trainings: Iterable[Table]) -> Table:
    """Return the model's JSON with the training that made it, if that training is among `trainings`."""
    version = text(table(data.get("latest_version")).get("id")) or ""
    for training in trainings if is_pinned_version("replicate", version) else ():
        if str(table(training.get("output")).get("version")).endswith(version):
            return {**data, "training": training}
    return data


def lora_of_training(training: Table) -> Lora | None:
    """Convert the JSON of a finished training to the LoRA that it made. Return None if it made no version."""
    match = _VERSION_NAME.fullmatch(text(table(training.get("output")).get("version"), 300) or "")
    if match is None:
        return None
    version = {"id": match["version"], "created_at": training.get("completed_at")}
    return lora(
        {
            "owner": match["owner"],
            "name": match["name"],
            # `start_training` in runs.py creates private models.
            "visibility": "private",
            "latest_version": version,
            "training": training,
        }
    )


def _claims(model: Model) -> Iterator[Claim]:
    yield from _training_claims(table(model.data.get("training")))
    yield from _base_claims(model)
    if is_fine_tune(model):
        yield from _fine_tune_claims(model)
    elif is_runner(model):
        yield Claim(field="kind", value="runner", source="hub", where="inputs")
    else:
        yield Claim(field="is_lora", value=False, source="hub", where="inputs")
    yield from license.replicate_claims(model.data.get("license_url"))
    if weights_url := address(model.data.get("weights_url")):
        yield Claim(field="weights_url", value=weights_url, source="hub", where="weights_url")


def _training_claims(training: Table) -> Iterator[Claim]:
    """Yield claims from the settings of a training, which only its owner can see. They are surer than a description."""
    inputs = table(training.get("input"))
    for key in _INPUTS["trigger_word"]:
        words = trigger_words.split(text(inputs.get(key), 300) or "")
        yield from trigger_words.claims_of(words, "hub", f"training.input.{key}")
    for key in _INPUTS["rank"]:
        if (rank := whole(inputs.get(key))) is not None and 0 < rank <= 1024:
            yield Claim(field="rank", value=rank, source="hub", where=f"training.input.{key}")
    base = next((row["base"] for row in _TRAINERS if set(row["asks"]) <= set(inputs)), None)
    if text(inputs.get("model_type")) == "schnell" and base == "flux.1-dev":
        base = "flux.1-schnell"
    if base:
        yield from base_claims(base, "hub", "training.input", is_mention=True)
    if weights := address(table(training.get("output")).get("weights")):
        yield Claim(field="weights_url", value=weights, source="hub", where="training.output.weights")


def _fine_tune_claims(model: Model) -> Iterator[Claim]:
    """Yield claims from the words and the example of a fine-tune. A runner's example would describe another LoRA."""
    where = "default_example.input"
    prompt = text(model.example.get("prompt")) or ""
    hints = trigger_words.prompt_claims(prompt, model.name, model.about, f"{where}.prompt")
    words = (*card_claims(model.about, "description"), *hints)
    chosen = best(words, "trigger_words") or ()
    yield from words
    yield from content.kind_claims((), "tags", model.words.replace("-", " "), "name and description")
    yield from content.word_claims(chosen)
    yield from content.prompt_claims(texts(model.example.get("prompt")), chosen, f"{where}.prompt")
    # The strength in the example was chosen by the author, or is the trainer's default.
    scales = ((name, number(model.example.get(name))) for name in ("lora_scale", "lora_strength"))
    for name, scale in scales:
        if scale is not None:
            yield Claim(field="weight", value=scale, source="example", where=f"{where}.{name}")
            break


def _base_claims(model: Model) -> Iterator[Claim]:
    """Yield claims about the base model from fields, words and inputs. Only fields have the name as it was written."""
    repo = "/".join(urlsplit(address(model.data.get("weights_url")) or "").path.split("/")[1:3])
    choices = texts(table(model.schemas.get("model")).get("enum")) + texts(model.inputs.get("model", {}).get("enum"))
    for name, where in ((repo, "weights_url"), *((choice, "inputs.model") for choice in choices)):
        if identify(name):
            yield from base_claims(name, "hub", where)
    mention = find_base_name(model.words)
    signature = next((row["base"] for row in _TRAINERS if set(row["makes"]) <= set(model.inputs)), None)
    guesses: list[tuple[str, Source, str]] = [(signature, "hub", "inputs")] if signature else []
    # The words may name a lineage, but only on the architecture that the inputs prove.
    if mention and (signature is None or architecture_of(mention[0]) == architecture_of(signature)):
        guesses.insert(0, (mention[0], "tag", f"name and description: {mention[1]}"))
    for base, source, where in guesses:
        yield from base_claims(base, source, where, is_mention=True)


def _examples(model: Model, level: Nsfw | None) -> Iterator[Example]:
    """Yield the output of the default example, whose files Replicate may have deleted, and the cover image."""
    example = table(model.data.get("default_example"))
    inputs = model.example
    params = {name: inputs[name] for name in _INPUTS["params"] if isinstance(inputs.get(name), str | int | float)}
    outputs = [url for value in texts(example.get("output")) if (url := address(value)) and _IMAGE.search(url)]
    for url in outputs:
        prompt = text(inputs.get("prompt"), 20_000)
        yield Example(url=url, prompt=prompt, nsfw=level, params=params, video=_VIDEO.search(url) is not None)
    cover = address(model.data.get("cover_image_url"))
    if cover is not None and cover not in outputs and _IMAGE.search(cover):
        yield Example(url=cover, nsfw=level, video=_VIDEO.search(cover) is not None)
