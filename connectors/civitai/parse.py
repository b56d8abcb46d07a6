"""Convert CivitAI's JSON to a Lora.

The list, by-id and version endpoints have different shapes, which changed between 2023 and 2026.
"""

import html
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from connectors.claims import base_models, card, content, license, minors, trigger_words
from connectors.claims.trigger_words import card_claims
from connectors.http.errors import early_access_note
from connectors.http.json_fields import (
    Table,
    address,
    autov3,
    count,
    flag,
    mark,
    moment,
    number,
    sha256,
    table,
    tables,
    text,
    texts,
    when,
    whole,
)
from connectors.record import Access, Claim, Example, FileFormat, Lora, Version, WeightFile, is_marked, keep_permitted
from connectors.ref import Ref

LORA_TYPES = ("LORA", "LoCon", "DoRA")
# A version's other files are training data, VAEs, configs or workflows.
_WEIGHT_TYPES = ("Model", "Pruned Model", "Enhancement LoRA")
_ALGORITHMS = {"LORA": "lora", "LoCon": "locon", "DoRA": "dora"}
_TAG = re.compile(r"<[^>]{0,2000}>")
# `comfy` and `workflow` are node graphs of up to hundreds of kilobytes per image. The prompt is a field of Example.
_UNWANTED_PARAMS = ("prompt", "comfy", "workflow")
_MAX_PARAM = 2000
# The types of LoRAs in an image's `resources`.
_LISTED_TYPES = ("lora", "locon", "lycoris", "dora")
_HASH = re.compile(r"[0-9A-Fa-f]{8,64}")
_SEPARATORS = re.compile(r'[,:"]')
_MAX_LISTED = 40
_MAX_SIDE = 20_000
_MAX_NOTE = 2_000
# CivitAI's boolean fields of a model, and the fields of the claims.
_MARKS = {"minor": "minor", "sfwOnly": "sfw_only", "poi": "real_person"}
_SCANS = ("virusScanResult", "pickleScanResult")
# The results of a scan, the worst first.
_SCAN_RESULTS = ("Danger", "Error", "Pending", "Success")


def lora(model: Table, web: str, now: datetime) -> Lora | None:
    """Convert a model to a Lora that may be shown (see keep_permitted), or return None if it is not a LoRA."""
    model_id = whole(model.get("id"))
    if model_id is None or model_id < 0 or model.get("type") not in LORA_TYPES:
        return None
    ref = Ref(hub="civitai", id=str(model_id))
    enumerated = enumerate(tables(model.get("modelVersions")))
    parsed = (_version(ref, version, f"modelVersions[{i}].", now) for i, version in enumerated)
    versions = tuple(version for version in parsed if version is not None)
    stats = table(model.get("stats"))
    level, rated = content.lora_level(model, [example.nsfw for version in versions for example in version.examples])
    short_texts = [(text(model.get("name")) or "", "name"), *((tag, "tags") for tag in _tags(model.get("tags")))]
    for version in tables(model.get("modelVersions")):
        short_texts += ((word, "trainedWords") for word in texts(version.get("trainedWords")))
    for parsed_version in versions:
        short_texts += ((file.name, "file name") for file in parsed_version.files)
        short_texts += ((example.prompt or "", "prompt") for example in parsed_version.examples)
    minor = minors.minor_claims(level, short_texts, claims=[claim for v in versions for claim in v.claims])
    availability = lora_availability(model)
    # CivitAI replaced favorites by thumbsUp in March 2024.
    likes = (count(stats.get(name)) for name in ("thumbsUpCount", "favoriteCount"))
    complete = Lora(
        ref=ref,
        title=text(model.get("name"), 300) or f"Model {model_id}",
        url=f"{web}/models/{model_id}",
        creator=text(table(model.get("creator")).get("username"), 100),
        description=text(model.get("description")) or "",
        description_format="html",
        nsfw=level,
        downloads=count(stats.get("downloadCount")),
        likes=next((number for number in likes if number is not None), None),
        updated_at=max((v.updated_at for v in versions if v.updated_at), default=None),
        tags=_tags(model.get("tags")),
        access=availability.access,
        versions=versions,
        claims=(*_lora_claims(model), *availability.claims(), *rated, *minor),
    )
    return keep_permitted(complete)


def lora_of_version(version: Table, web: str, now: datetime, model: Table | None = None) -> Lora | None:
    """Convert a version to a Lora, if its model was deleted or the version was found by a hash.

    `model` is the response about the model, if there is one. It adds the content level and the marks, which the
    response about a version lacks.
    """
    summary = table(version.get("model"))
    fields = {name: summary.get(name) for name in ("name", "type", "nsfw", "mode")}
    fields |= {name: value for name, value in (model or {}).items() if name in ("nsfwLevel", *_MARKS)}
    fields |= {name: version.get(name) for name in ("description", "stats")}
    return lora({"id": version.get("modelId"), **fields, "modelVersions": [version]}, web, now)


def with_version(model: Table, alone: Table) -> dict[str, Any]:
    """Return the model with one version completed.

    `alone` is the response about that version. Only it has usageControl and the metadata of images.
    """
    versions = [dict(version) for version in tables(model.get("modelVersions"))]
    index = next((i for i, listed in enumerate(versions) if whole(listed.get("id")) == whole(alone.get("id"))), None)
    if index is None:
        # CivitAI caches a model for minutes, so a new version may be missing from it.
        return {**model, "modelVersions": [*versions, dict(alone)]}
    listed = versions[index]
    by_id = {whole(file.get("id")): file for file in tables(listed.get("files"))}
    files = [{**by_id.get(whole(file.get("id")), {}), **file} for file in tables(alone.get("files"))]
    filled = {key: value for key, value in alone.items() if value not in (None, [], {}, "")}
    versions[index] = {**listed, **filled, "files": files or listed.get("files")}
    return {**model, "modelVersions": versions}


def _lora_claims(model: Table) -> tuple[Claim, ...]:
    first = next(iter(tables(model.get("modelVersions"))), {})
    title, model_type = text(model.get("name")) or "", str(model.get("type"))
    marks = tuple(_mark_claims(model))
    return (
        *content.kind_claims(_tags(model.get("tags")), "tags", title, "name"),
        # A "person of interest" is a real person.
        *(
            replace(claim, field="kind", value="character", source="tag")
            for claim in marks
            if is_marked([claim], "real_person")
        ),
        *marks,
        *content.word_claims(trigger_words.clean(texts(first.get("trainedWords")))),
        *license.civitai_claims(model),
        # Authors choose "LORA" for LoKr and LoHa too, so the claim is too weak to contradict the file.
        Claim(field="algorithm", value=_ALGORITHMS[model_type], source="tag", where="type"),
        *_description_claims(model.get("description"), "description"),
    )


def _mark_claims(model: Table) -> Iterator[Claim]:
    """Yield one claim for each mark of the model, of its versions, or of the models within its versions.

    A single True outweighs any number of False, and the claim names the field with the True.
    """
    for name, field in _MARKS.items():
        places = {name: mark(model.get(name))}
        for i, version in enumerate(tables(model.get("modelVersions"))):
            places[f"modelVersions[{i}].{name}"] = mark(version.get(name))
            places[f"modelVersions[{i}].model.{name}"] = mark(table(version.get("model")).get(name))
        known = {where: value for where, value in places.items() if value is not None}
        if known:
            where = max(known, key=known.__getitem__)
            yield Claim(field=field, value=known[where], source="hub", where=where)


def _description_claims(description: object, where: str) -> tuple[Claim, ...]:
    body = plain(description)
    return (*card_claims(body, where), *card.scale_claims(body, where))


def _version(ref: Ref, version: Table, where: str, now: datetime) -> Version | None:
    """Convert a version. `where` is its path in the response, for its claims. Return None if it has no id."""
    version_id = whole(version.get("id"))
    if version_id is None or version_id < 0:
        return None
    pinned = ref.at(str(version_id))
    availability = version_availability(version, now)
    base, words = text(version.get("baseModel"), 100), texts(version.get("trainedWords"))
    examples = tuple(example for image in tables(version.get("images")) if (example := _example(image)) is not None)
    prompts = tuple(example.prompt for example in examples if example.prompt)
    files = tables(version.get("files"))
    paths = [(file, f"{where}files[{i}].") for i, file in enumerate(files)]
    weights = [(file, path) for file, path in paths if file.get("type", "Model") in _WEIGHT_TYPES]
    weights = weights or [(file, path) for file, path in paths if str(file.get("name")).endswith(".safetensors")]
    # A prompt can name a version's files in these ways.
    names = (text(file.get(key), 300) for file in files for key in ("name", "overrideName"))
    stems = tuple(name.rpartition(".")[0] or name for name in names if name)
    times = (when(version.get(name)) for name in ("publishedAt", "updatedAt", "createdAt"))
    return Version(
        ref=pinned,
        name=text(version.get("name"), 200) or str(version_id),
        description=" ".join(plain(version.get("description")).split())[:_MAX_NOTE],
        updated_at=next(filter(None, times), None),
        access=availability.access,
        access_note=availability.note,
        files=tuple(_file(pinned, file, path) for file, path in weights),
        examples=examples,
        claims=(
            *(base_models.base_claims(base, "hub", f"{where}baseModel") if base else ()),
            *trigger_words.claims_of(trigger_words.clean(words), "hub", f"{where}trainedWords"),
            *card.weight_claims(words, f"{where}trainedWords"),
            *_description_claims(version.get("description"), f"{where}description"),
            *card.prompt_weight_claims(prompts, stems, f"{where}images"),
            *availability.claims(where),
        ),
    )


_WITHDRAWN = ("Deleted", "Unpublished", "UnpublishedViolation")
# Any other word is a newer or an internal state, and does not count as open.
_OPEN_WORDS = {"status": ("Published",), "availability": ("Public", "Unsearchable", "EarlyAccess")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Availability:
    """Whether a file can be downloaded. CivitAI's fields for it have changed several times.

    `note` explains why not; `field` is the hub's field that proves it, if there is one.
    """

    access: Access
    note: str | None = None
    field: str | None = None

    def claims(self, at: str = "") -> tuple[Claim, ...]:
        if self.field is None:
            return ()
        return (Claim(field="access", value=self.access, source="hub", where=f"{at}{self.field}"),)


_OPEN = Availability(access="open")


def lora_availability(model: Table) -> Availability:
    """Return the availability of a model.

    `mode` is absent, Archived (no files), or TakenDown (no images either). An unknown mode is not open.
    """
    mode = text(model.get("mode"), 40)
    if mode == "Archived":
        return Availability(access="archived", note="Its author archived it.", field="mode")
    if mode == "TakenDown":
        return Availability(access="removed", note="CivitAI took it down.", field="mode")
    return _OPEN if mode is None else _unknown_state(mode, "mode")


def version_availability(version: Table, now: datetime) -> Availability:
    usage = text(version.get("usageControl"))
    if usage not in (None, "Download"):
        note = "Its author allows generation on CivitAI only."
        return Availability(access="generation-only", note=note, field="usageControl")
    if text(version.get("status")) in _WITHDRAWN:
        return Availability(access="removed", note="Its author took it back.", field="status")
    for field, words in _OPEN_WORDS.items():
        word = text(version.get(field), 40)
        if word is not None and word not in words:
            return _unknown_state(word, field)
    sale = _sale(version, now)
    if sale.access == "open" and flag(version.get("requireAuth")):
        note = "Its author lets only people with a CivitAI key download it."
        return Availability(access="login", note=note, field="requireAuth")
    return Availability(access="open", field="usageControl") if sale is _OPEN and usage else sale


def _unknown_state(word: str, field: str) -> Availability:
    note = f"CivitAI gives its state as “{word}”, so it can't be downloaded."
    return Availability(access="archived", note=note, field=field)


def _sale(version: Table, now: datetime) -> Availability:
    """Return whether a version is sold or in early access.

    Since July 2026, `paidAccess` is {"permanent": bool, "endsAt": ISO or null}. The sale is over if it has neither.
    """
    sale = version.get("paidAccess")
    if sale is not None:
        paid = table(sale)
        if not isinstance(sale, dict) or paid.get("permanent") not in (None, False):
            return Availability(access="paid", note="Sold on CivitAI.", field="paidAccess")
        ends = {"paidAccess": paid.get("endsAt")}
        over = Availability(access="open", field="paidAccess")
    else:
        # Until August 2024 a number of days after publishing, and from then on a deadline in one of two fields.
        ends = {key: version.get(key) for key in ("earlyAccessEndsAt", "earlyAccessDeadline")}
        days, start = number(version.get("earlyAccessTimeFrame")), moment(version.get("publishedAt"))
        if days and 0 < days < 1000 and start:
            ends["earlyAccessTimeFrame"] = str(start + timedelta(days=days))
        over = _OPEN
    field, end = next(((key, end) for key, end in ends.items() if end not in (None, "")), ("", None))
    until = moment(end)
    if until is not None and until > now:
        return Availability(access="paid", note=early_access_note(until, now), field=field)
    # Between August 2024 and July 2026 some versions had this word without a date.
    field = field or ("availability" if over is _OPEN and text(version.get("availability")) == "EarlyAccess" else "")
    # An invalid date may lie in the future, so it counts as paid.
    return Availability(access="paid", note="In early access on CivitAI.", field=field) if field and not until else over


def _file(version: Ref, file: Table, where: str) -> WeightFile:
    file_id = whole(file.get("id"))
    unnamed = f"{version.version}.safetensors"
    name = re.split(r"[\\/]", text(file.get("overrideName"), 300) or text(file.get("name"), 300) or unnamed)[-1]
    name = name or unnamed
    kilobytes = number(file.get("sizeKB"))
    hashes = table(file.get("hashes"))
    return WeightFile(
        ref=version.at(version.version, str(file_id) if file_id is not None else None),
        name=name,
        size=round(kilobytes * 1024) if kilobytes and 0 < kilobytes < 2**40 else None,
        sha256=sha256(hashes.get("SHA256")),
        autov3=autov3(hashes.get("AutoV3")),
        format=_format(table(file.get("metadata")).get("format"), name),
        primary=file.get("primary") is True,
        claims=_scan_claims(file, where),
    )


def _scan_claims(file: Table, where: str) -> tuple[Claim, ...]:
    """Return the worse result of the two scans. An unknown word counts as worse than a success."""
    results = {name: result for name in _SCANS if (result := text(file.get(name), 40))}
    order = {result: place for place, result in enumerate(_SCAN_RESULTS)}
    worst = min(results.values(), key=lambda result: order.get(result, 2), default=None)
    if worst is None:
        return ()
    names = ", ".join(f"{where}{name}" for name, result in results.items() if result == worst)
    return (Claim(field="scan", value=worst, source="hub", where=names),)


def _format(stated: object, name: str) -> FileFormat:
    suffix = name.rpartition(".")[2].lower()
    # The file name is more reliable: the stated format of a .safetensors is often `Other`.
    if suffix == "safetensors":
        return "safetensors"
    if suffix in ("pt", "ckpt", "bin", "pth") or stated == "PickleTensor":
        return "pickle"
    return "safetensors" if stated == "SafeTensor" and suffix != "zip" else "other"


def _example(image: Table) -> Example | None:
    url = address(image.get("url"))
    if url is None:
        return None
    meta = table(image.get("meta"))
    # /images may nest the metadata one level deeper if flatMeta is not set.
    meta = table(meta.get("meta")) or meta
    plain = {key: _param(value) for key, value in meta.items() if key not in _UNWANTED_PARAMS}
    return Example(
        url=url,
        prompt=text(meta.get("prompt"), 20_000),
        nsfw=content.image_level(image.get("nsfwLevel"), image.get("nsfw")),
        params={**{key: value for key, value in plain.items() if value is not None}, **lora_params(meta)},
        video=image.get("type") == "video" or url.endswith((".mp4", ".webm")),
        width=_side(image.get("width")),
        height=_side(image.get("height")),
    )


def community_image(item: Table) -> Example | None:
    """Convert an image of /images, which any user may have made.

    Its base model is that of the checkpoint. `meta` has only the file name of the checkpoint.
    """
    example, base = _example(item), text(item.get("baseModel"), 100)
    return replace(example, params={**example.params, "Base model": base}) if example and base else example


def _side(value: object) -> int | None:
    side = count(value)
    return side if side and side <= _MAX_SIDE else None


def lora_params(meta: Table) -> dict[str, str]:
    """Return an image's LoRAs as fields of A1111's infotext, which all readers of parameters understand."""
    loras = [item for key in ("resources", "additionalResources") for item in tables(meta.get(key)) if _is_lora(item)]
    hashes = {
        **_texts((name[5:], value) for name, value in table(meta.get("hashes")).items() if name[:5].lower() == "lora:"),
        **_texts((item.get("name"), item.get("hash")) for item in loras),
    }
    weights = _texts((item.get("name"), item.get(key)) for key in ("strength", "weight") for item in loras)
    versions = [
        {"type": "lora", "weight": number(item.get("weight")), "modelVersionId": version}
        for item in tables(meta.get("civitaiResources"))
        if _is_lora(item) and (version := whole(item.get("modelVersionId"))) is not None
    ]
    fields = {
        "Lora hashes": _join({name: value for name, value in hashes.items() if _HASH.fullmatch(value)}),
        "Lora weights": _join({name: value for name, value in weights.items() if number(value) is not None}),
        "Civitai resources": json.dumps(versions[:_MAX_LISTED], separators=(",", ":")) if versions else "",
    }
    return {name: value for name, value in fields.items() if value}


def _is_lora(item: Table) -> bool:
    return str(item.get("type", "")).lower() in _LISTED_TYPES


def _texts(pairs: Iterable[tuple[object, object]]) -> dict[str, str]:
    """Return the pairs with both texts, and replace the characters that would end a name in an infotext."""
    read = ((text(name, 300), text(value, 64)) for name, value in pairs)
    return {_SEPARATORS.sub("_", name.removesuffix(".safetensors")): value for name, value in read if name and value}


def _join(pairs: dict[str, str]) -> str:
    return ", ".join(f"{name}: {value}" for name, value in list(pairs.items())[:_MAX_LISTED])


def _param(value: object) -> str | int | float | bool | None:
    """Return a text, number or boolean. Return None for lists and objects, which refer to resources of the hub."""
    if isinstance(value, str):
        return text(value, _MAX_PARAM)
    if isinstance(value, bool):
        return value
    return value if isinstance(value, int | float) and number(value) is not None else None


def _tags(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else []
    # The public API lists texts; the API of the website wraps them as {"name": ...}.
    return texts([table(tag).get("name") if isinstance(tag, dict) else tag for tag in items])


def plain(description: object) -> str:
    """Return the text of a description without markup, to read claims from. It is not sanitised for display."""
    return html.unescape(_TAG.sub(" ", card.lines(text(description) or "")))
