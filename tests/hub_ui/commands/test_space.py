"""`hub-ui space push` on the local hub, by the unmodified huggingface_hub."""

import re
from itertools import count
from pathlib import Path

import pytest
from huggingface_hub import CommitOperationAdd, HfApi

from hub_ui.generate.base_models import PACKAGED
from hub_ui.library import lockfile
from tests.faults import Fault
from tests.faulty_hubs import HubEndpoints, running_hubs
from tests.hub_ui.generate.base_hub import save_hub
from tests.hub_ui.library.shared_hubs import Line

KEY = "hf_member"
_NUMBERS = count()


@pytest.fixture
def name() -> str:
    return f"local/pushed-{next(_NUMBERS)}"


@pytest.fixture
def api(hubs: HubEndpoints, monkeypatch: pytest.MonkeyPatch) -> HfApi:
    monkeypatch.setenv("HF_TOKEN", KEY)
    return HfApi(endpoint=hubs.huggingface, token=KEY)


@pytest.fixture
def lock(line: Line, api: HfApi, tmp_path: Path) -> Path:
    for ref in ("huggingface:maker/red", "huggingface:maker/closed", "civitai:1001@2001"):
        assert line("pull", ref, "--library", str(tmp_path / "loras"))[0] == 0
    return tmp_path / "loras" / "loras.lock"


def test_a_new_space_is_made_and_its_address_is_printed(api: HfApi, hubs: HubEndpoints, name: str, line: Line) -> None:
    assert line.run("space", "push", name) == 0
    first, second, *_rest = line.out.splitlines()
    assert first == f"{hubs.huggingface}/spaces/{name}"
    assert second.startswith("Made: ")
    assert second.endswith(", on zero-a10g.")
    info = api.space_info(name)
    assert (info.sdk, info.private) == ("gradio", False)
    assert info.runtime is not None
    assert (info.runtime.stage, info.runtime.requested_hardware) == ("RUNNING", "zero-a10g")


def test_a_second_push_changes_nothing(api: HfApi, name: str, line: Line) -> None:
    _, first = line("space", "push", name)
    code, second = line("space", "push", name)
    assert code == 0
    assert (first["created"], second["created"], second["commit"]) == (True, False, None)
    assert len(api.list_repo_commits(name, repo_type="space")) == 2


def test_files_that_are_gone_are_removed_as_their_variables(api: HfApi, name: str, line: Line, lock: Path) -> None:
    line("space", "push", name, "--lock", str(lock), "--variable", "HUB_UI_LIMIT_STEPS=30")
    assert api.file_exists(name, "loras.lock", repo_type="space")
    _, then = line("space", "push", name)
    assert (then["removed"], then["variables"]) == (["loras.lock"], ["HUB_UI_SHARED_LOCK"])
    assert not api.file_exists(name, "loras.lock", repo_type="space")
    assert list(api.get_space_variables(name)) == ["HUB_UI_LIMIT_STEPS"]


def test_loras_that_anyone_may_have_come_along_at_their_commits(api: HfApi, name: str, lock: Path, line: Line) -> None:
    assert line.run("space", "push", name, "--lock", str(lock)) == 0
    assert "not brought along, since not everyone may download them: maker/closed" in line.err
    (red,) = [entry for entry in lockfile.loads(lock.read_text()) if entry.ref.id == "maker/red"]
    data = api.space_info(name).card_data
    assert data is not None
    assert data["preload_from_hub"] == [f"maker/red lora.safetensors {red.ref.version}"]
    assert data["models"] == ["maker/red"]


def test_a_secret_comes_from_the_environment_and_is_never_printed(
    api: HfApi, name: str, monkeypatch: pytest.MonkeyPatch, line: Line
) -> None:
    assert line.run("space", "push", name, "--secret", "CIVITAI_TOKEN") == 2
    monkeypatch.setenv("CIVITAI_TOKEN", "civ_secret")
    assert line.run("space", "push", name, "--secret", "CIVITAI_TOKEN") == 0
    assert list(api.get_space_secrets(name)) == ["CIVITAI_TOKEN"]
    assert "Secrets: CIVITAI_TOKEN" in line.out
    assert "civ_secret" not in line.out + line.err
    assert KEY not in line.out + line.err


def test_hardware_and_who_may_see_it_change_when_asked_for_and_only_then(api: HfApi, name: str, line: Line) -> None:
    assert line("space", "push", name, "--hardware", "t4-small")[1]["hardware"] == "t4-small"
    assert line("space", "push", name, "--private")[0] == 0
    _, again = line("space", "push", name)
    assert (again["hardware"], again["commit"], api.space_info(name).private) == ("t4-small", None, True)
    assert line("space", "push", name, "--hardware", "a10g-small")[1]["hardware"] == "a10g-small"


def test_a_dry_run_writes_the_files_and_needs_no_key(
    hubs: HubEndpoints, tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    folder = tmp_path / "files"
    code, document = line("space", "push", "ada/loras", "--dry-run", str(folder))
    assert code == 0
    assert document["files"] == sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )
    assert line("space", "push", "ada/loras", "--dry-run", str(folder))[1]["message"].endswith(
        "is not empty. Name a new folder."
    )


def test_another_apps_space_is_left_alone(api: HfApi, name: str, line: Line) -> None:
    api.create_repo(name, repo_type="space", space_sdk="gradio")
    mine = [CommitOperationAdd("app.py", b"print()")]
    api.create_commit(name, mine, commit_message="My app", repo_type="space")
    code, document = line("space", "push", name)
    assert (code, document["error"]) == (2, "UsageError")
    assert "the Space of another app, whose files would be lost" in document["message"]
    api.create_repo(f"{name}-docker", repo_type="space", space_sdk="docker")
    assert "a Space of another kind already (docker)" in line("space", "push", f"{name}-docker")[1]["message"]


@pytest.mark.parametrize(
    ("token", "target", "said"),
    [
        ("", "local/x", "Make a key that may write at https://huggingface.co/settings/tokens"),
        ("hf_unknown", "local/x", "Hugging Face does not know this key"),
        (KEY, "other/x", "You don't have the rights to create a space under this namespace"),
    ],
)
def test_a_key_that_may_not_push_is_told_why(
    api: HfApi, line: Line, monkeypatch: pytest.MonkeyPatch, token: str, target: str, said: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", token)
    code, document = line("space", "push", target)
    assert code == 3
    assert said in document["message"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["psuh", "local/x"], "is nothing to do with a Space. Did you mean “push”?"),
        (["push", "loras"], "is no name of a Space. Write OWNER/NAME"),
        (["push", "local/x", "--variable", "steps=3"], "write NAME=VALUE, such as HUB_UI_LIMIT_STEPS=30"),
        (["push", "local/x", "--variable", "HF_TOKEN=hf_1"], "Everyone can read a variable."),
        (["push", "local/x", "--base", "sdxxl"], "“sdxxl” is no base model."),
    ],
)
def test_what_can_not_be_pushed_is_a_usage_error(api: HfApi, line: Line, words: list[str], said: str) -> None:
    code, document = line("space", *words)
    assert code == 2
    assert said in document["message"]
    assert not api.repo_exists("local/x", repo_type="space")


@pytest.mark.parametrize(
    ("match", "status", "code", "said"),
    [
        ("repos/create", 400, 2, "Hugging Face does not take this: not today"),
        ("repos/create", 403, 3, "This key may not write to {name}: not today"),
        ("repos/create", 402, 3, "Hugging Face wants a plan or credit for {name}: not today"),
        ("repos/create", 500, 5, "Hugging Face answered with an error (500)"),
        ("/commit/", 412, 1, "{name} was changed by somebody else in the meantime. Push again."),
    ],
)
def test_a_refusal_in_the_middle_is_told_and_a_later_push_goes_through(
    api: HfApi, hubs: HubEndpoints, line: Line, name: str, match: str, status: int, code: int, said: str
) -> None:
    hubs.faults.add(Fault(kind="status", match=match, status=status, body={"error": "not today"}))
    refused, document = line("space", "push", name)
    assert refused == code
    assert said.format(name=name) in document["message"]
    hubs.faults.clear()
    assert line("space", "push", name)[0] == 0


def test_a_base_comes_along_unless_it_is_gated(tmp_path: Path, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "let-in")
    with running_hubs(save_hub(tmp_path / "hub", PACKAGED)) as hubs:
        monkeypatch.setenv("HF_ENDPOINT", hubs.huggingface)
        folder = tmp_path / "files"
        assert line("space", "push", "local/x", "--base", "maker/tiny", "--dry-run", str(folder))[0] == 0
        code, document = line("space", "push", "local/x", "--base", "maker/gated", "--dry-run", str(tmp_path / "no"))
    (preloaded,) = re.findall(r"^- maker/tiny (\S+) [0-9a-f]{40}$", (folder / "README.md").read_text(), re.MULTILINE)
    assert {"model_index.json", "unet/diffusion_pytorch_model.safetensors"} <= set(preloaded.split(","))
    assert not {"v1-5.safetensors", "vae/run.py"} & set(preloaded.split(","))
    assert code == 3
    assert "maker/gated" in document["message"]
