"""Training metadata of a file: kohya's ss_*, Stability's modelspec.*, ai-toolkit's fields, PEFT's adapter config.

Metadata is text from a training script, and some scripts write the same for every file: ai-toolkit falls back to
"sd_1.5", and some kohya forks put stable-diffusion-v1/lora on networks that they don't know. So metadata may name a
lineage on the architecture that the tensors show, or choose among the architectures that the tensors allow, but it
never overrides the tensors.
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

# Values of ss_base_model_version that are not a spelling of their base model.
_VERSIONS: Mapping[str, str] = {name: model.id for model in BASE_MODELS for name in model.ss_versions}
# modelspec.architecture without "/lora".
_SPECS: Mapping[str, str] = {name: model.id for model in BASE_MODELS for name in model.modelspecs}
# In modelspec.architecture, SimpleTuner writes a family and its flavour: "wan-t2v-480p-1.3b-2.1". Longer names are
# first.
_FAMILIES: Mapping[str, str] = dict(
    sorted(
        ((name, model.id) for model in BASE_MODELS for name in model.simpletuner),
        key=lambda pair: len(pair[0]),
        reverse=True,
    )
)


def base_of(key: str, value: str) -> str | None:
    """Return the base model that the metadata's field `key` names with `value`."""
    name, is_spec = value.casefold(), key == "modelspec.architecture"
    if is_spec:
        name = re.sub(r"[/-](?:lora|embedding|controlnet)$", "", name)
    models_by_value = _SPECS if is_spec else _VERSIONS if key == "ss_base_model_version" else {}
    if name in models_by_value:
        return models_by_value[name]
    if model := identify(name):
        return model.id
    families = (base for family, base in _FAMILIES.items() if name == family or name.startswith(f"{family}-"))
    return next(families, None) if is_spec else None


Metadata = Mapping[str, str]
_MAX_WORDS = 20
_MAX_TAGS = 30
_MAX_JSON = 4_000_000
_MAX_HINT = 10_000
# Patterns with gaps are slow on a hostile text, and real names of models are shorter.
_MAX_NAME = 1_000

_CHECKPOINTS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), base) for pattern, base in TABLES.checkpoints.items()
)
_EMPTY_VALUES = ("", "none", "null", "unknown")
# The metadata key of PEFT's configuration in files that diffusers writes.
_PEFT = "lora_adapter_metadata"
# Words in the names of dataset folders that have no meaning.
_PLAIN_FOLDERS = read_wording("training_metadata").words["plain_folders"]


def base_models(metadata: Metadata) -> Iterator[tuple[str, str]]:
    """Yield each base model that the metadata names, with its place, the most specific first."""
    checkpoint = metadata.get("ss_sd_model_name", "")[:_MAX_NAME]
    if base := next((base for pattern, base in _CHECKPOINTS if pattern.search(checkpoint)), None):
        yield base, f"metadata: ss_sd_model_name = {checkpoint[:80]}"
    for key in ("ss_base_model_version", "modelspec.architecture", "base_model"):
        value = metadata.get(key, "")[:_MAX_NAME].strip()
        if value.casefold() not in _EMPTY_VALUES and (model := base_of(key, value)):
            yield model, f"metadata: {key} = {value[:80]}"


def base_model(metadata: Metadata, architecture: str | None) -> tuple[str, str] | None:
    """Return the lineage and its place, if the metadata names one on this architecture."""
    if architecture is None:
        return None
    return next((pair for pair in base_models(metadata) if architecture_of(pair[0]) == architecture), None)


def is_specific(base: str, where: str) -> bool:
    """Return whether the metadata is about this file, and not the same for all files of a script."""
    model = by_id(base)
    return "ss_sd_model_name" in where or not (model and model.written_for_all)


def find_architecture(metadata: Metadata, architectures: tuple[str, ...]) -> tuple[str, str] | None:
    """Return which of the `architectures` the metadata names, and its place.

    The name of a network precedes the name of a checkpoint.
    """
    sorted_bases = sorted(base_models(metadata), key=lambda pair: "ss_base_model_version" not in pair[1])
    named = ((architecture_of(base), where) for base, where in sorted_bases)
    return next(((name, where) for name, where in named if name is not None and name in architectures), None)


def contradiction(metadata: Metadata, architecture: str) -> str | None:
    """Return the place of an architecture that the tensors rule out, unless the metadata also names the right one."""
    named = [(architecture_of(base), where) for base, where in base_models(metadata)]
    if not named or any(name in (architecture, None) for name, _ in named):
        return None
    return named[0][1]


def words(metadata: Metadata) -> tuple[tuple[str, ...], str] | None:
    """Return trigger words and their place: from the author's fields, or from dataset folders ("10_sks person")."""
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
        value = metadata.get(key, "")
        if value.strip().casefold() not in _EMPTY_VALUES:
            listed = _json(value) if value.lstrip().startswith("[") else None
            entries = [entry for entry in listed if isinstance(entry, str)] if isinstance(listed, list) else [value]
            # Longer lists are the tags of the training.
            if 0 < len(cleaned := trigger_words.clean(entries)) <= _MAX_WORDS:
                return cleaned, f"metadata: {key}"
    return None


def _words_of_folders(metadata: Metadata) -> tuple[tuple[str, ...], str] | None:
    """Return trigger words from the names of dataset folders, or from the tags that all images of a folder have."""
    folders, frequencies = json_object(metadata, "ss_dataset_dirs"), json_object(metadata, "ss_tag_frequency")
    for key, listed in (("ss_dataset_dirs", folders), ("ss_tag_frequency", frequencies)):
        named = {phrase: name for name in listed if (phrase := _phrase_of_folder(name))}
        # Longer lists are the folders of a collection.
        if 0 < len(named) <= _MAX_WORDS:
            return tuple(named), f"metadata: {key} {', '.join(named.values())[:60]}"
    for name, tags in frequencies.items():
        folder = folders.get(name)
        images = number(folder.get("img_count")) if isinstance(folder, dict) else None
        if isinstance(tags, dict) and images:
            everywhere = [tag.strip() for tag, count in tags.items() if number(count) == images]
            uncommon_tags = tuple(tag for tag in everywhere if not trigger_words.is_common(tag))
            if uncommon_tags and len(everywhere) <= 3:
                return uncommon_tags, f"metadata: ss_tag_frequency {name[:60]}: on every picture"
    return None


def _phrase_of_folder(name: str) -> str:
    """Return the phrase in a name like "10_sks_person", or "" for a name without meaning."""
    repeats = re.fullmatch(r"\d+_(.+)", name.strip())
    phrase = repeats[1].strip() if repeats else ""
    # Names like "1024x1024" and "train data 2" contain plain words only.
    letters = re.findall(r"[^\W\d_]+", phrase.casefold())
    if set(letters) <= _PLAIN_FOLDERS or trigger_words.is_common(phrase):
        return ""
    return phrase if " " in phrase else phrase.replace("_", " ")


def tags(metadata: Metadata) -> tuple[str, ...]:
    """Return the training tags, most used first."""
    counts: Counter[str] = Counter()
    for listed in json_object(metadata, "ss_tag_frequency").values():
        for tag, count in listed.items() if isinstance(listed, dict) else ():
            times = number(count)
            if times is not None and 0 < times < 1e9 and tag.strip():
                counts[tag.strip()] += int(times)
    return tuple(tag[:80] for tag, _ in counts.most_common(_MAX_TAGS))


def alpha(metadata: Metadata) -> tuple[float, str] | None:
    """Return the alpha of the training and its place, as kohya's scripts, diffusers (PEFT) or other tools write it."""
    for key in ("ss_network_alpha", "alpha"):
        value = number(metadata.get(key))
        if value is not None and value > 0:
            return value, f"metadata: {key}"
    # PEFT's LoHa and LoKr name it `alpha`.
    peft_alpha, key = next(_peft(metadata, "lora_alpha"), None) or next(_peft(metadata, "alpha"), (None, ""))
    return None if peft_alpha is None else (peft_alpha, f"metadata: {_PEFT} {key}")


def peft_divisor(metadata: Metadata, rank: int | None) -> float | None:
    """Return the number that PEFT divides alpha by: the rank, or its root if use_rslora is set.

    If the factors have no rank, the rank is PEFT's setting `r`.
    """
    divisor = rank or next((found for found, _ in _peft(metadata, "r")), None)
    settings = json_object(metadata, _PEFT).items()
    is_root = any(key.endswith("use_rslora") and value is True for key, value in settings)
    return math.sqrt(divisor) if divisor and is_root else divisor


def _peft(metadata: Metadata, setting: str) -> Iterator[tuple[float, str]]:
    """Yield a setting's positive numbers and their keys.

    The text encoder's own setting, which may differ, comes last.
    """
    for key, value in sorted(json_object(metadata, _PEFT).items(), key=lambda item: item[0].startswith("text_encoder")):
        found = number(value) if key.rpartition(".")[2] == setting else None
        if found is not None and found > 0:
            yield found, key


def license(metadata: Metadata) -> str | None:
    value = metadata.get("modelspec.license", "").strip()
    return None if value.casefold() in (*_EMPTY_VALUES, "other") else text(value, 300)


def default_weight(metadata: Metadata) -> float | None:
    """Return SwarmUI's recommended weight."""
    value = number(metadata.get("modelspec.lora_default_weight"))
    return value if value is not None and 0 < abs(value) <= 10 else None


def json_object(metadata: Metadata, key: str) -> Mapping[str, Any]:
    """Return the JSON object in the field `key`, or an empty mapping if it is missing or unreadable."""
    value = _json(metadata.get(key, ""))
    return value if isinstance(value, dict) else {}


def _json(text: str) -> Any:
    """Return the parsed text, or None if it is unreadable, because metadata is only a hint."""
    if not text or len(text) > _MAX_JSON:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
