"""Samples as CivitAI's model objects of August 2026, with the fields of every endpoint."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from hub_ui.demo.build.samples.sample import File, Json, Picture, Release, Sample
from hub_ui.demo.build.samples.times import iso_milliseconds, stable_number, stamp
from hub_ui.demo.hubs.content import Digest, civitai_hashes

_FORMATS = {".safetensors": "SafeTensor", ".pt": "PickleTensor"}


@dataclass(frozen=True, kw_only=True)
class Studio:
    """Typical generation settings for a base model."""

    model: str
    sampler: str = "Euler"
    steps: int = 25
    guidance: float = 3.5
    size: str = "896x976"
    negative: str = ""


_SDXL = Studio(model="sd_xl_base_1.0", sampler="DPM++ 2M Karras", steps=28, guidance=6, negative="blurry, text")
_STUDIOS: dict[str, Studio] = {
    "Flux.1 D": Studio(model="flux1-dev"),
    "Halcyon 2": Studio(model="halcyon-2-base"),
    "Illustrious": replace(_SDXL, model="Illustrious-XL-v1.0", sampler="Euler a", negative="worst quality, signature"),
    "NoobAI": replace(_SDXL, model="NoobAI-XL-v1.1", sampler="Euler a", negative="worst quality, signature"),
    "Pony": replace(_SDXL, model="ponyDiffusionV6XL", sampler="Euler a", negative="score_4, score_5"),
    "Qwen": Studio(model="qwen_image_bf16", steps=20, guidance=2.5),
    "SD 1.5": Studio(model="v1-5-pruned-emaonly", sampler="DPM++ 2M Karras", guidance=7, size="448x488"),
    "SDXL 1.0": _SDXL,
    "Tiny Shapes": Studio(model="tiny-shapes", sampler="DDIM", steps=20, guidance=4, size="128x128"),
    "Wan Video 2.2 T2V-A14B": Studio(model="wan2.2_t2v_14B", steps=8, guidance=1),
    "ZImageTurbo": Studio(model="z_image_turbo_bf16", steps=9, guidance=1),
}


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """CivitAI's fields on an image file."""

    width: int
    height: int
    blurhash: str


@dataclass(frozen=True, kw_only=True)
class Known:
    """Data beside the samples: `digests` by file name, `pictures` by image name."""

    digests: Mapping[str, Digest]
    pictures: Mapping[str, Drawn]
    today: date


def model_object(sample: Sample, known: Known) -> Json:
    versions = [_version(sample, index, known) for index in range(len(sample.releases))]
    generous = bool(sample.licence)
    data = {
        "id": sample.id,
        "name": sample.title,
        "description": sample.about,
        "allowNoCredit": generous,
        "allowCommercialUse": list(sample.licence) if isinstance(sample.licence, tuple) else sample.licence,
        "allowDerivatives": generous,
        "allowDifferentLicense": "Sell" in sample.licence,
        "type": "LORA",
        "minor": False,
        "sfwOnly": False,
        "poi": False,
        "nsfw": False,
        "nsfwLevel": _any_level([picture for release in sample.releases for picture in release.pictures]),
        "availability": "Public",
        "userId": stable_number("user", sample.creator or "", below=9_000_000),
        "baseModels": list(dict.fromkeys(version["baseModel"] for version in versions)),
        "cosmetic": None,
        "supportsGeneration": sample.base != "Halcyon 2",
        "stats": _stats(sample, 1.0) | {"commentCount": _share(sample.likes, 0.04), "tippedAmountCount": 0},
        "creator": {"username": sample.creator, "image": None},
        "tags": list(sample.tags),
        "modelVersions": versions,
        **sample.quirks,
    }
    return data if sample.creator else {key: value for key, value in data.items() if key != "creator"}


def version_number(sample: Sample, index: int) -> int:
    """Newer versions have higher numbers."""
    return sample.id * 10 + len(sample.releases) - index


def file_number(sample: Sample, release_index: int, file_index: int) -> int:
    return version_number(sample, release_index) * 10 + file_index


def _version(sample: Sample, index: int, known: Known) -> Json:
    release, number = sample.releases[index], version_number(sample, index)
    published = stamp(known.today, release.days, f"{sample.name} {release.name}")
    paid = _paid_access(release, known.today)
    data = {
        "id": number,
        "modelId": sample.id,
        "index": index,
        "name": release.name,
        "baseModel": release.base or sample.base,
        "baseModelType": None,
        "createdAt": iso_milliseconds(published - timedelta(minutes=21)),
        "updatedAt": iso_milliseconds(published + timedelta(minutes=4)),
        "publishedAt": iso_milliseconds(published),
        "status": "Published",
        "flags": 0,
        "availability": "Public",
        "nsfwLevel": _any_level(release.pictures),
        "description": release.about,
        "trainedWords": list(release.words),
        "vaeId": None,
        "paidAccess": paid,
        "earlyAccessDeadline": paid["endsAt"] if paid else None,
        "stats": _stats(sample, 0.7 if index == 0 else 0.15),
        "supportsGeneration": sample.base != "Halcyon 2",
        "uploadType": "Created",
        "usageControl": "Download",
        "trainingStatus": None,
        "trainingDetails": None,
        "licensingFee": None,
        **_contents(sample, index, known, iso_milliseconds(published)),
        **release.quirks,
    }
    return {key: value for key, value in data.items() if key != "trainedWords" or value is not None}


def _contents(sample: Sample, index: int, known: Known, scanned: str) -> Json:
    """Files, images and download URLs. An archived model keeps only the images."""
    release, number = sample.releases[index], version_number(sample, index)
    images = [
        _image(picture, release, number * 10 + n, str(sample.base), known.pictures[picture.file])
        for n, picture in enumerate(release.pictures)
    ]
    if sample.quirks.get("mode") == "Archived":
        return {"files": [], "images": images}
    files = [
        _file(file, file_number(sample, index, n), number, scanned, known.digests[file.name])
        for n, file in enumerate(release.files)
    ]
    return {"files": files, "images": images, "downloadUrl": f"{{CIVITAI_ENDPOINT}}/api/download/models/{number}"}


def _file(file: File, number: int, version: int, scanned: str, digest: Digest) -> Json:
    suffix = "." + file.name.rpartition(".")[2]
    metadata = {"format": _FORMATS.get(suffix, "Other"), "size": None, "fp": file.fp, "isRequired": False}
    data = {
        "id": number,
        "sizeKB": digest.size / 1024,
        "name": file.name,
        "overrideName": None,
        "type": file.kind,
        "pickleScanResult": "Danger" if suffix == ".pt" else "Success",
        "pickleScanMessage": "Found a pickle" if suffix == ".pt" else "No Pickle imports",
        "virusScanResult": "Success",
        "virusScanMessage": None,
        "scannedAt": scanned,
        "metadata": {**metadata, "size": "full" if file.fp == "fp32" else None},
        "hashes": civitai_hashes(digest) if suffix != ".pt" else {},
        "downloadUrl": f"{{CIVITAI_ENDPOINT}}/api/download/models/{version}?fileId={number}",
    }
    return {**data, "primary": True} if file.main else data


def _image(picture: Picture, release: Release, number: int, base: str, drawn: Drawn) -> Json:
    return {
        "id": number,
        "url": f"{{CIVITAI_ENDPOINT}}/pictures/original=true/{picture.file}",
        "nsfwLevel": picture.level,
        "width": drawn.width,
        "height": drawn.height,
        "hash": drawn.blurhash,
        "type": "image",
        "minor": False,
        "poi": False,
        "hasMeta": True,
        "hasPositivePrompt": bool(picture.prompt),
        "onSite": False,
        "remixOfId": None,
        "meta": _meta(picture, release, _STUDIOS.get(base, _SDXL)),
    }


def _meta(picture: Picture, release: Release, studio: Studio) -> dict[str, Any]:
    lora = release.files[0].name.rpartition(".")[0]
    weight = release.weight if picture.weight is None else picture.weight
    return {
        "prompt": picture.prompt,
        "negativePrompt": studio.negative,
        "seed": stable_number("seed", picture.name, below=2**31),
        "steps": studio.steps,
        "sampler": studio.sampler,
        "cfgScale": studio.guidance,
        "Size": studio.size,
        "Model": studio.model,
        "resources": [{"name": lora, "type": "lora", "weight": weight}],
        **picture.settings,
    }


def _paid_access(release: Release, today: date) -> Json | None:
    if not release.early:
        return None
    return {"permanent": False, "endsAt": iso_milliseconds(stamp(today, -release.early, release.name))}


def _stats(sample: Sample, share: float) -> Json:
    """Nulls if the creator hides the counters."""
    return {
        "downloadCount": _share(sample.downloads, share),
        "thumbsUpCount": _share(sample.likes, share),
        "thumbsDownCount": _share(sample.likes, share * 0.003),
    }


def _share(count: int | None, share: float) -> int | None:
    return None if count is None else math.floor(count * share)


def _any_level(pictures: tuple[Picture, ...] | list[Picture]) -> int:
    level = 0
    for picture in pictures:
        level |= picture.level
    return level or 1
