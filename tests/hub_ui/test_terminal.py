from __future__ import annotations

import io
import json

from connectors.errors import Gated
from hub_ui.terminal import Terminal, clean, cut, facts, size, table, width


def terminal(*, as_json: bool = False) -> Terminal:
    return Terminal(out=io.StringIO(), err=io.StringIO(), json=as_json)


def written(stream: object) -> str:
    assert isinstance(stream, io.StringIO)
    return stream.getvalue()


def test_escape_sequences_lose_their_escape() -> None:
    assert clean("\x1b[31mred\x1b[0m \x1b]0;title\x07") == "[31mred[0m ]0;title"


def test_what_reorders_or_hides_text_is_dropped() -> None:
    assert clean("safe\u202egpj.exe \u2066x\u2069 zero\u200bwidth\ufeff") == "safegpj.exe x zerowidth"


def test_eight_bit_controls_and_lone_surrogates_are_dropped() -> None:
    assert clean("a\x9b31mb\ud800c\x7f") == "a31mbc"


def test_line_ends_become_spaces() -> None:
    assert clean("one\ntwo\r\tthree\u2028four") == "one two  three four"


def test_other_scripts_and_emoji_stay() -> None:
    assert clean("水墨 Ольга 🎨 naïve") == "水墨 Ольга 🎨 naïve"


def test_wide_characters_count_two_columns() -> None:
    assert (width("水墨"), width("ink"), width("e\u0301")) == (4, 3, 1)


def test_a_long_cell_is_cut_by_columns() -> None:
    assert cut("水墨水墨水墨", 7) == "水墨水…"


def test_a_table_lines_up_and_keeps_its_last_column_whole() -> None:
    assert table([("NAME", "REF"), ("水墨", "x" * 12), ("a" * 9, "y")], widest=6) == [
        "NAME    REF",
        "水墨    xxxxxxxxxxxx",
        "aaaaa…  y",
    ]


def test_unknown_facts_are_left_out() -> None:
    assert facts([("title", "Ink"), ("rank", None), ("trigger words", "")]) == ["title  Ink"]


def test_sizes_read_as_people_write_them() -> None:
    assert [size(n) for n in (0, 999, 876_544, 2_500_000_000, None)] == ["0 B", "999 B", "876.5 kB", "2.5 GB", None]


def test_a_document_is_ascii_and_holds_everything() -> None:
    t = terminal(as_json=True)
    t.document({"title": "\x1b[31m水\u202e\ud800"})
    assert written(t.out).isascii()
    assert json.loads(written(t.out)) == {"title": "\x1b[31m水\u202e\ud800"}


def test_an_error_is_told_to_people_and_as_json_to_programs() -> None:
    t = terminal(as_json=True)
    t.error(Gated("Ask its author on the hub's page.", hub="huggingface"))
    assert written(t.err) == "hub-ui: Ask its author on the hub's page.\n"
    assert json.loads(written(t.out)) == {"error": "Gated", "message": "Ask its author on the hub's page."}


def test_without_json_an_error_leaves_the_data_stream_empty() -> None:
    t = terminal()
    t.error(Gated("Ask its author."))
    assert written(t.out) == ""
