"""The tables against diffusers' own converters of whole checkpoints: every row of every layer lands where they put it.

A checkpoint is made in the original names, in which each row is its own number. What diffusers makes of it has to be
what the table says, row by row. And names on the real networks, built without weights: every layer, in every spelling
that trainers write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pytest

from hub_ui.generate.lora.key_mapping import map_keys
from hub_ui.generate.lora.module_names import TABLES, UNETS, Names, expand_rows, flat, modules_of, names_of, originals
from hub_ui.generate.lora.modules import Shape, matrix
from tests.hub_ui.generate.pipelines.spellings import first_of_each
from tests.tools.accuracy.real_models import MODELS, architecture_of, built

if TYPE_CHECKING:
    from torch import Tensor

CONVERTERS: Mapping[str, str] = {
    "flux1": "convert_flux_transformer_checkpoint_to_diffusers",
    "chroma": "convert_chroma_transformer_checkpoint_to_diffusers",
    "flux2 klein 4b": "convert_flux2_transformer_checkpoint_to_diffusers",
    "flux3": "convert_flux3_transformer_checkpoint_to_diffusers",
    "flux3 klein": "convert_flux3_transformer_checkpoint_to_diffusers",
    "sd3 medium": "convert_sd3_transformer_checkpoint_to_diffusers",
    "sd3 large": "convert_sd3_transformer_checkpoint_to_diffusers",
    "auraflow": "convert_auraflow_transformer_checkpoint_to_diffusers",
    "mochi": "convert_mochi_transformer_checkpoint_to_diffusers",
    "hunyuan-video": "convert_hunyuan_video_transformer_to_diffusers",
    "lumina2": "convert_lumina2_to_diffusers",
    "z-image": "convert_z_image_transformer_checkpoint_to_diffusers",
    "sana 1.6b": "convert_sana_transformer_to_diffusers",
    "wan i2v": "convert_wan_transformer_to_diffusers",
    "ltx-video": "convert_ltx_transformer_checkpoint_to_diffusers",
    "ltx-video-2": "convert_ltx2_transformer_to_diffusers",
    "anima": "convert_cosmos_transformer_checkpoint_to_diffusers",
    "krea2": "convert_krea2_transformer_checkpoint_to_diffusers",
    "qwen-image-2": "convert_qwen_image21_transformer_checkpoint_to_diffusers",
    "minimax-h3": "convert_minimax_h3_transformer_checkpoint_to_diffusers",
}
# These networks call a norm's weight its scale.
_SCALES = ("query_norm", "key_norm", "qnorm", "knorm", "prenorm", "postnorm", "last.norm", "txtmlp.0")


class Checkpoint(dict[str, "Tensor"]):
    """It has whatever a converter asks for beyond the layers that are looked at."""

    def pop(self, key: str, default: Any = None) -> Any:
        import torch

        return super().pop(key, torch.zeros(6, 1) if default is None else default)


def converted(name: str, convert: Callable[..., Any], checkpoint: Checkpoint) -> Mapping[str, Any]:
    result: Mapping[str, Any] = convert(checkpoint, config={}) if name == "minimax-h3" else convert(checkpoint)
    return result


@pytest.mark.parametrize("name", CONVERTERS)
def test_every_row_lands_where_diffusers_puts_it(name: str) -> None:
    import torch
    from diffusers.loaders import single_file_utils

    model = built(name)
    sizes = modules_of(model["transformer"])
    names = names_of(model, architecture_of(name))
    rows = [row for row in expand_rows(TABLES[architecture_of(name)], sizes) if set(row[1].modules) <= sizes.keys()]
    checkpoint, expected, start = Checkpoint(), dict[str, "Tensor"](), 0
    for original, entry in first_of_each(rows):
        height = sum(sizes[module][0] for module in entry.modules)
        weight = torch.arange(start, start + height)[:, None]
        start += height
        scale = original.endswith(_SCALES) and name.split()[0] in ("flux1", "chroma", "flux2", "flux3", "krea2")
        checkpoint[original + (".scale" if scale else ".weight")] = weight
        checkpoint[original + ".bias"] = weight
        for target in names.network[flat(original)]:
            expected[target.module] = torch.cat([weight[a:b] for a, b in target.rows or ((0, height),)])
    for module in sizes.keys() - expected.keys():
        checkpoint.setdefault(f"{module}.weight", torch.zeros(sizes[module][0], 1))
    found = converted(name, getattr(single_file_utils, CONVERTERS[name]), checkpoint)
    wrong = [module for module, weight in expected.items() if not _is(found, module, weight)]
    assert wrong == []
    assert len(expected) > 30


def _is(found: Mapping[str, Any], module: str, weight: Tensor) -> bool:
    import torch

    value = found.get(f"{module}.weight", found.get(module))
    return value is not None and value.numel() == weight.numel() and torch.equal(value.reshape(weight.shape), weight)


@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl"])
def test_a_unet_s_layers_land_where_diffusers_puts_them(name: str) -> None:
    import torch
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint

    sizes: Mapping[str, Shape] = modules_of(built(name)["unet"])
    pairs = {module: original for original, module in originals(sizes)}
    assert sizes.keys() == pairs.keys()
    checkpoint = {
        f"model.diffusion_model.{original}.{part}": torch.tensor([number])
        for number, original in enumerate(pairs.values())
        for part in ("weight", "bias")
    }
    addition = "text_time" if name == "sdxl" else None
    config = {"layers_per_block": 2, "addition_embed_type": addition}
    found: Mapping[str, Tensor] = convert_ldm_unet_checkpoint(checkpoint, config)  # type: ignore[no-untyped-call]
    assert {module: int(found[f"{module}.weight"]) for module in pairs} == {
        module: number for number, module in enumerate(pairs)
    }


RANK = 4


@pytest.fixture(scope="module")
def names(request: pytest.FixtureRequest) -> Names:
    """Of the network of that name, whose tests come one after another, so that each is built once."""
    return names_of(built(request.param), architecture_of(request.param))


def main_of(names: Names) -> str:
    return "unet" if "unet" in names.sizes else "transformer"


def linears(names: Names, component: str) -> dict[str, Shape]:
    return {module: shape for module, shape in names.sizes[component].items() if len(shape) > 1}


def file_of(
    layers: Mapping[str, tuple[int, int]], down: str = ".lora_A.weight", up: str = ".lora_B.weight"
) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {}
    for layer, (outputs, inputs) in layers.items():
        shapes[layer + down] = (RANK, inputs)
        shapes[layer + up] = (outputs, RANK)
    return shapes


KOHYA = (".lora_down.weight", ".lora_up.weight")
PEFT = (".lora_A.weight", ".lora_B.weight")
# MAIN stands for the component.
SPELLINGS: tuple[tuple[Callable[[str], str], tuple[str, str]], ...] = (
    (lambda name: f"MAIN.{name}", PEFT),
    (lambda name: f"MAIN.{name}", (".lora.down.weight", ".lora.up.weight")),
    (lambda name: f"base_model.model.{name}", PEFT),
    (lambda name: f"MAIN.base_model.model.{name}", PEFT),
    (lambda name: name, (".lora_A.default.weight", ".lora_B.default.weight")),
    (lambda name: f"diffusion_model.{name}", PEFT),
    (lambda name: f"lora_unet_{flat(name)}", KOHYA),
    (lambda name: f"lora_transformer_{flat(name)}", KOHYA),
    (lambda name: f"lycoris_{flat(name)}", KOHYA),
)


@pytest.mark.parametrize("names", MODELS, indirect=True)
def test_every_layer_is_placed_in_every_spelling(names: Names) -> None:
    main = main_of(names)
    own = linears(names, main)
    shapes: dict[str, Shape] = {}
    for number, (module, shape) in enumerate(own.items()):
        # The spellings take turns, shifted from round to round so that a layer of each block meets them all.
        spelled, ends = SPELLINGS[(number + number // len(SPELLINGS)) % len(SPELLINGS)]
        shapes.update(file_of({spelled(module).replace("MAIN", main): matrix(shape)}, *ends))
    found = map_keys(shapes, names)
    assert sorted(target.module for placed in found.layers for target in placed.targets) == sorted(own)
    assert found.missed == ()


@pytest.mark.parametrize("names", MODELS, indirect=True)
def test_no_two_modules_differ_in_dots_alone(names: Names) -> None:
    for sizes in names.sizes.values():
        assert len({flat(module) for module in sizes}) == len(sizes)


READERS = [name for name in MODELS if any(each.startswith("text_encoder") for each in MODELS[name])]


@pytest.mark.parametrize("names", READERS, indirect=True)
def test_every_layer_of_the_text_encoders_is_placed(names: Names) -> None:
    for number, component in enumerate((each for each in names.sizes if each.startswith("text_encoder")), 1):
        own = linears(names, component)
        layers = {f"{component}.{module}": matrix(shape) for module, shape in own.items()}
        kohya = {f"lora_te{number}_{flat(module)}": size for module, size in zip(own, layers.values(), strict=True)}
        for file in (file_of(layers), file_of(kohya, *KOHYA)):
            found = map_keys(file, names)
            assert [(t.component, t.module) for placed in found.layers for t in placed.targets] == [
                (component, module) for module in own
            ]


@pytest.mark.parametrize("names", MODELS, indirect=True)
def test_every_spelling_covers_its_rows_exactly_once(names: Names) -> None:
    for spelling, targets in names.network.items():
        places = [(target.component, target.module) for target in targets]
        assert len(set(places)) == len(places), spelling
        rows = sorted(row for target in targets for row in target.rows or ())
        if rows:
            outputs = sum(names.size(target)[0] for target in targets)
            assert [start for start, _ in rows] == [0, *(stop for _, stop in rows[:-1])], spelling
            assert rows[-1][1] == outputs, spelling


# In the original code these are parts of no layer, or are called as in diffusers, or a LoRA of them is no LoRA.
_ALIKE = (
    "scale_shift_table",
    "pos_embed",
    "register_tokens",
    "pad_token",
    "pos_frequencies",
    "token_refiner.final_norm",
)
ORIGINAL = [name for name in MODELS if architecture_of(name) in TABLES or architecture_of(name) in UNETS]


@pytest.mark.parametrize("names", ORIGINAL, indirect=True)
def test_every_block_has_an_original_name(names: Names) -> None:
    """Attention and feed-forward of every block that the original code calls otherwise."""
    main = main_of(names)
    own = {flat(module): module for module in names.sizes[main]}
    reached = {
        target.module
        for spelling, targets in names.network.items()
        if spelling not in own and f"{spelling}_0" not in own
        for target in targets
    }
    renamed = [module for module in linears(names, main) if _is_renamed(names.architecture, module)]
    assert [module for module in renamed if module not in reached] == []


def _is_renamed(architecture: str, module: str) -> bool:
    """Networks whose blocks are called alike are left out, and in a block what is called alike."""
    if any(word in module for word in _ALIKE):
        return False
    alike: Mapping[str, tuple[str, ...]] = {
        "ltx-video": ("transformer_blocks.", "caption_projection.", "proj_out"),
        "ltx-video-2": (
            "transformer_blocks.",
            "caption_projection.",
            "audio_caption_projection.",
            "proj_out",
            "audio_proj_out",
        ),
        "qwen-image-2": ("",),
        "ideogram4": ("",),
        "lumina2": ("x_embedder",),
        "z-image": ("layers.", "noise_refiner.", "context_refiner.", "t_embedder.", "cap_embedder."),
        "sd3": ("context_embedder",),
        "wan": ("patch_embedding",),
        "chroma": ("distilled_guidance_layer.in_proj", "distilled_guidance_layer.out_proj"),
        "bria-fibo2": ("layers.", "noise_refiner.", "perceiver.", "t_embedder."),
        "kolors": ("encoder_hid_proj",),
        "framepack": ("clean_x_embedder", "image_projection"),
    }
    if architecture in ("z-image", "ideogram4") and ".attention." in module:
        return True
    return not module.startswith(alike.get(architecture, ("\0",)))
