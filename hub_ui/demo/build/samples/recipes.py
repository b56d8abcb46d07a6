"""Common kinds of LoRA files. `on` is the checkpoint's file name; words go into the file's metadata."""

from hub_ui.demo.build.samples.sample import Weights

ATTENTION = ("attn",)


def flux_kohya(rank: int, *words: str, seed: int, on: str = "flux1-dev.safetensors") -> Weights:
    """Every layer: 38 MB at rank 4, 153 MB at rank 16."""
    return Weights(network="flux1", layout="kohya", rank=rank, alpha=rank, trained_on=on, words=words, seed=seed)


def flux_diffusers(rank: int, *, seed: int, alpha: float | None = None) -> Weights:
    """Attention only, as diffusers' training script does: 13 MB at rank 4."""
    return Weights(network="flux1 diffusers", layout="diffusers", rank=rank, alpha=alpha, only=(".attn.",), seed=seed)


def flux_ai_toolkit(rank: int, *words: str, seed: int) -> Weights:
    return Weights(
        network="flux1 diffusers", layout="ai-toolkit", rank=rank, only=(".attn.to_",), words=words, seed=seed
    )


def flux_control(rank: int, *, seed: int) -> Weights:
    return Weights(network="flux1 control", layout="diffusers", rank=rank, only=("x_embedder", ".attn."), seed=seed)


def sdxl_kohya(rank: int, *words: str, seed: int, alpha: float = 4, on: str = "") -> Weights:
    """Attention of the UNet, and both text encoders: 16 MB at rank 4."""
    return Weights(
        network="sdxl",
        layout="kohya",
        rank=rank,
        alpha=alpha,
        only=ATTENTION,
        encoders=("te1", "te2"),
        dtype="F16",
        trained_on=on,
        words=words,
        seed=seed,
    )


def sdxl_diffusers(rank: int, *, seed: int, alpha: float | None = None) -> Weights:
    return Weights(
        network="sdxl diffusers", layout="diffusers", rank=rank, alpha=alpha, only=ATTENTION, dtype="F16", seed=seed
    )


def sd1_kohya(rank: int, *words: str, seed: int, alpha: float = 8, on: str = "") -> Weights:
    """UNet and text encoder: 5 MB at rank 4, 151 MB at rank 128."""
    return Weights(
        network="sd1",
        layout="kohya",
        rank=rank,
        alpha=alpha,
        encoders=("te",),
        dtype="F16",
        trained_on=on,
        words=words,
        seed=seed,
    )


def qwen_diffusers(rank: int, *, seed: int) -> Weights:
    """12 MB at rank 4."""
    only = ("to_q", "to_k", "to_v", "to_out")
    return Weights(network="qwen-image", layout="diffusers", rank=rank, alpha=rank, only=only, seed=seed)


def z_image_ai_toolkit(rank: int, *words: str, seed: int) -> Weights:
    """Attention only: 7 MB at rank 4."""
    return Weights(network="z-image", layout="ai-toolkit", rank=rank, only=("attention",), words=words, seed=seed)


def wan_kohya(rank: int, *words: str, seed: int, on: str) -> Weights:
    """Attention only: 26 MB at rank 4."""
    return Weights(
        network="wan 14b", layout="kohya", rank=rank, alpha=rank, only=ATTENTION, trained_on=on, words=words, seed=seed
    )
