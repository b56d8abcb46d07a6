import pickle

import pytest

from connectors import errors
from connectors.errors import NeedsFetching, RateLimited, suggestion
from tests.connectors.cases import read_cases

READ = read_cases(__file__)


@pytest.mark.parametrize(("kind", "code"), READ["an error has the exit code of the contract"])
def test_an_error_has_the_exit_code_of_the_contract(kind: str, code: int) -> None:
    assert getattr(errors, kind).exit_code == code


@pytest.mark.parametrize(("word", "sentence"), READ["a near name is suggested"])
def test_a_near_name_is_suggested(word: str, sentence: str) -> None:
    assert suggestion(word, ["search", "show", "pull", "sync", "flux.2-klein-9b"]) == sentence


def test_an_error_travels_between_processes_with_all_it_carries() -> None:
    need = NeedsFetching("Fetch it.", label="SDXL", repo="a/b", bytes=7, present=1, free=9, license="open", gated=False)
    again = pickle.loads(pickle.dumps(need))
    assert (type(again), again.message, again.bytes, again.url) == (NeedsFetching, "Fetch it.", 7, need.url)
    limited = pickle.loads(pickle.dumps(RateLimited("Wait.", hub="civitai", retry_after=3.0)))
    assert (str(limited), limited.retry_after) == ("Wait.", 3.0)
