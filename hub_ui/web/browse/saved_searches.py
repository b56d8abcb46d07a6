"""Searches that a person keeps under a name live in the browser (scripts/searches.js)."""

from collections.abc import Sequence
from hashlib import md5, sha256

from connectors.query import Query
from hub_ui import format
from hub_ui.i18n import _
from hub_ui.widgets import query_summary

LONGEST_NAME = 80
# Pages before this one encrypted them with this, which kept nothing secret, only readable after a restart.
_WORD = "hub-ui"


def query_name(query: Query) -> str:
    """What the query's summary says: the name of a search that is given none."""
    labels = ", ".join(word.label for word in query_summary.words(query))
    return format.visible(labels)[:LONGEST_NAME].strip() or _("All LoRAs")


def old_key(salt: bytes) -> tuple[Sequence[int], Sequence[int]]:
    """The key and the start of AES, as OpenSSL derives them from the word and `salt` (EVP_BytesToKey)."""
    word, derived, block = sha256(_WORD.encode()).hexdigest().encode(), b"", b""
    while len(derived) < 48:
        block = md5(block + word + salt, usedforsecurity=False).digest()
        derived += block
    return list(derived[:32]), list(derived[32:48])
