"""The weight that an author recommends in a text, or uses in example prompts.

A number counts only if its clause recommends it as a LoRA's strength. Limits, warnings, and numbers of other settings
or of the training don't count.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from connectors.claims.trigger_words import LORA_TAG
from connectors.http.json_fields import number
from connectors.record import Claim, Source

_NUMBER = r"(?:\d(?:\.\d{1,3})?|\.\d{1,3})(?![\d.]*\d|[a-z])"
_TO = r"[ \t`*]{0,4}(?:[-–—~～〜/]|\bto\b|\band\b|\bor\b|到|至)[ \t`*~]{0,4}"
_RANGE = rf"(?<![A-Za-z0-9_.])(?P<low>{_NUMBER})(?:{_TO}(?P<high>{_NUMBER}))?"
_NOUN = (
    r"(?<![a-z])(?:(?:lora|model|adapter|recommended|suggested|preferred|best|optimal|ideal)[ -]scale|weight|strength"
    r"|multiplier|intensity)s?(?![a-z])|权重|強度|强度|重み"
)
_ADVICE = (
    r"recommend\w*|suggest\w*|best|prefer\w*|ideal\w*|optimal\w*|sweet spot|(?:works?|looks?) (?:well|good|great|fine)"
    r"|use[ds]?|try|good|default|推荐|建议|推奨|おすすめ"
)
_CANDIDATES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # weight of around .4-.7, strength should be between 0.5 and 1
        rf"(?:{_NOUN})[^\d\n]{{0,40}}?(?=(?:\d{_TO})?\d?\.\d|\d{_TO}\d(?!\w)){_RANGE}",
        # weight: 1, set the strength to 1. A whole number further away counts something.
        rf"(?:{_NOUN})(?:[ \t*`_|:：=~≈]|\b(?:is|at|to|of|set)\b){{1,8}}{_RANGE}"
        r"(?![ \t]+(?!(?:if|for|or|and|when|works|is)\b)\w)",
        # 0.7 and 0.8 weight, 0.2~0.6 weight
        rf"{_RANGE}[ \t*`]{{1,3}}(?:lora |model )?(?:{_NOUN})(?![ \t]*decay)",
        # works best at 0.7, recommended: 0.8-0.9, use it between 0.3 and 0.65. Without a noun only fractions count.
        rf"(?:{_ADVICE})(?: it| this| results?| value)?[ \t*`]{{0,3}}(?:[:：=~≈]|\b(?:is|are|at|between|from|around"
        rf"|about|value|somewhere|setting|to be)\b|[ \t*`]){{1,6}}(?=(?:\d[ \t]?[-–~][ \t]?)?\d?\.\d){_RANGE}",
        # 0.7 works best, I find 0.7 ideal. A word right before the number would make it a model's version: SD 1.5.
        rf"^(?:\W|\b(?:i|we|it|find|found|think|around|about|personally|so)\b){{0,8}}(?=\d?\.\d){_RANGE}[ \t*`]{{1,3}}"
        r"(?:(?:is|are|seems|was|to be|the) ){0,3}"
        r"(?:ideal|optimal|perfect|recommended|best|sweet spot|works? (?:well|best))",
    )
)
# Labels on a line of their own, and nouns without a space before their number.
_LABEL = re.compile(
    rf"(?:{_NOUN})[ \t]*[:：]?[ \t*_`]*\n[ \t\n>*•#-]{{0,8}}(?!\d+[.)]\s)(?=[^\n]{{0,30}}\d)", re.IGNORECASE
)
_JOINED = re.compile(r"(?<=weight|streng)(?P<end>th|ths|s)?(?=\d?\.\d)", re.IGNORECASE)
# Sections about the training, and code, which is only an example.
_LEFT_OUT = re.compile(
    r"^```[^`]*^```|^#{1,6}[^\n]*\btrain(?:ing|ed)?\b[^\n]*\n(?:(?!#{1,6}\s)[^\n]*\n?)*", re.IGNORECASE | re.MULTILINE
)
_CLAUSES = re.compile(r"\n|\.(?=\s|$)|[;!?。；！？，,]|\b(?:but|while|whereas|although|though)\b", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"(?<![\d.,])(\d),(?=\d(?![\d,]))")
# What the number before or after these is about instead. Nothing of it may stand before the number in its clause.
_OTHERS = re.compile(
    r"denois|control|ip-?adapter|a-?detailer|prompt|noise|hi-?res|conditioning|img2img|cfg|guidance|negative|decay"
    r"|learning|\blr\b|\brate\b|train|epoch|dropout|alpha|\brank\b|\bdim|\bloss\b|snr|upscal|\bvae\b|\bclip\b|embedding"
    r"|token|\bbatch|optimi[sz]er|\bsteps?\b|网络|训练|学習|负面|\bfps\b|shift|\bbeta\b|regulari[sz]|preservation",
    re.IGNORECASE,
)
_VERSION = re.compile(r"\bv(?:er(?:sion)?)?[ ._]?\d|\bversion\b", re.IGNORECASE)
_LIMIT_BEFORE = re.compile(
    r"(?:\b(?:above|over|below|under|beyond|exceed\w*|past|(?:more|less|higher|lower|greater|stronger|weaker|bigger"
    r"|smaller) than|up to|at (?:least|most)|max(?:imum)?|min(?:imum)?|not|never|avoid\w*|cannot|nor?|without"
    r"|instead of|(?:\w+ed|down|up|away) (?:\w+ ){0,3}from|until|till|too|break\w*|limit)"
    r"\b|n['’]t\b|超过|低于|高于|不要)[^\d]{0,30}$|[<>≤≥][ \t=]*$",
    re.IGNORECASE,
)
_LIMIT_AFTER = re.compile(
    r"[ \t*`\"'”]{0,3}(?:\+|%|(?:x|px|k|gb|mb|fps|steps?|epochs?|s|sec\w*|min\w*)\b"
    r"|(?:or|and|&) (?:above|below|more|less|higher|lower|over|under|up|beyond|stronger|weaker|greater)\b"
    r"|(?:[a-z']+ ){0,4}(?:too|over\w+|break\w*|burn\w*|distort\w*|artifact\w*|artefact\w*|fr(?:y|ies|ied)|destroy\w*"
    r"|ruin\w*|deform\w*|not|no|never|barely|hardly|isn['’]t|don['’]t|won['’]t|bad|worse|unstable|weird)\b|以上|以下|(?:太|过)强)",
    re.IGNORECASE,
)
_ADVISED = re.compile(
    r"recommend|suggest|\bbest|prefer|ideal|optimal|sweet spot|推荐|建议|推奨|おすすめ", re.IGNORECASE
)
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
        match = re.fullmatch(rf"[^:]*:\s*{_RANGE}\s*", tag["inside"])
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
