from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import BadAnswer, BadRef, HubDown, HubUiError, NotFound, RateLimited, UsageError
from connectors.record import Claim, Lora, Version, WeightFile
from connectors.ref import Ref
from hub_ui.library.lockfile import Entry
from hub_ui.library.upkeep.outdated import UpdateRule, UpdateRules, UpdateStatus, check_for_updates, parse_rule
from tests.hub_ui.library.building import entry
from tests.hub_ui.stand_ins import lora

MINE, OTHER = "a" * 64, "b" * 64
MODEL = Ref.parse("civitai:1001")
REPO, OLD, NEW = Ref.parse("huggingface:ada/ink"), "1" * 40, "2" * 40


def version(number: int, base: str = "sdxl", day: str | None = None, **fields: Any) -> Version:
    """Version 2001's file is the entry's."""
    ref = MODEL.at(str(number))
    file = WeightFile(ref=ref.at(ref.version, str(number + 1000)), name="ink.safetensors", sha256=MINE)
    given: dict[str, Any] = {
        "ref": ref,
        "name": f"v{number}",
        "updated_at": day and f"2026-08-{day}T00:00:00Z",
        "files": (file,),
        "claims": (Claim(field="base_model", value=base, source="hub", where="baseModel"),),
    }
    return Version(**{**given, **fields})


def commit(commit_id: str, sha: str | None, path: str = "ink.safetensors", size: int | None = 3) -> Lora:
    ref = REPO.at(commit_id)
    file = WeightFile(ref=ref.at(commit_id, path), name=path, size=size, sha256=sha)
    return lora("huggingface", ref=REPO, versions=(Version(ref=ref, name=commit_id[:7], files=(file,)),))


def status(held: Entry, answer: Lora | HubUiError) -> UpdateStatus:
    [found] = check_for_updates([held], answering(answer))
    return found


def answering(answer: Lora | HubUiError) -> Callable[[Ref], Lora]:
    def get(ref: Ref) -> Lora:
        if isinstance(answer, HubUiError):
            raise answer
        return answer

    return get


@pytest.mark.parametrize(
    ("versions", "state", "newest"),
    [
        ([version(2001, day="01")], "current", None),
        ([version(2003, day="03"), version(2002, day="02"), version(2001, day="01")], "newer", "2003"),
        # The author's order says which one is shown first, not which one is newer.
        ([version(2002, day="02"), version(2003, day="03"), version(2001, day="01")], "newer", "2003"),
        ([version(2002, base="pony", day="02"), version(2001, day="01")], "current", None),
        ([version(2000, day="05"), version(2001, day="01")], "newer", "2000"),
        ([version(2002), version(2001)], "newer", "2002"),
        ([version(2002, files=()), version(2001)], "current", None),
        ([version(2000)], "gone", None),
    ],
)
def test_civitai_versions_count_for_their_base_model(versions: list[Version], state: str, newest: str | None) -> None:
    found = status(entry(base_model="sdxl"), lora(versions=tuple(versions)))
    assert (found.state, found.newest and found.newest.version) == (state, newest)


@pytest.mark.parametrize(
    ("file", "state"),
    [
        ({"sha256": OTHER}, "replaced"),
        ({"sha256": OTHER, "ref": MODEL.at("2001", "3999")}, "replaced"),
        ({"ref": MODEL.at("2001", "3999")}, "current"),
        ({"sha256": None, "size": 5}, "current"),
    ],
)
def test_a_file_replaced_under_the_same_version_is_reported(file: dict[str, Any], state: str) -> None:
    same = version(2001)
    changed = replace(same, files=(replace(same.files[0], **file),))
    found = status(entry(), lora(versions=(changed,)))
    note = f"Its author replaced the file under the same version (sha256 now {OTHER[:12]}…)."
    assert (found.state, found.note) == (state, note if state == "replaced" else None)


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (commit(OLD, MINE), "current"),
        (commit(NEW, MINE), "current"),
        (commit(NEW, OTHER), "newer"),
        (commit(OLD, OTHER), "replaced"),
        (commit(NEW, None, size=4), "newer"),
        (commit(NEW, None), "unknown"),
        (commit(NEW, OTHER, path="else.safetensors"), "gone"),
    ],
)
def test_a_newer_commit_counts_only_with_other_bytes(answer: Lora, state: str) -> None:
    held = entry(ref=REPO.at(OLD, "ink.safetensors"))
    assert status(held, answer).state == state


def test_a_newer_version_on_replicate_is_reported() -> None:
    ref = Ref.parse("replicate:ada/ink")
    answer = lora("replicate", ref=ref, versions=(Version(ref=ref.at("c" * 64), name="c"),))
    found = status(entry(ref=ref.at("b" * 64)), answer)
    assert (found.state, str(found.newest)) == ("newer", f"replicate:ada/ink@{'c' * 64}")


def test_what_is_gone_is_no_failure() -> None:
    found = status(entry(), NotFound("gone"))
    assert (found.state, found.error) == ("gone", None)


@pytest.mark.parametrize(("error", "asked"), [(HubDown("down"), 1), (RateLimited("slow"), 1), (BadAnswer("odd"), 2)])
def test_a_hub_that_fails_as_a_whole_is_not_asked_again(error: HubUiError, asked: int) -> None:
    seen: list[Ref] = []

    def get(ref: Ref) -> Lora:
        seen.append(ref)
        raise error

    found = list(check_for_updates([entry(), entry(ref=Ref.parse("civitai:1@2"))], get))
    assert ([each.state for each in found], len(seen)) == (["failed", "failed"], asked)


@pytest.mark.parametrize("rules", [[], [parse_rule("civitai:1001")]])
def test_a_version_whose_successor_is_in_the_library_is_superseded_even_if_ignored(rules: list[UpdateRule]) -> None:
    answer = lora(versions=(version(2002, day="02"), version(2001, day="01")))
    old = entry(ref=MODEL.at("2001", "3001"), sha256=MINE)
    new = entry(ref=MODEL.at("2002", "4711"), sha256=OTHER, file="sd1/new.safetensors")
    found, _ = check_for_updates([old, new], answering(answer), rules)
    assert (found.state, found.newest_name) == ("superseded", "v2002")


def test_another_file_of_the_same_repo_is_no_successor() -> None:
    old = entry(ref=REPO.at(OLD, "ink.safetensors"), sha256=MINE)
    other = entry(ref=REPO.at(NEW, "paper.safetensors"), sha256="c" * 64, file="sd1/paper.safetensors")
    states = [one.state for one in check_for_updates([old, other], answering(commit(NEW, OTHER)))]
    assert states[0] == "newer"


HELD = entry(ref=MODEL.at("2001", "3001"), sha256=MINE, base_model="sdxl-1.0", architecture="sdxl")


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


def test_without_a_rule_there_is_no_file(tmp_path: Path) -> None:
    assert (UpdateRules(tmp_path / "update_rules.sqlite").all(), list(tmp_path.iterdir())) == ((), [])


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


def test_an_ignored_version_of_a_repo_stays_so_when_its_card_is_edited() -> None:
    held = entry(ref=REPO.at(OLD, "ink.safetensors"), sha256=MINE)
    rule = UpdateRule(kind="version", value=f"{REPO.at(NEW, 'ink.safetensors')}", sha256=OTHER)
    [found] = check_for_updates([held], answering(commit("3" * 40, OTHER)), [rule])
    assert found.state == "ignored"
    [found] = check_for_updates([held], answering(commit("3" * 40, "c" * 64)), [rule])
    assert found.state == "newer"
