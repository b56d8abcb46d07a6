from dataclasses import replace
from pathlib import Path

import pytest

from connectors.claims.license import civitai_claims
from connectors.errors import NotFound, UsageError
from connectors.record import Claim
from connectors.ref import Ref
from hub_ui.library import lockfile
from hub_ui.library.lockfile import Entry
from hub_ui.library.upkeep.collections import (
    Collection,
    Collections,
    LicenseSummary,
    pair_up,
    summarize_licenses,
    with_halves,
)
from tests.hub_ui.library.building import entry

INK = entry()
MIST = entry(ref=Ref.parse("civitai:7@8#9"), title="Mist", file="sd1/mist.safetensors", sha256="b" * 64)


@pytest.fixture
def collections(tmp_path: Path) -> Collections:
    return Collections(tmp_path / "collections")


def test_loras_are_added_and_taken_out(collections: Collections, tmp_path: Path) -> None:
    assert (collections.all(), list(tmp_path.iterdir())) == ((), [])
    collections.add("My styles", [MIST])
    collections.add("my  STYLES", [INK, MIST])
    [found] = collections.all()
    assert (found.name, set(found.refs)) == ("My styles", {INK.ref, MIST.ref})
    assert collections.take_out("My styles", [INK.ref]).entries == (MIST,)
    assert collections.get("My styles").entries == (MIST,)


def test_they_are_in_the_order_of_their_names_as_people_count(collections: Collections) -> None:
    for name in ("set 10", "Ink", "Set 2", "1", "10 of 12", "set"):
        collections.add(name, [INK])
    assert [one.name for one in collections.all()] == ["1", "10 of 12", "Ink", "set", "Set 2", "set 10"]


def test_a_lock_file_that_a_person_put_there_is_changed_and_deleted_where_it_is(
    collections: Collections, tmp_path: Path
) -> None:
    file = tmp_path / "collections" / "Ours.lock"
    file.parent.mkdir()
    file.write_text(lockfile.dumps([INK]))
    collections.add("ours", [MIST])
    assert collections.delete("OURS").entries == (INK, MIST)
    with pytest.raises(NotFound, match="no collection “ours”"):
        collections.get("ours")
    with pytest.raises(NotFound):
        collections.take_out("ours", [INK.ref])
    assert collections.all() == ()


def test_an_export_says_what_the_library_says_by_now(collections: Collections) -> None:
    moved = replace(INK, file="styles/ink.safetensors", weight=0.4)
    assert collections.add("a", [INK, MIST]).lock_text([moved]) == lockfile.dumps([moved, MIST])


def test_two_loras_that_had_one_path_at_different_times_fit_in(collections: Collections) -> None:
    collections.add("a", [INK])
    both = collections.add("a", [replace(MIST, file=INK.file)])
    assert len({one.file for one in both.entries}) == 2
    assert collections.get("a") == both


@pytest.mark.parametrize("names", [("a/b", "a:b"), ("絵" * 60, "絵" * 59), ("con", "_con"), ("..", "...")])
def test_names_no_file_may_have_stay_apart(collections: Collections, names: tuple[str, str], tmp_path: Path) -> None:
    for name, one in zip(names, (INK, MIST), strict=True):
        collections.add(name, [one])
    assert [collections.get(name) for name in names] == [
        Collection(name=name, entries=(one,)) for name, one in zip(names, (INK, MIST), strict=True)
    ]
    assert {path.parent for path in tmp_path.rglob("*.lock")} == {tmp_path / "collections"}


@pytest.mark.parametrize("name", ["", "   ", "x" * 61])
def test_what_is_no_name_is_refused(collections: Collections, name: str) -> None:
    with pytest.raises(UsageError, match="has a name of at most 60 characters"):
        collections.add(name, [INK])


def test_a_damaged_file_is_left_alone_and_told_with_its_line(collections: Collections, tmp_path: Path) -> None:
    collections.add("a", [INK])
    damaged = tmp_path / "collections" / "b.lock"
    damaged.write_bytes(b"\xff\xfe not toml")
    assert [one.name for one in collections.all()] == ["a"]
    assert damaged.read_bytes() == b"\xff\xfe not toml"
    with pytest.raises(lockfile.LockError, match="no text in UTF-8"):
        collections.add("b", [INK])
    damaged.unlink()
    collections.add("Mine", [INK])
    path = tmp_path / "collections" / "mine.lock"
    path.write_text(path.read_text().replace("title = ", "title "))
    [(name, why)] = collections.damaged()
    assert (name, why.startswith(f"{path} is not readable:"), "at line" in why) == ("mine.lock", True, True)
    with pytest.raises(lockfile.LockError, match="Mend it, or move it away"):
        collections.get("mine")


HIGH, LOW = Ref.parse("civitai:1@10#100"), Ref.parse("civitai:1@10#101")
HALVES = {HIGH: LOW, LOW: HIGH}
high = entry(ref=HIGH, file="bus_high_noise.safetensors", architecture="wan", size=3)
low = entry(ref=LOW, file="bus_low_noise.safetensors", architecture="wan", size=4)
ink = entry(architecture="sdxl")


def test_two_halves_are_one_with_the_one_for_much_noise_first() -> None:
    for order in ((high, ink, low), (low, ink, high)):
        pairs = pair_up(order, HALVES.get)
        assert [(one.entries, one.missing) for one in pairs] == [((high, low), None), ((ink,), None)]
    assert pairs[0].size == 7


def test_a_half_whose_other_is_not_here_says_which_is_missing() -> None:
    assert [(one.entries, one.missing) for one in pair_up([low], HALVES.get)] == [((low,), HIGH)]


def test_only_what_may_be_a_half_is_asked_about() -> None:
    asked: list[Ref] = []
    pair_up([ink, high], lambda ref: asked.append(ref))
    assert asked == [HIGH]


def test_what_is_chosen_takes_its_other_half_along() -> None:
    assert with_halves([low, ink], [high, low, ink], HALVES.get) == (low, high, ink)
    assert with_halves([low, high], [high, low, ink], HALVES.get) == (low, high)
    assert with_halves([low], [low], HALVES.get) == (low,)


HF = Ref.parse("huggingface:ada/ink@" + "1" * 40)


def summarize(*entries: Entry, claims: tuple[Claim, ...] = ()) -> LicenseSummary:
    return summarize_licenses(entries, lambda _: claims)


def answers(*entries: Entry, claims: tuple[Claim, ...] = ()) -> list[str]:
    """In the order of QUESTIONS: sell images, run as a service, sell, merge, no credit."""
    return [answer for answer, _because in summarize(*entries, claims=claims).together.values()]


def boxes(**fields: object) -> str:
    [claim] = civitai_claims(fields)
    return str(claim.value)


ALL = boxes(allowCommercialUse=["Image", "Rent", "Sell"], allowNoCredit=True, allowDerivatives=True)
NONE = boxes(allowCommercialUse=[], allowNoCredit=False, allowDerivatives=False)


UNKNOWN = entry(ref=HF, license=None)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([entry(ref=HF, license="cc0-1.0")], ["yes"] * 5),
        ([entry(ref=HF, license="apache-2.0")], ["yes", "yes", "yes", "yes", "no"]),
        ([entry(ref=HF, license="cc-by-nc-4.0")], ["no", "no", "no", "yes", "no"]),
        ([entry(ref=HF, license="flux-1-dev-non-commercial-license")], ["yes", "no", "no", "yes", "no"]),
        ([entry(ref=HF, license="openrail++")], ["yes", "yes", "yes", "yes", "unknown"]),
        ([entry(ref=HF, license="my own words")], ["unknown"] * 5),
        ([entry(ref=HF, license="images may be sold, it may be sold")], ["unknown"] * 5),
        ([UNKNOWN], ["unknown"] * 5),
        ([entry(license=ALL)], ["yes"] * 5),
        ([entry(license=NONE)], ["no"] * 5),
        ([entry(license=ALL), UNKNOWN], ["unknown"] * 5),
        ([entry(license=NONE), UNKNOWN], ["no"] * 5),
    ],
)
def test_licences_or_boxes_answer_questions_and_the_strictest_leads(entries: list[Entry], expected: list[str]) -> None:
    assert answers(*entries) == expected


def test_the_base_models_licence_binds_too() -> None:
    assert answers(entry(license=ALL, base_model="flux.1-dev")) == ["yes", "no", "no", "yes", "no"]
    refuted = Claim(field="base_license", value="apache-2.0", source="hub", where="licence of Z-Image")
    [one] = summarize(entry(license=ALL, base_model="flux.1-dev"), claims=(refuted,)).each
    assert one.base == "FLUX.1 [dev] Non-Commercial License"


def test_a_set_permits_what_its_strictest_permits() -> None:
    found = summarize(entry(license=ALL), entry(ref=HF, license="cc-by-nc-4.0"))
    assert [answer for answer, _because in found.together.values()] == ["no", "no", "no", "yes", "no"]
    assert [one.ref for one in found.together["sell_images"][1]] == [HF]
    assert found.together["merge"] == ("yes", ())


def test_what_the_hub_said_of_the_terms_leads() -> None:
    claim = Claim(field="license_terms", value=ALL, source="card", where="license_link")
    assert answers(entry(ref=HF, license="other"), claims=(claim,)) == ["yes"] * 5


def test_conditions_of_all_are_listed_once() -> None:
    found = summarize(entry(ref=HF, license="openrail++"), entry(license=ALL, base_model="sd-1.5"))
    assert found.conditions == ("harmful uses forbidden", "merges keep these terms")
