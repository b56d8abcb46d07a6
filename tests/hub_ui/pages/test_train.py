"""The Train page against the local Replicate: what it costs, the training itself, and what came of it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import gradio as gr
import pytest
from PIL import Image

from connectors.claims.resolve import record_of
from connectors.errors import HubUiError, KeyRequired, UsageError
from connectors.ref import Ref
from hub_ui import services
from hub_ui.commands.demo import demo_settings
from hub_ui.demo.hubs.folder import SAMPLES
from hub_ui.demo.hubs.server import running_hubs
from hub_ui.pages import train
from hub_ui.services import Services
from hub_ui.training import Trainer
from hub_ui.widgets.render import Renderer
from tests.hub_ui.web.conftest import with_settings

RENDER = Renderer()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train") / "data"
    copytree(SAMPLES, folder, dirs_exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def online(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    home = tmp_path_factory.mktemp("home")
    with running_hubs(data) as hubs, services.build(demo_settings(home, home / "loras", hubs)) as built:
        yield built


@pytest.fixture
def lasting(data: Path, tmp_path: Path) -> Iterator[Trainer]:
    """On a Replicate that trains for longer than any test."""
    home = tmp_path / "home"
    with (
        running_hubs(data, run_seconds=600) as hubs,
        services.build(demo_settings(home, home / "loras", hubs)) as built,
    ):
        yield Trainer(built)


@pytest.fixture
def trainer(online: Services) -> Trainer:
    return Trainer(online)


@pytest.fixture
def pictures(tmp_path: Path) -> str:
    path = tmp_path / "pictures.zip"
    with zipfile.ZipFile(path, "w") as zipped:
        for i in range(3):
            drawn = io.BytesIO()
            Image.new("RGB", (600, 600), (i * 40, 90, 120)).save(drawn, "PNG")
            zipped.writestr(f"{i}.png", drawn.getvalue())
    return str(path)


def test_the_price_is_told_before_anything_is_sent(trainer: Trainer, pictures: str) -> None:
    said, start = train.check_images(trainer, RENDER, (pictures, "local/boat", "BOATX", 8, 1000))
    assert "3 images, 0 with a caption: 1000 steps at rank 8 take about" in said
    assert start == gr.update(visible=True)
    assert trainer.list_running() == ()


def test_a_training_ends_with_a_lora_in_the_catalog(trainer: Trainer, pictures: str) -> None:
    steps = list(train.start_training(trainer, RENDER, (pictures, "local/boat", "BOATX", 8, 1000)))
    made = steps[-1][0]
    ref = Ref.parse(made.split('data-ref="')[1].split('"')[0])
    lora = trainer.services.catalog.lora(ref)
    assert (ref.id, ref.is_pinned) == ("local/boat", True)
    assert "BOATX" in record_of(lora, ref).trigger_words


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ((None, "local/boat", "BOATX", 8, 1000), "Choose a zip of images first"),
        (("x.zip", "boat", "BOATX", 8, 1000), "Write OWNER/NAME"),
        (("x.zip", "local/boat", "", 8, 1000), "A trigger word"),
        (("x.zip", "local/boat", "BOATX", None, 1000), "A rank is a whole number"),
    ],
)
def test_what_is_missing_is_told_with_the_next_step(trainer: Trainer, values: tuple[object, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        train.check_images(trainer, RENDER, values)


def test_a_training_can_be_cancelled_from_the_list(lasting: Trainer, pictures: str) -> None:
    steps = train.start_training(lasting, RENDER, (pictures, "local/boat", "BOATX", 8, 6000))
    [next(steps), next(steps)]
    [run] = lasting.list_running()
    assert f'data-id="{run.id}"' in train.list_html(lasting, RENDER)
    list(train.handle_click(lasting, RENDER, {"act": "cancel", "id": run.id}))
    with pytest.raises(HubUiError, match="was cancelled"):
        list(steps)


def test_without_a_key_the_page_says_where_to_get_one(online: Services) -> None:
    keyless = with_settings(online, tokens={})
    assert "REPLICATE_API_TOKEN" in train.list_html(Trainer(keyless), RENDER)
    with pytest.raises(KeyRequired):
        train.check_images(Trainer(keyless), RENDER, (None, "", "", 8, 1000))


def test_strangers_train_nothing(online: Services, pictures: str) -> None:
    hosted = Trainer(with_settings(online, hosted=True))
    with pytest.raises(UsageError, match="A shared page trains nothing"):
        train.check_images(hosted, RENDER, (pictures, "local/boat", "BOATX", 8, 1000))
