from __future__ import annotations

from hub_ui.preview import memory


def test_what_is_free_is_a_part_of_what_is_installed() -> None:
    assert 1_000_000 < memory.available() < memory.installed()


def test_a_processor_has_the_computers_own_memory() -> None:
    assert abs(memory.free("cpu") - memory.available()) < memory.installed() / 2
