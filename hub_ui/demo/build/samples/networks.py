"""The layers of the base models: names, as in their own code, and sizes."""

from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias


class Layer(NamedTuple):
    """A layer that a LoRA can change. `kernel` is the kernel size, or None for a linear layer."""

    name: str
    inputs: int
    outputs: int
    kernel: int | None = None


Network: TypeAlias = Callable[[], Iterator[Layer]]


def clip(width: int, depth: int) -> Iterator[Layer]:
    """A CLIP text encoder: 768 wide and 12 deep, or the 1280 and 32 of SDXL's second one."""
    for n in range(depth):
        stem = f"text_model.encoder.layers.{n}"
        for part in ("k", "v", "q", "out"):
            yield Layer(f"{stem}.self_attn.{part}_proj", width, width)
        yield Layer(f"{stem}.mlp.fc1", width, width * 4)
        yield Layer(f"{stem}.mlp.fc2", width * 4, width)


def clip_l() -> Iterator[Layer]:
    return clip(768, 12)


def clip_g() -> Iterator[Layer]:
    return clip(1280, 32)


def _spatial(stem: str, width: int, depth: int, context: int, kernel: int | None = None) -> Iterator[Layer]:
    """A spatial transformer of a UNet."""
    yield Layer(f"{stem}.proj_in", width, width, kernel)
    for n in range(depth):
        block = f"{stem}.transformer_blocks.{n}"
        for attention, source in (("attn1", width), ("attn2", context)):
            yield Layer(f"{block}.{attention}.to_q", width, width)
            yield Layer(f"{block}.{attention}.to_k", source, width)
            yield Layer(f"{block}.{attention}.to_v", source, width)
            yield Layer(f"{block}.{attention}.to_out.0", width, width)
        yield Layer(f"{block}.ff.net.0.proj", width, width * 8)
        yield Layer(f"{block}.ff.net.2", width * 4, width)
    yield Layer(f"{stem}.proj_out", width, width, kernel)


_SD1_STEMS = (
    *((f"down_blocks.{block}.attentions.{n}", 320 * 2**block) for block in range(3) for n in range(2)),
    ("mid_block.attentions.0", 1280),
    *((f"up_blocks.{block}.attentions.{n}", 1280 // 2 ** (block - 1)) for block in (1, 2, 3) for n in range(3)),
)
_SDXL_STEMS = (
    *((f"input_blocks.{n}.1", 640, 2) for n in (4, 5)),
    *((f"input_blocks.{n}.1", 1280, 10) for n in (7, 8)),
    ("middle_block.1", 1280, 10),
    *((f"output_blocks.{n}.1", 1280, 10) for n in (0, 1, 2)),
    *((f"output_blocks.{n}.1", 640, 2) for n in (3, 4, 5)),
)
_SDXL_DIFFUSERS_STEMS = (
    *((f"down_blocks.1.attentions.{n}", 640, 2) for n in range(2)),
    *((f"down_blocks.2.attentions.{n}", 1280, 10) for n in range(2)),
    ("mid_block.attentions.0", 1280, 10),
    *((f"up_blocks.0.attentions.{n}", 1280, 10) for n in range(3)),
    *((f"up_blocks.1.attentions.{n}", 640, 2) for n in range(3)),
)


def sd1() -> Iterator[Layer]:
    for stem, width in _SD1_STEMS:
        yield from _spatial(stem, width, 1, 768, kernel=1)


def sd1_convolutions() -> Iterator[Layer]:
    """Stable Diffusion 1 with the convolutions of the residual blocks, as in a LoCon."""
    yield from sd1()
    for block, width in enumerate((320, 640, 1280, 1280)):
        for n in range(2):
            yield Layer(f"down_blocks.{block}.resnets.{n}.conv2", width, width, 3)
    for n in range(2):
        yield Layer(f"mid_block.resnets.{n}.conv2", 1280, 1280, 3)


def sdxl() -> Iterator[Layer]:
    """The names of the original code, which kohya's scripts use."""
    for stem, width, depth in _SDXL_STEMS:
        yield from _spatial(stem, width, depth, 2048)


def sdxl_convolutions() -> Iterator[Layer]:
    yield from sdxl()
    for n, width in ((1, 320), (2, 320), (5, 640), (8, 1280)):
        yield Layer(f"input_blocks.{n}.0.out_layers.3", width, width, 3)
    for n, width in ((1, 1280), (4, 640), (7, 320)):
        yield Layer(f"output_blocks.{n}.0.out_layers.3", width, width, 3)


def sdxl_diffusers() -> Iterator[Layer]:
    for stem, width, depth in _SDXL_DIFFUSERS_STEMS:
        yield from _spatial(stem, width, depth, 2048)


def flux1() -> Iterator[Layer]:
    """The names of the original code."""
    for n in range(19):
        for side in ("img", "txt"):
            stem = f"double_blocks.{n}.{side}"
            yield Layer(f"{stem}_mod.lin", 3072, 18432)
            yield Layer(f"{stem}_attn.qkv", 3072, 9216)
            yield Layer(f"{stem}_attn.proj", 3072, 3072)
            yield Layer(f"{stem}_mlp.0", 3072, 12288)
            yield Layer(f"{stem}_mlp.2", 12288, 3072)
    for n in range(38):
        yield Layer(f"single_blocks.{n}.linear1", 3072, 21504)
        yield Layer(f"single_blocks.{n}.linear2", 15360, 3072)
        yield Layer(f"single_blocks.{n}.modulation.lin", 3072, 9216)


_JOINT_ATTENTION = ("to_q", "to_k", "to_v", "to_out.0", "add_q_proj", "add_k_proj", "add_v_proj", "to_add_out")


def flux1_diffusers() -> Iterator[Layer]:
    for n in range(19):
        stem = f"transformer_blocks.{n}"
        yield from (Layer(f"{stem}.attn.{part}", 3072, 3072) for part in _JOINT_ATTENTION)
        for net in ("ff", "ff_context"):
            yield Layer(f"{stem}.{net}.net.0.proj", 3072, 12288)
            yield Layer(f"{stem}.{net}.net.2", 12288, 3072)
    for n in range(38):
        yield from (
            Layer(f"single_transformer_blocks.{n}.attn.{part}", 3072, 3072) for part in ("to_q", "to_k", "to_v")
        )
        yield Layer(f"single_transformer_blocks.{n}.proj_mlp", 3072, 12288)
        yield Layer(f"single_transformer_blocks.{n}.proj_out", 15360, 3072)


def flux1_control() -> Iterator[Layer]:
    """FLUX.1 with a second input image: 128 channels instead of 64."""
    yield Layer("x_embedder", 128, 3072)
    yield from flux1_diffusers()


def qwen_image() -> Iterator[Layer]:
    for n in range(60):
        stem = f"transformer_blocks.{n}"
        yield from (Layer(f"{stem}.attn.{part}", 3072, 3072) for part in _JOINT_ATTENTION)
        for side in ("img", "txt"):
            yield Layer(f"{stem}.{side}_mlp.net.0.proj", 3072, 12288)
            yield Layer(f"{stem}.{side}_mlp.net.2", 12288, 3072)
            yield Layer(f"{stem}.{side}_mod.1", 3072, 18432)


def z_image() -> Iterator[Layer]:
    for n in range(30):
        stem = f"layers.{n}"
        yield from (Layer(f"{stem}.attention.{part}", 3840, 3840) for part in ("to_q", "to_k", "to_v", "to_out.0"))
        yield Layer(f"{stem}.feed_forward.w1", 3840, 10240)
        yield Layer(f"{stem}.feed_forward.w2", 10240, 3840)
        yield Layer(f"{stem}.feed_forward.w3", 3840, 10240)
        yield Layer(f"{stem}.adaLN_modulation.0", 256, 15360)


def wan_14b() -> Iterator[Layer]:
    for n in range(40):
        for attention in ("self_attn", "cross_attn"):
            yield from (Layer(f"blocks.{n}.{attention}.{part}", 5120, 5120) for part in "qkvo")
        yield Layer(f"blocks.{n}.ffn.0", 5120, 13824)
        yield Layer(f"blocks.{n}.ffn.2", 13824, 5120)


def sd35_large() -> Iterator[Layer]:
    for n in range(38):
        for side in ("context", "x"):
            stem = f"joint_blocks.{n}.{side}_block"
            yield Layer(f"{stem}.attn.qkv", 2432, 7296)
            if (n, side) != (37, "context"):
                yield Layer(f"{stem}.attn.proj", 2432, 2432)
                yield Layer(f"{stem}.mlp.fc1", 2432, 9728)
                yield Layer(f"{stem}.mlp.fc2", 9728, 2432)


def qwen3_text() -> Iterator[Layer]:
    """A language model, which no image pipeline can use."""
    for n in range(28):
        stem = f"model.layers.{n}.self_attn"
        yield Layer(f"{stem}.q_proj", 1024, 2048)
        yield Layer(f"{stem}.k_proj", 1024, 1024)
        yield Layer(f"{stem}.v_proj", 1024, 1024)
        yield Layer(f"{stem}.o_proj", 2048, 1024)


def halcyon() -> Iterator[Layer]:
    """An unknown base model, whose names and sizes match no other."""
    for n in range(22):
        yield Layer(f"stages.{n}.mixer.qkv", 1728, 5184)
        yield Layer(f"stages.{n}.mixer.out", 1728, 1728)
        yield Layer(f"stages.{n}.gate_up", 1728, 9216)


NETWORKS: dict[str, Network] = {
    "flux1": flux1,
    "flux1 control": flux1_control,
    "flux1 diffusers": flux1_diffusers,
    "halcyon": halcyon,
    "qwen-image": qwen_image,
    "qwen3 text": qwen3_text,
    "sd1": sd1,
    "sd1 convolutions": sd1_convolutions,
    "sd3.5 large": sd35_large,
    "sdxl": sdxl,
    "sdxl convolutions": sdxl_convolutions,
    "sdxl diffusers": sdxl_diffusers,
    "wan 14b": wan_14b,
    "z-image": z_image,
}
