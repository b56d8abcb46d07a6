"""A field of the Compare page is one row: of a program with one more, nothing but try_fields.py differs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hub_ui.generate import try_fields

ROOT = Path(__file__).parents[4]
ROW = """
    frames: Annotated[
        int | None,
        number(
            "frames",
            N_("Length"),
            1,
            257,
            N_("A clip has 1 to {most} images."),
            mode="numeric",
            place="numbers",
            about="How many images a clip has.",
            infotext=("Frames", "num_frames"),
        ),
    ] = None
    # Of the comparison"""
ASK = """
import json, sys
from dataclasses import replace
from pathlib import Path
from hub_ui import services
from hub_ui.cli import load_command
from hub_ui.generate.try_fields import TrySettings
from hub_ui.images import example_settings, infotext, png_metadata
from hub_ui.settings import from_environment
from hub_ui.web.api import Endpoints, arguments_of, words
from hub_ui.web.try_page.form import read_address
from tests.hub_ui.generate import making
from tests.hub_ui.web.conftest import open_client, read

settings = replace(from_environment({"HUB_UI_HOME": sys.argv[1]}), demo=True)
with services.build(settings) as built, open_client(built, Path(sys.argv[1])) as client:
    page = read(client.get("/?view=try&frames=900").text)
    box = page.select_one("#try [name=frames]")
    argument = arguments_of(Endpoints(built, None, None, Path()).by_name()["try"])["frames"]
made = making.made()
text = png_metadata.infotext_of(replace(made, request=replace(made.request, frames=9)), 0)
print(json.dumps({
    "form": [box.parent.select_one("span").text, box["value"], page.select_one("#problem-frames").text],
    "address": read_address("frames=9").to_address(),
    "request": TrySettings(frames=9).arguments()["frames"],
    "infotext": ["Frames: 9" in text, example_settings.of_text(infotext.read(text)).try_settings().frames],
    "option": next(param.help for param in load_command("try").params if param.name == "frames"),
    "endpoint": [words(argument.hint), argument.about, argument.default],
}))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Of a program that has the row beside all others."""
    folder, file = tmp_path_factory.mktemp("program"), Path(try_fields.__file__)
    for name in ("connectors", "tests"):
        (folder / name).symlink_to(ROOT / name)
    for inside in (file.parent.parent, file.parent):
        (folder / inside.relative_to(ROOT)).mkdir()
        for path in inside.iterdir():
            if path not in (file, file.parent):
                (folder / path.relative_to(ROOT)).symlink_to(path)
    text = file.read_text(encoding="utf-8").replace("\n    # Of the comparison", ROW)
    (folder / file.relative_to(ROOT)).write_text(text, encoding="utf-8")
    asked = [sys.executable, "-c", ASK, str(folder / "home")]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return json.loads(subprocess.run(asked, cwd=folder, env=environment, check=True, capture_output=True).stdout)


def test_it_stands_in_the_form_which_says_what_is_wrong_in_it(answers: Any) -> None:
    assert answers["form"] == ["Length", "900", "A clip has 1 to 257 images."]


def test_the_address_has_it(answers: Any) -> None:
    assert answers["address"] == "view=try&frames=9"


def test_images_are_made_with_it_and_say_so(answers: Any) -> None:
    assert answers["request"] == 9
    assert answers["infotext"] == [True, 9]


def test_it_is_an_argument_of_the_endpoint_and_an_option_of_the_command_line(answers: Any) -> None:
    assert answers["endpoint"] == ["a whole number or null", "How many images a clip has.", None]
    assert answers["option"] == "How many images a clip has."
