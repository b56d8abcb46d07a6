"""Which of Wan 2.2's two networks a file is made for: much noise and little are separate files of one LoRA."""

from __future__ import annotations

import re
from collections.abc import Mapping

from hub_ui.preview.job import Adapter

# "nightbus_wan22_low_noise", "LowNoise", "boats-low"; not a style that is called "low poly".
_SAID = re.compile(r"(high|low)[ _.-]?noise|[ _.-](high|low)$", re.IGNORECASE)


def is_for_low_noise(adapter: Adapter, metadata: Mapping[str, str]) -> bool:
    """From the file's own name, the model it was trained on, or its title: the first that names one of the two."""
    for name in (adapter.path.stem, metadata.get("ss_sd_model_name", ""), adapter.title):
        found = _SAID.findall(name.removesuffix(".safetensors"))
        said = {(noise or end).lower() for noise, end in found}
        if len(said) == 1:
            return said == {"low"}
    return False
