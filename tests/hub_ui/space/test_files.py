import ast
import secrets
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

import pytest
import yaml
from huggingface_hub import HfApi
from packaging.requirements import Requirement

from connectors.errors import HubDown, UsageError
from hub_ui.space import files as requirements
from hub_ui.space.files import (
    SpaceContent,
    card,
    find_space,
    open_api,
    pin_requirements,
    preload_lines,
    push_space,
    read_requirements,
    space_files,
    version_here,
)
from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints

CONTENT = SpaceContent(
    title="Ink: “lines”",
    version="0.1.0",
    gradio="6.31.0",
    hardware="zero-a10g",
    requirements=("gradio[oauth]==6.31.0", "torch==2.11.0"),
)


def front(content: SpaceContent) -> dict[str, object]:
    _, text, _ = card(content).split("---\n")
    data = yaml.safe_load(text)
    assert isinstance(data, dict)
    return data


def test_the_card_has_what_spaces_reads() -> None:
    data = front(CONTENT)
    assert (data["sdk"], data["sdk_version"], data["app_file"]) == ("gradio", "6.31.0", "app.py")
    # Text: as a number it would be Python 3.1 for a version such as 3.10.
    assert data["python_version"] == "3.12"
    assert (data["hf_oauth"], data["hf_oauth_scopes"]) == (True, ["gated-repos"])
    assert (data["title"], data["suggested_hardware"]) == ("Ink: “lines”", "zero-a10g")
    assert len(str(data["short_description"])) <= 60
    assert "preload_from_hub" not in data


def test_preloaded_files_are_pinned_and_those_of_a_repo_are_one_line() -> None:
    files = [("b/two", "x.safetensors", "2" * 40), ("a/one", "b.json", "1" * 40), ("a/one", "a.json", "1" * 40)]
    assert preload_lines(files) == (f"a/one a.json,b.json {'1' * 40}", f"b/two x.safetensors {'2' * 40}")
    assert preload_lines([("a/one", "two words.safetensors", "1" * 40), ("a/one", "a,b", "1" * 40)]) == ()


def test_the_package_lies_beside_the_app_without_the_demos_hubs_and_without_rubbish() -> None:
    files = space_files(CONTENT)
    assert {
        "app.py",
        "README.md",
        "requirements.txt",
        "connectors/registry.py",
        "hub_ui/commands/cli.py",
    } <= files.keys()
    assert "hub_ui/demo/data/weights/base/unet/diffusion_pytorch_model.safetensors" in files
    assert "hub_ui/locales/ja/LC_MESSAGES/hub_ui.po" in files
    unwanted = ("__pycache__", "demo/build", "demo/data/samples", "weights/loras", "/.")
    assert [path for path in files if any(part in path for part in unwanted)] == []
    assert files["requirements.txt"] == b"gradio[oauth]==6.31.0\ntorch==2.11.0\n"


def test_the_app_imports_spaces_before_hub_ui() -> None:
    text = space_files(CONTENT)["app.py"].decode()
    assert text.index("import spaces") < text.index("from hub_ui.commands.cli import main")
    assert {type(node).__name__ for node in ast.parse(text).body} == {"Expr", "Import", "If", "ImportFrom"}


def test_the_lock_lies_beside_the_package_and_equal_content_gives_equal_bytes() -> None:
    with_lock = replace(CONTENT, named={"HUB_UI_SHARED_LOCK": b"version = 1\n"})
    assert space_files(with_lock) == space_files(replace(with_lock))
    assert space_files(with_lock).items() - space_files(CONTENT).items() == {("loras.lock", b"version = 1\n")}


DECLARED = [Requirement(line) for line in ("gradio>=6.31,<7", "torch>=2.4", "torchvision>=0.19", "Jinja2>=3.1")]
HERE = {"gradio": "6.31.0", "torch": "2.13.0", "torchvision": "0.28.0", "jinja2": "3.1.6", "spaces": "0.51.3"}


def test_each_package_has_the_version_that_is_installed_or_a_range_and_zero_gpu_the_newest_torch_that_it_has() -> None:
    lines = pin_requirements(DECLARED, zero_gpu=False, installed=lambda name: HERE.get(name))
    assert lines == ("gradio[oauth]==6.31.0", "jinja2==3.1.6", "spaces", "torch==2.13.0", "torchvision>=0.19")
    assert "torch==2.11.0" in pin_requirements(DECLARED, zero_gpu=True, installed=lambda name: HERE.get(name))
    older = {**HERE, "torch": "2.9.1"}
    assert "torch==2.9.1" in pin_requirements(DECLARED, zero_gpu=True, installed=lambda name: older.get(name))
    assert "torch>=2.4" in pin_requirements(DECLARED, zero_gpu=False, installed=lambda _name: None)


def test_the_declared_ones_are_those_of_the_package_and_of_the_extras_asked_for() -> None:
    names = {each.name for each in read_requirements()}
    assert {"diffusers", "gradio", "torch"} <= names
    assert not {"psycopg", "pytest"} & names
    assert "psycopg" in {each.name for each in read_requirements(("postgres",))}
    for line in pin_requirements(read_requirements(), zero_gpu=False):
        wanted = Requirement(line)
        assert wanted.specifier.contains(version(wanted.name).partition("+")[0]), line


def test_a_version_of_this_computer_alone_is_written_as_indexes_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "version", lambda _name: "2.13.0+cu130")
    assert version_here("torch") == "2.13.0"

    def missing(name: str) -> list[str]:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(requirements, "requires", missing)
    with pytest.raises(UsageError, match="hub-ui is not installed here"):
        read_requirements()


NAME = "local/by-hand"


@pytest.fixture
def api(hubs: HubEndpoints) -> HfApi:
    return open_api(hubs.huggingface, "hf_member")


def push(api: HfApi, **given: bytes) -> object:
    named = {name.replace("_", "."): data for name, data in given.items()}
    files = {"hub_ui/space/files.py": b"", **named}
    return push_space(api, NAME, find_space(api, NAME), files, variables={}, secrets={})["commit"]


def test_a_large_file_that_did_not_go_up_is_told_and_the_next_push_brings_it(api: HfApi, hubs: HubEndpoints) -> None:
    weights = b"\0" + secrets.token_bytes(1000)
    push(api, a_txt=b"a")
    hubs.faults.add(Fault(kind="status", match="/uploads/", status=403))
    with pytest.raises(HubDown, match="The delivery host refuses the address"):
        push(api, a_txt=b"a", w_bin=weights)
    hubs.faults.clear()
    assert push(api, a_txt=b"a", w_bin=weights) is not None
    assert push(api, a_txt=b"a", w_bin=weights) is None
