from __future__ import annotations

from connectors.ref import Ref
from hub_ui.library.merging import merged
from tests.hub_ui.library.building import INK, entry

OTHER = Ref.parse("civitai:7@8#9")


def test_what_is_here_is_told_from_what_is_new() -> None:
    found = merged([entry()], [entry(), entry(ref=OTHER, file="sd1/bo/Other.safetensors")])
    assert [(one.entry.ref, one.state) for one in found] == [(INK, "here"), (OTHER, "new")]


def test_the_same_ref_with_other_bytes_is_told_and_ours_is_kept() -> None:
    [found] = merged([entry()], [entry(sha256="b" * 64)])
    assert (found.state, found.entry.sha256) == ("differs", "a" * 64)


def test_a_file_name_that_is_taken_here_is_changed() -> None:
    [found] = merged([entry()], [entry(ref=OTHER, file="SD1/ada/Ink lines-2001.safetensors")])
    assert found.entry.file == "SD1/ada/Ink lines-2001-b01dde3c.safetensors"


def test_two_new_ones_get_two_names() -> None:
    found = merged([], [entry(), entry(ref=OTHER)])
    assert len({one.entry.file for one in found}) == 2
