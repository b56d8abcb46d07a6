"""hub-ui train, on a local Replicate that trains in a moment."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from PIL import Image

from connectors.http.session import Endpoint
from connectors.ref import Ref
from connectors.replicate.runs import Order, Run, Runs, Status, start_training
from hub_ui.app.training import step_of, training_set
from hub_ui.commands import cli
from hub_ui.generate.request import Step
from tests.faulty_hubs import HubEndpoints
from tests.hub_ui.library.shared_hubs import Line, answering, copied
from tests.hub_ui.stand_ins import Screen

FOG = ("--destination", "local/fog", "--trigger", "FGHRBR")


@pytest.fixture
def hubs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubEndpoints]:
    """Of this test alone: what is trained stays on them."""
    with answering(copied(tmp_path / "data"), monkeypatch) as on:
        yield on


@pytest.fixture
def pictures(tmp_path: Path) -> str:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("a", "b"):
        Image.new("RGB", (520, 520), "teal").save(folder / f"{name}.png")
    (folder / "a.txt").write_text("a pier")
    return str(folder)


def test_pictures_become_a_lora_and_its_ref_is_printed(hubs: HubEndpoints, line: Line, pictures: str) -> None:
    code, said = line("train", pictures, *FOG, "--rank", "8", "--steps", "50", "--yes")
    assert (code, said["status"]) == (0, "succeeded")
    assert (said["trigger_word"], said["rank"], said["steps"]) == ("FGHRBR", 8, 50)
    assert said["ref"].startswith("replicate:local/fog@")
    assert Ref.parse(said["ref"]).is_pinned


ASKED = {"no": (2, "hub-ui: Not started. Nothing was sent, and nothing is paid."), "y": (0, "hub-ui train --follow")}


@pytest.mark.usefixtures("hubs")
@pytest.mark.parametrize("answer", ASKED)
def test_it_says_its_cost_and_asks(line: Line, pictures: str, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    monkeypatch.setattr("sys.stdin", Screen(f"{answer}\n"))
    code, said = line.run("train", pictures, *FOG), line.err
    assert "1000 steps at rank 16 take about 19 minutes on Replicate and cost about $1.23 to $2.28." in said
    assert (code, ASKED[answer][1] in said) == (ASKED[answer][0], True)


def test_one_is_cancelled_by_its_id(tmp_path: Path, line: Line, pictures: str, monkeypatch: pytest.MonkeyPatch) -> None:
    order = Order(destination="local/fog", trigger_word="FGHRBR")
    # Long enough to be running still when it is cancelled, however slow the machine.
    with answering(copied(tmp_path / "long"), monkeypatch, run_seconds=600) as hubs:
        endpoint = Endpoint(hub="replicate", url=hubs.replicate, keys={"replicate": "r8_test"})
        started = start_training(Runs(endpoint), order, training_set(Path(pictures)).zipped)
        assert line("train", "--cancel", started.id) == (0, {"id": started.id, "status": "canceled"})
        code, said = line("train", "--follow", started.id)
    assert (code, said["message"]) == (
        1, f"Training {started.id} was cancelled. Start it again to have its LoRA."
    )  # fmt: skip


def test_ctrl_c_leaves_the_training_running(
    hubs: HubEndpoints, line: Line, pictures: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("connectors.replicate.runs.Runs.follow", Mock(side_effect=KeyboardInterrupt))
        code, said = line.run("train", pictures, *FOG, "--yes"), line.err
    assert code == cli.INTERRUPTED
    run_id = said.rpartition("--cancel ")[2].strip()
    assert line("train", "--follow", run_id)[1]["status"] == "succeeded"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "--destination OWNER/NAME and --trigger WORD are needed"),
        (["pictures"], "are needed"),
        (["pictures", "--follow", "abc"], "--follow takes the training's ID alone"),
        (["--follow", "abc", "--cancel", "abc"], "Either --follow or --cancel"),
        (["--follow", "a/b"], "named by letters and digits"),
        (["none", *FOG, "--rank", "200"], "1 to 128"),
        (["none", *FOG], "no such folder or zip"),
    ],
)
def test_what_can_t_be_trained_is_told(hubs: HubEndpoints, line: Line, words: list[str], message: str) -> None:
    code, said = line("train", *words, "--yes")
    assert code == 2
    assert message in said["message"]


@pytest.mark.parametrize(
    ("status", "said", "stage", "done", "total"),
    [
        ("starting", {}, "Waiting for a machine on Replicate", 0, 0),
        ("processing", {}, "Training on Replicate", 0, 0),
        ("processing", {"progress": 0.12, "data": {"input": {"steps": 1000}}}, "Training on Replicate", 120, 1000),
    ],
)
def test_progress_is_told_in_steps(status: Status, said: dict[str, Any], stage: str, done: int, total: int) -> None:
    run = Run(kind="trainings", id="a", status=status, **said)
    assert step_of(run) == Step(stage=stage, done=done, total=total)
