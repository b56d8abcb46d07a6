from __future__ import annotations

from pathlib import Path

from hub_ui.images.history import History
from hub_ui.images.uses import Uses
from tests.hub_ui.generate import making


def test_a_lora_is_last_used_when_its_latest_image_was_made(tmp_path: Path) -> None:
    history = History(tmp_path)
    uses = Uses(history)
    assert (uses.latest(), uses.times()) == ({}, {})
    history.add(making.made())
    first = uses.times()
    kept = history.add(making.made())
    use = uses.latest()[making.INK.lora]
    assert (use.at, use.thumbnail) == (kept.at, kept.thumbnail)
    assert use.at >= first[making.INK.lora]
    assert uses.times() is uses.times()


def test_an_image_that_is_gone_or_damaged_counts_for_nothing(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.add(making.made()).paths[0].write_bytes(b"no image")
    assert Uses(history).latest() == {}
