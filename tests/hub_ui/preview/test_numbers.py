from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from hub_ui.preview import numbers


def test_numbers_are_counted_part_by_part(tmp_path: Path) -> None:
    for part, size in (("unet", 6), ("vae", 4)):
        (tmp_path / part).mkdir()
        save_file(
            {"a": np.zeros((2, size), np.float16), "b": np.zeros((), np.float16)}, tmp_path / part / "m.safetensors"
        )
    assert (numbers.in_base(tmp_path), numbers.in_network(tmp_path)) == (13 + 9, 13)


def test_what_is_no_base_has_none(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "m.safetensors").write_bytes(b"no weights")
    assert (numbers.in_base(tmp_path), numbers.in_base(tmp_path / "nobody")) == (0, 0)
