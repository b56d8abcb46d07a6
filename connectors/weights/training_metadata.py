"""Training metadata of a file: kohya's ss_*, Stability's modelspec.*, ai-toolkit's, PEFT's adapter config.

Metadata is text that someone's script wrote, and some scripts write the same for every file: ai-toolkit falls back to
"sd_1.5", some kohya forks put stable-diffusion-v1/lora on networks they don't know. So it may name a lineage on the
architecture that the tensors show, or pick among those they leave, but never contradict them.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from connectors.claims import read_wording, trigger_words
from connectors.claims.base_models import BASE_MODELS, TABLES, architecture_of, by_id, identify
from connectors.http.json_fields import number, text

# Values of ss_base_model_version that are no spelling of their base model.
_VERSIONS: Mapping[str, str] = {name: model.id for model in BASE_MODELS for name in model.ss_versions}
# modelspec.architecture without "/lora".
_SPECS: Mapping[str, str] = {name: model.id for model in BASE_MODELS for name in model.modelspecs}
# SimpleTuner writes a family and its flavour there: "wan-t2v-480p-1.3b-2.1". The narrowest name stands first.
_FAMILIES: Mapping[str, str] = dict(
    sorted(
        ((name, model.id) for model in BASE_MODELS for name in model.simpletuner),
        key=lambda pair: len(pair[0]),
        reverse=True,
    )
)


def base_of(key: str, value: str) -> str | None:
    """The base model that the metadata's field `key` means by `value`."""
    name, is_spec = value.casefold(), key == "modelspec.architecture"
    if is_spec:
        name = re.sub(r"[/-](?:lora|embedding|controlnet)$", "", name)
    own = _SPECS if is_spec else _VERSIONS if key == "ss_base_model_version" else {}
    if name in own:
        return own[name]
    if found := identify(name):
        return found.id
    families = (base for family, base in _FAMILIES.items() if name == family or name.startswith(f"{family}-"))
    return next(families, None) if is_spec else None


Metadata = Mapping[str, str]
_MAX_WORDS = 20
_MAX_TAGS = 30
_MAX_JSON = 4_000_000
_MAX_HINT = 10_000
# Names of models are short, and patterns with gaps are slow on a hostile text.
_MAX_NAME = 1_000

_CHECKPOINTS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), base) for pattern, base in TABLES.checkpoints.items()
)
_NOBODY = ("", "none", "null", "unknown")
# Where diffusers writes PEFT's configuration.
_PEFT = "lora_adapter_metadata"
# What names of dataset folders are made of that have no meaning.
_PLAIN_FOLDERS = read_wording("training_metadata").words["plain_folders"]


def base_models(metadata: Metadata) -> Iterator[tuple[str, str]]:
    """(base model, where it was found), the most specific first."""
    checkpoint = metadata.get("ss_sd_model_name", "")[:_MAX_NAME]
    if base := next((base for pattern, base in _CHECKPOINTS if pattern.search(checkpoint)), None):
        yield base, f"metadata: ss_sd_model_name = {checkpoint[:80]}"
    for key in ("ss_base_model_version", "modelspec.architecture", "base_model"):
        value = metadata.get(key, "")[:_MAX_NAME].strip()
        if value.casefold() not in _NOBODY and (found := base_of(key, value)):
            yield found, f"metadata: {key} = {value[:80]}"


def base_model(metadata: Metadata, architecture: str | None) -> tuple[str, str] | None:
    """The lineage, if the metadata names one on this architecture."""
    if architecture is None:
        return None
    return next((pair for pair in base_models(metadata) if architecture_of(pair[0]) == architecture), None)


def is_telling(base: str, where: str) -> bool:
    """Whether the metadata is about this file, and not the same for all files of a script."""
    known = by_id(base)
    return "ss_sd_model_name" in where or not (known and known.written_for_all)


def find_architecture(metadata: Metadata, architectures: tuple[str, ...]) -> tuple[str, str] | None:
    """The one of the `architectures` that the metadata names, and where; a network's name precedes a checkpoint's."""
    ranked = sorted(base_models(metadata), key=lambda pair: "ss_base_model_version" not in pair[1])
    named = ((architecture_of(base), where) for base, where in ranked)
    return next(((name, where) for name, where in named if name is not None and name in architectures), None)


def contradiction(metadata: Metadata, architecture: str) -> str | None:
    """Where the metadata names another architecture than the tensors show, though nowhere the right one."""
    named = [(architecture_of(base), where) for base, where in base_models(metadata)]
    if not named or any(name in (architecture, None) for name, _ in named):
        return None
    return named[0][1]


def words(metadata: Metadata) -> tuple[tuple[str, ...], str] | None:
    """Trigger words in the author's own fields, then the names of dataset folders ("10_sks person")."""
    hint = metadata.get("modelspec.usage_hint", "")[:_MAX_HINT]
    claims = trigger_words.card_claims(hint, "usage hint") if "trigger" in hint.casefold() else ()
    value = claims[0].value if claims else ()
    return (
        _words_of(metadata, "modelspec.trigger_phrase", "trigger_phrase")
        or ((value, "metadata: modelspec.usage_hint") if isinstance(value, tuple) and value else None)
        or _words_of(metadata, "ss_trigger_words", "activation_text", "trainedWords")
        or _words_of_folders(metadata)
    )


def _words_of(metadata: Metadata, *keys: str) -> tuple[tuple[str, ...], str] | None:
    for key in keys:
        text = metadata.get(key, "")
        if text.strip().casefold() not in _NOBODY:
            listed = _json(text) if text.lstrip().startswith("[") else None
            entries = [entry for entry in listed if isinstance(entry, str)] if isinstance(listed, list) else [text]
            # More of them are the tags of the training.
            if 0 < len(found := trigger_words.clean(entries)) <= _MAX_WORDS:
                return found, f"metadata: {key}"
    return None


def _words_of_folders(metadata: Metadata) -> tuple[tuple[str, ...], str] | None:
    """The names of folders, or the tags that all images of one have."""
    folders, frequencies = json_object(metadata, "ss_dataset_dirs"), json_object(metadata, "ss_tag_frequency")
    for key, listed in (("ss_dataset_dirs", folders), ("ss_tag_frequency", frequencies)):
        named = {phrase: name for name in listed if (phrase := _phrase_of_folder(name))}
        # More of them are the folders of a collection.
        if 0 < len(named) <= _MAX_WORDS:
            return tuple(named), f"metadata: {key} {', '.join(named.values())[:60]}"
    for name, tags in frequencies.items():
        folder = folders.get(name)
        images = number(folder.get("img_count")) if isinstance(folder, dict) else None
        if isinstance(tags, dict) and images:
            everywhere = [tag.strip() for tag, count in tags.items() if number(count) == images]
            telling = tuple(tag for tag in everywhere if not trigger_words.is_common(tag))
            if telling and len(everywhere) <= 3:
                return telling, f"metadata: ss_tag_frequency {name[:60]}: on every picture"
    return None


def _phrase_of_folder(name: str) -> str:
    """Of "10_sks_person"; empty for a name that means nothing."""
    repeats = re.fullmatch(r"\d+_(.+)", name.strip())
    phrase = repeats[1].strip() if repeats else ""
    # Of "1024x1024" and "train data 2" nothing is left.
    letters = re.findall(r"[^\W\d_]+", phrase.casefold())
    if set(letters) <= _PLAIN_FOLDERS or trigger_words.is_common(phrase):
        return ""
    return phrase if " " in phrase else phrase.replace("_", " ")


def tags(metadata: Metadata) -> tuple[str, ...]:
    """The training tags, most used first."""
    counts: Counter[str] = Counter()
    for listed in json_object(metadata, "ss_tag_frequency").values():
        for tag, count in listed.items() if isinstance(listed, dict) else ():
            times = number(count)
            if times is not None and 0 < times < 1e9 and tag.strip():
                counts[tag.strip()] += int(times)
    return tuple(tag[:80] for tag, _ in counts.most_common(_MAX_TAGS))


def alpha(metadata: Metadata) -> tuple[float, str] | None:
    """The alpha of the training, as kohya's scripts, diffusers (PEFT) or others write it, and where."""
    for key in ("ss_network_alpha", "alpha"):
        value = number(metadata.get(key))
        if value is not None and value > 0:
            return value, f"metadata: {key}"
    # LoHa and LoKr call it `alpha`.
    found, key = next(_peft(metadata, "lora_alpha"), None) or next(_peft(metadata, "alpha"), (None, ""))
    return None if found is None else (found, f"metadata: {_PEFT} {key}")


def peft_divisor(metadata: Metadata, rank: int | None) -> float | None:
    """What PEFT divides alpha by: the rank, its setting where the factors have none, or with use_rslora its root."""
    divisor = rank or next((found for found, _ in _peft(metadata, "r")), None)
    settings = json_object(metadata, _PEFT).items()
    is_root = any(key.endswith("use_rslora") and value is True for key, value in settings)
    return math.sqrt(divisor) if divisor and is_root else divisor


def _peft(metadata: Metadata, setting: str) -> Iterator[tuple[float, str]]:
    """A setting's positive numbers, and the keys. A text encoder has its own, which may be another and comes last."""
    for key, value in sorted(json_object(metadata, _PEFT).items(), key=lambda item: item[0].startswith("text_encoder")):
        found = number(value) if key.rpartition(".")[2] == setting else None
        if found is not None and found > 0:
            yield found, key


def license(metadata: Metadata) -> str | None:
    value = metadata.get("modelspec.license", "").strip()
    return None if value.casefold() in (*_NOBODY, "other") else text(value, 300)


def default_weight(metadata: Metadata) -> float | None:
    """SwarmUI's recommendation."""
    value = number(metadata.get("modelspec.lora_default_weight"))
    return value if value is not None and 0 < abs(value) <= 10 else None


def json_object(metadata: Metadata, key: str) -> Mapping[str, Any]:
    """The JSON object in the field `key`; empty where there is none."""
    found = _json(metadata.get(key, ""))
    return found if isinstance(found, dict) else {}


def _json(text: str) -> Any:
    """None for what can't be read: metadata is only a hint."""
    if not text or len(text) > _MAX_JSON:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
