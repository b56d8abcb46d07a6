"""A filter is one row: of a program with one more, nothing but connectors/query.py differs."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from connectors import query
from tests.hub_ui.catalog.builders import catalog, claim, lora, titles

ROW = """
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
    ] = ()
    rank: Annotated["""
ASK = """
import json, sqlite3, sys
from pathlib import Path
from connectors.query import Query, table
from connectors.query_language import format, parse, parts
from hub_ui.catalog.catalog import Catalog
from hub_ui.cli import load_command
from hub_ui.documents import query_of
from hub_ui.web.api import filter_arguments, words
from hub_ui.web.browse.facets import groups
from hub_ui.web.view import View

path = Path(sys.argv[1])
with Catalog.open(path) as opened:
    found = {text: [record.title for record in opened.search(parse(text)).records]
             for text in ("loom:jacquard", "-loom:Jacquard", "loom:dobby")}
    facets = opened.search(parse("loom:dobby")).facets
    suggested = opened.complete_value("loom", "ja")
group = next(group for group in groups(parse("loom:dobby"), facets) if group.facet == "loom")
print(json.dumps({
    "found": found,
    "group": [group.name, *([*each.field("loom"), each.count] for each in group.choices)],
    "suggested": suggested,
    "column": sqlite3.connect(path).execute("SELECT title, looms FROM loras ORDER BY id").fetchall(),
    "language": [format(parse("ink loom:Dobby,jacquard")), *(part.label for part in parts(parse("loom:dobby")))],
    "address": View.from_address("loom=dobby&filter=-loom:x").to_address(),
    "options": [param.opts for param in load_command("search").params if param.name == "loom"],
    "endpoint": [words(each.hint) for each in filter_arguments() if each.name == "looms"],
    "query": query_of("ink", {"loom": ["dobby"]}, limit=1).looms,
    "table": [line for line in table().splitlines() if "loom" in line],
}))
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Of a program with the row, on a catalog of one without it, which is opened without it again."""
    folder, sources = tmp_path_factory.mktemp("program"), Path(query.__file__).parent
    with catalog(folder, lora(1, title="Damask", claims=(claim("loom", "Jacquard"),)), lora(2, title="Felt")):
        pass
    (folder / "connectors").mkdir()
    (folder / "hub_ui").symlink_to(sources.with_name("hub_ui"))
    for path in sources.iterdir():
        if path.name != "query.py":
            (folder / "connectors" / path.name).symlink_to(path)
    text = Path(query.__file__).read_text(encoding="utf-8").replace("\n    rank: Annotated[", ROW)
    (folder / "connectors" / "query.py").write_text(text, encoding="utf-8")
    asked = [sys.executable, "-c", ASK, str(folder / "catalog.sqlite")]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    said = json.loads(subprocess.run(asked, cwd=folder, env=environment, check=True, capture_output=True).stdout)
    with catalog(folder, lora(3, title="Tweed")) as without:
        return said | {"without": sorted(titles(without))}


def test_a_catalog_that_had_it_is_used_without_it_again(answers: Any) -> None:
    assert answers["without"] == ["Damask", "Felt", "Tweed"]


def test_the_catalog_has_a_column_of_it_also_for_what_it_knew_before(answers: Any) -> None:
    assert [looms for _title, looms in answers["column"]] == ["jacquard", ""]


def test_loras_are_found_and_left_out_by_it(answers: Any) -> None:
    assert answers["found"] == {"loom:jacquard": ["Damask"], "-loom:Jacquard": ["Felt"], "loom:dobby": []}


def test_its_choices_stand_beside_the_list_and_are_suggested(answers: Any) -> None:
    assert answers["group"] == ["Loom", ["loom", "jacquard", 1], ["loom", "dobby", 0]]
    assert answers["suggested"] == [["jacquard", 1]]


def test_the_query_language_and_the_address_have_it(answers: Any) -> None:
    assert answers["language"] == ["ink loom:Dobby,jacquard", "woven on dobby"]
    assert answers["address"] == "loom=dobby&filter=-loom%3Ax"


def test_it_is_an_option_of_the_command_line_and_an_argument_of_the_endpoint(answers: Any) -> None:
    assert answers["options"] == [["--loom"]]
    assert answers["query"] == ["dobby"]
    assert answers["endpoint"] == ["text or a list of such or null"]


def test_it_is_a_row_of_the_documentation(answers: Any) -> None:
    assert answers["table"] == ["| `loom` | The loom that it was woven on. |  | `loom:jacquard` |"]
