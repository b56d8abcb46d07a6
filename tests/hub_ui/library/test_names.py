from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import UsageError
from connectors.ref import Ref
from hub_ui.library.folder import is_safe_path, target
from hub_ui.library.names import KNOWN, Names
from tests.hub_ui.library.building import INK, record


def named(template: str, **fields: object) -> str:
    return target(record(**fields), INK, "ink_v2.safetensors", (), Names.parse(template))


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("{title}", "Ink lines.safetensors"),
        ("loras/{base_model}/{kind}/{file}", "loras/sd1/style/ink_v2.safetensors"),
        ("{hub}_{id}_{version}.safetensors", "civitai_1001_2001.safetensors"),
        ("{creator} - {title}", "ada - Ink lines.safetensors"),
    ],
)
def test_a_template_says_where_files_go(template: str, path: str) -> None:
    assert named(template) == path


def test_what_is_not_known_has_a_word_of_its_own() -> None:
    assert named("{base_model}/{kind}/{title}", base_model=None, architecture=None, kind=None) == (
        "unknown/other/Ink lines.safetensors"
    )


def test_a_title_cannot_lead_out_of_its_folder() -> None:
    assert named("{title}/{creator}", title="../..", creator="CON") == "unnamed/_CON.safetensors"


@pytest.mark.parametrize("template", ["{title}-{sha}", "{title!r}", "{title:>99}", "{}", "{0}", "{title.__class__}"])
def test_an_unknown_placeholder_is_refused_with_the_known_ones(template: str) -> None:
    with pytest.raises(UsageError, match=r"Known are \{architecture\}, \{base_model\}, \{creator\}"):
        Names.parse(template)


@pytest.mark.parametrize("template", ["", "/{title}", "../{title}", "{title}/", "a\\{title}", "{title", "lora"])
def test_a_template_that_names_no_file_is_refused(template: str) -> None:
    with pytest.raises(UsageError):
        Names.parse(template)


@given(st.text(max_size=400), st.lists(st.sampled_from(KNOWN), min_size=1, max_size=4, unique=True))
def test_any_title_and_template_give_a_safe_path_that_windows_can_hold(title: str, names: list[str]) -> None:
    template = Names.parse("/".join(f"{{{name}}}" for name in names))
    path = target(record(title=title, creator=title), Ref.parse("civitai:1@2#3"), f"{title}.safetensors", (), template)
    assert is_safe_path(path)
    assert len(path) < 200
