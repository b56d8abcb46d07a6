"""Samples as Replicate's models, with an example, versions and the training."""

from collections.abc import Iterable
from datetime import date, timedelta

from hub_ui.demo.build.samples.sample import Json, Picture, Release, Sample
from hub_ui.demo.build.samples.schemas import openapi_schema
from hub_ui.demo.build.samples.times import iso_microseconds, stable_hex, stable_number, stamp

_COLLECTIONS: dict[str, dict[str, str]] = {
    "flux": {
        "name": "FLUX fine-tunes",
        "slug": "flux-fine-tunes",
        "description": "Models that people trained on FLUX.1 with pictures of their own.",
    },
    "sdxl": {
        "name": "SDXL fine-tunes",
        "slug": "sdxl-fine-tunes",
        "description": "Models that people trained on SDXL with pictures of their own.",
    },
    "tiny-shapes": {
        "name": "Tiny Shapes fine-tunes",
        "slug": "tiny-shapes-fine-tunes",
        "description": "Models of a size for any computer.",
    },
}
TRAINER = "hub-ui/lora-trainer"


def model_object(sample: Sample, today: date) -> Json:
    owner, _, name = sample.name.partition("/")
    newest = sample.releases[0] if sample.releases else None
    oldest = sample.releases[-1].days if sample.releases else 30
    picture = newest.pictures[0] if newest and newest.pictures else None
    data = {
        "url": f"https://replicate.com/{sample.name}",
        "owner": owner,
        "name": name,
        "description": _description(sample),
        "visibility": "public",
        "is_official": False,
        "github_url": None,
        "paper_url": None,
        "license_url": None,
        "run_count": sample.downloads,
        "cover_image_url": _url(picture) if picture else None,
        "created_at": iso_microseconds(stamp(today, oldest, sample.name) - timedelta(hours=1)),
        "default_example": _prediction(sample, newest, picture, today) if newest and picture else None,
        "latest_version": _version(sample, newest, today) if newest else None,
    }
    return {**data, **sample.quirks}


def version_objects(sample: Sample, today: date) -> list[Json]:
    """Newest first. `model` names the version's model; the local hub removes it."""
    return [{**_version(sample, release, today), "model": sample.name} for release in sample.releases]


def collection_objects(samples: Iterable[Sample]) -> list[Json]:
    """One for each kind of fine-tune, with names instead of model objects, which the local hub fills in."""
    names: dict[str, list[str]] = {}
    for sample in samples:
        names.setdefault(str(sample.base), []).append(sample.name)
    return [
        {**about, "full_description": None, "models": names[base]}
        for base, about in _COLLECTIONS.items()
        if base in names
    ]


def version_id(sample: Sample, release: Release) -> str:
    return stable_hex("version", sample.name, release.name)


def training_object(sample: Sample, today: date) -> Json:
    """The training of the newest version."""
    release = sample.releases[0]
    done = stamp(today, release.days, sample.name) - timedelta(minutes=2)
    run = stable_hex("training", sample.name)[:26]
    url = f"{{REPLICATE_ENDPOINT}}/v1/trainings/{run}"
    word = release.words[0] if release.words else "TOK"
    return {
        "id": run,
        "model": TRAINER,
        "version": stable_hex("version", TRAINER),
        "input": {"steps": 1000, "lora_rank": 8, "trigger_word": word, "autocaption": True, "resolution": "512,768"},
        "output": {
            "version": f"{sample.name}:{version_id(sample, release)}",
            "weights": f"{{DELIVERY}}/replicate/{sample.name}/{version_id(sample, release)}/trained_model.tar",
        },
        "error": None,
        "logs": "",
        "metrics": {"predict_time": 1310.5, "total_time": 1316.2},
        "status": "succeeded",
        "created_at": iso_microseconds(done - timedelta(minutes=24)),
        "started_at": iso_microseconds(done - timedelta(minutes=23)),
        "completed_at": iso_microseconds(done),
        "data_removed": False,
        "urls": {"get": url, "cancel": f"{url}/cancel"},
    }


def _description(sample: Sample) -> str | None:
    """The author's text, plus missing trigger words, for which Replicate has no other field."""
    words = sample.releases[0].words if sample.releases else ()
    if not words or words[0].lower() in sample.about.lower():
        return sample.about or None
    return f'{sample.about} Use "{", ".join(words)}" to trigger it.'


def _version(sample: Sample, release: Release, today: date) -> Json:
    return {
        "id": version_id(sample, release),
        "created_at": iso_microseconds(stamp(today, release.days, sample.name)),
        "cog_version": "0.16.8",
        "openapi_schema": openapi_schema(str(sample.base)),
    }


def _prediction(sample: Sample, release: Release, picture: Picture, today: date) -> Json:
    made = stamp(today, release.days, sample.name) + timedelta(minutes=9)
    run = stable_hex("prediction", sample.name)[:26]
    seconds = 2.5 + stable_number("seconds", sample.name, below=600) / 100
    return {
        "id": run,
        "model": sample.name,
        "version": version_id(sample, release),
        "input": {**_inputs(str(sample.base), release, picture), **_noted(picture)},
        "output": [_url(picture)],
        "error": None,
        "logs": None,
        "metrics": {"predict_time": seconds, "total_time": seconds + 0.4},
        "status": "succeeded",
        "created_at": iso_microseconds(made),
        "started_at": iso_microseconds(made + timedelta(milliseconds=400)),
        "completed_at": iso_microseconds(made + timedelta(seconds=seconds)),
        "data_removed": False,
        "urls": {"get": f"{{REPLICATE_ENDPOINT}}/v1/predictions/{run}"},
    }


def _inputs(base: str, release: Release, picture: Picture) -> Json:
    prompt = {"prompt": picture.prompt}
    if base == "upscaler":
        return {"image": _url(picture), "scale": 2}
    if base == "sdxl":
        return {**prompt, "refine": "no_refiner", "scheduler": "K_EULER", "lora_scale": release.weight}
    if base == "tiny-shapes":
        return {**prompt, "model": "tiny-shapes", "lora_scale": release.weight, "num_inference_steps": 20}
    return {**prompt, "model": "dev", "lora_scale": release.weight, "num_inference_steps": 28, "guidance_scale": 3}


def _noted(picture: Picture) -> Json:
    return {"seed": picture.settings["seed"]} if "seed" in picture.settings else {}


def _url(picture: Picture) -> str:
    return f"{{DELIVERY}}/pictures/{picture.file}"
