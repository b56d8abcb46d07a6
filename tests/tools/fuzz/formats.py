"""Headers as the trainers write them, in small: every naming, every algorithm, and files that are no LoRA."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial

Shapes = dict[str, tuple[str, tuple[int, ...]]]
# A module by its dotted name, and the widths that it takes and gives.
Layer = tuple[str, int, int]
Factors = Callable[[str, int, int, int], dict[str, tuple[int, ...]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    shapes: Shapes
    metadata: Mapping[str, str] = field(default_factory=dict)


def lora(name: str, rank: int, into: int, out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.alpha": (), f"{name}.lora_down.weight": (rank, into), f"{name}.lora_up.weight": (out, rank)}


def peft(name: str, rank: int, into: int, out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.lora_A.weight": (rank, into), f"{name}.lora_B.weight": (out, rank)}


def peft_default(name: str, rank: int, into: int, out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.lora_A.default.weight": (rank, into), f"{name}.lora_B.default.weight": (out, rank)}


def old(name: str, rank: int, into: int, out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.lora.down.weight": (rank, into), f"{name}.lora.up.weight": (out, rank)}


def convolved(name: str, rank: int, into: int, out: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{name}.alpha": (),
        f"{name}.lora_down.weight": (rank, into, 3, 3),
        f"{name}.lora_up.weight": (out, rank, 1, 1),
    }


def tucker(name: str, rank: int, into: int, out: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{name}.alpha": (),
        f"{name}.lora_down.weight": (rank, into, 1, 1),
        f"{name}.lora_mid.weight": (rank, rank, 3, 3),
        f"{name}.lora_up.weight": (out, rank, 1, 1),
    }


def dora(name: str, rank: int, into: int, out: int) -> dict[str, tuple[int, ...]]:
    return {**lora(name, rank, into, out), f"{name}.dora_scale": (out, 1)}


def peft_dora(name: str, rank: int, into: int, out: int) -> dict[str, tuple[int, ...]]:
    return {**peft(name, rank, into, out), f"{name}.lora_magnitude_vector": (out,)}


def loha(name: str, rank: int, into: int, out: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{name}.alpha": (),
        f"{name}.hada_w1_a": (out, rank),
        f"{name}.hada_w1_b": (rank, into),
        f"{name}.hada_w2_a": (out, rank),
        f"{name}.hada_w2_b": (rank, into),
    }


def lokr(name: str, rank: int, into: int, out: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{name}.alpha": (),
        f"{name}.lokr_w1": (8, 8),
        f"{name}.lokr_w2_a": (out // 8, rank),
        f"{name}.lokr_w2_b": (rank, into // 8),
    }


def lokr_full(name: str, rank: int, into: int, out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.alpha": (), f"{name}.lokr_w1": (8, 8), f"{name}.lokr_w2": (out // 8, into // 8)}


def oft(name: str, rank: int, into: int, out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.alpha": (), f"{name}.oft_blocks": (out // rank, rank, rank)}


def boft(name: str, rank: int, into: int, out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.alpha": (), f"{name}.oft_blocks": (3, out // rank, rank, rank)}


def peft_oft(name: str, rank: int, into: int, out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.oft_R.weight": (into // rank, rank * (rank - 1) // 2)}


def ia3(name: str, rank: int, into: int, out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.on_input": (), f"{name}.weight": (out,)}


def peft_ia3(name: str, rank: int, into: int, out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.ia3_l": (out, 1)}


def glora(name: str, rank: int, into: int, out: int) -> dict[str, tuple[int, ...]]:
    return {
        f"{name}.alpha": (),
        f"{name}.a1.weight": (into, rank),
        f"{name}.a2.weight": (rank, into),
        f"{name}.b1.weight": (out, rank),
        f"{name}.b2.weight": (rank, into),
    }


def full(name: str, rank: int, into: int, out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.diff": (out, into), f"{name}.diff_b": (out,)}


def plain(name: str, rank: int, into: int, out: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def bare(name: str, rank: int, into: int, out: int) -> dict[str, tuple[int, ...]]:
    """cloneofsimo's: numbers in place of names, joined by colons."""
    return {f"{name}:down": (rank, into), f"{name}:up": (out, rank)}


def _attention(at: str, dim: int, context: int) -> list[Layer]:
    """One transformer block of a UNet."""
    return [
        *((f"{at}.attn1.{part}", dim, dim) for part in ("to_q", "to_k", "to_v", "to_out.0")),
        *((f"{at}.attn2.{part}", dim, dim) for part in ("to_q", "to_out.0")),
        *((f"{at}.attn2.{part}", context, dim) for part in ("to_k", "to_v")),
        (f"{at}.ff.net.0.proj", dim, 8 * dim),
        (f"{at}.ff.net.2", 4 * dim, dim),
    ]


def unet(places: Iterable[tuple[str, int, int]], context: int) -> list[Layer]:
    """`places` are spatial transformers: name, width, number of blocks."""
    return [
        layer
        for at, dim, depth in places
        for layer in (
            (f"{at}.proj_in", dim, dim),
            *(each for n in range(depth) for each in _attention(f"{at}.transformer_blocks.{n}", dim, context)),
            (f"{at}.proj_out", dim, dim),
        )
    ]


SD1_PLACES = (
    *((f"down_blocks.{n}.attentions.{i}", dim, 1) for n, dim in ((0, 320), (1, 640), (2, 1280)) for i in (0, 1)),
    ("mid_block.attentions.0", 1280, 1),
    *((f"up_blocks.{n}.attentions.{i}", dim, 1) for n, dim in ((1, 1280), (2, 640), (3, 320)) for i in (0, 1, 2)),
)
SDXL_PLACES = (
    *(
        (f"input_blocks.{n}.1", dim, depth)
        for n, dim, depth in ((4, 640, 2), (5, 640, 2), (7, 1280, 10), (8, 1280, 10))
    ),
    ("middle_block.1", 1280, 10),
    *((f"output_blocks.{n}.1", dim, d) for n, dim, d in ((0, 1280, 10), (1, 1280, 10), (2, 1280, 10), (3, 640, 2))),
    *((f"output_blocks.{n}.1", 640, 2) for n in (4, 5)),
)


def clip(layers: int, dim: int) -> list[Layer]:
    at = "text_model.encoder.layers"
    return [
        layer
        for n in range(layers)
        for layer in (
            *((f"{at}.{n}.self_attn.{part}_proj", dim, dim) for part in ("q", "k", "v", "out")),
            (f"{at}.{n}.mlp.fc1", dim, 4 * dim),
            (f"{at}.{n}.mlp.fc2", 4 * dim, dim),
        )
    ]


def flux(double: int, single: int, dim: int = 3072) -> list[Layer]:
    """In Black Forest Labs' own names."""
    return [
        *(
            layer
            for n in range(double)
            for side in ("img", "txt")
            for layer in (
                (f"double_blocks.{n}.{side}_attn.qkv", dim, 3 * dim),
                (f"double_blocks.{n}.{side}_attn.proj", dim, dim),
                (f"double_blocks.{n}.{side}_mlp.0", dim, 4 * dim),
                (f"double_blocks.{n}.{side}_mlp.2", 4 * dim, dim),
                (f"double_blocks.{n}.{side}_mod.lin", dim, 6 * dim),
            )
        ),
        *(
            layer
            for n in range(single)
            for layer in (
                (f"single_blocks.{n}.linear1", dim, 7 * dim),
                (f"single_blocks.{n}.linear2", 5 * dim, dim),
                (f"single_blocks.{n}.modulation.lin", dim, 3 * dim),
            )
        ),
    ]


def flux_diffusers(double: int, single: int) -> list[Layer]:
    both = ("to_q", "to_k", "to_v")
    added = ("to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")
    return [
        *((f"transformer_blocks.{n}.attn.{part}", 3072, 3072) for n in range(double) for part in (*both, *added)),
        *(
            (f"transformer_blocks.{n}.{ff}.net.0.proj", 3072, 12288)
            for n in range(double)
            for ff in ("ff", "ff_context")
        ),
        *((f"transformer_blocks.{n}.{ff}.net.2", 12288, 3072) for n in range(double) for ff in ("ff", "ff_context")),
        *((f"single_transformer_blocks.{n}.attn.{part}", 3072, 3072) for n in range(single) for part in both),
        *((f"single_transformer_blocks.{n}.proj_mlp", 3072, 12288) for n in range(single)),
        *((f"single_transformer_blocks.{n}.proj_out", 15360, 3072) for n in range(single)),
    ]


def blocks(count: int, at: str, parts: Iterable[Layer]) -> list[Layer]:
    """A transformer whose blocks are all alike."""
    return [(f"{at}.{n}.{part}", into, out) for n in range(count) for part, into, out in parts]


def _square(names: str, dim: int) -> list[Layer]:
    return [(name, dim, dim) for name in names.split()]


WAN = [
    *_square(
        "self_attn.q self_attn.k self_attn.v self_attn.o cross_attn.q cross_attn.k cross_attn.v cross_attn.o", 5120
    ),
    ("ffn.0", 5120, 13824),
    ("ffn.2", 13824, 5120),
]
QWEN = [
    *_square("attn.to_q attn.to_k attn.to_v attn.to_out.0 attn.add_q_proj attn.add_k_proj attn.add_v_proj", 3072),
    ("img_mlp.net.0.proj", 3072, 12288),
    ("txt_mlp.net.2", 12288, 3072),
    ("img_mod.1", 3072, 18432),
]
ZIMAGE = [
    *_square("attention.to_q attention.to_k attention.to_v attention.to_out.0", 3840),
    ("feed_forward.w1", 3840, 10240),
]
PAIRS = [*_square("attn1.to_q attn1.to_k attn1.to_v attn2.to_q", 2048), ("ff.net.0.proj", 2048, 8192)]
ANIMA = [
    *_square("self_attn.q_proj self_attn.output_proj cross_attn.q_proj", 2048),
    ("cross_attn.k_proj", 1024, 2048),
    ("mlp.layer1", 2048, 8192),
]
KREA = [*_square("attn.wq attn.wo attn.gate", 6144), ("attn.wk", 6144, 1536), ("mlp.gate", 6144, 16384)]
LLAMA = [
    *_square("self_attn.q_proj self_attn.o_proj", 4096),
    ("self_attn.k_proj", 4096, 1024),
    ("mlp.up_proj", 4096, 14336),
]


def made(
    layers: Iterable[Layer], factors: Factors = lora, prefix: str = "", *, rank: int = 8, dtype: str = "F16"
) -> Shapes:
    """Names as they are; a prefix that ends in an underscore means kohya's, with underscores throughout."""
    return {
        name: (dtype, shape)
        for module, into, out in layers
        for name, shape in factors(_spelled(prefix, module), rank, into, out).items()
    }


def _spelled(prefix: str, module: str) -> str:
    return prefix + (module.replace(".", "_") if prefix.endswith("_") else module)


def ss(**fields: str) -> dict[str, str]:
    """kohya's metadata; `dim="16"` is ss_network_dim."""
    tags = {"10_inkdrop style": {"inkdrop": 20, "1girl": 12, "ink": 7}}
    return {
        "ss_network_module": "networks.lora",
        "ss_network_dim": "8",
        "ss_network_alpha": "4.0",
        "ss_output_name": "inkdrop",
        "ss_sd_model_name": "model.safetensors",
        "ss_network_args": json.dumps({"conv_dim": "4", "algo": "lora"}),
        "ss_dataset_dirs": json.dumps({"10_inkdrop style": {"n_repeats": 10, "img_count": 20}}),
        "ss_tag_frequency": json.dumps(tags),
        **{f"ss_{name}": value for name, value in fields.items()},
    }


def _adapter_config(component: str) -> dict[str, str]:
    config = {"r": 8, "lora_alpha": 8, "rank_pattern": {"to_q": 16}, "alpha_pattern": {"^x": 4}, "peft_type": "LORA"}
    return {"format": "pt", "lora_adapter_metadata": json.dumps({f"{component}.{k}": v for k, v in config.items()})}


def sdxl(te_layers: tuple[int, int] = (12, 32), **made_as: int | str) -> Shapes:
    """Whole, as kohya writes it: about 3,000 tensors."""
    make = partial(made, rank=int(made_as.get("rank", 8)))
    return {
        **make(unet(SDXL_PLACES, 2048), lora, "lora_unet_"),
        **make(clip(te_layers[0], 768), lora, "lora_te1_"),
        **make(clip(te_layers[1], 1280), lora, "lora_te2_"),
    }


def sd1(rank: int = 8) -> Shapes:
    return {
        **made(unet(SD1_PLACES, 768), lora, "lora_unet_", rank=rank),
        **made(clip(12, 768), lora, "lora_te_", rank=rank),
    }


_XL = [(at, dim, 1) for at, dim, _ in SDXL_PLACES[2:4]]
_ALGORITHMS: tuple[Factors, ...] = (
    lora, convolved, tucker, dora, loha, lokr, lokr_full, oft, boft, ia3, glora, full,
)  # fmt: skip
_PEFT: tuple[Factors, ...] = (peft, peft_default, peft_dora, peft_oft, peft_ia3, old, loha, lokr)
_MODERN = (
    ("blocks", WAN),
    ("transformer_blocks", QWEN),
    ("layers", ZIMAGE),
    ("transformer_blocks", PAIRS),
    ("blocks", ANIMA),
    ("blocks", KREA),
)


def _of_trainers() -> Iterable[Sample]:
    for factors in _ALGORITHMS:
        yield Sample(
            shapes=made(unet(_XL, 2048)[:12], factors, "lora_unet_"), metadata=ss(base_model_version="sdxl_base_v1-0")
        )
    for factors in _PEFT:
        layers = [*flux_diffusers(1, 1)]
        yield Sample(shapes=made(layers, factors, "transformer."), metadata=_adapter_config("transformer"))
    for at, parts in _MODERN:
        layers = blocks(2, at, parts)
        yield Sample(shapes=made(layers, lora, "lora_unet_"), metadata=ss(base_model_version="wan"))
        yield Sample(
            shapes=made(layers, peft, "diffusion_model.", dtype="BF16"), metadata={"software": '{"name":"ai-toolkit"}'}
        )
        yield Sample(shapes=made(layers, lokr, "lycoris_"))
        yield Sample(shapes=made(layers, peft_default))
    yield Sample(shapes=made(unet(SD1_PLACES[:2], 768), lora, "lora_unet_"), metadata=ss(v2="False"))
    yield Sample(shapes=made(unet(SD1_PLACES[:2], 1024), lora, "lora_unet_"), metadata=ss(v2="True"))
    yield Sample(shapes=made(unet(SD1_PLACES[:2], 768), old))
    yield Sample(shapes=made(unet(SD1_PLACES[:1], 768), peft, "unet."), metadata=_adapter_config("unet"))
    yield Sample(shapes=made(clip(2, 768), lora, "lora_te_"), metadata=ss(v2="False"))
    yield Sample(shapes=made(flux(1, 2), lora, "lora_unet_"), metadata={"modelspec.architecture": "flux-1-dev/lora"})
    yield Sample(shapes=made(flux(1, 2), peft, "base_model.model."))
    yield Sample(shapes=made(flux(2, 2, 4096), lora, "lora_unet_"), metadata={"modelspec.trigger_phrase": "inkdrop"})
    yield Sample(shapes=made(flux_diffusers(1, 1), lora, "lora_transformer_"), metadata={"ot_branch": "master"})


def _of_others() -> Iterable[Sample]:
    """The odd namings, and what is no LoRA for pictures."""
    xlabs = [
        (f"double_blocks.{n}.processor.{p}_lora{i}", 3072, 9216)
        for n in (0, 1)
        for p in ("qkv", "proj")
        for i in (1, 2)
    ]
    yield Sample(shapes={f"{m}.{half}.weight": ("BF16", (16, 3072)) for m, _, _ in xlabs for half in ("down", "up")})
    simo = [(f"unet:{n}", dim, dim) for n, dim in enumerate((320, 768, 640, 1280))]
    yield Sample(shapes=made(simo, bare, rank=4), metadata={f"unet:{n}:rank": "4" for n in range(4)})
    yield Sample(shapes={"img_in.lora_A.weight": ("BF16", (16, 128)), **made(flux(1, 1), peft, dtype="BF16")})
    yield Sample(shapes=made(blocks(3, "base_model.model.model.layers", LLAMA), peft))
    yield Sample(shapes={f"{half}_{n:03}": ("F32", (4, 768)) for n in range(6) for half in ("w_a", "w_b")})
    yield Sample(shapes=made(flux_diffusers(1, 1), plain, dtype="BF16"))
    yield Sample(shapes=made(flux(1, 1), plain, "model.diffusion_model.", dtype="F8_E4M3"))
    yield Sample(shapes=made(clip(2, 768), plain, "cond_stage_model.transformer."))
    yield Sample(shapes=made(flux(1, 1), plain, "controlnet_blocks."))
    yield Sample(shapes={"emb_params": ("F32", (4, 768))})
    yield Sample(shapes={"clip_l": ("F32", (4, 768)), "clip_g": ("F32", (4, 1280))})
    yield Sample(shapes={"first_stage_model.encoder.conv_in.weight": ("F32", (128, 3, 3, 3))})
    yield Sample(shapes={**made(flux(0, 1), lora, "lora_unet_"), "bundle_emb.ink.t5": ("F32", (4, 4096))})
    yield Sample(shapes={})


def samples() -> list[Sample]:
    return [*_of_trainers(), *_of_others()]
