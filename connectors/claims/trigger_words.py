"""Trigger words: from authors' lists, from the text of cards and descriptions, and hints from example prompts."""

import html
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from connectors.claims import read_wording
from connectors.record import Claim, Source

_WORDING = read_wording("trigger_words")
_PATTERNS = _WORDING.patterns

_QUALITY = _WORDING.words["quality"]
_COMMON = _QUALITY | _WORDING.words["common"]
# Web UIs load the file by <lora:name:0.8>; it is not a trigger word.
LORA_TAG = re.compile(r"<(?:lora|lyco|lycoris):(?P<inside>[^<>]{0,200})>", re.IGNORECASE)
_SEPARATORS = ",，、;；\n"
_COMMAS = re.compile(f"[{_SEPARATORS}]")
_NEGATIVE = _PATTERNS["negative"]
_LABEL = _PATTERNS["label"]
_NONE = _PATTERNS["none"]
_QUOTED = re.compile(r"([\"'`])(?P<word>[^\"'`]{1,290})\1")
_MAX_WORDS = 60
_MAX_WORD = 300


def clean(entries: Iterable[str]) -> tuple[str, ...]:
    """Return the trigger words of an author's list. A single entry is split at its commas; several are kept as phrases.

    A pasted prompt arrives as several entries. All entries after a negative prompt belong to it and are dropped.
    """
    positive_entries = list[str]()
    for entry in (LORA_TAG.sub("", entry) for entry in entries):
        positive_entries.append(_NEGATIVE.sub("", entry))
        if positive_entries[-1] != entry:
            break
    entries = [entry for entry in positive_entries if entry.strip(f" {_SEPARATORS}")]
    if len(entries) != 1:
        return _distinct(entries)
    pieces = _pieces(_LABEL.sub("", entries[0]))
    # "Not required, but helps" is a sentence about trigger words; its commas don't separate words.
    return () if _NONE.fullmatch(pieces[0][:1000].strip()) else _distinct(pieces)


def split(*texts: str) -> tuple[str, ...]:
    """Return the words of comma-separated lists, each word once.

    An `instance_prompt` is such a list, or a single phrase.
    """
    return _distinct(piece for text in texts for piece in _pieces(_NEGATIVE.sub("", LORA_TAG.sub("", text))))


def _pieces(text: str) -> list[str]:
    """Split at commas that are not inside balanced brackets: "(red dress, hat:1.2)" is one piece."""
    pieces, depth, start = [], 0, 0
    for i, char in enumerate(text):
        depth += (char in "(（") - (char in ")）")
        if depth < 0:
            break
        if depth == 0 and char in _SEPARATORS:
            pieces.append(text[start:i])
            start = i + 1
    return _COMMAS.split(text) if depth else [*pieces, text[start:]]


def _distinct(entries: Iterable[str]) -> tuple[str, ...]:
    words_by_key: dict[str, str] = {}
    for entry in entries:
        word = " ".join(_LABEL.sub("", entry.strip(f" \t\r{_SEPARATORS}")[:1000]).split())[:_MAX_WORD]
        word = " ".join(_QUOTED.sub(r"\g<word>", _PATTERNS["remark"].sub("", word)).split())
        if word and not _NONE.fullmatch(word):
            words_by_key.setdefault(word.casefold(), word)
    return tuple(words_by_key.values())[:_MAX_WORDS]


def claims_of(words: tuple[str, ...], source: Source, where: str) -> tuple[Claim, ...]:
    return (Claim(field="trigger_words", value=words, source=source, where=where),) if words else ()


_QUOTE = _PATTERNS["quote"]
_SENTENCES = _WORDING.lists["sentences"]
_CLAUSE_END = re.compile(r"[.!?;:,\n]")
_HEADING = re.compile(r"^#{1,6}[^\w\n]*(?:trigger|activation)\b[^\n]{0,60}$", re.IGNORECASE | re.MULTILINE)
_NEXT_HEADING = re.compile(r"^#{1,6}\s", re.MULTILINE)
_FENCE = re.compile(r"```\w*[ \t]*\n(?P<code>.+?)\n?```", re.DOTALL)
# A placeholder of a template prompt: "pixel art, [your character], game asset".
_PLACEHOLDER = re.compile(r"[\[\]{}<>]|\.\.\.|…")
# A placeholder, or another label: "Style: ink".
_NO_PHRASE = re.compile(rf"{_PLACEHOLDER.pattern}|:\s")
_TALK = _WORDING.words["talk"]
_LONGEST_PHRASE = 7
_NO_WORD = _PATTERNS["no_word"]
_BULLET = re.compile(r"^\s*(?:[-*•>]|\d{1,2}[.)])\s+")
_MAX_SECTION = 4_000


def card_claims(body: str, where: str) -> tuple[Claim, ...]:
    """Return the trigger words in the text of a card or description, one claim for each kind of sentence."""
    # Hugging Face's uploader escapes text: `it&#39;s`.
    text = html.unescape(body)
    claims, claimed = list[Claim](), set[str]()
    for words, quote in _sentences(text):
        # Looser patterns match parts of the text that stricter patterns have matched.
        if not (claimed | _QUALITY).issuperset(words):
            claims += claims_of(words, "card", f"{where}: {quote}")
            claimed.update(words)
    return tuple(claims) or claims_of(section_words(text), "card", f"{where}: ## Trigger words")


def _sentences(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the words and quotes of sentences that tools write, then of labelled lists, then of looser sentences."""
    for pattern in _SENTENCES[:2]:
        yield from _matches(text, pattern)
    lines = list(_PATTERNS["line"].finditer(text))
    # After a label, take the quoted words, or otherwise plain words that are not a sentence. A bar ends them.
    rows = (_NEGATIVE.sub("", row.partition("|")[0]) for line in lines for row in line["rest"].split("\n"))
    if words := split(*(word for row in rows for word in _quotes(row) or _plain(_BULLET.sub("", row)))):
        yield words, " ".join(lines[0][0].split())[:80]
    for pattern in _SENTENCES[2:]:
        yield from _matches(text, pattern)


def _matches(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[tuple[str, ...], str]]:
    matches = [match for match in pattern.finditer(text) if not _is_denial(match)]
    pieces: list[str] = []
    for groups in (match.groupdict() for match in matches):
        # Quoted and upper-case words are certain. A plain word may be part of a sentence about trigger words.
        if "plain" not in groups:
            pieces += _quotes(groups["words"]) if _QUOTE.search(groups["words"]) else (groups["words"],)
        elif not _PATTERNS["predicate"].fullmatch(groups["plain"]):
            pieces += _plain(groups["plain"])
    if words := split(*pieces):
        yield words, " ".join(matches[0][0].split())[:80]


def _is_denial(match: re.Match[str]) -> bool:
    before = _CLAUSE_END.split(match.string[max(0, match.start() - 60) : match.start()])[-1]
    if _PATTERNS["denial"].search(before) and "without" not in before.casefold():
        return True
    line = match.string[max(0, match.start() - 80) : match.start()].rpartition("\n")[2]
    is_advice = " ".join(match[0].lower().split()).startswith(('use "', "use “"))
    return is_advice and _PATTERNS["setting"].search(line) is not None


def _quotes(text: str) -> tuple[str, ...]:
    """Return the quoted words, without the placeholders of a template: "[your hero], game asset"."""
    quotes = (quote[1:-1] for quote in _QUOTE.findall(text))
    pieces = (piece for quote in quotes for piece in (_template(quote) if _PLACEHOLDER.search(quote) else (quote,)))
    return tuple(word for word in pieces if not _NO_WORD.fullmatch(word))


def _plain(text: str) -> tuple[str, ...]:
    bare = re.sub(r"[*_`]{1,3}(?=\W|$)|(?<!\w)[*_`]{1,3}", "", text)
    words = split(re.split(r"[.。!](?:\s|$)|\s(?:[(（]|[-–—•·]\s)", bare, maxsplit=1)[0])
    first = (words[0].split() if words else [""])[0].casefold().strip(":,")
    talk = first in _TALK or any(len(word.split()) > _LONGEST_PHRASE or _NO_PHRASE.search(word) for word in words)
    return () if talk else tuple(word for word in words if not _NO_WORD.fullmatch(word))


def section_words(text: str) -> tuple[str, ...]:
    """Return the words under a heading "Trigger words": a code block, quoted words, or bare lines.

    Placeholders are left out. Without such a heading, labelled code blocks are read.
    """
    heading = _HEADING.search(text)
    if heading is None:
        return split(*(word for match in _PATTERNS["labelled"].finditer(text) for word in _template(match["code"])))
    section = text[heading.end() : heading.end() + _MAX_SECTION]
    end = _NEXT_HEADING.search(section)
    section = section[: end.start()] if end else section
    if fence := _FENCE.search(section):
        return _template(fence["code"])
    lines = section.strip().splitlines()[:20]
    if lines and _NONE.fullmatch(re.split(r"[.!](?:\s|$)", lines[0], maxsplit=1)[0].strip("*_ ")[:1000]):
        return ()
    return split(*(_quotes(section) or (word for line in lines for word in _plain(_BULLET.sub("", line)))))


def _template(code: str) -> tuple[str, ...]:
    pieces = split(code)
    words = tuple(piece for piece in pieces if not _PLACEHOLDER.search(piece))
    # The quality words of a template are not about this LoRA, because a template is an example prompt.
    return words if len(words) == len(pieces) else tuple(word for word in words if word.casefold() not in _QUALITY)


_ACRONYMS = _WORDING.words["acronyms"]
_SHOUTED = re.compile(r"[A-Z][A-Z0-9_]{2,}")
_SPOKEN = re.compile(r"[\"“][^\"”\n]{0,200}[\"”]")
_STYLE_OF = re.compile(r"\bin the style of (?:an? |the )?(?P<word>[\w-]+)", re.IGNORECASE)
# A word in this share of the prompts is not an accident. Authors may leave it out of some prompts.
_MOST = 2 / 3


def shared_claims(prompts: Sequence[str], where: str) -> tuple[Claim, ...]:
    """Return short phrases that are in all of at least three prompts, or a coined word that is in most of them."""
    if len(prompts) < 3:
        return ()
    others = [{word.casefold() for word in split(prompt)} for prompt in prompts[1:]]
    words = tuple(
        phrase
        for phrase in split(prompts[0])
        if not is_common(phrase) and len(phrase.split()) <= 4 and all(phrase.casefold() in other for other in others)
    )
    if not words:
        counts = Counter(word for prompt in prompts for word in dict.fromkeys(_words(prompt)) if _is_coined(word))
        words = tuple(word for word, times in counts.most_common(1) if times >= max(3, _MOST * len(prompts)))
    return claims_of(words, "example", where)


def _words(prompt: str) -> list[str]:
    return re.findall(r"[\w-]+", _PATTERNS["camera"].sub(" ", prompt[:20_000]))


def _is_coined(word: str) -> bool:
    """Return whether a word mixes letters and digits: "rz88p4stl", "CYB77".

    "1girl", "1990s", "version2", "D850" don't count.
    """
    is_mixed = any(char.isdigit() for char in word) and sum(char.isalpha() for char in word) >= 3
    return len(word) > 3 and is_mixed and not word[0].isdigit() and not re.fullmatch(r"[a-z]+-?\d|score_\d.*", word)


def is_common(phrase: str) -> bool:
    """Return whether a phrase is common in prompts, or consists of common words: "photo of a woman"."""
    folded = phrase.casefold()
    return folded in _COMMON or set(folded.split()) <= _COMMON


def prompt_claims(prompt: str, name: str, description: str, where: str) -> tuple[Claim, ...]:
    """Return a claim from one prompt: an upper-case word like TOK or CYB77, or the LoRA's own `name`."""
    name_and_description = f"{name} {description}".casefold()
    styles = {match["word"] for match in _STYLE_OF.finditer(prompt)}
    for word in _words(prompt):
        folded = word.casefold()
        is_upper_case = _SHOUTED.fullmatch(word) is not None and word not in _ACRONYMS
        # A lower-case name may be an ordinary word.
        is_name = folded == name.casefold() and any(char.isupper() or char.isdigit() for char in word)
        # TOK is the default trigger word of Replicate's trainers.
        is_coined = folded in name_and_description or _is_coined(word) or word in styles
        if folded == "tok" or is_name or (is_upper_case and is_coined):
            return claims_of((word,), "example", where)
    # The only upper-case word of a prompt, without quoted text that is in the image.
    capitals = {word for word in _words(_SPOKEN.sub(" ", prompt[:20_000])) if _SHOUTED.fullmatch(word)}
    return () if len(capitals) != 1 or capitals & _ACRONYMS else claims_of(tuple(capitals), "example", where)
