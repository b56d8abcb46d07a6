"""What a safetensors header proves about the adapter in the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from connectors.record import Claim

What = Literal[
    "lora", "llm-lora", "vision-lora", "checkpoint", "diffusion-model", "vae", "text-encoder", "llm", "embedding",
    "controlnet", "t2i-adapter", "ip-adapter", "motion-module", "empty", "other",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Adapter:
    """Everything but `what`, `is_lora` and `tensors` is empty for a file that is no LoRA.

    `ranks` counts layers by rank, and `rank` is the one most layers have; both are empty for algorithms without a rank.
    `scale` is alpha / rank, the factor the file itself brings at weight 1. `tags` are training tags, most used first.
    """

    what: What
    architecture: str | None = None
    base_model: str | None = None
    format: str | None = None
    algorithm: str | None = None
    rank: int | None = None
    ranks: Mapping[int, int] = field(default_factory=dict)
    alpha: float | None = None
    alpha_source: str | None = None
    scale: float | None = None
    text_encoder: bool = False
    control: bool = False
    tensors: int = 0
    trigger_words: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def is_lora(self) -> bool:
        return self.what == "lora"

    def to_json(self) -> dict[str, Any]:
        """The part of FACTS (see DESIGN's contracts) that is about the adapter."""
        return {
            "is_lora": self.is_lora,
            "what": self.what,
            "architecture": self.architecture,
            "base_model": self.base_model,
            "format": self.format,
            "algorithm": self.algorithm,
            "rank": self.rank,
            "ranks": {str(rank): layers for rank, layers in self.ranks.items()},
            "alpha": self.alpha,
            "alpha_source": self.alpha_source,
            "scale": self.scale,
            "text_encoder": self.text_encoder,
            "control": self.control,
            "tensors": self.tensors,
            "trigger_words": list(self.trigger_words),
            "warnings": list(self.warnings),
        }
