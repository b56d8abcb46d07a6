from __future__ import annotations

from hub_ui.generate.base_models.__main__ import table


def test_a_row_names_the_first_base_its_size_and_the_others() -> None:
    assert "| Stable Diffusion 2.x | `sd-2.1` | 2.6 GB | `sd-2.1-768` |" in table()
    assert "| Mochi (video) | `mochi` | 31 GB |  |" in table()
