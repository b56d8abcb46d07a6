import io
import json
import math
import struct
from typing import Any

import pytest

from connectors.record import Claim
from connectors.weights.file_type import structure_of
from connectors.weights.header import FileReader, Header, Tensor, read_header
from connectors.weights.inspect import Facts
from connectors.weights.lora_facts import EffectiveScale, LoraFacts, read, refine_algorithm, scale_of
from tests.connectors.cases import read_cases
from tests.connectors.weights.building import Shapes, file_of, header, lora, raw_header, tensors

READ = read_cases(__file__)

SDXL = lora("input_blocks.4.1.transformer_blocks.0.attn2.to_k 2048>640", rank=16)
FLUX = lora("single_blocks.0.modulation.lin 3072>9216", rank=16, style="ai-toolkit")
BFL = lora(
    "double_blocks.0.img_attn.qkv 3072>9216,double_blocks.0.img_mlp.0 3072>12288,"
    "double_blocks.0.txt_attn.qkv 3072>9216,double_blocks.0.txt_mlp.0 3072>12288,"
    "single_blocks.0.linear1 3072>21504,single_blocks.0.linear2 15360>3072"
)
KLEIN = lora("double_blocks.0.img_attn.qkv 4096>12288", style="ai-toolkit")


def adapter(shapes: Shapes, **metadata: str) -> LoraFacts:
    return read(header(shapes, {key.replace("modelspec_", "modelspec."): value for key, value in metadata.items()}))


def test_a_file_is_described_in_the_words_of_the_catalog() -> None:
    raw = raw_header({**SDXL, "lora_unet_end.alpha": ()}, {"ss_sd_model_name": "290640.safetensors"})
    body = bytes(16 * 2048 * 2 + 640 * 16 * 2) + struct.pack("<e", 8) * 2
    source = FileReader(io.BytesIO(file_of(raw, body)))
    found = Facts(adapter=read(read_header(source), source.read)).to_json()
    assert [found] == READ["a file is described in the words of the catalog"]


def test_what_is_no_lora_has_its_kind_and_a_warning_alone() -> None:
    found = adapter({"double_blocks.0.img_attn.qkv.weight": (8, 8)}, ss_base_model_version="flux1")
    warning = "This is no LoRA for images or videos: it is a whole diffusion model."
    assert found == LoraFacts(what="diffusion-model", tensors=1, warnings=(warning,))
    assert not found.is_lora


@pytest.mark.parametrize("license", ["None", "unknown", "other", " "])
def test_a_licence_that_is_none_is_not_claimed(license: str) -> None:
    assert all(claim.field != "license" for claim in adapter(SDXL, modelspec_license=license).claims)


def test_every_claim_says_where_it_stands() -> None:
    claims = adapter(SDXL, ss_sd_model_name="290640", ss_network_alpha="8", modelspec_license="MIT").claims
    said: list[tuple[str, object, str]] = [(claim.field, claim.value, claim.where) for claim in claims]
    assert said == [
        ("architecture", "sdxl", "tensor names and shapes"),
        ("base_model", "pony", "metadata: ss_sd_model_name = 290640"),
        ("algorithm", "lora", "tensor names"),
        ("rank", 16, "tensor shapes"),
        ("alpha", 8.0, "metadata: ss_network_alpha"),
        ("license", "MIT", "metadata: modelspec.license"),
    ]


def test_what_a_script_writes_for_every_file_is_no_claim() -> None:
    found = adapter(SDXL, ss_base_model_version="sdxl_base_v1-0")
    assert found.base_model == "sdxl-1.0"
    assert [claim for claim in found.claims if claim.field == "base_model"] == []


@pytest.mark.parametrize("said", ["sd_1.5", "sd_v1"])
def test_a_trainers_fallback_never_moves_what_the_tensors_show(said: str) -> None:
    found = adapter(FLUX, ss_base_model_version=said)
    assert (found.architecture, found.base_model) == ("flux1", None)
    assert found.warnings == (
        f"The file's own metadata: ss_base_model_version = {said} does not fit its tensors, which are for flux1.",
    )


def test_metadata_picks_among_the_networks_that_the_tensors_leave() -> None:
    assert adapter(BFL, ss_base_model_version="chroma").architecture == "chroma"
    kontext = adapter(BFL, ss_base_model_version="flux_kontext")
    assert (kontext.architecture, kontext.base_model) == ("flux1", "flux.1-kontext")


@pytest.mark.parametrize(("metadata", "architecture"), READ["the metadata picks among layers that both ltx have"])
def test_the_metadata_picks_among_layers_that_both_ltx_have(metadata: dict[str, str], architecture: str | None) -> None:
    attention = "transformer_blocks.0..47.attn1.to_q 4096>4096,transformer_blocks.0..47.attn2.to_k 4096>4096"
    assert adapter(lora(attention, style="ai-toolkit"), **metadata).architecture == architecture


def test_the_trainers_word_for_the_network_is_believed_over_the_name_of_a_checkpoint() -> None:
    assert (
        adapter(BFL, ss_sd_model_name="flux1-dev.safetensors", ss_base_model_version="chroma").architecture == "chroma"
    )


def test_wan_2_2_of_14b_names_no_lineage_but_the_checkpoint_does() -> None:
    layers = lora("blocks.0..39.self_attn.q 5120>5120")
    found = adapter(layers, ss_base_model_version="wan_2.2_14b")
    assert (found.architecture, found.base_model) == ("wan", "wan")
    assert [claim.value for claim in found.claims if claim.field == "base_model"] == []
    named = adapter(
        layers, ss_base_model_version="wan_2.2_14b", ss_sd_model_name="wan2.2_i2v_low_noise_14B.safetensors"
    )
    assert named.base_model == "wan-2.2-i2v-a14b"


def test_where_nothing_decides_no_network_is_named() -> None:
    found = adapter(BFL, ss_network_alpha="8")
    assert (found.what, found.architecture, found.base_model) == ("lora", None, None)
    assert found.warnings == ("The tensors fit Chroma or FLUX.1: the base model has to be found out otherwise.",)


def test_an_assumption_is_said_to_be_one_and_never_a_claim_of_the_files() -> None:
    found = adapter(
        lora("transformer_blocks.0..18.attn.to_q 3072>3072,single_transformer_blocks.0..37.attn.to_q 3072>3072")
    )
    said = [(claim.field, claim.value, claim.source) for claim in found.claims[:1] + found.claims[-1:]]
    assert said == [("architectures", ("flux1", "chroma"), "header"), ("architecture", "flux1", "probably")]
    assert (found.architecture, found.remarks[0]) == ("flux1", "Probably FLUX.1: the tensors also fit Chroma.")
    assert found.alternatives == ("chroma",)


HIDREAM_O1 = lora("model.language_model.layers.0..35.self_attn.q_proj 4096>4096", style="bare")


def test_the_layers_of_a_language_model_that_generates_images_prove_nothing() -> None:
    found = adapter(HIDREAM_O1)
    assert (found.what, found.architecture, found.doubt) == (
        "lora",
        "hidream-o1",
        "Probably HiDream-O1: the tensors also fit a language model.",
    )
    assert [(claim.field, claim.source) for claim in found.claims if claim.value == "hidream-o1"] == [
        ("architecture", "probably")
    ]


@pytest.mark.parametrize(("said", "architecture"), [("ming_image", "ming-image"), ("zimage", "z-image")])
def test_the_metadata_tells_ming_image_from_z_image(said: str, architecture: str) -> None:
    found = adapter(lora("layers.0..29.attention.to_q 3840>3840"), ss_base_model_version=said)
    assert (found.architecture, found.doubt) == (architecture, None)
    assert [(claim.field, claim.source) for claim in found.claims[:1]] == [("architecture", "header")]


@pytest.mark.parametrize(("said", "base"), READ["the width of a model is believed over its name"])
def test_the_width_of_a_model_is_believed_over_its_name(said: str, base: str) -> None:
    assert adapter(KLEIN, ss_base_model_version=said).base_model == base


def test_missing_halves_stray_tensors_and_unread_alphas_are_warnings() -> None:
    shapes = {**SDXL, "lora_unet_middle_block_1_proj_in.lora_up.weight": (1280, 16), "stray": (3,)}
    assert adapter(shapes).warnings == (
        "Layers that have only one of their two halves: 1. They can't take effect.",
        "Tensors that belong to no LoRA layer: 1.",
        "The file's alpha could not be read, so its strength is not known.",
    )


def test_words_tags_and_weight_come_from_the_metadata() -> None:
    tags = json.dumps({"10_sks cat": {"cat": 4, "hat": 2}})
    found = adapter(FLUX, ss_tag_frequency=tags, modelspec_lora_default_weight="0.7")
    assert (found.trigger_words, found.tags) == (("sks cat",), ("cat", "hat"))
    weight = Claim(field="weight", value=0.7, source="header", where="metadata: modelspec.lora_default_weight")
    assert weight in found.claims


def test_nothing_unprintable_of_a_strangers_reaches_a_reader() -> None:
    layer = "transformer.single_transformer_blocks.0.\u202eattn\ud800.to_q"
    shapes = {f"{layer}.lora_A.weight": (4, 3072), f"{layer}.lora_B.weight": (3072, 4), f"{layer}.alpha": ()}
    config = json.dumps({"\u202e.lora_alpha": 4})
    found = adapter(
        shapes, modelspec_trigger_phrase="a\u202eb\x00", lora_adapter_metadata=config, ss_sd_model_name="pony\ud800"
    )
    written = json.dumps(Facts(adapter=found).to_json(), ensure_ascii=False) + repr(found.claims)
    written.encode()
    assert (found.trigger_words, "\u202e" in written) == (("ab",), False)


def test_the_hash_that_a_training_script_wrote_is_kept() -> None:
    assert adapter(KLEIN, sshs_model_hash="c0ffee" * 10 + "c0ff").autov3 == "c0ffeec0ffee"
    assert adapter(KLEIN).autov3 is None


@pytest.mark.parametrize(
    ("algorithm", "norms", "arguments", "trained"), READ["locon without convolutions is known by its norms"]
)
def test_locon_without_convolutions_is_known_by_its_norms(
    algorithm: str | None, norms: bool, arguments: dict[str, str], trained: str | None
) -> None:
    assert refine_algorithm(algorithm, norms, {"ss_network_args": json.dumps(arguments)}) == trained


LAYER = "lora_unet_single_blocks_0_linear1"
LINEAR = lora("single_blocks.0.linear1 3072>21504", rank=16)
PEFT = lora("single_transformer_blocks.0.attn.to_q 3072>3072", rank=16, style="diffusers")
LOKR = {f"{LAYER}.lokr_w1": (16, 32), f"{LAYER}.lokr_w2": (1344, 96), f"{LAYER}.alpha": ()}
UNKNOWN = EffectiveScale(scale=None, warnings=("The file's alpha could not be read, so its strength is not known.",))


def strength(
    shapes: Shapes = LINEAR,
    alpha: bytes | None = None,
    dtype: str = "F32",
    shape: tuple[int, ...] = (),
    **metadata: str,
) -> EffectiveScale:
    """Of a file whose alpha tensor comes last and holds these bytes; without them nothing is read from it."""
    found = tensors({name: size for name, size in shapes.items() if not name.endswith(".alpha")})
    end, held = max(tensor.data_offsets[1] for tensor in found.values()), alpha or b""
    if len(found) < len(shapes):
        held = held or bytes(4)
        found[f"{LAYER}.alpha"] = Tensor(dtype=dtype, shape=shape, data_offsets=(end, end + len(held)))
    known = structure_of(found)
    whole = Header(tensors=found, metadata=metadata, data_start=100)
    reads = FileReader(io.BytesIO(bytes(100 + end) + held)).read if alpha is not None else None
    return scale_of(whole, reads, known.alpha, next(iter(known.ranks), None))


# Of a file with alpha tensors, one without, and LoKr of two whole factors, whose scale is 1 whatever its alpha is. PEFT
# divides by the rank of its settings.
WRITTEN = {"kohya": LINEAR, "PEFT": PEFT, "LoKr": LOKR, "PEFT LoKr": dict([*LOKR.items()][:2])}
HUGE = struct.pack("<f", 1e10)
NO_NUMBERS = ("None", "", "0", "-1", "nan", "inf", "1e999", "x")
_KOHYA, _PEFT = "metadata: ss_network_alpha", "metadata: lora_adapter_metadata"


@pytest.mark.parametrize(
    ("written", "alpha", "metadata", "found"),
    [
        *(("kohya", None, {"ss_network_alpha": said}, None) for said in NO_NUMBERS),
        *(("kohya", struct.pack("<f", no), {}, None) for no in (0.0, -0.0, -8.0, math.nan, math.inf, -math.inf)),
        ("kohya", struct.pack("<f", -8), {"ss_network_alpha": "4"}, (4, _KOHYA, 0.25)),
        # Without an alpha tensor it was multiplied in already, but by PEFT.
        ("PEFT", None, {"ss_network_alpha": "8"}, (8, _KOHYA, 1.0)),
        ("PEFT", None, {"transformer.r": 16, "transformer.lora_alpha": 32}, (32, f"{_PEFT} transformer.lora_alpha", 2)),
        (
            "PEFT", None, {"transformer.lora_alpha": 32, "transformer.use_rslora": True},
            (32, f"{_PEFT} transformer.lora_alpha", 8),
        ),
        (
            "PEFT", None, {"text_encoder.lora_alpha": 4, "transformer.lora_alpha": 32},
            (32, f"{_PEFT} transformer.lora_alpha", 2),
        ),
        ("PEFT", None, {"text_encoder.lora_alpha": 4}, (4, f"{_PEFT} text_encoder.lora_alpha", 0.25)),
        ("LoKr", HUGE, {}, (1e10, f"tensor {LAYER}.alpha", 1.0)),
        ("LoKr", None, {}, (None, None, 1.0)),
        ("LoKr", None, {"ss_network_alpha": "4"}, (4, _KOHYA, 1.0)),
        ("PEFT LoKr", None, {"unet.r": 4, "unet.alpha": 8}, (8, f"{_PEFT} unet.alpha", 2)),
        ("PEFT LoKr", None, {"unet.alpha": 8}, (8, f"{_PEFT} unet.alpha", 1.0)),
    ],
)  # fmt: skip
def test_alpha_and_scale_are_those_of_the_tensors_or_of_the_metadata(
    written: str, alpha: bytes | None, metadata: dict[str, Any], found: tuple[float | None, str | None, float] | None
) -> None:
    """`found` are alpha, its source and the scale; None where there is an alpha that can't be read."""
    said = metadata if "ss_network_alpha" in metadata else {"lora_adapter_metadata": json.dumps(metadata)}
    read_as = strength(WRITTEN[written], alpha, **said)
    assert read_as == (EffectiveScale(alpha=found[0], source=found[1], scale=found[2]) if found else UNKNOWN)


@pytest.mark.parametrize(("dtype", "data"), READ["alpha is read where its tensor lies"])
def test_alpha_is_read_where_its_tensor_lies(dtype: str, data: str) -> None:
    read_as = strength(alpha=bytes.fromhex(data), dtype=dtype)
    assert read_as == EffectiveScale(alpha=8, source=f"tensor {LAYER}.alpha", scale=0.5)


@pytest.mark.parametrize(("data", "dtype", "shape"), READ["an alpha of another form is not guessed"])
def test_an_alpha_of_another_form_is_not_guessed(data: str, dtype: str, shape: list[int]) -> None:
    assert strength(alpha=bytes.fromhex(data), dtype=dtype, shape=tuple(shape)) == UNKNOWN


def test_the_alpha_of_a_layer_of_the_commonest_rank_is_taken() -> None:
    shapes = {
        **lora("single_blocks.0.linear2 15360>3072", rank=64),
        **lora("single_blocks.1..3.linear1 3072>9", rank=8),
    }
    found = structure_of(tensors(shapes)).alpha
    assert found is not None
    assert found[0] == "lora_unet_single_blocks_1_linear1"


def test_a_layer_with_a_hostile_name_gives_a_short_source() -> None:
    shapes = {name.replace("single", "s" * 3000): shape for name, shape in LINEAR.items()}
    known = structure_of(tensors(shapes))
    source = FileReader(io.BytesIO(bytes(8 + 786432) + struct.pack("<e", 8)))
    found = scale_of(header(shapes), source.read, known.alpha, 16)
    assert (found.alpha, len(found.source or "")) == (8, 200)
