"""README.md and docs/ are short where they must be, name everything, and lead where they say.

SECURITY.md names a test for each control, and each of them is there.

Every message that docs/troubleshooting.md explains is one that hub-ui says.
"""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.http.errors import REFUSALS
from connectors.query import FIELDS
from connectors.query_language import format, parse
from connectors.registry import HUBS
from hub_ui.commands import cli
from hub_ui.demo.build.train.vocabulary import TRIGGERS, known_words
from hub_ui.settings import unknown_variables
from tests.docs.pages import PAGES, ROOT, shell_blocks
from tests.tools.tables import __main__ as tables

TEXTS = {name: path.read_text(encoding="utf-8") for name, path in PAGES.items()}
ALL = "\n".join(TEXTS.values())
# Of [text](target "title") and ![text](target): the target.
LINK = re.compile(r"\]\(([^)\s]+)")


def test_every_page_is_linked_from_the_index_where_the_readme_leads_and_leads_back_to_it() -> None:
    assert {"docs/tour.md", "docs/index.md"} <= set(LINK.findall(TEXTS["README.md"]))
    pages = {name.removeprefix("docs/") for name in PAGES if name.startswith("docs/")} - {"index.md"}
    assert pages - {link.partition("#")[0] for link in LINK.findall(TEXTS["docs/index.md"])} == set()
    back = "[Documentation](index.md)\n\n# "
    assert [page for page in sorted(pages) if not TEXTS[f"docs/{page}"].startswith(back)] == []


@pytest.mark.parametrize("name", [*PAGES, "CONTRIBUTING.md", "CHANGELOG.md", "connectors/ADDING_A_HUB.md"])
def test_every_link_leads_to_a_file_and_a_heading(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    links = [link for link in LINK.findall(text) if not link.startswith("https://")]
    assert [link for link in links if not leads_somewhere(ROOT / name, link)] == []


def leads_somewhere(page: Path, link: str) -> bool:
    path, _, heading = link.partition("#")
    target = page.parent / path if path else page
    return target.is_file() and (not heading or heading in headings(target))


def headings(page: Path) -> set[str]:
    """As GitHub writes them in an address."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", [*PAGES, "CONTRIBUTING.md", "connectors/ADDING_A_HUB.md"])
def test_every_path_of_the_source_that_is_named_is_there(name: str) -> None:
    paths = re.findall(r"`((?:connectors|hub_ui|tests|docs)/[\w/.]+)`", (ROOT / name).read_text(encoding="utf-8"))
    assert [path for path in paths if "examplehub" not in path and not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", ["README.md", "docs/commands.md"])
def test_every_command_is_in_the_table_and_every_one_in_the_table_exists(page: str) -> None:
    named = re.findall(r"^\| `hub-ui (\w+)", TEXTS[page], re.MULTILINE)
    assert set(named) == set(cli.COMMANDS)


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_option_is_described(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([command, "--help"]) == 0
    # Filters are described by the table of the query language.
    known = {"--help", *(f"--{field.key}" for field in FIELDS if command == "search")}
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - known
    assert [option for option in options if option not in ALL] == []


def test_readme_starts_with_the_commands_that_run_and_test_it_and_nothing_says_to_install_it_by_name() -> None:
    start = TEXTS["README.md"].partition("## Start")[2].partition("\n## ")[0]
    assert re.findall(r"^make \w+$", start, re.MULTILINE) == ["make run", "make test"]
    """PyPI does not have it, and anybody could take the name there."""
    sources = {str(path): path.read_text(encoding="utf-8") for path in (ROOT / "hub_ui").rglob("*.py")}
    assert [name for name, text in {**TEXTS, **sources}.items() if re.search(r"pip install '?hub[-_]ui", text)] == []


def test_the_first_image_of_readme_is_what_its_prompt_says() -> None:
    """With a seed, in words that the demo's base or its LoRA knows: others are noise to it."""
    [line] = [line for block in shell_blocks("README.md") for line in block.code.splitlines() if " --prompt " in line]
    words = shlex.split(line)
    assert set(words[words.index("--prompt") + 1].split()) <= {*known_words(), *TRIGGERS}
    assert ("--seed" in words, "--weight" in words) == (True, False)


def test_every_variable_is_described() -> None:
    sources = (ROOT / "hub_ui").rglob("*.py")
    own = {name for path in sources for name in re.findall(r"HUB_UI_[A-Z_]+", path.read_text(encoding="utf-8"))}
    variables = own | {name for hub in HUBS.values() for name in (hub.endpoint_variable, hub.token_variable)}
    assert [name for name in variables if f"`{name}`" not in TEXTS["docs/settings.md"]] == []
    told = re.findall(r"`(HUB_UI_[A-Z_]+[A-Z])`", TEXTS["docs/settings.md"])
    assert unknown_variables(dict.fromkeys(told, "")) == ()


def test_the_tables_of_base_models_and_filters_are_the_programs() -> None:
    """`python -m tests.tools.tables` prints what belongs there."""
    assert tables.table() in TEXTS["docs/base-models.md"]
    assert tables.table_of_substitutions() in TEXTS["docs/base-models.md"]
    assert tables.table_of_files() in TEXTS["docs/base-models.md"]
    assert tables.table_of_filters() in TEXTS["docs/query-language.md"]


def test_the_page_of_memory_has_the_plans_of_all_bases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither bitsandbytes nor SDNQ is installed."""
    monkeypatch.setattr("hub_ui.generate.base_models.table.find_spec", lambda package: None)
    assert tables.memory_table() in TEXTS["docs/memory.md"]


def test_every_example_of_a_query_says_what_it_finds() -> None:
    found = re.findall(r"^\| `(.+?)` \| (?:what|the|styles|castles)", TEXTS["docs/query-language.md"], re.MULTILINE)
    assert [format(parse(example)) for example in found] == found


@pytest.mark.parametrize("shared", [False, True])
def test_the_tables_of_limits_are_the_programs(shared: bool) -> None:
    """`python -m tests.tools.tables limits` prints what belongs there."""
    assert tables.limits_table(shared=shared) in TEXTS["docs/hosting.md"]


TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)


def test_every_test_that_is_named_is_there() -> None:
    missing = []
    for path, name in NAMED:
        file = ROOT / path
        tree = ast.parse(file.read_text(encoding="utf-8")) if file.is_file() else ast.parse("")
        if name not in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}:
            missing.append(f"{path}::{name}")
    assert missing == []


def test_every_control_has_a_test_and_every_file_that_is_named_is_there() -> None:
    controls = TEXT.partition("## Controls")[2].partition("## What is left")[0]
    rows = [
        line for line in controls.splitlines() if line.startswith("| ") and not line.startswith(("| ---", "| Control"))
    ]
    assert len(rows) >= 40
    assert [row for row in rows if "::test_" not in row] == []
    paths = re.findall(r"`((?:connectors|hub_ui|tests)/[\w/.]+)`", TEXT)
    assert [path for path in paths if not (ROOT / path).exists()] == []


MESSAGES = re.findall(r"^### (.+)$", PAGES["docs/troubleshooting.md"].read_text(encoding="utf-8"), re.MULTILINE)
_VALUE = re.compile(r"\{[^{}]*\}")


def test_every_message_that_is_explained_stands_in_the_source_and_the_most_likely_ones_are_each_once() -> None:
    sources = "\n".join(text for folder in ("connectors", "hub_ui") for text in texts(ROOT / folder))
    said = re.sub("…+", "…", sources)
    assert [message for message in MESSAGES if message.removesuffix(" …") not in said] == []
    assert len(MESSAGES) == len(set(MESSAGES)) >= 30


def texts(folder: Path) -> Iterator[str]:
    """Every text in the sources and of refusals, with “…” for a value that is put into it."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(_fixed(part) if isinstance(part, ast.Constant) else "…" for part in node.values)
            elif isinstance(node, ast.Constant):
                yield _fixed(node)
    yield from (_VALUE.sub("…", row.message) for rows in REFUSALS.values() for row in rows)


def _fixed(node: ast.Constant) -> str:
    return _VALUE.sub("…", node.value) if isinstance(node.value, str) else ""
