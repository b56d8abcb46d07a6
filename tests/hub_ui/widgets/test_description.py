from __future__ import annotations

from typing import Literal

import pytest

from hub_ui.widgets import description

BASE = "https://huggingface.co/ada/ink/resolve/main/"


def html(text: str, kind: Literal["html", "markdown", "text"] = "markdown") -> str:
    return description.html(text, kind, base=BASE, picture=lambda url: f"own?{url}")


def test_markdown_is_rendered_below_the_panels_headings() -> None:
    text = "# Ink\n\n<Gallery />\n\n## Use\n\n**bold** and `code`\n\n| a | b |\n|---|---|\n| 1 | 2 |\n"
    said = html(text)
    assert said.startswith("<h4>Ink</h4>")
    assert "<h4>Use</h4>\n<p><strong>bold</strong> and <code>code</code></p>" in said
    assert "<td>1</td>" in said
    assert "Gallery" not in said


def test_a_description_keeps_its_words_and_loses_its_code() -> None:
    said = html('<p onclick="x()">A <b>style</b><script>x()</script><style>p {}</style></p>', "html")
    assert said == "<p>A <b>style</b></p>"


def test_pictures_go_through_the_page_and_relative_ones_are_of_the_same_commit() -> None:
    said = html("![one](images/1.png) <img src=//far.example/2.png onerror=x()>")
    assert 'src="own?https://huggingface.co/ada/ink/resolve/main/images/1.png"' in said
    assert '<img src="own?https://far.example/2.png" loading="lazy">' in said


def test_links_are_web_addresses_unfollowed_and_open_beside_the_page() -> None:
    said = html("[files](/ada/ink/tree/main) [run](javascript:x()) <a href='java&#10;script:x()'>y</a>")
    after = ' target="_blank" rel="noopener noreferrer nofollow">'
    assert f'<a href="https://huggingface.co/ada/ink/tree/main"{after}files</a>' in said
    assert "script:" not in said.replace("[run](javascript:x())", "")


@pytest.mark.parametrize("kind", ["markdown", "html", "text"])
def test_no_kind_lets_a_script_through(kind: Literal["html", "markdown", "text"]) -> None:
    said = html("<img src=x onerror=alert(1)><svg onload=alert(1)><iframe srcdoc=x></iframe>${alert(1)}", kind)
    tags = [part.split(">")[0] for part in said.split("<")[1:]]
    assert [tag for tag in tags if "onerror" in tag or "onload" in tag or tag.startswith(("svg", "iframe"))] == []


def test_plain_text_is_shown_as_written() -> None:
    assert html("one <b> & two\n\nthree", "text") == "<p>one &lt;b&gt; &amp; two</p><p>three</p>"


def test_a_word_without_end_gets_places_to_break_and_entities_stay_whole() -> None:
    assert html("x" * 100, "text") == f"<p>{'x' * 40}<wbr>{'x' * 40}<wbr>{'x' * 20}</p>"
    assert html("&" * 50, "text") == f"<p>{'&amp;' * 40}<wbr>{'&amp;' * 10}</p>"


@pytest.mark.parametrize("piece", ["[", "![", "*a ", "<", "`", "> ", "[a](", "<b>", "&#", "- "])
def test_what_is_longer_than_anyone_reads_is_cut_off_with_a_word(piece: str) -> None:
    assert html(piece * 100_000).endswith("<p>There is more of it on the hub.</p>")
