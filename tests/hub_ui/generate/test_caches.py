import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    Qwen3Config,
    Qwen3Model,
    T5Config,
    T5EncoderModel,
)

from hub_ui.generate.caches import ImageCache, PromptCache, PromptRow, effect_key
from hub_ui.generate.result import GeneratedImage
from tests.hub_ui.generate.building import adapter
from tests.hub_ui.generate.simulated_cuda import Card, simulated_cuda

INK, PAPER = adapter(Path("a"), sha256="a" * 64), adapter(Path("b"), sha256="b" * 64)


def picture(side: int = 10, frames: int = 0) -> GeneratedImage:
    image = Image.new("RGB", (side, side))
    return GeneratedImage(image=image, seconds=2.0, frames=(image,) * frames)


def test_an_effect_is_that_of_the_bytes_in_their_order() -> None:
    elsewhere = adapter(Path("c"), sha256="a" * 64)
    assert effect_key([INK, PAPER], (0.5, 1.0)) == effect_key([elsewhere, PAPER], (0.5, 1.0)) != ()
    assert effect_key([INK, PAPER], (0.5, 1.0)) != effect_key([PAPER, INK], (1.0, 0.5))


def test_other_block_weights_or_clip_weights_are_another_effect() -> None:
    parts: tuple[dict[str, object], ...] = {"block_weights": (1.0,) * 17}, {"text_encoder_scale": 0.5}, {}
    effects = {effect_key([adapter(Path("a"), sha256="a" * 64, **fields)], (1.0,)) for fields in parts}
    assert len(effects) == 3


def test_weights_of_0_are_no_effect() -> None:
    assert effect_key([INK, PAPER], (0.0, 0.5)) == effect_key([PAPER], (0.5,))
    assert effect_key([INK, PAPER], (0.0, 0.0)) == effect_key([], ()) == ()


def test_a_picture_that_was_drawn_before_takes_no_time() -> None:
    drawn, made = ImageCache(), picture()
    drawn.put(("a",), [made])
    found = drawn.get(("a",))
    assert found is not None
    assert (found[0].image is made.image, found[0].seconds, drawn.get(("b",))) == (True, 0.0, None)


def test_a_picture_counts_for_the_call_it_was_drawn_in() -> None:
    drawn, one, other = ImageCache(), picture(), picture(side=5)
    drawn.put(("a", "b"), [one, other])
    assert drawn.get(("b",)) is None
    assert getattr(drawn.find("b"), "image", None) is other.image
    assert drawn.find("c") is None


def test_an_estimate_may_look_while_another_is_drawn() -> None:
    drawn = ImageCache(budget=3000)

    def look() -> None:
        for number in range(3000):
            drawn.find(number % 12)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(2) as pool:
            looks = [pool.submit(look) for _ in range(2)]
            for number in range(3000):
                drawn.put((number % 12,), [picture()])
    finally:
        sys.setswitchinterval(before)
    assert [each.exception() for each in looks] == [None, None]


def test_a_clip_counts_with_all_its_frames() -> None:
    drawn = ImageCache(budget=700)
    drawn.put(("a",), [picture()])
    drawn.put(("b",), [picture(frames=2)])
    assert [drawn.get((key,)) is not None for key in ("a", "b")] == [False, True]


SIZES = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "vocab_size": 30}
CAT, DOG = [1, 2, 3, 4], [1, 5, 6, 4]


class Pipe:
    def __init__(self, encoder: nn.Module) -> None:
        encoder.train(False)
        self.components = {"text_encoder": encoder}
        self.text_encoder: Any = encoder


class Rack:
    """Stands in for LoRAs: what a text encoder gives is shifted by the weight of its row."""

    def __init__(self, *components: str) -> None:
        self.components = frozenset(components)
        self.told: list[Any] = []

    @contextmanager
    def row_weights(self, weights: Sequence[Sequence[float]]) -> Iterator[None]:
        self.told.append([tuple(row) for row in weights])
        yield


def manager(*components: str) -> Any:
    return Rack(*components)


def clip(kind: Any = CLIPTextModel) -> Any:
    torch.manual_seed(0)
    config: Any = CLIPTextConfig
    return kind(config(**SIZES, max_position_embeddings=8, bos_token_id=1, eos_token_id=4))


def t5() -> Any:
    config: Any = T5Config
    return T5EncoderModel(config(vocab_size=30, d_model=16, d_kv=8, d_ff=16, num_layers=2, num_heads=2))


def qwen() -> Any:
    config: Any = Qwen3Config
    return Qwen3Model(config(**SIZES, num_key_value_heads=1, head_dim=8))


def rows(*weights: float) -> list[PromptRow]:
    return [PromptRow(weights=(weight,), effect=(("a", weight),) if weight else ()) for weight in weights]


@contextmanager
def counted(pipe: Pipe, given: Any = None, *weights: float, texts: PromptCache | None = None) -> Iterator[list[int]]:
    """How many texts each run of the encoder itself reads."""
    runs: list[int] = []
    inner = next(part for part in pipe.text_encoder.modules() if isinstance(part, nn.Linear))
    seen = inner.register_forward_hook(lambda _part, args, _out: runs.append(len(args[0])))
    with torch.inference_mode(), (texts or PromptCache()).share(pipe, given or manager(), rows(*weights or (0.0,))):
        yield runs
    seen.remove()


def same(one: Any, other: Any) -> bool:
    """Every tensor of two answers, bit for bit."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return all(same(one[key], other[key]) for key in one)


@pytest.mark.parametrize(
    "make", [clip, lambda: clip(CLIPTextModelWithProjection), t5, qwen], ids=["clip", "projected", "t5", "qwen3"]
)
def test_answers_are_those_of_each_text_alone(make: Any) -> None:
    pipe, options = Pipe(make()), {"output_hidden_states": True, "use_cache": False} if make is qwen else {}
    with torch.inference_mode():
        alone = [pipe.text_encoder(torch.tensor([text]), **options) for text in (CAT, DOG)]
    with counted(pipe) as runs:
        together = pipe.text_encoder(torch.tensor([CAT, DOG, CAT]), **options)
    assert runs == [1, 1]
    assert type(together) is type(alone[0])
    for i, text in enumerate((alone[0], alone[1], alone[0])):
        assert torch.equal(together.last_hidden_state[i : i + 1], text.last_hidden_state)


def test_one_text_is_read_once_and_answered_alike() -> None:
    pipe = Pipe(clip())
    with counted(pipe) as runs:
        first = pipe.text_encoder(torch.tensor([CAT]), output_hidden_states=True)
        again = pipe.text_encoder(torch.tensor([CAT]), output_hidden_states=True)
    assert (runs, same(first, again)) == ([1], True)


def test_other_options_are_another_question() -> None:
    pipe, mask = Pipe(clip()), torch.tensor([[1, 1, 1, 0]])
    with counted(pipe) as runs:
        pipe.text_encoder(torch.tensor([CAT]))
        pipe.text_encoder(torch.tensor([CAT]), attention_mask=mask)
        pipe.text_encoder(torch.tensor([CAT]), output_hidden_states=True)
    assert runs == [1, 1, 1]


def test_what_a_pipeline_writes_into_an_answer_does_not_stay() -> None:
    pipe = Pipe(clip())
    with counted(pipe):
        pipe.text_encoder(torch.tensor([CAT])).last_hidden_state.zero_()
        assert pipe.text_encoder(torch.tensor([CAT])).last_hidden_state.abs().sum() > 0


def test_weights_do_not_matter_to_an_encoder_without_loras() -> None:
    pipe, told = Pipe(clip()), manager("unet")
    with counted(pipe, told, 0.0, 0.5, 1.0) as runs:
        pipe.text_encoder(torch.tensor([CAT, CAT, CAT]))
    assert (runs, told.told) == ([1], [])


def test_each_weight_is_read_for_itself_where_loras_change_the_encoder() -> None:
    pipe, told = Pipe(clip()), manager("text_encoder")
    with counted(pipe, told, 0.0, 0.5, 0.5) as runs:
        pipe.text_encoder(torch.tensor([DOG, DOG, DOG, CAT, CAT, CAT]))
    assert (runs, told.told) == ([1] * 4, [[(0.0,)], [(0.5,)], [(0.0,)], [(0.5,)]])


def test_answers_are_kept_from_one_run_to_the_next() -> None:
    pipe, texts = Pipe(clip()), PromptCache()
    for expected in ([1], []):
        with counted(pipe, texts=texts) as runs:
            pipe.text_encoder(torch.tensor([CAT]))
        assert runs == expected


def test_answers_are_kept_off_the_gpu_and_given_there_again() -> None:
    texts = PromptCache()
    with simulated_cuda(Card(memory=2**20)) as cuda:
        pipe = Pipe(clip().to("cuda:0"))
        with counted(pipe, texts=texts):
            pipe.text_encoder(torch.tensor([CAT], device="cuda:0"))
        weights = sum(value.nbytes for value in [*pipe.text_encoder.parameters(), *pipe.text_encoder.buffers()])
        assert cuda.cards[0].used == weights
        with counted(pipe, texts=texts) as runs:
            again = pipe.text_encoder(torch.tensor([CAT], device="cuda:0"))
        assert (runs, again.last_hidden_state.device) == ([], torch.device("cuda:0"))


def test_only_the_latest_answers_are_kept() -> None:
    pipe, texts = Pipe(clip()), PromptCache(budget=500)
    with counted(pipe, texts=texts) as runs:
        for text in (CAT, DOG, CAT):
            pipe.text_encoder(torch.tensor([text]))
    assert runs == [1, 1, 1]


def test_the_encoder_is_as_before_afterwards() -> None:
    pipe = Pipe(clip())
    stopped = RuntimeError("stopped")
    with pytest.raises(RuntimeError, match="stopped"), PromptCache().share(pipe, manager(), rows(0.0)):
        raise stopped if "forward" in vars(pipe.text_encoder) else AssertionError
    assert "forward" not in vars(pipe.text_encoder)


class ByPlace(nn.Module):
    """As ChatGLM: words first, texts second."""

    def forward(self, ids: torch.Tensor) -> tuple[torch.Tensor]:
        return (ids.T[..., None].float().repeat(1, 1, 2),)


class Threefold(nn.Module):
    """As Qwen's models that see: a position is three numbers."""

    def forward(self, ids: torch.Tensor, position_ids: torch.Tensor) -> tuple[torch.Tensor]:
        self.seen.append((*ids.shape, *position_ids.shape))
        return (ids[..., None].float(),)

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[int, ...]] = []


def test_texts_that_stand_in_the_second_place_are_joined_there() -> None:
    pipe = Pipe(ByPlace())
    with PromptCache().share(pipe, manager(), rows(0.0)):
        together = pipe.text_encoder(torch.tensor([CAT, DOG]))[0]
    assert together.shape == (4, 2, 2)
    assert together[:, 1, 0].tolist() == DOG


def test_positions_in_three_directions_are_no_texts() -> None:
    pipe = Pipe(Threefold())
    with PromptCache().share(pipe, manager(), rows(0.0)):
        pipe.text_encoder(torch.tensor([CAT, DOG, CAT]), position_ids=torch.zeros(3, 3, 4))
    assert pipe.text_encoder.seen == [(1, 4, 3, 1, 4)] * 2


def test_what_cannot_be_taken_apart_is_passed_on() -> None:
    pipe = Pipe(clip())
    with counted(pipe) as runs:
        pipe.text_encoder(torch.tensor([CAT, DOG]), position_ids=torch.arange(4)[None])
    assert runs == [2]
