"""A filter of searches is one row, and so is a field of the Compare page: of a program with one more of each, nothing
but connectors/query.py and hub_ui/generate/try_fields.py differs.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.hub_ui.catalog.builders import catalog, claim, lora, titles
from tests.programs import ROOT, python

# By file: before what, and the row.
ROWS = {
    "connectors/query.py": (
        "\n    rank: Annotated[",
        """
    looms: Annotated[
        tuple[str, ...],
        names(
            "loom",
            "The loom that it was woven on.",
            "jacquard",
            Column(name="looms", read=lambda said: said.text("loom")),
            other="woven on {name}",
            is_open=True,
            has_parameter=True,
            facet=Facet(name="Loom", most=8),
        ),
    ] = ()""",
    ),
    "hub_ui/generate/try_fields.py": (
        "\n    # Of the comparison",
        """
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
    ] = None""",
    ),
}
ASK = """
import json, sqlite3, sys
from dataclasses import replace
from pathlib import Path
from connectors.query import Query
from connectors.query_language import format, parse, parts
from hub_ui.app import services
from hub_ui.catalog.catalog import Catalog
from hub_ui.commands.cli import load_command
from hub_ui.app.documents import query_of
from hub_ui.generate.try_fields import TrySettings
from hub_ui.images import example_settings, infotext, png_metadata
from hub_ui.settings import from_environment
from hub_ui.web.api import Endpoints, filter_arguments, words
from hub_ui.web.browse.facets import groups
from hub_ui.web.try_page.form import read_address
from hub_ui.web.view import View
from tests.hub_ui.generate import making
from tests.hub_ui.web.conftest import open_client, read
from tests.tools.tables.__main__ import table_of_filters

folder = Path(sys.argv[1])
path = folder / "catalog.sqlite"
with Catalog.open(path) as opened:
    found = {text: [record.title for record in opened.search(parse(text)).records]
             for text in ("loom:jacquard", "-loom:Jacquard", "loom:dobby")}
    facets = opened.search(parse("loom:dobby")).facets
    suggested = opened.complete_value("loom", "ja")
group = next(group for group in groups(parse("loom:dobby"), facets) if group.facet == "loom")
a_filter = {
    "found": found,
    "group": [group.name, *([name, value, each.count] for name, value, each in group.boxes)],
    "suggested": suggested,
    "column": sqlite3.connect(path).execute("SELECT title, looms FROM loras ORDER BY id").fetchall(),
    "language": [format(parse("ink loom:Dobby,jacquard")), *(part.label for part in parts(parse("loom:dobby")))],
    "address": View.from_address("loom=dobby&filter=-loom:x").to_address(),
    "options": [param.opts for param in load_command("search").params if param.name == "loom"],
    "endpoint": [words(each.hint) for each in filter_arguments() if each.name == "looms"],
    "query": query_of("ink", {"loom": ["dobby"]}, limit=1).looms,
    "table": [line for line in table_of_filters().splitlines() if "loom" in line],
}
settings = replace(from_environment({"HUB_UI_HOME": str(folder / "home")}), demo=True)
with services.build(settings) as built, open_client(built, folder / "home") as client:
    page = read(client.get("/try?frames=900").text)
    box = page.select_one("#try [name=frames]")
    argument = Endpoints(built, None, None, Path()).by_name["try"].arguments["frames"]
made = making.made()
text = png_metadata.infotext_of(replace(made, request=replace(made.request, frames=9)), 0)
a_field = {
    "form": [box.parent.select_one("span").text, box["value"], page.select_one("#problem-frames").text],
    "address": read_address("frames=9").to_address(),
    "request": TrySettings(frames=9).arguments()["frames"],
    "infotext": ["Frames: 9" in text, example_settings.of_text(infotext.read(text)).try_settings().frames],
    "option": next(param.help for param in load_command("try").params if param.name == "frames"),
    "endpoint": [words(argument.hint), argument.about, argument.default],
}
print(json.dumps([a_filter, a_field]))
"""


def write_program(folder: Path) -> None:
    """Links to all files but those that have a row more."""
    files = [ROOT / name for name in ROWS]
    # Outer folders come first.
    folders = sorted({place for file in files for place in file.parents if ROOT in place.parents})
    (folder / "tests").symlink_to(ROOT / "tests")
    for place in folders:
        (folder / place.relative_to(ROOT)).mkdir()
        for path in place.iterdir():
            if path not in (*files, *folders):
                (folder / path.relative_to(ROOT)).symlink_to(path)
    for name, (before, row) in ROWS.items():
        text = (ROOT / name).read_text(encoding="utf-8").replace(before, row + before)
        (folder / name).write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Of the filter, and of the field. A catalog of a program without the filter is opened without it again."""
    folder = tmp_path_factory.mktemp("program")
    write_program(folder)
    with catalog(folder, lora(1, title="Damask", claims=(claim("loom", "Jacquard"),)), lora(2, title="Felt")):
        pass
    said = json.loads(python("-c", ASK, str(folder), cwd=folder, PYTHONPATH=str(folder)).stdout)
    with catalog(folder, lora(3, title="Tweed")) as without:
        return said[0] | {"without": sorted(titles(without))}, said[1]


def test_the_catalog_has_a_column_of_a_filter_and_is_used_without_it_again(answers: Any) -> None:
    found, _field = answers
    assert found["without"] == ["Damask", "Felt", "Tweed"]
    assert [looms for _title, looms in found["column"]] == ["jacquard", ""]
    assert found["found"] == {"loom:jacquard": ["Damask"], "-loom:Jacquard": ["Felt"], "loom:dobby": []}


def test_list_suggestions_language_address_command_line_endpoint_and_documentation_have_it(answers: Any) -> None:
    found, _field = answers
    assert found["group"] == ["Loom", ["loom", "jacquard", 1], ["loom", "dobby", 0]]
    assert found["suggested"] == [["jacquard", 1]]
    assert found["language"] == ["ink loom:Dobby,jacquard", "woven on dobby"]
    assert found["address"] == "loom=dobby&filter=-loom%3Ax"
    assert found["options"] == [["--loom"]]
    assert found["query"] == ["dobby"]
    assert found["endpoint"] == ["text or a list of such or null"]
    assert found["table"] == ["| `loom` | The loom that it was woven on. |  | `loom:jacquard` |"]


def test_form_address_images_endpoint_and_command_line_have_a_field(answers: Any) -> None:
    _filter, found = answers
    assert found["form"] == ["Length", "900", "A clip has 1 to 257 images."]
    assert found["address"] == "view=try&frames=9"
    assert found["request"] == 9
    assert found["infotext"] == [True, 9]
    assert found["endpoint"] == ["a whole number or null", "How many images a clip has.", None]
    assert found["option"] == "How many images a clip has."
