import io
import json
from datetime import date

from connectors.errors import Gated
from hub_ui.commands.terminal import Terminal
from tests.hub_ui.stand_ins import Screen


def terminal(*, as_json: bool = False) -> Terminal:
    return Terminal(out=io.StringIO(), err=io.StringIO(), json=as_json)


def written(stream: object) -> str:
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


def test_a_table_lines_up_by_columns_and_keeps_its_last_one_whole_and_without_rows_is_nothing() -> None:
    t = terminal()
    t.table(("NAME", "REF"), [("水墨水墨水墨", "y")], max_width=7)
    assert written(t.out) == "NAME     REF\n水墨水…  y\n"
    t = terminal()
    t.table(("NAME", "REF"), [("水墨", "x" * 200), ("e\u0301" * 9, "y")], max_width=6)
    assert written(t.out).splitlines() == ["NAME    REF", f"水墨    {'x' * 200}", "e\u0301" * 5 + "…  y"]
    t = terminal()
    t.table(("NAME", "REF"), [])
    assert written(t.out) == ""


HOSTILE = "[red]x[/red] [link=http://a.example]y[/link] :smile: \x1b[2J\u202ez"
HARMLESS = "[red]x[/red] [link=http://a.example]y[/link] :smile: [2Jz"


def test_markup_and_escapes_of_a_hub_are_plain_text_in_a_table_of_a_terminal() -> None:
    t = Terminal(out=Screen(), err=Screen())
    t.table(("NAME", "REF"), [(HOSTILE, HOSTILE)], max_width=100)
    header, row = written(t.out).splitlines()
    assert (header.split()[0], row) == ("\x1b[1mNAME\x1b[0m", f"{HARMLESS}  {HARMLESS}")


def test_progress_is_one_line_for_a_person_that_the_next_text_replaces() -> None:
    t = Terminal(out=Screen(), err=Screen())
    t.progress(f"Asking about {HOSTILE}")
    t.progress(f"Downloading {HOSTILE}", 0.5)
    t.note("Done.")
    shown = written(t.err)
    assert f"Asking about {HARMLESS}" in shown
    assert f"Downloading {HARMLESS}" in shown
    assert shown.endswith("\x1b[2KDone.\n")
    assert "\x1b[?25h" in shown[shown.rindex("\x1b[?25l") :]


def test_nobody_is_shown_progress_in_a_pipe_nor_unknown_facts() -> None:
    t = terminal()
    t.progress("Downloading", 0.5)
    t.clear_progress()
    assert written(t.err) == ""
    t = terminal()
    t.facts([("title", "Ink"), ("rank", None), ("trigger words", "")])
    assert written(t.out) == "title  Ink\n"


def test_a_document_is_ascii_and_holds_everything_and_people_are_shown_the_text() -> None:
    t = terminal(as_json=True)
    t.document({"title": "\x1b[31m水\u202e\ud800", "words": ("ink",), "z": {"d": [date(2026, 1, 2)]}})
    assert written(t.out).isascii()
    expected = {"title": "\x1b[31m水\u202e\ud800", "words": ["ink"], "z": {"d": ["2026-01-02"]}}
    assert json.loads(written(t.out)) == expected
    for_programs, for_people = terminal(as_json=True), terminal()
    for_programs.show({"freed": 7}, lambda: for_programs.line("7 bytes freed."))
    for_people.show({"freed": 7}, lambda: for_people.line("7 bytes freed."))
    assert json.loads(written(for_programs.out)) == {"freed": 7}
    assert written(for_people.out) == "7 bytes freed.\n"


def test_an_error_is_told_to_people_and_as_json_to_programs_alone() -> None:
    t = terminal(as_json=True)
    t.error(Gated("Ask its author on the hub's page.", hub="huggingface"))
    assert written(t.err) == "hub-ui: Ask its author on the hub's page.\n"
    assert json.loads(written(t.out)) == {"error": "Gated", "message": "Ask its author on the hub's page."}
    t = terminal()
    t.error(Gated("Ask its author."))
    assert written(t.out) == ""
