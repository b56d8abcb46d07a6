import time
from datetime import UTC, datetime

import pytest

from connectors import query_language
from hub_ui.base import format
from hub_ui.base.format import clean, part_label, plural, size
from hub_ui.base.i18n import use_language
from hub_ui.locales import get_language


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("\x1b[31mred\x1b[0m \x1b]0;title\x07", "[31mred[0m ]0;title"),
        ("safe\u202egpj.exe \u2066x\u2069 zero\u200bwidth\ufeff", "safegpj.exe x zerowidth"),
        ("a\x9b31mb\ud800c\x7f", "a31mbc"),
        ("one\ntwo\r\tthree\u2028four", "one two  three four"),
        ("水墨 Ольга 🎨 naïve", "水墨 Ольга 🎨 naïve"),
    ],
    ids=["escape sequences", "hidden text", "controls and half characters", "line ends", "other scripts"],
)
def test_a_text_for_a_terminal_loses_whatever_could_move_or_hide_it(text: str, cleaned: str) -> None:
    assert clean(text) == cleaned


def test_sizes_and_times_read_as_people_write_them_and_an_irregular_plural_is_given() -> None:
    sizes = [size(n) for n in (0, 999, 876_544, 38_000_000, 1_234_000_000, None)]
    assert sizes == ["0 B", "999 B", "877 kB", "38 MB", "1.2 GB", ""]
    sizes = [size(n, precise=True) for n in (0, 999, 876_544, 38_000_000, 2_500_000_000, None)]
    assert sizes == ["0 B", "999 B", "876.5 kB", "38.0 MB", "2.5 GB", ""]
    assert [plural(n, "entry", "entries") for n in (0, 1, 1200)] == ["0 entries", "1 entry", "1,200 entries"]
    assert plural(2, "file") == "2 files"
    assert (format.since(time.time() - 7200), format.since(None)) == ("2 hours ago", "")
    assert format.visible("safe\u202egnp.exe\x00\x1b[31m") == "safegnp.exe[31m"


@pytest.mark.parametrize(
    ("number", "text"), [(None, "–"), (0, "0"), (999, "999"), (12_400, "12.4k"), (120_000, "120k"), (2_000_000, "2M")]
)
def test_counts_are_short(number: int | None, text: str) -> None:
    assert format.count(number) == text


@pytest.mark.parametrize(
    ("then", "text"),
    [
        ("2026-01-01T00:00:00Z", "1 month ago"),
        ("2026-02-01T10:59:59.123456789Z", "1 hour ago"),
        ("2026-02-01T12:00:00+00:00", "just now"),
        ("2026-02-01T12:00:00+02:00", "2 hours ago"),
        ("yesterday", ""),
        (None, ""),
    ],
)
def test_times_are_told_as_ages(then: str | None, text: str) -> None:
    assert format.ago(then, datetime(2026, 2, 1, 12, tzinfo=UTC)) == text


QUERIES = [
    "kind:style", "creator:ada", "tag:style", "license:sell", "license:mit", "access:login", "trigger:any",
    "trigger:ohwx", "rank:>=16", "rank:8..32", "rank:16", "size:<200mb", "updated:<30d", "updated:>1y",
    "installed:no", "-kind:style", "-anime", "updated:1d..30d", "size:>10mb", "nsfw:mature",
]  # fmt: skip


@pytest.mark.parametrize("text", QUERIES)
def test_english_is_what_the_query_language_says(text: str) -> None:
    (part,) = query_language.parts(query_language.parse(text))
    assert part_label(part) == part.label


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("kind:style", "画风"),
        ("tag:style", "标签 style"),
        ("creator:{n}", "作者 {n}"),
        ("style", "style"),
        ("rank:>=16", "秩不低于 16"),
        ("updated:<30d", "30 天内更新"),
        ("-kind:style", "排除 画风"),
        ("license:sell", "允许出售"),
    ],
)
def test_chinese_keeps_the_words_of_hubs(text: str, label: str) -> None:
    (part,) = query_language.parts(query_language.parse(text))
    with use_language(get_language("zh-CN")):
        assert part_label(part) == label
