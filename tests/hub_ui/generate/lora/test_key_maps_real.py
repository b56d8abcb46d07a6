"""Names on the real networks, built without weights: every layer, in every spelling that trainers write."""

from collections.abc import Callable, Mapping

import pytest

from hub_ui.generate.lora.key_mapping import map_keys
from hub_ui.generate.lora.module_names import TABLES, UNETS, Names, flat, names_of
from hub_ui.generate.lora.modules import Shape, matrix
from tests.tools.accuracy.real_models import MODELS, architecture_of, built

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
