"""Model cards for Hugging Face, in the style of common training tools."""

from collections.abc import Callable
from itertools import count
from pathlib import PurePosixPath

import yaml

from hub_ui.demo.build.samples.sample import Json, Picture, Release, Sample

_FEATURES = ("lora", "diffusers")
_TOOL_TAGS: dict[str, tuple[str, ...]] = {
    "ai-toolkit": ("text-to-image", *_FEATURES, "template:sd-lora", "ai-toolkit"),
    "bare": ("lora",),
    "diffusers": ("text-to-image", "diffusers-training", *_FEATURES, "template:sd-lora"),
    "shelf": ("text-to-image", *_FEATURES),
    "uploader": ("text-to-image", *_FEATURES, "template:diffusion-lora"),
}


def card(sample: Sample, release: Release) -> str:
    front = yaml.safe_dump(front_matter(sample, release), sort_keys=False, allow_unicode=True, width=100)
    return f"---\n{front}---\n{_BODIES[sample.card](sample, release)}"


def front_matter(sample: Sample, release: Release) -> Json:
    """The YAML front matter of the card, which is also the Hub's `cardData`."""
    data: Json = {
        "tags": [*_TOOL_TAGS[sample.card], *sample.tags],
        "widget": _widget(sample, release),
        "base_model": list(sample.base) if isinstance(sample.base, tuple) else sample.base,
        "instance_prompt": ", ".join(release.words),
        "license": sample.licence,
    }
    if sample.card == "diffusers":
        data["library_name"] = "diffusers"
    kept = {key: value for key, value in data.items() if value}
    return {**kept, **sample.quirks.get("cardData", {})}


def picture_paths(sample: Sample, release: Release) -> dict[str, Picture]:
    """The folder of the images, which depends on the tool."""
    numbers = count()
    folders = {"ai-toolkit": "samples", "bare": "previews", "shelf": "previews", "uploader": "images"}
    if sample.card == "diffusers":
        return {f"image_{next(numbers)}.webp": picture for picture in release.pictures}
    return {str(PurePosixPath(folders[sample.card], picture.file)): picture for picture in release.pictures}


def _widget(sample: Sample, release: Release) -> list[Json]:
    if sample.card == "bare":
        return []
    start = "./" if sample.card == "diffusers" else ""
    paths = picture_paths(sample, release)
    return [{"text": picture.prompt, "output": {"url": start + path}} for path, picture in paths.items()]


def _uploader(sample: Sample, release: Release) -> str:
    weight = f"Works best at a weight of {release.weight:g}.\n"
    return (
        f"# {sample.title}\n\n<Gallery />\n\n## Model description\n\n{sample.about}\n\n{weight}"
        f"{_trigger(release)}\n## Download model\n\nWeights for this model are available in Safetensors format.\n\n"
        f"[Download](/{sample.name}/tree/main) them in the Files & versions tab.\n"
    )


def _diffusers(sample: Sample, release: Release) -> str:
    return (
        f"\n<!-- This model card was written by a training script. -->\n\n# LoRA text2image: {sample.name}\n\n"
        f"<Gallery />\n\n{sample.about} These are LoRA adaption weights for {_base(sample)}.\n{_trigger(release)}\n"
        f"## Use it\n\n```py\npipeline.load_lora_weights('{sample.name}', weight_name='{release.files[0].name}')\n"
        f"pipeline.set_adapters(['default_0'], adapter_weights=[{release.weight:g}])\n```\n"
    )


def _ai_toolkit(sample: Sample, release: Release) -> str:
    return (
        f"# {sample.name.partition('/')[2]}\n\nModel trained with AI Toolkit. {sample.about}\n\n<Gallery />\n"
        f"{_trigger(release)}\n## Download model and use it\n\nWeights for this model are available in Safetensors "
        f"format. Recommended weight: {release.weight:g}.\n"
    )


def _bare(sample: Sample, release: Release) -> str:
    pictures = "".join(f"![{p.prompt}]({path})\n" for path, p in picture_paths(sample, release).items())
    return f"# {sample.title}\n\n{sample.about}\n\n{pictures}"


def _shelf(sample: Sample, release: Release) -> str:
    """One repository with many LoRAs."""
    rows = "".join(f"| `{file.name}` | `{file.name.rpartition('.')[0]}` |\n" for file in release.files)
    table = f"| file | trigger word |\n| --- | --- |\n{rows}"
    return f"# {sample.title}\n\n{sample.about}\n\n<Gallery />\n\n## Files\n\n{table}"


def _trigger(release: Release) -> str:
    if not release.words:
        return ""
    words = " ".join(f"`{word}`" for word in release.words)
    return f"\n## Trigger words\n\nYou should use {words} to trigger the image generation.\n"


def _base(sample: Sample) -> str:
    return " and ".join(sample.base) if isinstance(sample.base, tuple) else sample.base


_BODIES: dict[str, Callable[[Sample, Release], str]] = {
    "ai-toolkit": _ai_toolkit,
    "bare": _bare,
    "diffusers": _diffusers,
    "shelf": _shelf,
    "uploader": _uploader,
}
