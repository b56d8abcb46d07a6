from pathlib import Path
from typing import NoReturn

import pytest

from connectors.errors import BadHeader
from connectors.weights import file_type
from connectors.weights.file_type import WORDS, Layouts, Structure, structure_of
from tests.connectors.cases import read_cases
from tests.connectors.weights.building import STYLES, Shapes, lora, raw_header, tensors

READ = read_cases(__file__)
MOTION = "down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0.attention_blocks.0"


def what(shapes: Shapes) -> str:
    return structure_of(tensors(shapes)).what


# What some names of tensors make of a file, whatever the shapes.
NAMED = [line.split("\t") for line in Path(__file__).with_name("file_types.tsv").read_text("utf-8").splitlines()[1:]]
SHAPED: list[tuple[str, Shapes]] = [
    (kind, {name: tuple(shape) for name, shape in shapes.items()})
    for kind, shapes in READ["a file is called what its shapes say"]
]
# Language models and classifiers, by the layers that PEFT adapts in them by default or by choice.
LANGUAGE = Path(__file__).with_name("language_models.txt").read_text("utf-8").splitlines()


@pytest.mark.parametrize(("kind", "names"), NAMED)
def test_a_file_is_called_what_its_names_say(kind: str, names: str) -> None:
    assert what(dict.fromkeys(names.split(), (8, 8))) == kind


@pytest.mark.parametrize(("kind", "shapes"), SHAPED)
def test_a_file_is_called_what_its_shapes_say(kind: str, shapes: Shapes) -> None:
    assert what(shapes) == kind


@pytest.mark.parametrize("layers", LANGUAGE)
def test_a_lora_for_a_language_model_is_not_one_for_images(layers: str) -> None:
    assert what(lora(layers, style="peft")) == "llm-lora"
    assert what(lora(layers, style="own")) == "llm-lora"


@pytest.mark.parametrize("style", ["peft", "bare"])
@pytest.mark.parametrize("layers", ["0..31", "0..27", "0..39"])
def test_a_language_model_of_another_depth_than_hidream_o1_is_one(style: str, layers: str) -> None:
    named = f"model.language_model.layers.{layers}.self_attn.q_proj 4096>4096"
    assert what(lora(named, style=style)) == "llm-lora"


@pytest.mark.parametrize("layers", READ["a lora for a vision model is not one for images"])
def test_a_lora_for_a_vision_model_is_not_one_for_images(layers: str) -> None:
    assert what(lora(layers, style="peft")) == "vision-lora"


@pytest.mark.parametrize(("layers", "style"), READ["what looks like a language models may be for images"])
def test_what_looks_like_a_language_models_may_be_for_images(layers: str, style: str) -> None:
    assert what(lora(layers, style=style)) == "lora"


def test_a_control_lora_is_a_controlnet_even_with_lora_endings() -> None:
    layers = lora("input_blocks.1.1.transformer_blocks.0.attn1.to_q 320>320", style="own")
    assert what({"lora_controlnet": (), **layers}) == "controlnet"
    assert what(layers) == "lora"


def test_a_face_adapter_with_lora_parts_is_an_ip_adapter() -> None:
    halves = {"ip_adapter.0.to_q_lora.down.weight": (128, 320), "ip_adapter.0.to_q_lora.up.weight": (320, 128)}
    assert what(halves) == "ip-adapter"
    assert what({"image_proj.proj.0.weight": (1024, 512), "ip_adapter.1.to_k_ip.weight": (320, 768), **halves}) == (
        "ip-adapter"
    )


@pytest.mark.parametrize("prefix", ["", "id_encoder."])
def test_photomaker_is_no_lora_though_it_brings_one_along(prefix: str) -> None:
    layers = lora("down_blocks.1.attentions.0.transformer_blocks.0..1.attn1.to_q 640>640", style="old")
    encoder = {
        f"{prefix}vision_model.embeddings.class_embedding": (1024,),
        f"{prefix}fuse_module.mlp1.fc1.weight": (8, 8),
    }
    assert what({**layers, **encoder}) == "other"


def test_a_motion_lora_is_a_motion_module_in_both_spellings() -> None:
    first = f"{MOTION}.processor.to_q_lora"
    assert what({f"{first}.down.weight": (32, 320), f"{first}.up.weight": (320, 32)}) == "motion-module"
    second = "down_blocks.0.motion_modules.0.transformer_blocks.0.attn1.to_q 320>320"
    assert what(lora(second, style="unet")) == "motion-module"


def test_a_checkpoint_with_stray_lora_tensors_is_a_checkpoint() -> None:
    unet = {f"model.diffusion_model.input_blocks.{i}.0.in_layers.2.weight": (320, 320, 3, 3) for i in range(12)}
    stray = lora("text_model.encoder.layers.0.self_attn.q_proj 768>768", style="kohya-te")
    assert what({**unet, **stray}) == "checkpoint"


def test_a_transformer_with_stray_lora_tensors_is_a_diffusion_model() -> None:
    model = {f"transformer_blocks.{i}.attn.to_q.weight": (3072, 3072) for i in range(19)}
    stray = lora("transformer_blocks.0.attn.to_q 3072>3072", style="diffusers")
    assert what({**model, **stray}) == "diffusion-model"


def test_every_kind_has_a_word_and_a_test() -> None:
    tried = {kind for kind, _ in NAMED} | {kind for kind, _ in SHAPED} | {"lora", "llm-lora"}
    assert tried == set(WORDS)


FLUX = lora("single_blocks.0..1.modulation.lin 3072>9216", rank=16, style="ai-toolkit")
SDXL = lora("input_blocks.4.1.transformer_blocks.0.attn2.to_k 2048>640", rank=8)
TE = lora("text_model.encoder.layers.0.mlp.fc1 768>3072", rank=8, style="kohya-te1")
NORMS = {f"double_blocks.0.img_attn.norm.{kind}_norm.scale": (128,) for kind in ("query", "key")}


def read(shapes: Shapes) -> Structure:
    return structure_of(tensors(shapes))


def control(width: int) -> dict[str, tuple[int, ...]]:
    """As Black Forest Labs publish theirs."""
    halves = lora(f"img_in {width}>3072,double_blocks.0.img_attn.qkv 3072>9216", style="own")
    biases = {name.replace("weight", "bias"): shape[:1] for name, shape in halves.items() if "lora_B" in name}
    return {**halves, **biases, **NORMS}


def never(*_: object) -> NoReturn:
    raise AssertionError("parsed again")


def test_a_lora_is_described_by_its_tensors_alone() -> None:
    found = read({**SDXL, **TE})
    assert (found.what, found.architectures, found.usual) == ("lora", ("sdxl",), "sdxl")
    assert (found.format, found.algorithm, dict(found.ranks)) == ("kohya", "lora", {8: 2})
    assert (found.tensors, found.text_encoder, found.halves, found.others) == (6, True, 0, 0)
    assert found.alpha is not None
    assert found.alpha[0] == "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"


def test_what_is_no_lora_is_described_in_a_word() -> None:
    assert read({"double_blocks.0.img_attn.qkv.weight": (9216, 3072)}) == Structure(what="diffusion-model", tensors=1)
    assert read({}) == Structure(what="empty", tensors=0)


@pytest.mark.parametrize(
    ("shapes", "is_control"),
    [
        (control(128), True),
        (control(64), False),
        (lora("x_embedder 128>3072,single_transformer_blocks.0.attn.to_q 3072>3072", style="diffusers"), True),
        (lora("x_embedder 64>3072,single_transformer_blocks.0.attn.to_q 3072>3072", style="diffusers"), False),
        (lora("img_in 128>3072,double_blocks.0.img_attn.qkv 3072>9216"), True),
        (lora("x_embedder 128>2304,layers.0.attn.to_q 2304>2304", style="diffusers"), False),
        (FLUX, False),
    ],
)
def test_a_control_lora_of_flux_reads_two_images(shapes: Shapes, is_control: bool) -> None:
    found = read(shapes)
    assert (found.what, found.control, found.others) == ("lora", is_control, 0)


def test_a_half_without_its_other_is_counted() -> None:
    shapes = dict(FLUX)
    del shapes["diffusion_model.single_blocks.0.modulation.lin.lora_B.weight"]
    assert (read(shapes).halves, read(FLUX).halves) == (1, 0)


@pytest.mark.parametrize("style", STYLES)
def test_every_style_of_names_makes_whole_layers(style: str) -> None:
    found = read(lora("towers.0..3.attn.q 512>512,towers.0.ff 512>2048", rank=4, style=style))
    assert (found.what, dict(found.ranks), found.halves, found.others) == ("lora", {4: 5}, 0, 0)


def test_files_of_one_table_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    layouts = Layouts()
    first, _ = layouts.read(raw_header(FLUX, {"ss_output_name": "one"}), None)
    monkeypatch.setattr(file_type, "parse", never)
    second, header = layouts.read(raw_header(FLUX, {"ss_output_name": "another"}), None)
    assert second is first
    assert header.metadata == {"ss_output_name": "another"}


def test_a_known_table_places_its_tensors_behind_its_own_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = raw_header(SDXL, {"ss_training_comment": "longer"})
    extent = tensors(SDXL)["lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k.alpha"].data_offsets[1]
    layouts = Layouts()
    layouts.read(raw_header(SDXL, {}), None)
    monkeypatch.setattr(file_type, "parse", never)
    _, header = layouts.read(raw, 8 + len(raw) + extent)
    assert (header.data_start, header.size) == (8 + len(raw), 8 + len(raw) + extent)


def test_a_known_table_in_a_file_of_another_size_is_refused() -> None:
    raw, layouts = raw_header(FLUX, {}), Layouts()
    layouts.read(raw, None)
    with pytest.raises(BadHeader, match="cut off or changed"):
        layouts.read(raw, 8 + len(raw) + 5)


def test_a_known_table_behind_broken_metadata_is_refused() -> None:
    layouts = Layouts()
    layouts.read(raw_header(FLUX, {"k": "v"}), None)
    with pytest.raises(BadHeader, match="stands twice"):
        layouts.read(raw_header(FLUX, {"k": "v", "l": "w"}).replace(b'"l"', b'"k"'), None)
    with pytest.raises(BadHeader, match="text by text"):
        layouts.read(raw_header(FLUX, {"k": "v"}).replace(b'"v"', b"1"), None)


def test_metadata_behind_the_tensors_is_never_taken_from_another_file() -> None:
    raw = raw_header(FLUX)[:-1] + b',"__metadata__":{"ss_output_name":"one"}}'
    layouts = Layouts()
    assert layouts.read(raw, None)[1].metadata == {"ss_output_name": "one"}
    assert layouts.read(raw.replace(b'"one"', b'"two"'), None)[1].metadata == {"ss_output_name": "two"}
    assert layouts.read(raw_header(FLUX), None)[1].metadata == {}


def test_the_oldest_table_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    layouts = Layouts(most=2)
    for rank in (4, 8, 16):
        layouts.read(raw_header(lora("towers.0.attn.q 512>512", rank=rank), {}), None)
    monkeypatch.setattr(file_type, "parse", never)
    assert dict(layouts.read(raw_header(lora("towers.0.attn.q 512>512", rank=8), {}), None)[0].ranks) == {8: 1}
    with pytest.raises(AssertionError, match="parsed again"):
        layouts.read(raw_header(lora("towers.0.attn.q 512>512", rank=4), {}), None)


def test_stable_cascades_own_trainer_numbers_its_layers() -> None:
    halves = {f"weights.{number}.lora_down": (16, 2048) for number in range(4)}
    found = read({**halves, **{f"weights.{number}.lora_up": (6144, 16) for number in range(4)}})
    assert (found.what, found.usual, found.format, dict(found.ranks)) == ("lora", "stable-cascade", None, {16: 4})


@pytest.mark.parametrize(("layers", "left"), READ["nunchaku packs its first factors the other way round"])
def test_nunchaku_packs_its_first_factors_the_other_way_round(layers: Shapes, left: list[str]) -> None:
    found = read(layers)
    assert (found.what, found.format, next(iter(found.ranks))) == ("lora", "nunchaku", 16)
    assert list(found.architectures) == left


def test_a_mixture_is_a_lora_whose_layers_have_several_second_halves() -> None:
    layer = "lora_unet_blocks_0_self_attn_q_proj"
    experts = {f"{layer}.lora_ups.{number}.weight": (2048, 16) for number in range(4)}
    found = read({f"{layer}.lora_down.weight": (16, 2048), f"{layer}.router.weight": (4, 16), **experts})
    assert (found.what, found.usual, found.halves, found.others) == ("lora", "anima", 0, 0)


def test_the_text_encoder_identifies_ia3_of_sd_1() -> None:
    model = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    encoder = "lora_te_text_model_encoder_layers_0_self_attn_k_proj"
    scales = {f"{model}.weight": (320,), f"{encoder}.weight": (768,)}
    found = read({**scales, f"{model}.on_input": (), f"{encoder}.on_input": ()})
    assert (found.usual, found.algorithm) == ("sd1", "ia3")


ATTENTION = "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k"
CONV = "lora_unet_input_blocks_4_0_in_layers_2"
LORA = lora("input_blocks.4.1.transformer_blocks.0.attn2.to_k 2048>640", rank=16)
FULL_W1, FULL_W2 = {"lokr_w1": (16, 32)}, {"lokr_w2": (40, 64)}
SPLIT_W1 = {"lokr_w1_a": (16, 4), "lokr_w1_b": (4, 32)}
SPLIT_W2 = {"lokr_w2_a": (40, 8), "lokr_w2_b": (8, 64)}
LOHA = {"hada_w1_a": (640, 16), "hada_w1_b": (16, 2048), "hada_w2_a": (640, 16), "hada_w2_b": (16, 2048)}
LOHA_TUCKER = {
    "hada_t1": (8, 8, 3, 3), "hada_w1_a": (8, 640), "hada_w1_b": (8, 320),
    "hada_t2": (8, 8, 3, 3), "hada_w2_a": (8, 640), "hada_w2_b": (8, 320),
}  # fmt: skip
GLORA = {"a1.weight": (2048, 16), "a2.weight": (16, 2048), "b1.weight": (2048, 16), "b2.weight": (16, 640)}


def layer(parts: Shapes, name: str = ATTENTION) -> dict[str, tuple[int, ...]]:
    return {f"{name}.{part}": shape for part, shape in parts.items()}


def conv(down: tuple[int, ...], up: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    return layer({"lora_down.weight": down, "lora_up.weight": up}, CONV)


# What is in the file, how it is called, and its layers by rank.
CASES: tuple[tuple[Shapes, str, dict[int, int]], ...] = (
    (LORA, "lora", {16: 1}),
    ({**LORA, **conv((8, 320, 3, 3), (640, 8, 1, 1))}, "locon", {16: 1, 8: 1}),
    ({**LORA, **conv((8, 320, 1, 1), (640, 8, 1, 1))}, "lora", {16: 1, 8: 1}),
    ({**LORA, **conv((8, 320, 3, 3), (640, 8))}, "lora", {16: 1, 8: 1}),
    ({**LORA, **conv((8, 320, 1, 1), (640, 8, 1, 1)), **layer({"lora_mid.weight": (8, 8, 3, 3)}, CONV)}, "locon",
     {16: 1, 8: 1}),
    (lora("pos_embed.proj 16>1536:2,transformer_blocks.0.attn.to_q 1536>1536"), "lora", {16: 2}),
    (layer(LOHA), "loha", {16: 1}),
    ({**layer(LOHA), **layer(LOHA_TUCKER, CONV)}, "loha", {16: 1, 8: 1}),
    (layer(FULL_W1 | SPLIT_W2), "lokr", {8: 1}),
    (layer(SPLIT_W1 | FULL_W2), "lokr", {4: 1}),
    (layer(SPLIT_W1 | SPLIT_W2), "lokr", {8: 1}),
    (layer(FULL_W1 | FULL_W2 | {"alpha": ()}), "lokr", {}),
    (layer({"lokr_w1": (16, 16), "lokr_t2": (8, 8, 3, 3), "lokr_w2_a": (8, 40), "lokr_w2_b": (8, 20)}, CONV), "lokr",
     {8: 1}),
    ({**LORA, **layer({"dora_scale": (640, 1)})}, "dora", {16: 1}),
    ({**LORA, **layer({"dora_scale": (1, 2048)})}, "dora", {16: 1}),
    ({**LORA, **layer({"lora_magnitude_vector": (640,)})}, "dora", {16: 1}),
    ({**LORA, **layer({"magnitude": (640,)})}, "dora", {16: 1}),
    (layer(FULL_W1 | SPLIT_W2 | {"dora_scale": (640, 1)}), "lokr+dora", {8: 1}),
    (layer(LOHA | {"dora_scale": (640, 1)}), "loha+dora", {16: 1}),
    (layer({"weight": (640,), "on_input": ()}), "ia3", {}),
    (layer({"weight": (1, 640, 1, 1), "on_input": ()}, CONV), "ia3", {}),
    ({"unet.down_blocks.1.attentions.0.transformer_blocks.1.attn2.to_k.ia3_l": (640, 1)}, "ia3", {}),
    (layer({"oft_blocks": (4, 160, 160), "alpha": ()}), "oft", {}),
    ({"oft_unet_middle_block_1_proj_in.oft_blocks": (4, 320, 320)}, "oft", {}),
    (layer({"oft_diag": (4, 160, 160)}), "oft", {}),
    ({"transformer.single_transformer_blocks.0.attn.to_q.oft_R.weight": (96, 496)}, "oft", {}),
    (layer({"oft_blocks": (3, 4, 160, 160)}), "boft", {}),
    (layer(GLORA), "glora", {16: 1}),
    (layer({"diff": (640, 2048), "diff_b": (640,)}), "full", {}),
    (layer({"diff_b": (640,)}), "full", {}),
    ({**LORA, **layer({"diff": (640,)}, "lora_unet_out_0")}, "lora+diff", {16: 1}),
    ({**LORA, **layer({"diff_b": (640,)})}, "lora+diff", {16: 1}),
    ({**LORA, **layer({"dora_scale": (640, 1), "diff_b": (640,)})}, "dora+diff", {16: 1}),
    ({**LORA, **layer({"w_norm": (320,), "b_norm": (320,)}, "lora_unet_out_0")}, "lora", {16: 1}),
)  # fmt: skip


@pytest.mark.parametrize(("shapes", "algorithm", "ranks"), CASES, ids=range(len(CASES)))
def test_factors_of_a_layer_name_its_algorithm_and_rank(shapes: Shapes, algorithm: str, ranks: dict[int, int]) -> None:
    found = read(shapes)
    assert (found.what, found.algorithm, dict(found.ranks)) == ("lora", algorithm, ranks)


def test_pefts_boft_has_names_of_its_own() -> None:
    name = "base_model.model.down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
    found = read(layer({"boft_R": (1, 192, 4, 4), "boft_s": (320, 1)}, name))
    assert (found.what, found.architectures, found.algorithm) == ("lora", ("sd1",), "boft")


def test_the_commonest_rank_comes_first() -> None:
    found = read(
        {**lora("double_blocks.0.img_mlp.0 3072>12288", rank=64), **lora("single_blocks.0..2.linear1 3072>9", 8)}
    )
    assert list(found.ranks.items()) == [(8, 3), (64, 1)]


def test_a_layer_with_one_half_is_counted_once() -> None:
    shapes = lora("single_blocks.0..2.linear1 3072>21504", rank=4)
    del shapes["lora_unet_single_blocks_0_linear1.lora_down.weight"]
    del shapes["lora_unet_single_blocks_1_linear1.lora_up.weight"]
    found = read(shapes)
    assert (dict(found.ranks), found.halves) == ({4: 3}, 2)


@pytest.mark.parametrize("shape", [(), (0, 2048), (2**31, 1)])
def test_a_rank_that_can_not_be_is_none(shape: tuple[int, ...]) -> None:
    shapes = {f"{ATTENTION}.lora_down.weight": shape, f"{ATTENTION}.lora_up.weight": (640,)}
    assert dict(read(shapes).ranks) == {}
