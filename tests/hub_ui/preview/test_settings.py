from __future__ import annotations

import pytest

from hub_ui.preview import bases
from hub_ui.preview.settings import settings
from tests.hub_ui.preview.building import job


@pytest.mark.parametrize(("base", "asked", "frames"), [("wan", None, True), ("wan", 5, True), ("sdxl", None, False)])
def test_a_base_for_films_draws_a_short_clip_unless_told_otherwise(base: str, asked: int | None, frames: bool) -> None:
    choice = bases.choose(base, None, None)
    chosen = settings(job(frames=asked), choice)
    assert (chosen.frames > 1) is frames
    assert asked is None or chosen.frames == asked
