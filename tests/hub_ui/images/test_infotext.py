import hashlib
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file

from hub_ui.images import infotext
from hub_ui.images.infotext import Infotext, UsedLora

A1111 = """\
girl with a beret, desert scene,
detailed <lora:penink:0.8> <lora:add_detail:-1>
Negative prompt: ugly, fat,
blurry
Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 965400086, Size: 512x768, \
Model hash: 45dee52b, Model: "a, b", Lora hashes: "penink: 1861fe1b6fd4, add_detail: 7C6BAD76EB54", Version: v1.9.3"""


def test_a_text_of_a1111_is_read_and_its_loras_have_weights_and_hashes() -> None:
    read = infotext.read(A1111)
    assert read.prompt == "girl with a beret, desert scene,\ndetailed <lora:penink:0.8> <lora:add_detail:-1>"
    assert read.negative == "ugly, fat,\nblurry"
    assert (read.fields["Size"], read.fields["Model"], read.fields["Schedule type"]) == ("512x768", "a, b", "Karras")
    assert infotext.loras(infotext.read(A1111)) == (
        UsedLora(name="penink", weight=0.8, hash="1861fe1b6fd4"),
        UsedLora(name="add_detail", weight=-1.0, hash="7c6bad76eb54"),
    )


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("<lora:ink:0.8>", UsedLora(name="ink", weight=0.8)),
        ("<lora:ink:0.5:0.8>", UsedLora(name="ink", weight=0.8, clip_weight=0.5)),
        ("<lora:ink:0.8:te=0.5>", UsedLora(name="ink", weight=0.5)),
        ("<lora:ink:te=0.5:unet=0.8>", UsedLora(name="ink", weight=0.8, clip_weight=0.5)),
        ("<lora:ink:0.8:lbw=INALL>", UsedLora(name="ink", weight=0.8, blocks="INALL")),
        ("<lora:ink:0.5:0.8:lbw=1,0,1>", UsedLora(name="ink", weight=0.8, clip_weight=0.5, blocks="1,0,1")),
        ("<lora:ink:0.8:1,0,1>", UsedLora(name="ink", weight=0.8, blocks="1,0,1")),
        ("<lora:ink:lbw=ALL:stop=10>", UsedLora(name="ink", blocks="ALL")),
    ],
)
def test_a_tag_says_the_weights_of_a_loras_parts_as_in_a1111(tag: str, expected: UsedLora) -> None:
    assert infotext.loras(Infotext(prompt=f"a cat {tag}")) == (expected,)
    assert infotext.without_tags(f"a cat {tag}") == "a cat"


@given(weight=st.integers(-200, 200), clip=st.integers(-200, 200), blocks=st.lists(st.integers(-9, 9), min_size=2))
def test_a_tag_that_is_written_is_read_back(weight: int, clip: int, blocks: list[int]) -> None:
    tag = infotext.tag("ink", weight / 100, clip / 100, blocks[:61])
    other = None if clip == weight else clip / 100
    numbers = ",".join(map(str, blocks[:61]))
    expected = UsedLora(name="ink", weight=weight / 100, clip_weight=other, blocks=numbers)
    assert infotext.loras(Infotext(prompt=tag)) == (expected,)


def test_the_list_of_civitai_names_versions_and_its_extension_hashes() -> None:
    text = (
        'a cat\nSteps: 20, Seed: 1, Civitai resources: [{"type":"checkpoint","modelVersionId":7},'
        '{"type":"lora","weight":0.7,"modelVersionId":2001,"modelName":"Ink"}], Civitai metadata: {}'
    )
    read = infotext.read(text)
    assert infotext.loras(read) == (UsedLora(name="Ink", weight=0.7, version="2001"),)
    assert read.fields["Civitai metadata"] == "{}"
    read = infotext.read('a\nSteps: 20, Seed: 1, Hashes: {"model": "abcdef0123", "lora:ink": "0123456789"}')
    assert infotext.loras(read) == (UsedLora(name="ink", hash="0123456789"),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Infotext(prompt="")),
        ("a cat", Infotext(prompt="a cat")),
        ("Negative prompt: dull", Infotext(prompt="", negative="dull")),
        ("a cat\r\nSteps: 5, Seed: 1", Infotext(prompt="a cat", fields={"Steps": "5", "Seed": "1"})),
        ("a\nSeed: 1, Sampler: LCM, X: 8", Infotext(prompt="a", fields={"Seed": "1", "Sampler": "LCM", "X": "8"})),
        ("a\nSteps: 5, no colon, Seed: 2\nTemplate: {a|b}", Infotext(prompt="a", fields={"Steps": "5", "Seed": "2"})),
        ('a\nSteps: 5, X: "open, Seed: 2', Infotext(prompt="a", fields={"Steps": "5", "X": '"open', "Seed": "2"})),
        ("who: a cat, where: home", Infotext(prompt="who: a cat, where: home")),
        ("Steps: up a tower", Infotext(prompt="Steps: up a tower")),
    ],
)
def test_texts_with_parts_missing_are_read(text: str, expected: Infotext) -> None:
    assert infotext.read(text) == expected


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "text",
    [
        "a" * 200_000,
        "a: " * 60_000,
        ',"' * 60_000,
        "[" * 90_000,
        "a\nSteps: 1, X: " + "[" * 90_000,
        "<lora:" * 20_000,
        " " * 90_000 + "x",
        ", " * 45_000 + "x",
    ],
)
def test_hostile_texts_do_not_hang(text: str) -> None:
    infotext.loras(infotext.read(text))
    infotext.without_tags(text)


UNPRINTED: tuple[Literal["Cs", "Cc"], ...] = ("Cs", "Cc")
LINES = st.text(st.characters(exclude_categories=UNPRINTED), max_size=40)
NAMES = st.from_regex(r"\A[A-Z][a-z]{2,8}(?: [a-z]{2,8})?\Z")


@given(
    prompt=st.lists(LINES | st.sampled_from(["Negative prompt: x", "Steps: 3, Seed: 1", ""]), max_size=4),
    negative=st.lists(LINES, max_size=3),
    fields=st.dictionaries(NAMES, st.text(st.characters(exclude_categories=UNPRINTED[:1]), max_size=40), max_size=5),
)
def test_what_is_written_is_read_back(prompt: list[str], negative: list[str], fields: dict[str, str]) -> None:
    wanted = Infotext(prompt="\n".join(prompt), negative="\n".join(negative), fields={"Steps": "20", **fields})
    text = infotext.write(wanted)
    read = infotext.read(text)
    assert read.fields == wanted.fields
    assert _bare(read.prompt) == _bare(wanted.prompt)
    assert _bare(read.negative) == _bare(wanted.negative)
    assert infotext.write(read) == text


def _bare(prompt: str) -> str:
    """Readers strip each line; two openings change their first letter, so that they are not taken for structure."""
    safe = prompt.replace("Negative prompt:", "negative prompt:").replace("Steps: 3", "steps: 3")
    return "\n".join(line.strip() for line in safe.strip().split("\n"))


def test_the_hash_is_of_the_tensors_alone_as_they_are_now(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": np.arange(8, dtype=np.float32)}, path, metadata={"ss_output_name": "ink"})
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    assert infotext.autov3(path) == hashlib.sha256(data[start:]).hexdigest()[:12]
    path.write_bytes(data + b"more")
    assert infotext.autov3(path) == hashlib.sha256(data[start:] + b"more").hexdigest()[:12]


@pytest.mark.parametrize("data", [b"", b"\x00" * 8, b"\xff" * 16])
def test_what_has_no_header_has_no_such_hash(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.safetensors").write_bytes(data)
    assert infotext.autov3(tmp_path / "a.safetensors") is None
    assert infotext.autov3(tmp_path / "nobody.safetensors") is None


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("<lora:ink:0.8>, a cat", "a cat"),
        ("a cat, <lora:ink:0.8>, at home", "a cat, at home"),
        ("a cat <lyco:ink:0.8:0.5> at home", "a cat at home"),
        ("a <b> c", "a <b> c"),
    ],
)
def test_tags_are_taken_out_of_a_prompt(prompt: str, expected: str) -> None:
    assert infotext.without_tags(prompt) == expected


@pytest.mark.parametrize(("name", "expected"), [("Ink lines-1.2", "Ink lines-1.2"), ('a:b,<"c', "a_b_c"), (":", "_")])
def test_a_files_name_fits_into_a_tag(name: str, expected: str) -> None:
    assert infotext.name_of(name) == expected
