"""After a change of texts: `make words`, then translate what it lists."""

from __future__ import annotations

import pytest

from hub_ui.i18n import LANGUAGES
from tests.words.catalogues import TEMPLATE, find_faults, read_sources, write

OTHERS = [code for code in LANGUAGES if code != "en"]


@pytest.mark.parametrize("code", OTHERS)
def test_every_text_is_translated_with_its_placeholders_and_none_is_left_over(code: str) -> None:
    assert list(find_faults(code, read_sources())) == []


def test_the_template_is_that_of_the_sources() -> None:
    assert TEMPLATE.read_bytes() == write(read_sources()), "make words"
