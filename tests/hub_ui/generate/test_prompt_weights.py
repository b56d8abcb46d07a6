from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import diffusers
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hub_ui.generate.compare import comparison
from hub_ui.generate.engine import Engine
from hub_ui.generate.prompt_weights import (
    PromptPart,
    _restore_mean,
    chunk_count,
    encode_prompts,
    escape_prompt,
    has_emphasis,
    parse_prompt,
    prompt_chunks,
    prompt_notes,
    reads_emphasis,
    truncation_notes,
    without_weights,
)
from tests.hub_ui.generate.building import adapter, alike, apart, job, one, save_kohya, settings
from tests.hub_ui.generate.pipelines.bases import TINY


# The first six are the examples in A1111's own documentation of its parser.
@pytest.mark.parametrize(
    ("prompt", "parts"),
    [
        ("normal text", [("normal text", 1.0)]),
        ("an (important) word", [("an ", 1.0), ("important", 1.1), (" word", 1.0)]),
        ("(unbalanced", [("unbalanced", 1.1)]),
        (r"\(literal\]", [("(literal]", 1.0)]),
        ("(unnecessary)(parens)", [("unnecessaryparens", 1.1)]),
        (
            "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).",
            [
                ("a ", 1.0), ("house", 1.573), (" ", 1.1), ("on", 1.0), (" a ", 1.1), ("hill", 0.55),
                (", sun, ", 1.1), ("sky", 1.4641), (".", 1.1),
            ],
        ),
        ("", []),
        ("[cat]", [("cat", 0.90909)]),
        ("((cat))", [("cat", 1.21)]),
        ("(cat: 1.2 )", [("cat", 1.2)]),
        ("(cat:.5)", [("cat", 0.5)]),
        ("(cat:-1)", [("cat", -1.0)]),
        ("(a: b)", [("a: b", 1.1)]),
        ("(cat:1.2.3)", [("cat:1.2.3", 1.1)]),
        ("cat) dog", [("cat) dog", 1.0)]),
        ("cat:1.2) dog", [("cat:1.2) dog", 1.0)]),
        ("[cat) dog]", [("cat) dog", 0.90909)]),
        (r"ganyu \(genshin impact\)", [("ganyu (genshin impact)", 1.0)]),
        (r"(1990s \(style\):1.2)", [("1990s (style)", 1.2)]),
    ],
)  # fmt: skip
def test_brackets_are_read_as_a1111_reads_them(prompt: str, parts: Sequence[tuple[str, float]]) -> None:
    read = parse_prompt(prompt)
    assert [part.text for part in read] == [text for text, _ in parts]
    assert [part.weight for part in read] == pytest.approx([weight for _, weight in parts], abs=1e-4)


def test_break_starts_a_chunk() -> None:
    assert parse_prompt("a cat BREAK a (dog BREAK owl:2)") == (
        PromptPart(text="a cat"),
        PromptPart(text="a ", starts_chunk=True),
        PromptPart(text="dog", weight=2.0),
        PromptPart(text="owl", weight=2.0, starts_chunk=True),
    )


@given(st.text(max_size=40))
def test_an_escaped_text_is_read_as_itself(text: str) -> None:
    read = parse_prompt(escape_prompt(text.replace("BREAK", "")))
    assert "".join(part.text for part in read) == text.replace("BREAK", "")
    assert {part.weight for part in read} <= {1.0}


@given(st.text(st.sampled_from("ab ,()[]\\:1.2"), max_size=40))
def test_any_prompt_is_read(prompt: str) -> None:
    read = parse_prompt(prompt)
    assert all(part.text for part in read)
    assert all(one.weight != other.weight for one, other in pairwise(read))


@pytest.mark.parametrize(
    ("prompt", "has"),
    [("a cat, at home", False), ("", False), ("a (cat)", True), (r"\(", True), ("a BREAK b", True), ("[a", True)],
)
def test_a_prompt_without_marks_has_no_emphasis(prompt: str, has: bool) -> None:
    assert has_emphasis(prompt) == has


@pytest.mark.parametrize(
    ("prompt", "plain"),
    [
        ("a (red:1.2) sign (at noon)", "a red sign (at noon)"),
        ("((a:1.2) cat:0.5)", "a cat"),
        (r"\(a:1.2)", r"\(a:1.2)"),
        ("at 10:30", "at 10:30"),
        ("[from:to:0.5]", "[from:to:0.5]"),
    ],
)
def test_other_models_get_the_words_without_their_weights(prompt: str, plain: str) -> None:
    assert without_weights(prompt) == plain


def words(prompt: str, size: int) -> list[str]:
    """The chunks, with one token for each word or comma."""
    known: list[str] = [","]

    def tokenize(text: str) -> list[int]:
        for word in text.replace(",", " , ").split():
            known.extend([word] if word not in known else [])
        return [known.index(word) for word in text.replace(",", " , ").split()]

    return [" ".join(known[token] for token, _ in chunk) for chunk in prompt_chunks(prompt, tokenize, 0, size)]


@pytest.mark.parametrize(
    ("prompt", "chunks"),
    [
        ("", [""]),
        ("a b c", ["a b c"]),
        ("a b c d e f g", ["a b c d", "e f g"]),
        ("a b , c d e f", ["a b ,", "c d e f"]),
        ("a b c d , e", ["a b c d", ", e"]),
        ("a BREAK b", ["a", "b"]),
        ("BREAK a BREAK", ["", "a"]),
    ],
)
def test_a_long_prompt_is_cut_at_a_comma_that_is_near(prompt: str, chunks: list[str]) -> None:
    assert words(prompt, 4) == chunks


def test_a_comma_that_is_further_away_cuts_nothing() -> None:
    first, second = words("a, " + "b " * 40, 30)
    assert (first, second) == ("a ," + " b" * 28, " ".join("b" * 12))


# A letter is a token here, and 75 of them are a chunk.
LONG = "ab " * 50
KEYS = ("prompt_embeds", "negative_prompt_embeds", "pooled_prompt_embeds", "negative_pooled_prompt_embeds")


@pytest.fixture(scope="module", params=[TINY["sd1"], TINY["sdxl"]], ids=str)
def pipe(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = request.param.save(tmp_path_factory.mktemp("base"))
    kind: Any = diffusers.DiffusionPipeline
    return kind.from_pretrained(folder)


@torch.inference_mode()
def own(pipe: Any, prompt: str, negative: str | None = None) -> dict[str, torch.Tensor]:
    found = pipe.encode_prompt(
        prompt=[prompt], device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=True,
        negative_prompt=None if negative is None else [negative],
    )  # fmt: skip
    return dict(zip(KEYS, found, strict=False))


@torch.inference_mode()
def encoded(pipe: Any, *prompts: str, negative: str = "", count: int = 1) -> dict[str, torch.Tensor]:
    return encode_prompts(pipe, prompts, negative, count)


def test_a_plain_prompt_is_encoded_as_by_the_pipeline(pipe: Any) -> None:
    found, expected = encoded(pipe, "a cat", negative="dull"), own(pipe, "a cat", "dull")
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_a_weight_multiplies_its_tokens_and_the_mean_of_each_encoder_stays(pipe: Any) -> None:
    found, plain = encoded(pipe, "a (cat:1.5)")["prompt_embeds"][0], own(pipe, "a cat")["prompt_embeds"][0]
    width, factors = pipe.text_encoder.config.hidden_size, torch.tensor([1.0, 1.0, 1.5, 1.5, 1.5] + [1.0] * 72)
    for part, before in zip(torch.split(found, width, -1), torch.split(plain, width, -1), strict=True):
        weighted = before * factors[:, None]
        ratio = before.mean() / weighted.mean()
        torch.testing.assert_close(part, weighted * (ratio if 0.5 < ratio < 2 else 1))


@pytest.mark.parametrize(("mean", "restored"), [(0.5, True), (1e-6, False), (-0.5, False), (0.0, False)])
def test_a_mean_is_restored_where_it_is_one(mean: float, restored: bool) -> None:
    values = torch.tensor([[0.1, 0.9], [0.6, 0.2]])
    found = _restore_mean(values, torch.tensor(mean))
    assert float(found.mean()) == pytest.approx(mean if restored else 0.45)


def test_a_negative_prompt_has_emphasis_too(pipe: Any) -> None:
    found, expected = encoded(pipe, "a cat", negative="(dull)"), encoded(pipe, "(dull)")
    assert torch.equal(found["negative_prompt_embeds"], expected["prompt_embeds"])


def test_a_long_prompt_is_its_chunks_one_after_the_other(pipe: Any) -> None:
    found = encoded(pipe, LONG, count=2)
    first, second = own(pipe, ("ab " * 37 + "a").strip()), own(pipe, "b " + "ab " * 12)
    assert found["prompt_embeds"].shape[1] == 154
    assert torch.equal(found["prompt_embeds"][:, :77][:, :75], first["prompt_embeds"][:, :75])
    assert torch.equal(found["prompt_embeds"][:, 77:], second["prompt_embeds"])


def test_a_shorter_prompt_is_filled_with_empty_chunks(pipe: Any) -> None:
    found = encoded(pipe, "a cat", negative=LONG, count=2)
    assert torch.equal(found["prompt_embeds"][:, 77:], own(pipe, "")["prompt_embeds"])
    assert found["negative_prompt_embeds"].shape == found["prompt_embeds"].shape


def test_each_row_is_the_one_that_is_encoded_alone(pipe: Any) -> None:
    found = encoded(pipe, "a (cat)", "[a] dog")["prompt_embeds"]
    alone = [encoded(pipe, prompt)["prompt_embeds"] for prompt in ("a (cat)", "[a] dog")]
    torch.testing.assert_close(found, torch.cat(alone))


def test_the_tokenizers_are_there_again_after_an_error(pipe: Any) -> None:
    before, config = pipe.tokenizer, dict(pipe.config)
    with pytest.raises(ValueError, match="text input must be"):
        encode_prompts(pipe, [None], "", 1)  # type: ignore[list-item]
    assert pipe.tokenizer is before
    assert dict(pipe.config) == config


@pytest.mark.parametrize(
    ("prompt", "fields", "count"),
    [
        ("a cat", {}, 0),
        ("a (cat)", {}, 1),
        ("a cat", {"negative": "[dull]"}, 1),
        (LONG, {}, 2),
        ("a cat", {"negative": LONG}, 2),
        (LONG, {"emphasis": False}, 0),
    ],
)
def test_the_pipelines_own_call_encodes_what_is_plain_and_short(
    pipe: Any, prompt: str, fields: dict[str, Any], count: int
) -> None:
    assert chunk_count(pipe, settings(**fields), prompt) == count


def test_other_families_get_plain_words_and_say_so(tmp_path: Path) -> None:
    kind: Any = diffusers.DiffusionPipeline
    pipe = kind.from_pretrained(TINY["sd3"].save(tmp_path))
    assert not reads_emphasis(pipe)
    assert prompt_notes(pipe, settings(), ["a cat (asleep)"]) == []
    assert prompt_notes(pipe, settings(), ["a (cat:1.2)"]) == [
        "This base reads whole sentences and has no emphasis: the weights in (word:1.2) were left out."
    ]


def test_emphasis_and_words_beyond_the_first_chunk_change_the_image(studio: Engine, base: str) -> None:
    plain = one(studio, base=base)
    assert apart(plain, one(studio, base=base, prompt="a (red:1.9) cat")) > 0.1
    long = "a red cat, at home in a big house"
    assert apart(one(studio, base=base, prompt=long, emphasis=False), one(studio, base=base, prompt=long)) > 0.1


def test_prompts_with_and_without_emphasis_are_rows_of_one_grid(studio: Engine, base: str, tmp_path: Path) -> None:
    lora = adapter(save_kohya(tmp_path / "a.safetensors", text=True))
    asked, prompts = job(lora, base=base), ("a red cat", "a (red:1.5) cat", "a red cat, at home in a big house")
    images = studio.generate(asked, comparison.weight_sweep(asked, (0.0, 1.0), prompts=prompts)).images
    studio.close()
    alone = [one(studio, adapter(lora.path, weight=w), base=base, prompt=p) for p in prompts for w in (0.0, 1.0)]
    assert all(alike(found, expected) for found, expected in zip(images, alone, strict=True))


class CLIPTokenizer:
    model_max_length = 6

    def __call__(self, text: str) -> SimpleNamespace:
        return SimpleNamespace(input_ids=["<", *text.split(), ">"])

    def decode(self, tokens: list[str]) -> str:
        return " ".join(tokens)


def test_what_of_a_prompt_is_not_read_is_said() -> None:
    pipe = SimpleNamespace(components={"tokenizer": CLIPTokenizer(), "tokenizer_2": None})
    assert truncation_notes(pipe, ["a cat on grass", "dull"]) == []
    (said,) = truncation_notes(pipe, ["a cat on grass under clouds"])
    assert said == "This base reads 4 tokens of a prompt, some 3 words; left out was “under clouds”."
    # Beside CLIP another reader reads on.
    pipe.components["tokenizer_2"] = SimpleNamespace()
    assert truncation_notes(pipe, ["a cat on grass under clouds"]) == []
