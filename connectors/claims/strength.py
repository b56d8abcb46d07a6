"""The weight that an author recommends in a text, or uses in example prompts.

A number counts only if its clause recommends it as a LoRA's strength. Limits, warnings, and numbers of other settings
or of the training don't count.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from connectors.claims import read_wording
from connectors.claims.trigger_words import LORA_TAG
from connectors.http.json_fields import number
from connectors.record import Claim, Source

_WORDING = read_wording("strength")

_CANDIDATES = _WORDING.lists["candidates"]
_TAG_RANGE = _WORDING.patterns["tag_range"]
_LABEL = _WORDING.patterns["label"]
_JOINED = re.compile(r"(?<=weight|streng)(?P<end>th|ths|s)?(?=\d?\.\d)", re.IGNORECASE)
_LEFT_OUT = _WORDING.patterns["left_out"]
_CLAUSES = re.compile(r"\n|\.(?=\s|$)|[;!?。；！？，,]|\b(?:but|while|whereas|although|though)\b", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"(?<![\d.,])(\d),(?=\d(?![\d,]))")
_OTHERS = _WORDING.patterns["others"]
_VERSION = re.compile(r"\bv(?:er(?:sion)?)?[ ._]?\d|\bversion\b", re.IGNORECASE)
_LIMIT_BEFORE = _WORDING.patterns["limit_before"]
_LIMIT_AFTER = _WORDING.patterns["limit_after"]
_ADVISED = _WORDING.patterns["advised"]
_STRONGEST = 3
_STRONGEST_TAG = 10
_MOST_CLAUSES = 5_000
_LONGEST_CLAUSE = 400
Range = tuple[float, float]


def scale_claims(body: str, where: str) -> tuple[Claim, ...]:
    """ "The recommended scale is `0.8`", "LoRA weight: 0.6-0.8". What is recommended leads what was merely used."""
    found = list(_recommendations(body))
    span, quote = max(found, key=lambda item: _ADVISED.search(item[1]) is not None, default=(None, ""))
    return _claims(span, "card", f"{where}: {quote}") if span else _tag_range_claims(body, where)


def _claims(span: Range, source: Source, where: str) -> tuple[Claim, ...]:
    """`weight` is the low end of the range."""
    fields = ("weight", "weight_high") if span[1] > span[0] else ("weight",)
    return tuple(
        Claim(field=field, value=value, source=source, where=where) for field, value in zip(fields, span, strict=False)
    )


def _recommendations(body: str) -> Iterator[tuple[Range, str]]:
    text = _LABEL.sub(lambda label: f"{label[0].splitlines()[0]} ", _LEFT_OUT.sub("\n", body))
    text = _DECIMAL_COMMA.sub(r"\1.", _JOINED.sub(r"\g<end> ", text))
    for clause in _CLAUSES.split(text)[:_MOST_CLAUSES]:
        found = (match for pattern in _CANDIDATES for match in pattern.finditer(clause[:_LONGEST_CLAUSE]))
        for match in sorted(found, key=lambda match: match.start()):
            before = match.string[: match.start("low")]
            after = match.string[match.end("high") if match["high"] else match.end("low") :]
            is_other = (
                _OTHERS.search(before)
                or _OTHERS.match(after.lstrip(" \t*`"))
                or _VERSION.search(match.string)
                or _LIMIT_BEFORE.search(before)
                or _LIMIT_AFTER.match(after)
            )
            if not is_other and (span := _span(match["low"], match["high"])):
                yield span, " ".join(clause[max(0, match.start() - 30) : match.end()].split())[:80]


def _span(low: str, high: str | None) -> Range | None:
    """Both ends in order. A range from 0 is no recommendation."""
    ends = sorted(end for end in (number(low), number(high or low)) if end is not None)
    return (ends[0], ends[-1]) if ends and ends[0] > 0 and ends[-1] <= _STRONGEST else None


def _tag_range_claims(body: str, where: str) -> tuple[Claim, ...]:
    """ "<lora:ink:0.8-0.9>" in a description: no program accepts a range, so it is a recommendation."""
    for tag in LORA_TAG.finditer(body):
        match = _TAG_RANGE.fullmatch(tag["inside"])
        if match and match["high"] and (span := _span(match["low"], match["high"])):
            return _claims(span, "card", f"{where}: {tag[0][:80]}")
    return ()


def weight_claims(entries: Sequence[str], where: str) -> tuple[Claim, ...]:
    """The author's weight out of the first `<lora:name:0.8>` among the trigger words.

    Weights of 0 and below are examples of the other end, and recommend nothing.
    """
    weight = next((weight for entry in entries for _, weight in _tags(entry) if weight > 0), None)
    if weight is not None:
        return _claims((weight, weight), "example", where)
    return next((found for entry in entries if (found := _tag_range_claims(entry, where))), ())


def prompt_claims(prompts: Iterable[str], stems: Iterable[str], where: str) -> tuple[Claim, ...]:
    """The weight that the author's images were mostly generated with: `<lora:STEM:0.7>` in their prompts."""
    own = {stem.casefold() for stem in stems}
    weights = Counter(weight for prompt in prompts for name, weight in _tags(prompt) if name.casefold() in own)
    if not weights:
        return ()
    weight, times = weights.most_common(1)[0]
    if weight <= 0:
        return ()
    return _claims((weight, weight), "example", f"{where}: {times} of {weights.total()} prompts")


def _tags(text: str) -> Iterator[tuple[str, float]]:
    for match in LORA_TAG.finditer(text):
        name, _, rest = match["inside"].partition(":")
        weight = number(rest.partition(":")[0])
        if weight is not None and abs(weight) <= _STRONGEST_TAG:
            yield name.strip(), weight
