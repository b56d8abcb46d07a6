"""Claims from model cards (YAML front matter and Markdown) and descriptions: base model, weight, trigger words.

The weight is a recommendation in the text, or the usual value in example prompts. A number counts only if its clause
recommends it as a LoRA's strength. Limits, warnings, other settings and numbers about the training don't count.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import PurePosixPath
from urllib.parse import unquote

import yaml

from connectors.claims import read_wording
from connectors.claims.base_models import base_claims, find_base_name, identify, spelling_key
from connectors.claims.resolve import best
from connectors.claims.trigger_words import LORA_TAG, card_claims, split
from connectors.http.json_fields import Table, number, table, tables, texts
from connectors.record import Claim, Source

_CARD = read_wording("card").patterns

# huggingface_hub reads front matter only at the very start too, since --- is also a horizontal rule in Markdown.
_FRONT = re.compile(r"\A\ufeff?\s*---[ \t]*\n(?P<front>.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)
_LINE_END = re.compile("\r\n?")
_MAX_FRONT = 200_000
# HTML in cards. Authors mix it into Markdown, and descriptions copied from CivitAI consist of it.
_TAGS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"<h([1-6])\b[^<>]{0,300}>", re.IGNORECASE), "\n# "),
    (re.compile(r"</?code\b[^<>]{0,300}>", re.IGNORECASE), "`"),
    (re.compile(r"<(?:br|/p|/li|/h[1-6]|/div|/tr|p|li|div)\b[^<>]{0,300}>", re.IGNORECASE), "\n"),
    (re.compile(r"</t[dh]\b[^<>]{0,300}>", re.IGNORECASE), " | "),
    (re.compile(r"</?(?:table|tbody|thead|t[rdh])\b[^<>]{0,300}>", re.IGNORECASE), ""),
    (re.compile(r"</?(?:a|b|i|u|em|strong|span|font|center|ul|ol|s|del|small|mark)\b[^<>]{0,600}>", re.IGNORECASE), ""),
)


def split_card(card: str) -> tuple[Table, str]:
    """Return the front matter and the text after it. The front matter is empty if it is missing or broken."""
    card = _LINE_END.sub("\n", card)
    match = _FRONT.match(card)
    if match is None or len(match["front"]) > _MAX_FRONT:
        return {}, card
    try:
        return table(yaml.safe_load(match["front"])), card[match.end() :]
    except (yaml.YAMLError, ValueError, RecursionError):
        # ValueError: a date like 2024-13-45. RecursionError: nesting made to break readers.
        return {}, card[match.end() :]


def lines(text: str) -> str:
    """Return the text with its HTML converted to lines and Markdown. Facts are read from it, but it is never shown."""
    text = _LINE_END.sub("\n", text).replace("&nbsp;", " ").replace("\xa0", " ")
    for tag, plain in _TAGS:
        text = tag.sub(plain, text)
    return text


_HEADING = re.compile(r"^#{1,6}[ \t]+(?P<title>[^\n]{1,200})$", re.MULTILINE)
_FILE = re.compile(r"[^\s/\\()\[\]<>`\"'|=]{1,150}\.safetensors", re.IGNORECASE)
_ROW = re.compile(r"^[ \t]*\|(?P<cells>[^\n]{1,2000})\|[ \t]*$", re.MULTILINE)
_TRIGGER = re.compile(r"trigger|activation|keyword", re.IGNORECASE)
_NO_WORDS = re.compile(r"[-–— ]*|n/?a|none|no\b.*", re.IGNORECASE)
_MAX_SECTIONS = 500


def split_by_file(body: str, where: str, files: Iterable[str]) -> tuple[Mapping[str, tuple[Claim, ...]], str]:
    """Return the claims of each file by its lower-case name, and the rest of the text, which is about the whole repo.

    `files` are the repo's weight files. Without them, only sections that contain a file name are recognised.
    """
    stems = {spelling_key(path.stem): path.name.casefold() for path in map(PurePosixPath, files)}
    tables = dict(_table_claims(body, where))
    sections: dict[str, tuple[tuple[Claim, ...], str]] = {}
    # A file belongs to the first section that names only this file.
    for title, text in _sections(body):
        file_of_title = stems.get(spelling_key(title))
        named = {file_of_title} if file_of_title else _file_names(text)
        if len(named) == 1 and (file := named.pop()) not in sections:
            at = f"{where}: {title}"
            sections[file] = ((*card_claims(text, at), *scale_claims(text, at)), text)
    claims = {file: section_claims for file, (section_claims, _) in sections.items() if section_claims}
    if len(claims) < 2:
        return (tables if len(tables) > 1 else {}), body
    rest = body
    for file in claims:
        rest = rest.replace(sections[file][1], "\n", 1)
    return {**tables, **claims}, rest


def disagrees(body: str, files: int) -> bool:
    """Return whether sections of a card name different words, so that each of several weight files is its own LoRA."""
    if files < 2 and len(_file_names(body)) < 2:
        return False
    words = [set(claimed) for _, text in _sections(body) if (claimed := best(card_claims(text, ""), "trigger_words"))]
    return any(one.isdisjoint(other) for one, other in pairwise(words))


def _file_names(text: str) -> set[str]:
    """Return the weight files that a text names. In a link, a space is %20."""
    return {unquote(name).casefold() for name in _FILE.findall(text)}


def _sections(body: str) -> Iterator[tuple[str, str]]:
    headings = list(_HEADING.finditer(body))[:_MAX_SECTIONS]
    for heading, after in zip(headings, [*headings[1:], None], strict=False):
        # Include the heading, which may be "Trigger words".
        text = body[heading.start() : after.start() if after else len(body)]
        yield heading["title"].strip(" #*"), text


def _table_claims(body: str, where: str) -> Iterator[tuple[str, tuple[Claim, ...]]]:
    column: int | None = None
    for row in _ROW.finditer(body):
        cells = [cell.strip() for cell in row["cells"].split("|")]
        titles = (i for i, cell in enumerate(cells) if _TRIGGER.match(cell.strip("*_` ")) and len(cell) < 40)
        title, file = next(titles, None), _FILE.search(row["cells"])
        if title is not None and file is None:
            column = title
        elif column is not None and column < len(cells) and file is not None:
            cell = cells[column]
            if words := () if _NO_WORDS.fullmatch(cell) else split(re.sub(r"[`*\"]|<br ?/?>", "", cell)):
                claim = Claim(field="trigger_words", value=words, source="card", where=f"{where}: table, {file[0]}")
                yield file[0].casefold(), (claim,)


_MAX_NAMES = 20
# The part of an address after the repo: ".../tree/main".
_PLACE = re.compile(r"/(?:tree|blob|resolve)/.*")
# Tags of any image model, whichever base it has.
_GENERIC = ("stable-diffusion", "stable diffusion", "stable-diffusion-diffusers")
_UNMISTAKABLE = read_wording("card").words["unmistakable"]
_LOADED = re.compile(r"from_pretrained\(\s*[\"'](?P<name>[\w.-]{1,96}/[\w.-]{1,96})[\"']")
# Diffusers' training scripts write: "These are LoRA adaption weights for OWNER/NAME."
_WEIGHTS_FOR = re.compile(r"\bweights for (?P<name>[\w.-]{1,96}/[\w.-]{0,95}\w)", re.IGNORECASE)
# Only the introduction is read, because further down cards compare themselves with other models.
_INTRODUCTION = 3_000


def base_model_claims(front: Table, hub: object, tags: Iterable[str], body: str, repo: str = "") -> tuple[Claim, ...]:
    """Return the claims of the base model: from the front matter and the hub, or the text, or the repo's name.

    `hub` is the hub's own `baseModels`, which it computes from the card, like the `base_model:` tags.
    """
    # A known base model is put before unknown ones.
    names = [name[:200] for name in _base_names(front.get("base_model"))][:_MAX_NAMES]
    places = {name: f"[{place}]" if len(names) > 1 else "" for place, name in enumerate(names)}
    names.sort(key=lambda name: (identify(name) is None, find_base_name(_repo_name(name)) is None))
    where = "card front matter: base_model"
    front_claims = (claim for name in names for claim in _name_claims(name, "card", f"{where}{places[name]}"))
    # The base model in the repo's name, unless the repo is a base model itself.
    name_match = None if identify(repo) else find_base_name(_repo_name(repo))
    if claims := (*front_claims, *_hub_claims(hub, tags)) or _body_claims(
        tags, body, name_match[0] if name_match else None
    ):
        return claims
    return base_claims(name_match[0], "tag", f"repo name: {name_match[1]}", is_mention=True) if name_match else ()


def _base_names(value: object) -> Iterator[str]:
    """Yield repos or plain names from one text, a list, a comma-separated text, or tables with a name each."""
    for item in value if isinstance(value, list) else [value]:
        fields = table(item)
        names = next((fields[key] for key in ("name", "id", "repo", "model") if fields.get(key)), item)
        for name in texts(names):
            yield from filter(None, (_PLACE.sub("", part) for part in name.split(", ")))


def _hub_claims(hub: object, tags: Iterable[str]) -> Iterator[Claim]:
    for tag in tags:
        name = tag.removeprefix("base_model:")
        relation, _, repo = name.partition(":")
        if tag.startswith("base_model:") and "/" in (repo or name):
            yield from _name_claims(repo or relation, "tag", f"tags: {tag}")
    for model in tables(table(hub).get("models"))[:_MAX_NAMES]:
        if names := texts(model.get("id")):
            yield from _name_claims(names[0][:200], "tag", "baseModels")


def _name_claims(name: str, source: Source, where: str) -> tuple[Claim, ...]:
    """Return the claims of a base model.

    For an unlisted repo, use the base model in its name: "x/waiIllustriousSDXL_v170".
    """
    name_match = None if identify(name) else find_base_name(_repo_name(name))
    if name_match is None:
        return base_claims(name, source, where)
    raw = Claim(field="raw_base_model", value=name, source=source, where=where)
    return (raw, *base_claims(name_match[0], source, f"{where}: {name_match[1]}", is_mention=True))


def _repo_name(repo: str) -> str:
    """Return the name of a repo without its owner, or "" for several names separated by a slash."""
    return "" if "/ " in repo else repo.rpartition("/")[2]


def _body_claims(tags: Iterable[str], body: str, named: str | None) -> tuple[Claim, ...]:
    """Return the claims of the base model from tags and the text.

    `named` is the base model in the repo's name. A tag that contradicts it claims nothing: "flux" on
    "flux2-klein-9b-ink".
    """
    base_tags = (tag for tag in tags if ":" not in tag and tag.casefold() not in _GENERIC and identify(tag) is not None)
    bases = [tag for tag in base_tags if tag.casefold() in _UNMISTAKABLE or re.search(r"[-\d ]", tag)]
    bases = [named, *bases] if bases and named else bases
    sentences = _CARD["sentence"].finditer(body[:_INTRODUCTION])
    own_names = (match["name"] for match in sentences if not _CARD["of_another"].search(body, 0, match.start()))
    sources: tuple[tuple[Iterable[str], Source, str], ...] = (
        (bases, "tag", "tags: "),
        ((match["name"].strip() for match in _CARD["line"].finditer(body)), "card", "card: base model "),
        ((match["name"] for match in _WEIGHTS_FOR.finditer(body)), "card", "card: weights for "),
        ((match["name"] for match in _LOADED.finditer(body)), "card", "card: from_pretrained "),
        (own_names, "card", "card: "),
    )
    for names, source, where in sources:
        names_by_id = {model.id: name for name in names if (model := identify(name))}
        if len(names_by_id) == 1:
            name = next(iter(names_by_id.values()))
            return base_claims(name, source, f"{where}{name}")
    return ()


_STRENGTH = read_wording("strength").patterns
_CANDIDATES = read_wording("strength").lists["candidates"]
_JOINED = re.compile(r"(?<=weight|streng)(?P<end>th|ths|s)?(?=\d?\.\d)", re.IGNORECASE)
_CLAUSES = re.compile(r"\n|\.(?=\s|$)|[;!?。；！？，,]|\b(?:but|while|whereas|although|though)\b", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"(?<![\d.,])(\d),(?=\d(?![\d,]))")
_OTHERS = _STRENGTH["others"]
_VERSION = re.compile(r"\bv(?:er(?:sion)?)?[ ._]?\d|\bversion\b", re.IGNORECASE)
_STRONGEST = 3
_STRONGEST_TAG = 10
_MOST_CLAUSES = 5_000
_LONGEST_CLAUSE = 400
Range = tuple[float, float]


def scale_claims(body: str, where: str) -> tuple[Claim, ...]:
    """Return the weight in sentences like "The recommended scale is `0.8`" or "LoRA weight: 0.6-0.8".

    A recommendation is preferred to a value that was only used.
    """
    candidates = list(_recommendations(body))
    span, quote = max(candidates, key=lambda item: _STRENGTH["advised"].search(item[1]) is not None, default=(None, ""))
    return _weight_claims(span, "card", f"{where}: {quote}") if span else _tag_range_claims(body, where)


def _weight_claims(span: Range, source: Source, where: str) -> tuple[Claim, ...]:
    """Return the claims of a range: `weight` is its low end, `weight_high` its high end."""
    fields = ("weight", "weight_high") if span[1] > span[0] else ("weight",)
    return tuple(
        Claim(field=field, value=value, source=source, where=where) for field, value in zip(fields, span, strict=False)
    )


def _recommendations(body: str) -> Iterator[tuple[Range, str]]:
    text = _STRENGTH["label"].sub(lambda label: f"{label[0].splitlines()[0]} ", _STRENGTH["left_out"].sub("\n", body))
    text = _STRENGTH["percent"].sub(_fractions, _DECIMAL_COMMA.sub(r"\1.", _JOINED.sub(r"\g<end> ", text)))
    for clause in _CLAUSES.split(text)[:_MOST_CLAUSES]:
        matches = (match for pattern in _CANDIDATES for match in pattern.finditer(clause[:_LONGEST_CLAUSE]))
        for match in sorted(matches, key=lambda match: match.start()):
            before = match.string[: match.start("low")]
            after = match.string[match.end("high") if match["high"] else match.end("low") :]
            is_other = (
                _OTHERS.search(before)
                or _OTHERS.match(after.lstrip(" \t*`"))
                or _VERSION.search(match.string)
                or _STRENGTH["limit_before"].search(before)
                or _STRENGTH["limit_after"].match(after)
            )
            if not is_other and (span := _span(match["low"], match["high"])):
                yield span, " ".join(clause[max(0, match.start() - 30) : match.end()].split())[:80]


def _fractions(percent: re.Match[str]) -> str:
    """Return "strength: 60-80%" as "strength: 0.6-0.8". Return a percentage of other things unchanged."""
    if percent["before"] is None and percent["after"] is None:
        return percent[0]
    ends = "-".join(f"{int(end) / 100:g}" for end in (percent["low"], percent["high"]) if end)
    return f"{percent['before'] or ''}{ends}{percent['after'] or ''}"


def _span(low: str, high: str | None) -> Range | None:
    """Return both ends in order. Return None for a range from 0, which isn't a recommendation."""
    ends = sorted(end for end in (number(low), number(high or low)) if end is not None)
    return (ends[0], ends[-1]) if ends and ends[0] > 0 and ends[-1] <= _STRONGEST else None


def _tag_range_claims(body: str, where: str) -> tuple[Claim, ...]:
    """Return the weight from "<lora:ink:0.8-0.9>" in a description.

    Programs don't accept a range there, so it is a recommendation.
    """
    for tag in LORA_TAG.finditer(body):
        match = _STRENGTH["tag_range"].fullmatch(tag["inside"])
        if match and match["high"] and (span := _span(match["low"], match["high"])):
            return _weight_claims(span, "card", f"{where}: {tag[0][:80]}")
    return ()


def weight_claims(entries: Sequence[str], where: str) -> tuple[Claim, ...]:
    """Return the author's weight from the first `<lora:name:0.8>` among the trigger words.

    Weights of 0 and below show the opposite effect and are not recommendations.
    """
    weight = next((weight for entry in entries for _, weight in _lora_tags(entry) if weight > 0), None)
    if weight is not None:
        return _weight_claims((weight, weight), "example", where)
    return next((claims for entry in entries if (claims := _tag_range_claims(entry, where))), ())


def prompt_weight_claims(prompts: Iterable[str], stems: Iterable[str], where: str) -> tuple[Claim, ...]:
    """Return the most frequent weight in the prompts of the author's images: `<lora:STEM:0.7>`."""
    folded_stems = {stem.casefold() for stem in stems}
    weights = Counter(
        weight for prompt in prompts for name, weight in _lora_tags(prompt) if name.casefold() in folded_stems
    )
    if not weights:
        return ()
    weight, times = weights.most_common(1)[0]
    if weight <= 0:
        return ()
    return _weight_claims((weight, weight), "example", f"{where}: {times} of {weights.total()} prompts")


def _lora_tags(text: str) -> Iterator[tuple[str, float]]:
    for match in LORA_TAG.finditer(text):
        name, _, rest = match["inside"].partition(":")
        weight = number(rest.partition(":")[0])
        if weight is not None and abs(weight) <= _STRONGEST_TAG:
            yield name.strip(), weight
