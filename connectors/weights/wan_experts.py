"""Wan 2.2 has two experts, for high and for low noise, and many of its LoRAs are two files, one for each."""

from __future__ import annotations

import re
from typing import Literal

from connectors.claims.resolve import flatten
from connectors.record import Lora, Version, WeightFile
from connectors.ref import Ref

Noise = Literal["high", "low"]

# "nightbus_wan22_low_noise", "LowNoise", "boats-low"; not a style that is called "low poly".
_NOISE = re.compile(r"(high|low)(?=[ _.-]?noise)|(?<=[ _.-])(high|low)$", re.IGNORECASE)


def noise_of(name: str) -> Noise | None:
    """The expert that a file, version or title names; None where it names neither or both."""
    found = {(noise or end).lower() for noise, end in _NOISE.findall(name.removesuffix(".safetensors"))}
    return None if len(found) != 1 else "high" if "high" in found else "low"


def other_half(lora: Lora, ref: Ref) -> Ref | None:
    """The file for the other expert of a Wan LoRA, if exactly one has the same name except for the noise.

    On Hugging Face both lie in one repo. On CivitAI they are two files of one version, or two versions.
    """
    version = lora.version(ref.version)
    file = next((file for file in version.files if file.ref == ref), None) if version else None
    if version is None or file is None or flatten(lora, version, file).architecture != "wan":
        return None
    name, others = file.name, [(other.name, other.ref) for other in _weights(version)]
    if noise_of(name) is None:
        name = version.name
        others = [(other.name, files[0].ref) for other in lora.versions if len(files := _weights(other)) == 1]
    noise = noise_of(name)
    wanted = (_without_noise(name), "low" if noise == "high" else "high")
    found = [ref for other, ref in others if (_without_noise(other), noise_of(other)) == wanted]
    return found[0] if noise is not None and len(found) == 1 else None


def _weights(version: Version) -> list[WeightFile]:
    return [file for file in version.files if file.format == "safetensors"]


def _without_noise(name: str) -> str:
    return _NOISE.sub("*", name.removesuffix(".safetensors")).casefold()
