import json
from pathlib import Path
from typing import Any

import pytest
from diffusers import ModularPipeline, StableDiffusionPipeline
from torch import nn

from hub_ui.generate.lora.modules import Layer, Shape, Size, components, layers_of, model_of, size_of

SIZES = json.loads(Path(__file__).with_name("sizes.json").read_text(encoding="utf-8"))


def test_the_parts_of_a_pipeline_are_those_that_loras_are_made_for(base: str) -> None:
    pipe: Any = StableDiffusionPipeline.from_pretrained(base, safety_checker=None)  # type: ignore[no-untyped-call]
    assert sorted(components(pipe)) == ["text_encoder", "unet"]
    assert model_of(pipe)["unet"]["conv_in.weight"] == (32, 4, 3, 3)


def test_parts_of_a_modular_pipeline_are_found_too() -> None:
    pipe: Any = ModularPipeline.__new__(ModularPipeline)
    pipe._component_specs = {"transformer": None, "vae": None, "text_conditioner": None, "scheduler": None}
    pipe.__dict__ |= {"transformer": nn.Linear(1, 1), "vae": nn.Linear(1, 1), "text_conditioner": nn.Linear(1, 1)}
    assert sorted(components(pipe)) == ["text_conditioner", "transformer"]


def only(shapes: dict[str, Shape]) -> Layer:
    layers, missed = layers_of(shapes)
    assert missed == ()
    assert len(layers) == 1
    return layers[0]


def missed(shapes: dict[str, Shape]) -> dict[str, tuple[str, ...]]:
    return {each.reason: each.keys for each in layers_of(shapes)[1]}


def test_a_lora_has_two_factors_and_its_strength() -> None:
    layer = only(
        {"lora_unet_a.lora_down.weight": (4, 8), "lora_unet_a.lora_up.weight": (8, 4), "lora_unet_a.alpha": ()}
    )
    assert (layer.name, layer.algorithm) == ("lora_unet_a", "lora")
    assert layer.keys == {
        "down": "lora_unet_a.lora_down.weight",
        "up": "lora_unet_a.lora_up.weight",
        "alpha": "lora_unet_a.alpha",
    }


@pytest.mark.parametrize(
    ("ends", "algorithm"),
    [
        ({".lora_A.default.weight": (2, 8), ".lora_B.default.weight": (8, 2)}, "lora"),
        ({".lora.down.weight": (2, 8), ".lora.up.weight": (8, 2)}, "lora"),
        ({"_lora.down.weight": (2, 8), "_lora.up.weight": (8, 2)}, "lora"),
        ({".lora_A.weight": (2, 8), ".lora_B.weight": (8, 2), ".lora_B.bias": (8,)}, "lora"),
        (
            {".lora_down.weight": (2, 8, 1, 1), ".lora_up.weight": (8, 2, 1, 1), ".lora_mid.weight": (2, 2, 3, 3)},
            "lora",
        ),
        ({f".hada_w{n}_{x}": (8, 2) for n in "12" for x in "ab"}, "loha"),
        ({".lokr_w1": (2, 2), ".lokr_w2": (4, 4)}, "lokr"),
        ({".lokr_w1_a": (2, 1), ".lokr_w1_b": (1, 2), ".lokr_w2_a": (4, 1), ".lokr_w2_b": (1, 4)}, "lokr"),
        ({".oft_blocks": (2, 4, 4)}, "oft"),
        ({".oft_R.weight": (2, 6)}, "oft"),
        ({".oft_blocks": (3, 2, 4, 4)}, "boft"),
        ({".weight": (8,), ".on_input": ()}, "ia3"),
        ({".ia3_l": (8, 1)}, "ia3"),
        ({f".{x}.weight": (2, 2) for x in ("a1", "a2", "b1", "b2")}, "glora"),
        ({".diff": (8, 8), ".diff_b": (8,)}, "diff"),
        ({".diff_b": (8,)}, "diff"),
        ({".w_norm": (8,), ".b_norm": (8,)}, "norm"),
        ({".set_weight": (8,)}, "set"),
    ],
)
def test_the_parts_of_a_layer_tell_its_algorithm(ends: dict[str, Shape], algorithm: str) -> None:
    layer = only({f"unet.a.b{end}": shape for end, shape in ends.items()})
    assert (layer.name, layer.algorithm) == ("unet.a.b", algorithm)
    assert len(layer.keys) == len(ends)


@pytest.mark.parametrize("end", [".dora_scale", ".lora_magnitude_vector", ".magnitude"])
def test_a_magnitude_makes_it_a_dora(end: str) -> None:
    layer = only({"a.lora_A.weight": (2, 8), "a.lora_B.weight": (8, 2), f"a{end}": (8,)})
    assert layer.keys["magnitude"] == f"a{end}"
    lokr = only({"a.lokr_w1": (2, 2), "a.lokr_w2": (4, 4), f"a{end}": (8, 1), "a.alpha": ()})
    assert (lokr.algorithm, lokr.keys["magnitude"]) == ("lokr", f"a{end}")


def test_a_difference_beside_a_lora_is_a_layer_of_its_own() -> None:
    shapes: dict[str, Shape] = {"a.lora_down.weight": (2, 8), "a.lora_up.weight": (8, 2), "a.diff_b": (8,)}
    layers, left = layers_of({**shapes, "a.alpha": ()})
    assert [(layer.algorithm, sorted(layer.keys)) for layer in layers] == [
        ("lora", ["alpha", "down", "up"]),
        ("diff", ["diff_b"]),
    ]
    assert left == ()


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("double_blocks.0.img_attn.norm.query_norm.scale", "double_blocks.0.img_attn.norm.query_norm"),
        ("single_blocks.3.norm.key_norm.scale", "single_blocks.3.norm.key_norm"),
        (
            "transformer.transformer_blocks.0.attn.norm_added_k.weight",
            "transformer.transformer_blocks.0.attn.norm_added_k",
        ),
    ],
)
def test_a_control_lora_brings_norms_as_they_shall_be(name: str, layer: str) -> None:
    found = only({name: (128,)})
    assert (found.name, found.algorithm, found.keys) == (layer, "set", {"set": name})


@pytest.mark.parametrize("end", [".lora_A.weight", ".lora_B.weight", ".hada_w1_a", ".lokr_w1", ".lokr_w2_b", ".alpha"])
def test_half_a_layer_is_missed(end: str) -> None:
    assert missed({f"a{end}": (2, 8)}) == {"of layers whose other half is missing in the file": (f"a{end}",)}


def test_an_alpha_goes_with_the_half_it_belongs_to() -> None:
    assert missed({"a.lora_up.weight": (8, 2), "a.alpha": ()}) == {
        "of layers whose other half is missing in the file": ("a.lora_up.weight", "a.alpha")
    }


@pytest.mark.parametrize(
    ("name", "word"),
    [("bundle_emb.a.flower.clip_l", "a.flower"), ("bundle_emb.a.string_to_param.*", "a"), ("<flower>", "<flower>")],
)
def test_an_embedding_is_missed_by_its_name(name: str, word: str) -> None:
    reason = f"of the embedding “{word}”, which is not put on: in a prompt, “{word}” is a plain word here"
    assert missed({name: (2, 768)}) == {reason: (name,)}


def test_what_no_algorithm_has_is_missed() -> None:
    assert missed({"a.lora_A.weight": (2, 8), "a.lora_B.weight": (8, 2), "conv_in.weight": (3, 3)}) == {
        "that no LoRA algorithm has": ("conv_in.weight",)
    }


def test_numbered_layers_keep_their_numbers() -> None:
    assert only({"unet:12:down": (4, 8), "unet:12:up": (8, 4)}).name == "unet:12"


def test_a_mixture_of_loras_is_missed_whole() -> None:
    assert missed(
        {
            "lora_unet_a.lora_down.weight": (4, 8),
            "lora_unet_a.lora_ups.0.weight": (8, 4),
            "lora_unet_a.router.bias": (2,),
        }
    ) == {
        "of layers whose other half is missing in the file": ("lora_unet_a.lora_down.weight",),
        "of a mixture of LoRAs, which the preview can't weigh": (
            "lora_unet_a.lora_ups.0.weight",
            "lora_unet_a.router.bias",
        ),
    }


def size(ends: dict[str, Shape]) -> Size | None:
    shapes: dict[str, Shape] = {f"a{end}": tuple(shape) for end, shape in ends.items()}
    layers, _ = layers_of(shapes)
    return size_of(layers[0], shapes)


@pytest.mark.parametrize(("ends", "outputs", "inputs"), SIZES)
def test_factors_tell_the_size_of_the_layer(ends: dict[str, Shape], outputs: int | None, inputs: int | None) -> None:
    assert size(ends) == Size(outputs=outputs, inputs=inputs)


@pytest.mark.parametrize(
    "ends",
    [{".weight": (1, 640, 1, 1), ".on_input": ()}, {".ia3_l": (1, 640, 1, 1)}, {".weight": (640,), ".on_input": ()}],
)
def test_an_ia3_tells_the_channels_of_one_side(ends: dict[str, Shape]) -> None:
    found = size(ends)
    assert found == Size(channels=640)
    assert (str(found), found.fits((640, 320, 3, 3)), found.fits((320, 640, 3, 3))) == ("640 channels", True, True)
    assert not found.fits((320, 1280, 3, 3))


def test_what_is_unknown_fits() -> None:
    assert Size(outputs=8).fits((8, 4, 3, 3))
    assert Size(inputs=36).fits((8, 4, 3, 3))
    assert not Size(inputs=4).fits((8, 4, 3, 3))


def test_a_size_is_told_outputs_first() -> None:
    assert str(Size(outputs=640, inputs=320)) == "640 x 320"
    assert str(Size(outputs=640)) == "640 x ?"
