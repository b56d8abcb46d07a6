"""Images of ComfyUI, SwarmUI and InvokeAI: what they say is read like A1111's."""

import json
from pathlib import Path
from typing import Any

import pytest

from hub_ui.images import example_settings
from hub_ui.images.example_settings import ExampleSettings
from hub_ui.images.graphs import read_graph
from hub_ui.images.infotext import UsedLora

GRAPHS: dict[str, Any] = json.loads(Path(__file__).with_name("graphs.json").read_text(encoding="utf-8"))
GRAPH = GRAPHS["stable diffusion"]
KSAMPLER = GRAPH["3"]["inputs"]


def read(**texts: Any) -> ExampleSettings:
    found = read_graph({key: text if isinstance(text, str) else json.dumps(text) for key, text in texts.items()})
    assert found is not None
    return example_settings.of_text(found)


def with_node(number: str, class_type: str, **inputs: Any) -> dict[str, Any]:
    return {**GRAPH, number: {"class_type": class_type, "inputs": inputs}}


def test_a_graph_of_comfyui_says_what_an_infotext_would_of_its_first_pass_and_the_loras_on_its_way() -> None:
    found = read(prompt=GRAPH)
    assert (found.prompt, found.negative, found.seed, found.steps, found.guidance) == ("a cat", "blurred", 5, 12, 6.5)
    assert (found.size, found.sampler) == ((512, 768), "DPM++ 2M Karras")
    assert found.unmapped == ("the checkpoint “dreamshaper_8.safetensors”",)
    assert read(prompt=GRAPH).loras == (
        UsedLora(name="ink", weight=0.8, clip_weight=0.5), UsedLora(name="paper", weight=0.4),
    )  # fmt: skip
    second = {**KSAMPLER, "seed": 6, "denoise": 0.5, "latent_image": ["3", 0]}
    found = read(prompt=with_node("20", "KSampler", **second))
    assert (found.seed, found.unmapped[0]) == (5, "Hires upscale by a second pass")


def test_a_prompt_may_come_from_another_node() -> None:
    graph = {
        **with_node("6", "CLIPTextEncode", text=["9", 0]),
        "9": {"class_type": "Text", "inputs": {"string": "a fox"}},
    }
    assert read(prompt=graph).prompt == "a fox"


def test_numbers_may_come_from_other_nodes() -> None:
    graph = {
        **with_node("3", "KSampler", **{**KSAMPLER, "seed": ["20", 0], "steps": ["21", 0], "cfg": ["22", 0]}),
        "20": {"class_type": "Seed (rgthree)", "inputs": {"seed": 77}},
        "21": {"class_type": "PrimitiveInt", "inputs": {"value": 30}},
        "22": {"class_type": "Reroute", "inputs": {"": ["21", 0]}},
    }
    found = read(prompt=graph)
    assert (found.seed, found.steps, found.guidance, found.sampler) == (77, 30, None, "DPM++ 2M Karras")


INK = UsedLora(name="ink", weight=0.6)


@pytest.mark.parametrize(
    "inputs",
    [
        {"lora_name": {"content": "ink.safetensors", "image": None}, "strength_model": 0.6, "strength_clip": 0.6},
        {"switch_1": "On", "lora_name_1": "ink.safetensors", "model_weight_1": 0.6, "clip_weight_1": 0.6,
         "switch_2": "Off", "lora_name_2": "off.safetensors", "lora_name_3": "None"},
        {"lora_name_1": "ink.safetensors", "lora_wt_1": 0.6},
        {"loras": {"__value__": [{"name": "ink", "strength": 0.6, "active": True},
                                 {"name": "off", "strength": 1, "active": False}]}},
    ],
)  # fmt: skip
def test_each_loader_names_its_loras_in_its_own_way(inputs: dict[str, Any]) -> None:
    assert read(prompt=with_node("11", "Loader", **inputs)).loras == (INK,)


def test_samplers_of_flux_have_their_numbers_beside_them() -> None:
    found = read(prompt=GRAPHS["flux"])
    assert (found.prompt, found.seed, found.steps, found.guidance) == ("a tall tower", 9, 20, 3.5)
    assert found.loras == (UsedLora(name="ink", weight=0.7),)


def test_a_workflow_alone_is_read_by_its_widgets() -> None:
    found = read(workflow=GRAPHS["workflow"])
    assert (found.prompt, found.negative, found.seed, found.steps) == ("a cat", "dull", 5, 12)
    assert found.loras == (UsedLora(name="ink", weight=0.8),)


def test_swarmui_names_the_tensors_of_its_loras() -> None:
    said = {
        "sui_image_params": {
            "prompt": "a cat", "negativeprompt": "dull", "seed": 5, "steps": 12, "cfgscale": 7, "sampler": "euler",
            "width": 64, "height": 96, "model": "x", "loras": ["style/ink"], "loraweights": ["0.6"]},
        "sui_models": [{"name": "style/ink.safetensors", "param": "loras", "hash": "0x" + "ab" * 32}],
    }  # fmt: skip
    found = read(parameters=said)
    assert found.loras == (UsedLora(name="ink", weight=0.6, hash="ab" * 6),)
    assert (found.prompt, found.negative, found.size) == ("a cat", "dull", (64, 96))


def test_invokeai_is_read() -> None:
    said = {
        "positive_prompt": "a cat", "negative_prompt": "dull", "seed": 5, "steps": 12, "cfg_scale": 7.5,
        "scheduler": "euler_a", "width": 64, "height": 96, "model": {"name": "SDXL"},
        "loras": [{"model": {"name": "Ink", "hash": "blake3:00"}, "weight": 0.75}],
    }  # fmt: skip
    found = read(invokeai_metadata=said)
    assert (found.prompt, found.guidance, found.sampler) == ("a cat", 7.5, "Euler a")
    assert found.loras == (UsedLora(name="Ink", weight=0.75),)


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "text",
    [
        "{", "[]", "{}", "[" * 100_000, '{"a":' * 100_000, '{"1": {"inputs": []}}', "{" + " " * 5_000_000,
        json.dumps({str(i): {"inputs": {"a": [str(i + 1), 0], "positive": "", "seed": 1}} for i in range(9_000)}),
        '{"links": [[[1], 2, 0, 3, 0, "MODEL"]]}',
        json.dumps({"1": {"inputs": {"positive": ["1", 0], "seed": ["1", 0], "model": ["1", 0]}}}),
    ],
)  # fmt: skip
def test_a_hostile_graph_ends(text: str) -> None:
    read_graph({"prompt": text, "workflow": text, "parameters": text, "invokeai_metadata": text})
