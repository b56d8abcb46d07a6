"""An author's own words, HTML or Markdown written by anyone, as harmless HTML of this page."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal
from urllib.parse import urljoin

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from hub_ui.widgets.render import address

# Some twenty printed pages. Brackets without end take Markdown readers a time that grows with the square.
LONGEST = 40_000
MORE = "<p>There is more of it on the hub.</p>"
_TAGS = {
    "a", "b", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "kbd",
    "li", "ol", "p", "pre", "s", "strong", "sub", "sup", "table", "tbody", "td", "th", "thead", "tr", "u", "ul",
}  # fmt: skip
_HEADING = re.compile(r"<(/?)h([1-6])>")
_MARKUP = re.compile(r"(<[^>]*>)")
# An entity is one letter. Longer words than this get places to break at, without which a line as long as a book takes
# the browser many seconds.
_LONG_PIECE = re.compile(r"((?:&[#\w]+;|[^\s&<]){40})(?=[^\s<])")


def html(text: str, kind: Literal["html", "markdown", "text"], *, base: str, picture: Callable[[str], str]) -> Markup:
    """`base` is where relative addresses start from, and `picture` gives the page's own address of a hub's image."""

    def rewrite(_tag: str, attribute: str, value: str) -> str | None:
        if attribute not in ("src", "href"):
            return value
        try:
            url = urljoin(base, value.strip())
        except ValueError:  # a bracket that opens no IPv6 address
            return None
        return (picture(url) if attribute == "src" else address(url)) or None

    clean = nh3.clean(
        _to_html(text[:LONGEST], kind),
        tags=_TAGS,
        attributes={"a": {"href"}, "img": {"src", "alt", "title"}, "ol": {"start"}},
        attribute_filter=rewrite,
        set_tag_attribute_values={"img": {"loading": "lazy"}, "a": {"target": "_blank"}},
        link_rel="noopener noreferrer nofollow",
    )
    # Below the panel's own headings, in two sizes.
    clean = _HEADING.sub(lambda found: f"<{found[1]}h{4 if int(found[2]) < 3 else 5}>", clean)
    parts = (part if part.startswith("<") else _LONG_PIECE.sub(r"\1<wbr>", part) for part in _MARKUP.split(clean))
    return Markup("".join(parts) + (MORE if len(text) > LONGEST else ""))


def _to_html(text: str, kind: str) -> str:
    if kind == "html":
        return text
    if kind == "markdown":
        return str(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text))
    return "".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n") if part.strip())
