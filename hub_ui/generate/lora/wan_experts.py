"""Which of Wan 2.2's two networks a file is made for: much noise and little are separate files of one LoRA."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.weights.wan_experts import noise_of
from hub_ui.generate.request import LoraInput


def is_for_low_noise(adapter: LoraInput, metadata: Mapping[str, str]) -> bool:
    """From the file's own name, the model it was trained on, or its title: the first that names one of the two."""
    names = (adapter.path.stem, metadata.get("ss_sd_model_name", ""), adapter.title)
    return next(filter(None, map(noise_of, names)), None) == "low"
