import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import UsageError
from connectors.ref import Ref
from hub_ui.library.file_names import KNOWN, FileNameTemplate, files_beside, free_path, is_safe_path, safe_name, target
from tests.hub_ui.library.building import INK, record

HF = Ref.parse("huggingface:ada/many@" + "0123456789" * 4)


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Ink lines", "Ink lines"),
        ("a/b\\c:d*e?f", "a b c d e f"),
        ("../../etc/passwd", "etc passwd"),
        ("...", "unnamed"),
        ("", "unnamed"),
        (" .hidden. ", "hidden"),
        ("--rm -rf", "rm -rf"),
        ("CON", "_CON"),
        ("nul.safetensors", "_nul.safetensors"),
        ("COM¹", "_COM¹"),
        ("e\u0301", "é"),
        ("a\u202egnp.exe", "agnp.exe"),
        ("tab\tand\nline", "tab and line"),
        ("絵" * 40, "絵" * 24),
        ("🎨 style", "🎨 style"),
    ],
)
def test_titles_become_names(title: str, name: str) -> None:
    assert safe_name(title) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("styles/ink.safetensors", "sd1/ada/Ink lines-ink-012345678901.safetensors"),
        ("pytorch_lora_weights.safetensors", "sd1/ada/Ink lines-012345678901.safetensors"),
    ],
)
def test_files_of_one_repository_keep_their_own_names(name: str, expected: str) -> None:
    assert target(record(), HF, name) == expected


def test_an_ending_in_capitals_is_one_and_what_stands_before_it_a_name(tmp_path: Path) -> None:
    (tmp_path / "INK.json").touch()
    assert list(files_beside(tmp_path, ["INK.SAFETENSORS"])) == [("INK.SAFETENSORS", "INK.json")]
    assert target(record(), INK, "INK.SAFETENSORS", FileNameTemplate.parse("{file}")) == "INK.safetensors"


@pytest.mark.skipif(sys.platform != "linux", reason="other disks take these for one file")
def test_files_whose_names_differ_in_case_only_have_their_own_beside_them(tmp_path: Path) -> None:
    for name in ("Ink.safetensors", "ink.safetensors", "Ink.json", "ink.json", "INK.png"):
        (tmp_path / name).touch()
    assert [name for _file, name in files_beside(tmp_path, ["Ink.safetensors"])] == ["INK.png", "Ink.json"]


def test_paths_that_differ_in_case_only_are_told_apart() -> None:
    path = free_path("sd1/Ink.safetensors", INK, {"SD1/INK.safetensors"})
    assert path == "sd1/Ink-38fcb4ed.safetensors"


@pytest.mark.parametrize(
    "path",
    ["../a.safetensors", "/a.safetensors", "a//b.safetensors", "c:a.safetensors", "a\\b.safetensors", "a.pt", "",
     "nul/a.safetensors", "./a.safetensors", "\udcff.safetensors", "a./b.safetensors", "a\n.safetensors",
     "é" * 122 + ".safetensors", "a" * 256 + "/b.safetensors"],
)  # fmt: skip
def test_paths_out_of_the_folder_are_seen(path: str) -> None:
    assert not is_safe_path(path)


def named(template: str, **fields: object) -> str:
    return target(record(**fields), INK, "ink_v2.safetensors", FileNameTemplate.parse(template))


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


def test_a_title_cannot_lead_out_of_its_folder() -> None:
    assert named("{title}/{creator}", title="../..", creator="CON") == "unnamed/_CON.safetensors"


@pytest.mark.parametrize("template", ["{title}-{sha}", "{title!r}", "{title:>99}", "{}", "{0}", "{title.__class__}"])
def test_an_unknown_placeholder_is_refused_with_the_known_ones(template: str) -> None:
    with pytest.raises(UsageError, match=r"Known are \{architecture\}, \{base_model\}, \{creator\}"):
        FileNameTemplate.parse(template)


@pytest.mark.parametrize("template", ["", "/{title}", "../{title}", "{title}/", "a\\{title}", "{title", "lora"])
def test_a_template_that_names_no_file_is_refused(template: str) -> None:
    with pytest.raises(UsageError):
        FileNameTemplate.parse(template)


@given(st.text(max_size=400), st.lists(st.sampled_from(KNOWN), min_size=1, max_size=4, unique=True))
def test_any_title_and_template_give_a_safe_path_that_windows_can_hold(title: str, names: list[str]) -> None:
    template = FileNameTemplate.parse("/".join(f"{{{name}}}" for name in names))
    path = target(record(title=title, creator=title), Ref.parse("civitai:1@2#3"), f"{title}.safetensors", template)
    assert is_safe_path(path)
    assert len(path) < 200
