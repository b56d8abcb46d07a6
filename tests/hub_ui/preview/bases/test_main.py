from __future__ import annotations

from pathlib import Path

from hub_ui.preview.bases.__main__ import table

README = Path(__file__).parents[4] / "README.md"


def test_the_readme_shows_the_table() -> None:
    """`python -m hub_ui.preview.bases` prints what belongs there."""
    assert table() in README.read_text(encoding="utf-8")


def test_a_row_names_the_first_base_its_size_and_the_others() -> None:
    assert "| Stable Diffusion 2.x | `sd-2.1` | 2.6 GB | `sd-2.1-768` |" in table()
    assert "| Mochi (films) | `mochi` | 31 GB |  |" in table()
