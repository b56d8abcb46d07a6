import json
from pathlib import Path

import numpy as np
import pytest
from gguf import GGMLQuantizationType, GGUFWriter, quants
from safetensors.numpy import save_file

from connectors.errors import DoesNotFit, NoBase, UsageError
from connectors.weights.header import Header, Tensor
from hub_ui.generate.base_models import (
    BASES,
    Checkpoint,
    bases_for_architecture,
    check_base_name,
    choose_base,
    repo_layout,
    resolve_base,
)
from hub_ui.generate.base_models.choose import identify_checkpoint, identify_header

Shapes = dict[str, tuple[int, ...]]
UNET = "model.diffusion_model."


def header(shapes: Shapes) -> Header:
    return Header(tensors={name: Tensor(dtype="F16", shape=shape) for name, shape in shapes.items()})


def unet(context: int) -> Shapes:
    return {
        f"{UNET}input_blocks.0.0.weight": (320, 4, 3, 3),
        f"{UNET}input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": (640, context),
        f"{UNET}input_blocks.4.1.transformer_blocks.0.attn1.to_k.weight": (640, 640),
        f"{UNET}middle_block.1.transformer_blocks.0.attn2.to_k.weight": (1280, context),
        "first_stage_model.decoder.conv_in.weight": (512, 4, 3, 3),
    }


CLIP = {"cond_stage_model.transformer.text_model.encoder.layers.0.self_attn.q_proj.weight": (768, 768)}
OPEN_CLIP = {"cond_stage_model.model.transformer.resblocks.0.attn.in_proj_weight": (3072, 1024)}
XL_ENCODERS = {
    "conditioner.embedders.0.transformer.text_model.encoder.layers.0.self_attn.q_proj.weight": (768, 768),
    "conditioner.embedders.1.model.transformer.resblocks.0.attn.in_proj_weight": (3840, 1280),
}
FLUX = {
    "double_blocks.0.img_attn.qkv.weight": (9216, 3072),
    "double_blocks.0.img_mod.lin.weight": (18432, 3072),
    "double_blocks.0.txt_mlp.0.weight": (12288, 3072),
    "single_blocks.37.linear1.weight": (21504, 3072),
    "single_blocks.37.modulation.lin.weight": (9216, 3072),
    "vector_in.in_layer.weight": (3072, 768),
    "img_in.weight": (3072, 64),
}
GUIDANCE = {"guidance_in.in_layer.weight": (3072, 256)}
SD3 = {
    f"{UNET}joint_blocks.0.x_block.attn.qkv.weight": (7296, 2432),
    f"{UNET}joint_blocks.0.context_block.attn.qkv.weight": (7296, 2432),
    "text_encoders.clip_l.transformer.text_model.encoder.layers.0.self_attn.q_proj.weight": (768, 768),
    "text_encoders.clip_g.transformer.text_model.encoder.layers.0.self_attn.q_proj.weight": (1280, 1280),
    "text_encoders.t5xxl.transformer.encoder.block.0.layer.0.SelfAttention.q.weight": (4096, 4096),
    "first_stage_model.decoder.conv_in.weight": (512, 16, 3, 3),
}
WAN = {
    "blocks.0.self_attn.q.weight": (1536, 1536),
    "blocks.0.cross_attn.k.weight": (1536, 1536),
    "blocks.0.ffn.0.weight": (8960, 1536),
    "patch_embedding.weight": (1536, 16, 1, 2, 2),
}
Z_IMAGE = {
    "layers.0.attention.qkv.weight": (11520, 3840),
    "layers.0.feed_forward.w1.weight": (10240, 3840),
    "noise_refiner.0.attention.qkv.weight": (11520, 3840),
    "x_embedder.weight": (3840, 64),
    "cap_pad_token": (1, 3840),
}


@pytest.mark.parametrize(
    ("shapes", "architecture", "brings", "size", "guided"),
    [
        ({**unet(768), **CLIP}, "sd1", {"unet", "vae", "text_encoder"}, None, False),
        ({**unet(1024), **OPEN_CLIP}, "sd2", {"unet", "vae", "text_encoder"}, None, False),
        ({**unet(2048), **XL_ENCODERS}, "sdxl", {"unet", "vae", "text_encoder", "text_encoder_2"}, None, False),
        ({**FLUX, **GUIDANCE}, "flux1", {"transformer"}, None, True),
        ({f"{UNET}{name}": shape for name, shape in FLUX.items()}, "flux1", {"transformer"}, None, False),
        (SD3, "sd3", {"transformer", "vae", "text_encoder", "text_encoder_2", "text_encoder_3"}, "sd-3.5-large", False),
        (WAN, "wan", {"transformer"}, "wan-2.1-t2v-1.3b", False),
        (Z_IMAGE, "z-image", {"transformer"}, None, False),
    ],
)
def test_the_header_says_what_a_checkpoint_is_and_brings(
    shapes: Shapes, architecture: str, brings: set[str], size: str | None, guided: bool
) -> None:
    found = identify_header(header(shapes), "a.safetensors")
    assert (found.architecture, set(found.brings), found.size, found.guided) == (architecture, brings, size, guided)


def test_a_checkpoint_that_predicts_velocity_says_so() -> None:
    assert identify_header(header({**unet(2048), **XL_ENCODERS, "v_pred": (0,)}), "a.safetensors").velocity


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        ({"lora_unet_x.lora_down.weight": (4, 8), "lora_unet_x.lora_up.weight": (8, 4)}, "a.safetensors is a LoRA"),
        ({"decoder.conv_in.weight": (8, 4, 3, 3)}, "is a VAE, not a base model"),
        ({"text_model.encoder.layers.0.mlp.fc1.weight": (8, 8)}, "is a text encoder, not a base"),
        ({}, "is an empty file"),
        ({**FLUX, "double_blocks.0.img_attn.qkv.scale_weight": ()}, "packed for another program"),
        (
            {"blocks.0.quantum_attn.w.weight": (777, 777), "x_embedder.weight": (777, 8)},
            "may be newer than this program",
        ),
        # Ming-Image has the same layers, and does not learn how to fill up a prompt.
        ({name: shape for name, shape in Z_IMAGE.items() if "_pad_" not in name}, "may be newer than this program"),
    ],
)
def test_what_is_no_base_is_told(shapes: Shapes, said: str) -> None:
    with pytest.raises(NoBase, match=said):
        identify_header(header(shapes), "a.safetensors")


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.ckpt", b"\x80\x02", r"Pickled checkpoints \(\.ckpt, \.pt, \.bin\) can run code and are not loaded"),
        ("a.safetensors", b"\x80\x02pickle-in-disguise", "Python pickle, which can run code"),
        ("a.safetensors", b"<html><body>Sign in</body></html>", "a web page"),
    ],
)
def test_a_file_that_is_no_safetensors_is_told(tmp_path: Path, name: str, data: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(NoBase, match=said):
        identify_checkpoint(tmp_path / name)


def save(path: Path, shapes: Shapes) -> Path:
    """Zeros will do: only the header is read."""
    save_file({name: np.zeros(shape, dtype=np.float16) for name, shape in shapes.items()}, path)
    return path


def save_packed(path: Path, shapes: Shapes, kind: str = "Q8_0") -> Path:
    """The same as a GGUF file."""
    writer, packed = GGUFWriter(str(path), "flux"), GGMLQuantizationType[kind]
    for name, shape in shapes.items():
        writer.add_tensor(name, quants.quantize(np.zeros(shape, np.float32), packed), raw_dtype=packed)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize(("kind", "precision"), [("Q8_0", "gguf-q8_0"), ("Q4_1", "gguf-q4_1"), ("F16", "gguf")])
def test_a_gguf_file_of_one_s_own_is_a_base(tmp_path: Path, kind: str, precision: str) -> None:
    path = save_packed(tmp_path / "mine.gguf", {name: (8, *shape[1:]) for name, shape in FLUX.items()}, kind)
    choice = choose_base(None, None, str(path))
    assert (choice.source, choice.label, choice.precision) == (
        "black-forest-labs/FLUX.1-schnell", "mine.gguf", precision,
    )  # fmt: skip
    assert choice.checkpoint == Checkpoint(file=str(path), brings=frozenset({"transformer"}))


def test_a_gguf_file_that_is_damaged_or_of_a_unet_is_told(tmp_path: Path) -> None:
    path = save_packed(tmp_path / "mine.gguf", {name: (8, *shape[1:]) for name, shape in FLUX.items()})
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(NoBase, match=r"mine\.gguf can't be used as a base: .* Download it again"):
        choose_base(None, None, str(path))
    save_packed(path, {f"{UNET}input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": (640, 768)})
    with pytest.raises(NoBase, match="GGUF files of sd1 can't be read"):
        choose_base(None, None, str(path))


FLUX3 = {
    "txt_mode_blocks.0.q_proj.weight": (3072, 3072),
    "single_blocks.0.mlp_in.weight": (18432, 3072),
    "content_mode_blocks.image.0.q_proj.weight": (3072, 3072),
}


def test_a_single_file_of_a_base_that_is_read_in_parts_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "mine.safetensors", {name: (8, *shape[1:]) for name, shape in FLUX3.items()})
    with pytest.raises(NoBase, match=r"FLUX\.3 Klein is read in diffusers' layout only, and mine\.safetensors is a"):
        choose_base("flux3", None, str(path))


@pytest.mark.parametrize(
    ("shapes", "source", "label"),
    [
        ({**WAN, "patch_embedding.weight": (8, 16, 1, 2, 2)}, "Wan-AI/Wan2.1-T2V-1.3B-Diffusers", "mine.safetensors"),
        (FLUX, "black-forest-labs/FLUX.1-schnell", "mine.safetensors"),
    ],
)
def test_the_rest_comes_from_the_base_it_is_most_like(tmp_path: Path, shapes: Shapes, source: str, label: str) -> None:
    narrow = {name: (8, *shape[1:]) for name, shape in shapes.items()}
    path = save(tmp_path / "mine.safetensors", narrow)
    choice = choose_base(None, None, str(path))
    assert (choice.source, choice.label, choice.id) == (source, label, str(path))
    assert choice.checkpoint == Checkpoint(file=str(path), brings=frozenset({"transformer"}))


@pytest.mark.parametrize(
    ("architecture", "base_model", "asked", "chosen"),
    [
        ("sdxl", "pony", None, "pony"),
        ("sdxl", "a lineage nobody knows", None, "sdxl-1.0"),
        ("sdxl", None, None, "sdxl-1.0"),
        ("krea2", "krea-2", None, "krea-2-turbo"),
        ("krea2", "krea-2", "krea-2", "krea-2"),
        ("wan", "wan", None, "wan-2.1-t2v-14b"),
        (None, "illustrious", None, "illustrious"),
        ("flux1", "flux.1-canny", None, "flux.1-dev"),
        ("flux1", "flux.1-dev", "flux.1-krea", "flux.1-krea"),
        ("sd1", "sd-1.5", "sd1", "sd-1.5"),
        ("sdxl", "sdxl-1.0", "Laxhar/noobai-XL-1.1", "noobai"),
        ("tiny-shapes", "tiny-shapes", None, "tiny-shapes"),
        (None, None, "sd-1.5", "sd-1.5"),
        # What the file proves outweighs what the hub calls it.
        ("flux1", "sdxl-1.0", None, "flux.1-dev"),
    ],
)
def test_the_base_is_picked(architecture: str | None, base_model: str | None, asked: str | None, chosen: str) -> None:
    assert choose_base(architecture, base_model, asked).id == chosen


def test_a_repo_not_listed_is_taken_for_what_the_lora_needs_until_it_is_read() -> None:
    choice = choose_base("sdxl", None, "someone/her-model")
    assert (choice.source, choice.pipeline, choice.width) == ("someone/her-model", "StableDiffusionXLPipeline", 1024)
    assert (choice.revision, choice.license, choice.assumed) == (None, "", True)


def test_a_repo_without_a_lora_is_what_its_index_says() -> None:
    choice = choose_base(None, None, "someone/her-model")
    assert (choice.architecture, choice.assumed) == ("", True)
    found = resolve_base(choice, repo_layout.Index(pipeline="FluxPipeline", parts={}))
    assert (found.id, found.architecture, found.steps) == ("someone/her-model", "flux1", 28)


def folder(path: Path, pipeline: str) -> Path:
    (path / "model_index.json").write_text(json.dumps({"_class_name": pipeline, "vae": ["diffusers", "AutoencoderKL"]}))
    return path


@pytest.mark.parametrize(
    ("pipeline", "architecture", "steps"),
    [
        ("StableDiffusionXLPipeline", "sdxl", 25),
        ("FluxKontextPipeline", "flux1", 28),
        ("LatentConsistencyModelPipeline", "sd1", 25),
    ],
)
def test_a_folder_is_what_its_index_says(tmp_path: Path, pipeline: str, architecture: str, steps: int) -> None:
    choice = choose_base(None, None, str(folder(tmp_path, pipeline)))
    assert (choice.source, choice.architecture, choice.pipeline) == (str(tmp_path), architecture, pipeline)
    assert (choice.steps, choice.assumed) == (steps, False)


def test_two_architectures_of_one_pipeline_are_told_apart_by_the_lora(tmp_path: Path) -> None:
    choice = choose_base("sd2", None, str(folder(tmp_path, "StableDiffusionPipeline")))
    assert choice.architecture == "sd2"


def test_a_folder_of_another_architecture_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(DoesNotFit, match=r"LoRA is for sdxl, but .* is flux1"):
        choose_base("sdxl", None, str(folder(tmp_path, "FluxPipeline")))


def test_a_folder_without_an_index_is_no_base(tmp_path: Path) -> None:
    with pytest.raises(NoBase, match=r"no model_index\.json"):
        choose_base("sd1", None, str(tmp_path))


def test_a_repo_of_a_pipeline_that_draws_nothing_is_told() -> None:
    assumed = choose_base("sd1", None, "someone/upscaler")
    index = repo_layout.Index(pipeline="StableDiffusionUpscalePipeline", parts={})
    with pytest.raises(NoBase, match="for diffusers' StableDiffusionUpscalePipeline, which hub-ui can't generate"):
        resolve_base(assumed, index)


def test_a_row_of_the_table_stays_as_it_is() -> None:
    base = choose_base("sd1", None, None)
    assert resolve_base(base, repo_layout.Index(pipeline="Whatever", parts={})) is base


def test_a_base_of_another_architecture_does_not_fit() -> None:
    with pytest.raises(DoesNotFit, match=r"for sdxl, but FLUX\.1 dev is flux1"):
        choose_base("sdxl", "pony", "flux.1-dev")


@pytest.mark.parametrize(
    ("of_lora", "asked", "said"),
    [
        ((None, None), None, "Choose one yourself"),
        ((None, "Halcyon 2"), None, "made for “Halcyon 2”, which is none of the base models known here"),
        (("svd", None), None, "no base model here that can generate with LoRAs for svd"),
        (("sdxl", None), "what?", "Choose one of: sdxl-1.0, pony"),
        (("svd", None), "someone/svd", "generate with LoRAs for svd, so someone/svd can't be used"),
        (("sd1", None), "gone.safetensors", "gone.safetensors can't be read: No such file"),
    ],
)
def test_without_a_base_the_next_step_is_told(
    of_lora: tuple[str | None, str | None], asked: str | None, said: str
) -> None:
    with pytest.raises(NoBase, match=said):
        choose_base(*of_lora, asked)


def test_a_name_that_can_be_no_base_is_a_usage_error_with_those_that_can() -> None:
    with pytest.raises(
        UsageError, match=r"“sdx1-1\.0” is no base model\. Did you mean “sdxl-1\.0”.* A repo OWNER/NAME"
    ):
        check_base_name("sdx1-1.0")


@pytest.mark.parametrize("name", ["sdxl-1.0", "SDXL", "someone/model", "gone.safetensors", "."])
def test_a_name_that_may_be_a_base_passes(name: str) -> None:
    check_base_name(name)


def test_a_person_chooses_among_bases_of_the_architecture() -> None:
    assert [base.id for base in bases_for_architecture("sd2")] == ["sd-2.1", "sd-2.1-768"]
    assert bases_for_architecture(None) == BASES
