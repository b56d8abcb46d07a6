"""SECURITY.md names a test for each control, and each of them is there."""

from __future__ import annotations

import ast
import re

from tests.docs.pages import ROOT

TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)


def test_every_test_that_is_named_is_there() -> None:
    missing = []
    for path, name in NAMED:
        file = ROOT / path
        tree = ast.parse(file.read_text(encoding="utf-8")) if file.is_file() else ast.parse("")
        if name not in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}:
            missing.append(f"{path}::{name}")
    assert missing == []


def test_every_control_has_a_test() -> None:
    controls = TEXT.partition("## Controls")[2].partition("## What is left")[0]
    rows = [
        line for line in controls.splitlines() if line.startswith("| ") and not line.startswith(("| ---", "| Control"))
    ]
    assert len(rows) >= 40
    assert [row for row in rows if "::test_" not in row] == []


def test_every_file_that_is_named_is_there() -> None:
    paths = re.findall(r"`((?:connectors|hub_ui|tests)/[\w/.]+)`", TEXT)
    assert [path for path in paths if not (ROOT / path).exists()] == []
