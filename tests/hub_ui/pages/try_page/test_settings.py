from __future__ import annotations

from urllib.parse import parse_qs, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import UsageError
from hub_ui.pages.try_page.settings import TrySettings, rows_of, size_of

FULL = TrySettings(
    prompt="a boat & a *bird*", negative="blur", seed=7, steps=12, guidance=3.5, size=(512, 768), base="sdxl-1.0",
    sampler="DPM++ 2M Karras", use_trigger_words=False, sheet="grid", prompts=("a cat", "a dog"), place="replicate",
    weights=(-0.5, 0.0, 1.25), varied=1,
)  # fmt: skip


def through_an_address(settings: TrySettings) -> TrySettings:
    return TrySettings.from_pairs(parse_qs(urlencode(settings.to_pairs())))


def test_a_wish_survives_the_address() -> None:
    assert through_an_address(FULL) == FULL


def test_what_is_as_usual_takes_no_room_in_the_address() -> None:
    assert TrySettings().to_pairs() == []


@given(st.text(max_size=200), st.integers(0, 2**53), st.floats(0, 50))
def test_any_text_and_number_comes_back(prompt: str, seed: int, guidance: float) -> None:
    settings = TrySettings(prompt=" ".join(prompt.split()), seed=seed, guidance=float(f"{round(guidance, 4):g}"))
    assert through_an_address(settings) == settings


@pytest.mark.parametrize(
    "pair",
    [("steps", "0"), ("steps", "-4"), ("seed", "9" * 17), ("cfg", "nan"), ("size", "0x5"), ("on", "<b>"),
     ("sheet", "one"), ("sheet", "x"), ("place", "moon"), ("weights", "0, 3"),
     ("weights", "nan"), ("varied", "9"), ("words", "on")],
)  # fmt: skip
def test_what_makes_no_sense_in_an_address_is_left_out(pair: tuple[str, str]) -> None:
    assert TrySettings.from_pairs({pair[0]: [pair[1]]}) == TrySettings()


@pytest.mark.parametrize(
    ("text", "size"), [("512", (512, 512)), ("640 x 480", (640, 480)), ("1024×768", (1024, 768)), ("", None)]
)
def test_a_size_is_read_as_people_write_it(text: str, size: tuple[int, int] | None) -> None:
    assert size_of(text) == size


def test_what_is_no_size_is_refused_with_an_example() -> None:
    with pytest.raises(UsageError, match="1024 x 768"):
        size_of("large")


def test_rows_are_lines_that_say_something() -> None:
    assert rows_of(" a  cat \n\n a dog\n") == ("a cat", "a dog")
