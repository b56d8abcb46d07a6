"""Parts of the panel: download and try offers, versions, description, images and their settings."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal
from urllib.parse import urljoin

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from connectors.claims.resolve import flatten
from connectors.record import Example, Lora, Nsfw, Record, Version, WeightFile, within
from connectors.ref import Ref
from connectors.registry import HUBS, LOCAL
from connectors.weights.inspect import Facts
from hub_ui.app.compatibility import Requirements, refusal
from hub_ui.base import format
from hub_ui.base.i18n import N_, _
from hub_ui.images import example_settings
from hub_ui.images.infotext import UsedLora
from hub_ui.web.layout.render import WORDS as TABLES
from hub_ui.web.layout.render import address, word
from hub_ui.web.lora.fact_rows import describe_changes

# Who uses the page: its owner, a user of the demo, or a visitor of a shared page.
Place = Literal["own", "demo", "visit", "sign-in", "shared"]
# About twenty printed pages. Unclosed brackets take Markdown parsers quadratic time.
LONGEST = 40_000
MORE = N_("There is more of it on the hub.")
_TAGS = {
    "a", "b", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "img", "kbd",
    "li", "ol", "p", "pre", "s", "strong", "sub", "sup", "table", "tbody", "td", "th", "thead", "tr", "u", "ul",
}  # fmt: skip
_HEADING = re.compile(r"<(/?)h([1-6])>")
_MARKUP = re.compile(r"(<[^>]*>)")
# Long words get break points, because the layout of a very long line takes the browser many seconds. An entity counts
# as one letter.
_LONG_PIECE = re.compile(r"((?:&[#\w]+;|[^\s&<]){40})(?=[^\s<])")
MAX_VERSIONS = 60


def offer(
    record: Record,
    version: Version | None,
    facts: Facts | None,
    needs: Requirements,
    *,
    key_place: Place | None,
    in_library: bool,
) -> dict[str, Any]:
    """Return the values for the panel's offer to download and try.

    `obstacle` prevents a download, `caution` may prevent it. `refused` means that the file is not a LoRA. `try_problem`
    is the reason why one click can't try it, or empty. `key_place` is the place for entering the hub's key, or None.
    """
    obstacle, caution = obstacle_and_caution(record, version, key_place)
    no_lora = refusal(facts)
    if no_lora:
        obstacle, needs = no_lora, Requirements()
    closed = needs.text if needs.closed else ""
    return {
        "obstacle": obstacle,
        "caution": caution,
        "needs": needs,
        "refused": bool(no_lora),
        "in_library": in_library,
        "try_problem": obstacle if obstacle and (no_lora or not in_library) else closed,
    }


def obstacle_and_caution(record: Record, version: Version | None, key_place: Place | None) -> tuple[str, str]:
    """Return the sentence that prevents a download, and the sentence that warns of a possible refusal."""
    if record.file is not None and record.file.format == "pickle":
        return _("This file can run code when it is loaded (pickle), so it is not loaded here."), ""
    if danger := format.danger(record):
        return danger, ""
    if record.access == "open" or record.hub == LOCAL:
        return "" if record.file else _("The hub lists no weight file for this one."), ""
    note = format.visible(version.access_note) if version else ""
    if closed := word("closed", record.access):
        return format.sentences(closed, note), ""
    hub = HUBS[record.hub]
    reason = note or word("asks", record.access).format(hub=hub.label)
    if key_place is None:
        with_key = word("with_key", record.access)
        return "", format.sentences(reason, with_key) if with_key else ""
    page = hub.key_page.removeprefix("https://")
    where = word("key_place", key_place).format(variable=hub.token_variable, page=page, hub=hub.label)
    return format.sentences(reason, where), ""


def description_html(
    text: str, kind: Literal["html", "markdown", "text"], *, base: str, image_url: Callable[[str], str]
) -> Markup:
    """Return sanitised HTML. `base` resolves relative addresses; `image_url` returns our address of a hub's image."""

    def rewrite(_tag: str, attribute: str, value: str) -> str | None:
        if attribute not in ("src", "href"):
            return value
        try:
            url = urljoin(base, value.strip())
        except ValueError:  # a bracket outside an IPv6 address
            return None
        return (image_url(url) if attribute == "src" else address(url)) or None

    clean = nh3.clean(
        _to_html(text[:LONGEST], kind),
        tags=_TAGS,
        attributes={"a": {"href"}, "img": {"src", "alt", "title"}, "ol": {"start"}},
        attribute_filter=rewrite,
        set_tag_attribute_values={"img": {"loading": "lazy"}, "a": {"target": "_blank"}},
        link_rel="noopener noreferrer nofollow",
    )
    # Reduce headings to two levels below the panel's own headings.
    clean = _HEADING.sub(lambda found: f"<{found[1]}h{4 if int(found[2]) < 3 else 5}>", clean)
    parts = (part if part.startswith("<") else _LONG_PIECE.sub(r"\1<wbr>", part) for part in _MARKUP.split(clean))
    more = f"<p>{escape(_(MORE))}</p>" if len(text) > LONGEST else ""
    return Markup("".join(parts) + more)


def _to_html(text: str, kind: str) -> str:
    if kind == "html":
        return text
    if kind == "markdown":
        return str(MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(text))
    return "".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n") if part.strip())


def version_and_file(lora: Lora, ref: Ref) -> tuple[Version | None, WeightFile | None]:
    """Return the version and file of `ref`, or the default version and its main file if they are missing."""
    version = lora.version(ref.version) or lora.version(None)
    return version, (version.find_file(ref) or version.file) if version else None


def with_changes(
    lora: Lora, history: Sequence[Version] = (), read: Callable[[Record], Record] = lambda record: record
) -> list[tuple[Version, Record, Sequence[str]]]:
    """Return several versions in the author's order, each with its changes since the version published before it.

    Return nothing for a single version. `read` adds the facts of its file to each record. Versions that are only in the
    `history` have no changes, because their records are unknown.
    """
    known = {version.ref: version for version in lora.versions}
    # The history has the descriptions and dates of known versions.
    listed = {
        told.ref: replace(known.get(told.ref, told), description=told.description, updated_at=told.updated_at)
        for told in history
    }
    shown = listed | {ref: version for ref, version in known.items() if ref not in listed}
    if len(shown) < 2:
        return []
    records = {ref: read(flatten(lora, version)) for ref, version in known.items()}
    by_date = sorted(reversed(known), key=lambda ref: known[ref].updated_at or "")
    changes = {now: tuple(describe_changes(records[before], records[now])) for before, now in pairwise(by_date)}
    return [
        (version, records.get(ref) or flatten(lora, version), changes.get(ref, ()))
        for ref, version in list(shown.items())[:MAX_VERSIONS]
    ]


# No hub shows more images of one version.
MOST_ITEMS = 60
MOST_OTHER = 40
LONGEST_VALUE = 300
# Lists that the page shows as LoRAs, and digests.
HIDDEN = ("Lora hashes", "Lora weights", "Civitai resources", "Model hash", "Negative prompt", "prompt", "hashes")


def gallery(record: Record, ceiling: Nsfw) -> list[tuple[int, Example]]:
    """Return the images within the level, each with its position in the record."""
    shown = [(index, each) for index, each in enumerate(record.images) if within(each.nsfw, ceiling)]
    return shown[:MOST_ITEMS]


def settings(example: Example) -> Iterator[tuple[str, str, str]]:
    """Yield all settings of an example: name, value, and term in the glossary or "".

    Settings with a translated name come first, then all others by the hub's names.
    """
    params = {str(name): value for name, value in example.params.items()}
    names = {**example_settings.NAMES, "model": ("Model", "baseModel", "model")}
    for name, (title, term) in TABLES["setting"].items():
        value = next((text for each in names[name] if (text := _text(params.get(each)))), "")
        sides = [_text(params.get(side)) for side in ("width", "height")]
        if name == "size" and not value and all(sides):
            value = " × ".join(sides)
        if value:
            yield _(title), value, term
    used = {each for name in (*TABLES["setting"], "negative", "width", "height") for each in names[name]}
    others = [(name, _text(value)) for name, value in params.items() if name not in used and name not in HIDDEN]
    yield from ((format.visible(n)[:60], v, "") for n, v in [each for each in others if each[1]][:MOST_OTHER])


def lora_text(used: UsedLora) -> tuple[str, str, str]:
    """Return a LoRA's name, its weight, and its tag in a prompt of A1111 and similar programs."""
    name, weight = format.visible(used.name), "" if used.weight is None else f"{used.weight:g}"
    return name, weight, f"<lora:{name}:{weight or 1}>"


def _text(value: Any) -> str:
    """Format a number or a text, or return "" for lists and tables."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return str(value).lower() if isinstance(value, bool) else ""
    text = f"{value:g}" if isinstance(value, float) else format.visible(str(value))
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
