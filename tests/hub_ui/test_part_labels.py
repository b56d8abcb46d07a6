from __future__ import annotations

import pytest

from connectors import query_language
from hub_ui.format import part_label
from hub_ui.i18n import use_language
from hub_ui.locales import get_language

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
