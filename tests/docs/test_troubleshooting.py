"""Every message that docs/troubleshooting.md explains is one that hub-ui says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.docs.pages import PAGES, ROOT

MESSAGES = re.findall(r"^### (.+)$", PAGES["docs/troubleshooting.md"].read_text(encoding="utf-8"), re.MULTILINE)
_VALUE = re.compile(r"\{[^{}]*\}")


def test_every_message_that_is_explained_stands_in_the_source() -> None:
    sources = "\n".join(text for folder in ("connectors", "hub_ui") for text in texts(ROOT / folder))
    said = re.sub("…+", "…", sources)
    assert [message for message in MESSAGES if message.removesuffix(" …") not in said] == []


def test_the_most_likely_messages_are_explained_and_each_once() -> None:
    assert len(MESSAGES) == len(set(MESSAGES)) >= 30


def texts(folder: Path) -> Iterator[str]:
    """Every text in the sources, with “…” for a value that is put into it."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                yield "".join(_fixed(part) if isinstance(part, ast.Constant) else "…" for part in node.values)
            elif isinstance(node, ast.Constant):
                yield _fixed(node)


def _fixed(node: ast.Constant) -> str:
    return _VALUE.sub("…", node.value) if isinstance(node.value, str) else ""
