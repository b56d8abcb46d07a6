"""Samples for tests, with only what a test is about said out loud."""

from typing import Any

from hub_ui.demo.build.samples.sample import File, Hub, Picture, Release, Sample, Weights

WEIGHTS = Weights(network="z-image", layout="ai-toolkit", rank=2)


def release(**said: Any) -> Release:
    usual = {
        "name": "v1",
        "days": 10,
        "files": (File(name="lora.safetensors", content=WEIGHTS),),
        "pictures": (Picture(name="dunes-dusk-1", prompt="dunes at dusk"),),
        "words": ("dn",),
        "weight": 0.8,
    }
    return Release(**{**usual, **said})


def sample(hub: Hub, **said: Any) -> Sample:
    usual = {
        "name": "somebody/dunes",
        "id": 4200,
        "title": "Dunes",
        "creator": "somebody",
        "base": "SDXL 1.0",
        "kind": "style",
        "about": "Sand.",
        "tags": ("style",),
        "licence": ("Image",),
        "downloads": 1000,
        "likes": 100,
        "releases": (release(),),
    }
    return Sample(hub=hub, **{**usual, **said})
