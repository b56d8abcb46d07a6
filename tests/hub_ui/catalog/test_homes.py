"""One LoRA on several hubs is one card."""

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.claims.base_models import base_claims
from connectors.query import Query
from connectors.record import Lora, Version, WeightFile
from connectors.ref import Ref
from hub_ui.catalog.catalog import Catalog
from hub_ui.catalog.homes import Sharer, card, card_row, is_collection, page_of
from hub_ui.catalog.row import bases_of, row_of
from tests.hub_ui.catalog.builders import catalog, lora

pytestmark = pytest.mark.usefixtures("either_database")

A, B, C = ("a" * 64, "b" * 64, "c" * 64)
TENSORS = "c0ffeec0ffee"
NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


# SHA-256 and AutoV3 of a file, either of which a hub may leave out.
Hashes = tuple[str | None, str | None]


def listed(name: str, *versions: Sequence[Hashes], **fields: Any) -> Lora:
    """A LoRA on the hub that the ref names, with the files of each version."""
    ref = Ref.parse(name)
    number = {"civitai": "1{}", "huggingface": "{}" * 40, "replicate": "{}" * 64}[ref.hub]
    found = []
    for place, files in enumerate(versions):
        at = number.replace("{}", str(place))
        there = (
            WeightFile(ref=ref.at(at, f"{one}"), name=f"{one}.safetensors", sha256=sha256, autov3=autov3)
            for one, (sha256, autov3) in enumerate(files)
        )
        found.append(Version(ref=ref.at(at), name="v1", files=tuple(there)))
    return lora(**{"ref": ref, "title": ref.id, "url": "https://hub.example", "versions": tuple(found), **fields})


def home(name: str, *hashes: str, **fields: Any) -> Lora:
    """One version, with a file for each hash: a whole SHA-256, or an AutoV3."""
    return listed(name, [(text, None) if len(text) == 64 else (None, text) for text in hashes], **fields)


def with_tensors(of: Lora, autov3: str = TENSORS) -> Lora:
    [version] = of.versions
    return replace(of, versions=(replace(version, files=tuple(replace(f, autov3=autov3) for f in version.files)),))


def based(of: Lora, base: str) -> Lora:
    return replace(of, claims=base_claims(base, "hub", "version.baseModel"))


def cards(of: Catalog, **fields: Any) -> list[list[str]]:
    """Each card's refs, in order, the one that is shown first."""
    found = of.search(Query(limit=100, **fields)).records
    return sorted([str(record.ref.lora), *map(str, record.homes)] for record in found)


def test_the_same_bytes_on_two_hubs_are_one_card(tmp_path: Path) -> None:
    with catalog(tmp_path, home("civitai:1", A), home("hf:ada/ink", A)) as opened:
        assert cards(opened) == [["civitai:1", "huggingface:ada/ink"]]
        assert opened.homes(Ref.parse("civitai:1")) == (Ref.parse("hf:ada/ink"),)


LINK = "From [CivitAI](https://civitai.com/models/11520/ngnl?modelVersionId=7)."
INK, LINKED = "huggingface:ada/ink", home("hf:ada/ink", A, description=LINK)
# What is seen, one after the other, and the cards that there are then.
SEEN: dict[str, Sequence[tuple[Sequence[Lora], list[list[str]]]]] = {
    "the same tensors are one card": [
        ([home("civitai:1", TENSORS), home("hf:ada/ink", TENSORS)], [["civitai:1", INK]]),
    ],
    "any number of mirrors are one card": [
        ([home("hf:ada/ink", A), home("hf:bob/b", A)], [[INK, "huggingface:bob/b"]]),
        ([home("civitai:10", A), home("civitai:9", A)], [["civitai:9", "civitai:10", INK, "huggingface:bob/b"]]),
    ],
    "the parts of a collection stay apart": [
        ([home("civitai:1", A), home("hf:ada/ink", A)], [["civitai:1", INK]]),
        ([home("civitai:2", B), home("hf:ada/ink", A, B)], [["civitai:1"], ["civitai:2"], [INK]]),
        ([home("hf:bob/b", A, B)], [["civitai:1"], ["civitai:2"], [INK, "huggingface:bob/b"]]),
    ],
    "the same tensors under another SHA-256 are no copy": [
        ([with_tensors(home("civitai:1", A)), with_tensors(home("hf:ada/ink", B))], [["civitai:1"], [INK]]),
    ],
    "tensors alone are those of the only SHA-256 that is known for them": [
        ([with_tensors(home("civitai:1", A)), home("hf:ada/ink", TENSORS)], [["civitai:1", INK]]),
        ([with_tensors(home("hf:eve/c", B))], [["civitai:1"], [INK], ["huggingface:eve/c"]]),
    ],
    "a linked page whose hash is not known is a home": [
        ([LINKED, home("civitai:11520")], [["civitai:11520", INK]]),
        ([home("civitai:11520", B)], [["civitai:11520"], [INK]]),
    ],
    "a link counts once it is seen and as long as it is there": [
        ([home("hf:ada/ink", A), home("civitai:11520")], [["civitai:11520"], [INK]]),
        ([LINKED], [["civitai:11520", INK]]),
        ([home("hf:ada/ink", A, description="Another text.")], [["civitai:11520"], [INK]]),
    ],
    "a linked page with the same tensors is a home": [
        ([with_tensors(home("civitai:11520", B)), with_tensors(LINKED)], [["civitai:11520", INK]]),
    ],
    "a linked page for another architecture is none": [
        ([based(home("civitai:11520"), "SDXL 1.0"), based(LINKED, "Flux.1 D")], [["civitai:11520"], [INK]]),
        ([based(LINKED, "Pony")], [["civitai:11520", INK]]),
    ],
    "bytes of another page outdo a link": [
        ([LINKED, home("civitai:11520"), home("civitai:2", A)], [["civitai:11520"], ["civitai:2", INK]]),
    ],
    "of two repos that contradict each other a linked page is neither": [
        ([home("civitai:11520"), LINKED, home("hf:bob/b", B, description=LINK)],
         [["civitai:11520"], [INK], ["huggingface:bob/b"]]),
    ],
}  # fmt: skip


@pytest.mark.parametrize("sentence", SEEN)
def test_a_card_is_what_has_the_same_bytes_tensors_or_a_link(tmp_path: Path, sentence: str) -> None:
    with catalog(tmp_path) as opened:
        for loras, found in SEEN[sentence]:
            opened.add(loras)
            assert cards(opened) == found


@pytest.mark.parametrize("digits", [NOTHING, NOTHING[:12]])
def test_the_hash_of_nothing_makes_no_card(tmp_path: Path, digits: str) -> None:
    with catalog(tmp_path, home("civitai:1", digits), home("hf:ada/ink", digits)) as opened:
        assert cards(opened) == [["civitai:1"], ["huggingface:ada/ink"]]
        assert (opened.by_hash(NOTHING), opened.by_hash(NOTHING[:10])) == ((), ())


@pytest.mark.parametrize(
    ("name", "text", "page"),
    [
        ("hf:ada/ink", LINK, "civitai:11520"),
        ("hf:ada/ink", "Civitai: www.civitai.red/models/5, again https://civitai.com/models/5?x=1", "civitai:5"),
        ("hf:ada/ink", "https://civitai.com/models/5 and https://civitai.com/models/6", None),
        ("hf:ada/ink", "https://civitai.example/models/5, https://notcivitai.com/models/5", None),
        ("replicate:ada/ink", LINK, None),
        ("civitai:1", LINK, None),
    ],
)
def test_a_card_that_links_one_page_is_about_it(name: str, text: str, page: str | None) -> None:
    assert page_of(home(name, description=text)) == (Ref.parse(page) if page else None)


class Given(dict[int, Sharer]):
    """LoRAs of which everything is known."""

    def holders(self, file: str) -> frozenset[int]:
        return frozenset(number for number, sharer in self.items() if file in sharer.files)


def sharer(hub: str, *versions: str, **fields: Any) -> Sharer:
    """Each letter is a file."""
    return Sharer(hub=hub, versions=tuple(map(frozenset, versions)), **fields)


def test_files_of_two_loras_in_one_version_make_a_collection() -> None:
    files = ("ab", "a", "b", "bc", "ac")
    assert is_collection(0, Given(enumerate(sharer("huggingface", each) for each in files[:3])))
    # One and three share a file, as do two and three, but one and two share none.
    assert is_collection(0, Given(enumerate(sharer("huggingface", each) for each in files)))
    versions = Given(enumerate([sharer("civitai", "a", "b"), sharer("huggingface", "a"), sharer("huggingface", "b")]))
    assert not is_collection(0, versions)
    assert card(1, versions) == {0, 1, 2}


def test_an_open_home_is_shown_first(tmp_path: Path) -> None:
    with catalog(tmp_path, home("civitai:1", A), home("hf:ada/ink", A)) as opened:
        opened.add([home("civitai:1", A, access="gated")])
        assert cards(opened) == [["huggingface:ada/ink", "civitai:1"]]
        opened.mark_removed(Ref.parse("hf:ada/ink"))
        assert cards(opened) == [["civitai:1", "huggingface:ada/ink"]]


def test_a_filter_by_hub_shows_the_home_there(tmp_path: Path) -> None:
    with catalog(tmp_path, home("hf:ada/ink", A), home("civitai:1", A)) as opened:
        assert cards(opened, hubs=("huggingface",)) == [["huggingface:ada/ink", "civitai:1"]]


def test_a_card_is_found_by_what_any_home_was_found_by(tmp_path: Path) -> None:
    opened = Catalog(tmp_path / "catalog.sqlite", None)
    for number in range(3):
        opened.add([home("hf:ada/ink", A, likes=number)], found_by="zebra")
        opened.add([home("civitai:1", A, likes=number)], found_by="apple zebra")
    assert [row.found for _, _, row in opened.rows() if row] == [" apple | zebra "]
    opened.close()


def test_a_card_says_what_any_home_does_and_has_the_greatest_numbers() -> None:
    homes = lora(1, downloads=5, likes=9), lora(2, downloads=7, nsfw="explicit", tags=("pen",), description="A pen")
    row = card_row([row_of(each) for each in homes])
    assert (row.refs, row.downloads, row.likes, row.nsfw) == (("civitai:1", "civitai:2"), 8, 10, 3)
    assert (row.title, row.tag_words, row.about) == (" ink 1 | ink 2 ", " pen ", " a pen ")
    assert (row.words, row.names["tags"]) == (" 1 v1 ink safetensors | 2 v1 ink safetensors ", ("pen",))


def test_the_same_title_by_the_same_creator_with_other_bytes_is_also_there(tmp_path: Path) -> None:
    here = home("hf:ada/ink", A, title="Ink Style", creator="Ada")
    there, other = home("civitai:1", B, title="ink style", creator="ada"), home("civitai:2", title="Ink Style")
    with catalog(tmp_path, here, there, other) as opened:
        assert [str(record.ref.lora) for record in opened.also_on(here.ref)] == ["civitai:1"]
        opened.add([home("civitai:1", A, title="ink style", creator="ada")])
        assert opened.also_on(here.ref) == ()


NAMES = ("civitai:1", "civitai:2", "civitai:3", "hf:ada/a", "hf:ada/b", "replicate:ada/a", "replicate:ada/b")
HASHES: list[Hashes] = [
    (A, None),
    (B, None),
    (C, None),
    (A, TENSORS),
    (B, TENSORS),
    (None, TENSORS),
    (C, "decafdecafde"),
    (None, None),
]
# What a hub says of a LoRA: the files of its versions, and what its card links.
SAID = st.tuples(
    st.lists(st.lists(st.sampled_from(HASHES), max_size=3), max_size=2),
    st.sampled_from(["", "civitai.com/models/1", "civitai.com/models/2"]),
    st.sampled_from(["Pony", "Flux.1 D", ""]),
)


def said(name: str, what: tuple[list[list[Hashes]], str, str]) -> Lora:
    files, link, base = what
    return listed(name, *files, description=link, claims=base_claims(base, "hub", "base") if base else ())


def known_by(files: Iterable[WeightFile], sha256_of: Mapping[str, set[str]]) -> frozenset[str]:
    several = {autov3: found or {autov3} for autov3, found in sha256_of.items() if len(found) < 2}
    known = ({file.sha256} if file.sha256 else several.get(file.autov3 or "", set()) for file in files)
    return frozenset[str]().union(*known)


def together(loras: list[Lora]) -> list[tuple[str, ...]]:
    """The cards by the rule alone, with nothing stored."""
    files = [file for one in loras for version in one.versions for file in version.files]
    sha256_of = {
        each.autov3: {file.sha256 for file in files if file.sha256 and file.autov3 == each.autov3}
        for each in files
        if each.autov3
    }
    links = {(page_of(one), one.ref) for one in loras}
    sharers = Given(
        (
            number,
            Sharer(
                hub=one.hub,
                versions=tuple(known_by(version.files, sha256_of) for version in one.versions),
                tensors=frozenset(f.autov3 for version in one.versions for f in version.files if f.autov3),
                pages=frozenset(place for place, other in enumerate(loras) if (other.ref, one.ref) in links),
                linkers=frozenset(place for place, other in enumerate(loras) if (one.ref, other.ref) in links),
                architectures=frozenset(name for base, *_ in bases_of(one) for name in base.architectures),
            ),
        )
        for number, one in enumerate(loras)
    )
    return sorted({tuple(sorted(str(loras[each].ref) for each in card(number, sharers))) for number in sharers})


# It opens catalogs of its own, each on SQLite.
@pytest.mark.parametrize("either_database", ["sqlite"], indirect=True)
@settings(max_examples=40, deadline=None)
@given(
    st.lists(SAID, min_size=len(NAMES), max_size=len(NAMES)),
    st.lists(SAID, min_size=3, max_size=3),
    st.permutations(range(len(NAMES))),
    st.integers(1, 4),
)
def test_the_order_of_arrival_does_not_matter(what: list[Any], before: list[Any], order: list[int], size: int) -> None:
    loras = [said(name, one) for name, one in zip(NAMES, what, strict=True)]
    with tempfile.TemporaryDirectory() as folder, Catalog.open(Path(folder) / "catalog.sqlite") as opened:
        # Some have had other files before: what is known last counts.
        opened.add(said(name, one) for name, one in zip(NAMES[2:], before, strict=False))
        opened.add(loras[place] for place in order[:3])
        for start in range(0, len(order), size):
            opened.add([loras[place] for place in order[start : start + size]])
        known = {str(one.ref): opened.lora(one.ref) for one in loras}
        expected = together(list(known.values()))
        assert sorted(tuple(sorted(each)) for each in cards(opened)) == expected
        # All are open, and the names of hubs stand in the order of HUBS.
        rows = {row.refs: row for _, _, row in opened.rows() if row}
        assert rows == {names: card_row([row_of(known[name]) for name in names]) for names in expected}
