"""The texts of tables, which are not marked there: the page translates them where it shows them.

`connectors` knows no languages.
"""

from collections.abc import Iterator
from typing import get_args

from connectors.query import FIELDS
from connectors.registry import HUBS, LOCAL, origin_label
from connectors.replicate.runs import UNDER_WAY
from connectors.weights.file_type import WORDS
from hub_ui.catalog.similar import Reason
from hub_ui.generate.base_models.table import SUBSTITUTIONS
from hub_ui.images.infotext import OTHER_PROGRAMS
from hub_ui.web.layout.render import TERMS
from hub_ui.web.layout.render import WORDS as TABLES


def labels() -> Iterator[str]:
    yield origin_label(LOCAL)
    yield from (hub.key_note for hub in HUBS.values())
    yield from (hub.description for hub in HUBS.values())
    yield from UNDER_WAY
    yield from WORDS.values()
    yield from get_args(Reason)
    yield from (words for _begins, words, _unless in OTHER_PROGRAMS["unmapped"])
    yield from (row.reason for row in SUBSTITUTIONS)
    for field in FIELDS:
        yield from (field.meaning, *field.texts)
        if field.facet:
            yield from (field.facet.name, *field.facet.labels.values())
    for words in TABLES.values():
        yield from (text if isinstance(text, str) else text[0] for text in words.values())
    yield from (text for term in TERMS.values() for text in (term["title"], term["text"], term["more"]) if text)
