import pickle

import pytest

from connectors import errors
from connectors.errors import HubUiError, NeedsFetching, RateLimited, suggestion


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.HubUiError, 1),
        (errors.BadRef, 2),
        (errors.BadQuery, 2),
        (errors.KeyRequired, 3),
        (errors.Gated, 3),
        (errors.Paid, 3),
        (errors.DownloadsDisabled, 3),
        (errors.RegionBlocked, 3),
        (errors.NotFound, 4),
        (errors.HubDown, 5),
        (errors.HubTimeout, 5),
        (errors.BadAnswer, 5),
        (errors.RateLimited, 6),
        (errors.WrongHash, 7),
        (errors.NotWeights, 7),
        (errors.DoesNotFit, 1),
        (errors.NoBase, 1),
    ],
)
def test_an_error_has_the_exit_code_of_the_contract(kind: type[HubUiError], code: int) -> None:
    assert kind.exit_code == code


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("serach", " Did you mean “search”?"),
        ("PUL", " Did you mean “pull”?"),
        ("sho", " Did you mean “show”?"),
        ("nothing-like-it", ""),
        ("", ""),
    ],
)
def test_a_near_name_is_suggested(word: str, sentence: str) -> None:
    assert suggestion(word, ["search", "show", "pull", "sync"]) == sentence


def test_an_error_travels_between_processes_with_all_it_carries() -> None:
    need = NeedsFetching("Fetch it.", label="SDXL", repo="a/b", bytes=7, present=1, free=9, license="open", gated=False)
    again = pickle.loads(pickle.dumps(need))
    assert (type(again), again.message, again.bytes, again.url) == (NeedsFetching, "Fetch it.", 7, need.url)
    limited = pickle.loads(pickle.dumps(RateLimited("Wait.", hub="civitai", retry_after=3.0)))
    assert (str(limited), limited.retry_after) == ("Wait.", 3.0)
