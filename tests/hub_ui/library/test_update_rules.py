from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.errors import BadRef, NotFound, UsageError
from connectors.ref import Ref
from hub_ui.library.outdated import check_for_updates
from hub_ui.library.update_rules import UpdateRule, UpdateRules, parse_rule
from tests.hub_ui.library.building import entry
from tests.hub_ui.library.test_outdated import MINE, MODEL, NEW, OLD, OTHER, REPO, answering, commit, version
from tests.hub_ui.stand_ins import lora

HELD = entry(ref=MODEL.at("2001", "3001"), sha256=MINE, base_model="sdxl-1.0", architecture="sdxl")


@pytest.fixture
def rules(tmp_path: Path) -> Iterator[UpdateRules]:
    made = UpdateRules(tmp_path / "update_rules.sqlite")
    yield made
    made.close()


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("civitai:1001", "lora", "civitai:1001"),
        ("civitai:1001@2002#3002", "version", "civitai:1001@2002"),
        ("https://civitai.com/models/1001?modelVersionId=2002", "version", "civitai:1001@2002"),
        (f"hf:ada/ink@{NEW}#ink.safetensors", "version", f"huggingface:ada/ink@{NEW}#ink.safetensors"),
        ("base:SDXL 1.0", "base", "SDXL 1.0"),
        ("base:of my own", "base", "of my own"),
    ],
)
def test_a_rule_is_read_from_what_people_write(text: str, kind: str, value: str) -> None:
    rule = parse_rule(text)
    assert (rule.kind, rule.value) == (kind, value)
    assert parse_rule(str(rule)) == rule


@pytest.mark.parametrize(("text", "error"), [("base:", UsageError), ("what?", BadRef)])
def test_what_is_no_rule_is_refused(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        parse_rule(text)


def test_rules_are_kept_listed_and_lifted(rules: UpdateRules, tmp_path: Path) -> None:
    assert (rules.all(), list(tmp_path.iterdir())) == ((), [])
    for text in ("civitai:1001", "base:sdxl", "civitai:1001"):
        rules.add(parse_rule(text))
    other = UpdateRules(tmp_path / "update_rules.sqlite")
    assert [str(rule) for rule in other.all()] == ["base:sdxl", "civitai:1001"]
    other.close()
    rules.lift(parse_rule("civitai:1001"))
    assert [str(rule) for rule in rules.all()] == ["base:sdxl"]
    with pytest.raises(NotFound, match="Updates of civitai:1001 are not ignored"):
        rules.lift(parse_rule("civitai:1001"))


@pytest.mark.parametrize(
    ("rule", "state", "newest"),
    [
        (None, "newer", "2003"),
        ("civitai:1001@2003", "newer", "2002"),
        ("civitai:1001", "ignored", "2003"),
        ("base:sdxl", "ignored", "2003"),
        ("base:SDXL 1.0", "ignored", "2003"),
        ("base:pony", "newer", "2003"),
        ("base:flux1", "newer", "2003"),
        ("civitai:1", "newer", "2003"),
    ],
)
def test_what_a_rule_ignores_is_not_offered(rule: str | None, state: str, newest: str) -> None:
    answer = lora(versions=(version(2003, day="03"), version(2002, day="02"), version(2001, day="01")))
    [found] = check_for_updates([HELD], answering(answer), [parse_rule(rule)] if rule else [])
    assert found.newest is not None
    assert (found.state, found.newest.version) == (state, newest)


def test_with_every_newer_version_ignored_the_update_is() -> None:
    answer = lora(versions=(version(2002, day="02"), version(2001, day="01")))
    [found] = check_for_updates([HELD], answering(answer), [parse_rule("civitai:1001@2002")])
    assert (found.state, str(found.rule)) == ("ignored", "civitai:1001@2002")


def test_an_ignored_version_of_a_repo_stays_so_when_its_card_is_edited() -> None:
    held = entry(ref=REPO.at(OLD, "ink.safetensors"), sha256=MINE)
    rule = UpdateRule(kind="version", value=f"{REPO.at(NEW, 'ink.safetensors')}", sha256=OTHER)
    [found] = check_for_updates([held], answering(commit("3" * 40, OTHER)), [rule])
    assert found.state == "ignored"
    [found] = check_for_updates([held], answering(commit("3" * 40, "c" * 64)), [rule])
    assert found.state == "newer"


def test_what_the_library_holds_is_superseded_even_if_ignored() -> None:
    answer = lora(versions=(version(2002, day="02"), version(2001, day="01")))
    new = entry(ref=Ref.parse("civitai:1001@2002#4711"), sha256=OTHER, file="sd1/new.safetensors")
    found, _ = check_for_updates([HELD, new], answering(answer), [parse_rule("civitai:1001")])
    assert found.state == "superseded"
