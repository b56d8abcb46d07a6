"""Samples as the Hugging Face Hub's model objects and commits. The cards are in cards.py."""

from datetime import date

from hub_ui.demo.build.samples.cards import card, front_matter, picture_paths
from hub_ui.demo.build.samples.sample import Json, Release, Sample
from hub_ui.demo.build.samples.times import iso_milliseconds, stable_hex, stamp
from hub_ui.demo.hubs.huggingface_store import hub_tags

ATTRIBUTES = "*.safetensors filter=lfs diff=lfs merge=lfs -text\n"


def model_object(sample: Sample, today: date) -> Json:
    newest, oldest = sample.releases[0], sample.releases[-1]
    data = front_matter(sample, newest)
    files = ["README.md", *paths(sample, newest)]
    info = {
        "_id": stable_hex("repository", sample.name)[:24],
        "id": sample.name,
        "modelId": sample.name,
        "author": sample.name.partition("/")[0],
        "sha": commit_id(sample, newest),
        "lastModified": iso_milliseconds(stamp(today, newest.days, sample.name)),
        "createdAt": iso_milliseconds(stamp(today, oldest.days + 1, sample.name)),
        "private": False,
        "disabled": False,
        "gated": False,
        "tags": hub_tags(data, files),
        "downloads": sample.downloads,
        "likes": sample.likes,
        "trendingScore": (sample.likes or 0) // 60,
        "library_name": "diffusers",
        "pipeline_tag": "text-to-image",
        "siblings": [{"rfilename": path} for path in sorted(files)],
        "cardData": data,
    }
    return {**info, **{key: value for key, value in sample.quirks.items() if key != "cardData"}}


def commits(sample: Sample, files: dict[str, Json], today: date) -> list[Json]:
    """`files` are the hub files by release and path, as in `OWNER/NAME@COMMIT/PATH`."""
    return [
        {
            "sha": commit_id(sample, release),
            "date": iso_milliseconds(stamp(today, release.days, sample.name)),
            "title": "Upload folder using huggingface_hub" if release.name == "main" else release.name,
            "files": {path: files[at(sample, release, path)] for path in paths(sample, release)},
            "readme": card(sample, release),
        }
        for release in sample.releases
    ]


def paths(sample: Sample, release: Release) -> list[str]:
    """Everything but the card."""
    return [".gitattributes", *(file.name for file in release.files), *picture_paths(sample, release)]


def at(sample: Sample, release: Release, path: str) -> str:
    return f"{sample.name}@{commit_id(sample, release)}/{path}"


def commit_id(sample: Sample, release: Release) -> str:
    """Does not depend on the date, so that pinned commits stay valid."""
    return stable_hex("commit", sample.name, release.name)[:40]
