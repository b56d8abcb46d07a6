"""Tensor tables of generated LoRA files, with the key names of common training tools."""

import json
import re
from collections.abc import Callable, Iterator
from itertools import takewhile
from operator import itemgetter
from typing import Any, TypeAlias

from hub_ui.demo.build.samples.networks import NETWORKS, Layer, clip_g, clip_l
from hub_ui.demo.build.samples.sample import Json, Weights

Shape: TypeAlias = list[int]
Tensors: TypeAlias = Iterator[tuple[str, Shape]]

LOKR_FACTOR = 8
_NUMBER = re.compile(r"(?<=[._])\d+(?=[._])")

# How kohya's scripts name the base model: ss_network_module, ss_base_model_version, ss_sd_model_name.
_KOHYA_NAMES: dict[str, tuple[str, str, str]] = {
    "flux1": ("networks.lora_flux", "flux1", "flux1-dev.safetensors"),
    "halcyon": ("networks.lora_halcyon", "halcyon_2", "halcyon-2-base.safetensors"),
    "qwen-image": ("networks.lora_qwen_image", "qwen_image", "qwen_image_bf16.safetensors"),
    "sd1": ("networks.lora", "sd_v1", "v1-5-pruned-emaonly.safetensors"),
    "sd3.5": ("networks.lora_sd3", "5-large", "sd3.5_large.safetensors"),
    "sdxl": ("networks.lora", "sdxl_base_v1-0", "sd_xl_base_1.0.safetensors"),
    "wan": ("networks.lora_wan", "wan", "wan2.2_t2v_low_noise_14B.safetensors"),
    "z-image": ("networks.lora_zimage", "z_image", "z_image_turbo_bf16.safetensors"),
}
# How ai-toolkit names the base model: ss_base_model_version.
_AI_TOOLKIT_NAMES = {"flux1": "flux1", "qwen-image": "qwen_image", "wan": "wan_2.2_14b", "z-image": "zimage"}


def spec(weights: Weights) -> Json:
    """The file as the local hubs generate it (see demo/hubs/content.py)."""
    tensors = {name: [weights.dtype, shape] for name, shape in _tensors(weights)}
    scalars = {} if weights.alpha is None else {"*.alpha": weights.alpha}
    return {"tensors": tensors, "metadata": _metadata(weights), "seed": weights.seed, "scalars": scalars}


def fold_tensors(tensors: Json) -> list[Json]:
    """Numbered blocks that repeat written once, for content.expand_tensors to read."""
    rows = list(tensors.items())
    blocks: list[Json] = []
    at = 0
    while at < len(rows):
        stop, block = max(
            (_repeat(rows, at, number) for number in _NUMBER.finditer(rows[at][0])), default=(at, {}), key=itemgetter(0)
        )
        if stop > at:
            blocks.append(block)
            at = stop
            continue
        if not blocks or "repeat" in blocks[-1]:
            blocks.append({"tensors": {}})
        blocks[-1]["tensors"][rows[at][0]] = rows[at][1]
        at += 1
    return blocks


def _repeat(rows: list[tuple[str, Any]], at: int, number: re.Match[str]) -> tuple[int, Json]:
    """The end of a run of equal blocks that count up in this place of their names, and the block; `at` for no run."""
    head, first = number.string[: number.start()], int(number.group())

    def block(start: int, count: int) -> list[tuple[str, Any]]:
        prefix = f"{head}{count}"
        found = takewhile(lambda row: re.match(rf"{re.escape(prefix)}[._]", row[0]), rows[start:])
        return [(name.removeprefix(prefix), entry) for name, entry in found]

    pattern = block(at, first)
    stop, count = at + len(pattern), first + 1
    while pattern and block(stop, count) == pattern:
        stop, count = stop + len(pattern), count + 1
    if count == first + 1:
        return at, {}
    return stop, {"repeat": [first, count], "tensors": {f"{head}{{}}{tail}": entry for tail, entry in pattern}}


def _tensors(weights: Weights) -> Tensors:
    write = _LAYOUTS[weights.layout]
    for prefix in weights.encoders:
        for layer in clip_g() if prefix == "te2" else clip_l():
            yield from write(layer, weights, prefix)
    for layer in NETWORKS[weights.network]():
        if not weights.only or any(word in layer.name for word in weights.only):
            yield from write(layer, weights, "unet")


def _kohya(layer: Layer, weights: Weights, part: str) -> Tensors:
    stem = f"lora_{part}_{layer.name.replace('.', '_')}"
    if weights.alpha is not None:
        yield f"{stem}.alpha", []
    yield from _ALGORITHMS[weights.algorithm](stem, layer, weights.rank)


def _diffusers(layer: Layer, weights: Weights, _part: str) -> Tensors:
    component = "unet" if weights.network.startswith("sd") else "transformer"
    yield from _pair(f"{component}.{layer.name}", layer, weights.rank)


def _ai_toolkit(layer: Layer, weights: Weights, _part: str) -> Tensors:
    yield from _pair(f"diffusion_model.{layer.name}", layer, weights.rank)


def _peft(layer: Layer, weights: Weights, _part: str) -> Tensors:
    yield from _pair(f"base_model.model.{layer.name}", layer, weights.rank)


def _pair(stem: str, layer: Layer, rank: int) -> Tensors:
    yield f"{stem}.lora_A.weight", [rank, layer.inputs]
    yield f"{stem}.lora_B.weight", [layer.outputs, rank]


def _lora(stem: str, layer: Layer, rank: int) -> Tensors:
    window = [layer.kernel] * 2 if layer.kernel else []
    yield f"{stem}.lora_down.weight", [rank, layer.inputs, *window]
    yield f"{stem}.lora_up.weight", [layer.outputs, rank, *(1 for _ in window)]


def _dora(stem: str, layer: Layer, rank: int) -> Tensors:
    yield f"{stem}.dora_scale", [layer.outputs, 1, *([1, 1] if layer.kernel else [])]
    yield from _lora(stem, layer, rank)


def _loha(stem: str, layer: Layer, rank: int) -> Tensors:
    inputs = layer.inputs * (layer.kernel or 1) ** 2
    for half in ("w1", "w2"):
        yield f"{stem}.hada_{half}_a", [layer.outputs, rank]
        yield f"{stem}.hada_{half}_b", [rank, inputs]


def _lokr(stem: str, layer: Layer, rank: int) -> Tensors:
    inputs = layer.inputs * (layer.kernel or 1) ** 2
    yield f"{stem}.lokr_w1", [LOKR_FACTOR, LOKR_FACTOR]
    yield f"{stem}.lokr_w2_a", [layer.outputs // LOKR_FACTOR, rank]
    yield f"{stem}.lokr_w2_b", [rank, inputs // LOKR_FACTOR]


_LAYOUTS: dict[str, Callable[[Layer, Weights, str], Tensors]] = {
    "ai-toolkit": _ai_toolkit,
    "diffusers": _diffusers,
    "kohya": _kohya,
    "peft": _peft,
}
_ALGORITHMS: dict[str, Callable[[str, Layer, int], Tensors]] = {
    "dora": _dora,
    "loha": _loha,
    "lokr": _lokr,
    "lora": _lora,
}


def _metadata(weights: Weights) -> dict[str, str]:
    if weights.silent:
        return {}
    return _METADATA[weights.layout](weights)


def _family(weights: Weights) -> str:
    """The key in the tables above: `sdxl` for `sdxl convolutions`, `wan` for `wan 14b`."""
    return weights.network.split()[0]


def _kohya_metadata(weights: Weights) -> dict[str, str]:
    module, version, checkpoint = _KOHYA_NAMES[_family(weights)]
    arguments = _network_arguments(weights)
    said = {
        "ss_network_module": "lycoris.kohya" if weights.algorithm != "lora" else module,
        "ss_network_dim": str(weights.rank),
        "ss_network_alpha": str(float(weights.alpha or weights.rank)),
        "ss_base_model_version": version,
        "ss_v2": "False",
        "ss_sd_model_name": weights.trained_on or checkpoint,
        **({"ss_network_args": json.dumps(arguments)} if arguments else {}),
    }
    if not weights.words:
        return said
    folder = f"10_{weights.words[0]}"
    counts = {word: 40 for word in weights.words}
    return {
        **said,
        "ss_dataset_dirs": json.dumps({folder: {"n_repeats": 10, "img_count": 40}}),
        "ss_tag_frequency": json.dumps({folder: {**counts, "simple background": 17, "outdoors": 11}}),
        "modelspec.trigger_phrase": ", ".join(weights.words),
    }


def _network_arguments(weights: Weights) -> dict[str, str]:
    if weights.algorithm == "dora":
        return {"algo": "locon", "dora_wd": "True"}
    if weights.algorithm == "lokr":
        return {"algo": "lokr", "factor": str(LOKR_FACTOR)}
    if weights.algorithm == "loha":
        return {"algo": "loha"}
    if weights.network.endswith("convolutions"):
        return {"conv_dim": str(weights.rank), "conv_alpha": str(weights.alpha or weights.rank)}
    return {}


def _diffusers_metadata(weights: Weights) -> dict[str, str]:
    component = "unet" if weights.network.startswith("sd") else "transformer"
    config = {"r": weights.rank, "lora_alpha": weights.alpha or weights.rank, "peft_type": "LORA", "use_dora": False}
    adapter = {f"{component}.{key}": value for key, value in config.items()}
    return {"format": "pt", "lora_adapter_metadata": json.dumps(adapter)}


def _ai_toolkit_metadata(weights: Weights) -> dict[str, str]:
    word = weights.words[0] if weights.words else ""
    return {
        "format": "pt",
        "name": word or "untitled",
        "software": json.dumps({"name": "ai-toolkit", "version": "0.1.0"}),
        "ss_base_model_version": _AI_TOOLKIT_NAMES.get(_family(weights), "sd_1.5"),
        **({"ss_tag_frequency": json.dumps({f"1_{word}": {word: 1}})} if word else {}),
    }


def _peft_metadata(_weights: Weights) -> dict[str, str]:
    return {"format": "pt"}


_METADATA: dict[str, Callable[[Weights], dict[str, str]]] = {
    "ai-toolkit": _ai_toolkit_metadata,
    "diffusers": _diffusers_metadata,
    "kohya": _kohya_metadata,
    "peft": _peft_metadata,
}
