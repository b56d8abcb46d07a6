from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from connectors.errors import BadAnswer, HubDown, HubUiError, NotFound, RateLimited
from connectors.record import Claim, Lora, Version, WeightFile
from connectors.ref import Ref
from hub_ui.library.lockfile import Entry
from hub_ui.library.outdated import UpdateStatus, check_for_updates
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


def test_two_files_of_one_lora_make_one_request() -> None:
    seen: list[Ref] = []

    def get(ref: Ref) -> Lora:
        seen.append(ref)
        return lora(versions=(version(2001),))

    list(check_for_updates([entry(), entry(ref=MODEL.at("2001", "3002"))], get))
    assert seen == [MODEL]


def test_a_version_whose_successor_is_in_the_library_is_superseded() -> None:
    answer = lora(versions=(version(2002, day="02"), version(2001, day="01")))
    old = entry(ref=MODEL.at("2001", "3001"), sha256=MINE)
    new = entry(ref=MODEL.at("2002", "4711"), sha256=OTHER, file="sd1/new.safetensors")
    found, _ = check_for_updates([old, new], answering(answer))
    assert (found.state, found.newest_name) == ("superseded", "v2002")


def test_another_file_of_the_same_repo_is_no_successor() -> None:
    old = entry(ref=REPO.at(OLD, "ink.safetensors"), sha256=MINE)
    other = entry(ref=REPO.at(NEW, "paper.safetensors"), sha256="c" * 64, file="sd1/paper.safetensors")
    states = [one.state for one in check_for_updates([old, other], answering(commit(NEW, OTHER)))]
    assert states[0] == "newer"
