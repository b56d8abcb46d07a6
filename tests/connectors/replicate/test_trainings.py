"""On the local hub, which trains in a fifth of a second unless a test needs it to take longer."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.claims.resolve import flatten
from connectors.errors import HubUiError, KeyRequired, UsageError
from connectors.http.session import Endpoint
from connectors.replicate import parse
from connectors.replicate.runs import TRAINER_VERSION, Order, Run, Runs, list_running, lora_of, start_training, terms_of
from tests.connectors.cases import read_cases
from tests.faulty_hubs import HubEndpoints, running_hubs

READ = read_cases(__file__)

DATA = Path(__file__).parents[2] / "contract" / "data"


@pytest.fixture
def hubs() -> Iterator[HubEndpoints]:
    with running_hubs(DATA) as running:
        yield running


def _runs(hubs: HubEndpoints) -> Runs:
    return Runs(Endpoint(hub="replicate", url=hubs.replicate, keys={"replicate": "r8_local"}), most_seconds=0.05)


def _zip() -> bytes:
    """With one file in it: the trainer wants some."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as zipped:
        zipped.writestr("0.png", b"a picture")
    return packed.getvalue()


def _order(**fields: Any) -> Order:
    return Order(**{"destination": "local/fog", "trigger_word": "FGHRBR", "rank": 8, "steps": 100, **fields})


def test_a_training_ends_as_a_lora_with_what_was_asked_for(hubs: HubEndpoints) -> None:
    runs = _runs(hubs)
    ended = runs.follow(start_training(runs, _order(), _zip()))
    lora = lora_of(ended)
    record = flatten(lora)
    assert (record.base_model, record.trigger_words, record.rank) == ("flux.1-dev", ("FGHRBR",), 8)
    assert str(lora.versions[0].ref).startswith("replicate:local/fog@")
    # A model that is there gets one more version.
    assert lora_of(runs.follow(start_training(runs, _order(), _zip()))).versions[0].ref != lora.versions[0].ref
    assert runs.model("local/fog")["visibility"] == "private"


def test_what_is_sent_is_what_was_ordered(hubs: HubEndpoints) -> None:
    run = start_training(_runs(hubs), _order(captions=False), _zip())
    asked = dict(run.data["input"])
    assert asked.pop("input_images").startswith(f"{hubs.replicate}/v1/files/")
    assert asked == {"trigger_word": "FGHRBR", "lora_rank": 8, "steps": 100, "autocaption": False}
    assert (run.version, terms_of(run).steps) == (TRAINER_VERSION, 100)


def test_progress_is_heard_on_the_way() -> None:
    # Long enough to be looked at on its way, however slow the machine.
    with running_hubs(DATA, run_seconds=4) as hubs:
        runs, heard = _runs(hubs), list[float]()
        started = start_training(runs, _order(), _zip())
        runs.follow(started, on_progress=lambda run: heard.append(run.progress or 0.0))
    assert heard == sorted(heard)
    assert any(0 < progress < 1 for progress in heard)


def test_a_cancelled_training_makes_nothing() -> None:
    # Trainings take longer here than any test.
    with running_hubs(DATA, run_seconds=600) as hubs:
        runs = _runs(hubs)
        ended = runs.follow(start_training(runs, _order(), _zip()), is_cancelled=lambda: True)
        assert (ended.status, parse.lora_of_training(ended.data)) == ("canceled", None)
        with pytest.raises(HubUiError, match="was cancelled"):
            lora_of(ended)
        assert runs.model("local/fog")["latest_version"] is None


def test_pictures_that_are_no_zip_fail_there(hubs: HubEndpoints) -> None:
    runs = _runs(hubs)
    ended = runs.follow(start_training(runs, _order(), b"no zip"))
    assert (ended.status, ended.error) == ("failed", "input_images must be a zip file")


def test_another_s_place_is_refused(hubs: HubEndpoints) -> None:
    with pytest.raises(KeyRequired, match="You do not have permission to create a model for that owner"):
        start_training(_runs(hubs), _order(destination="stranger/fog"), _zip())


@pytest.mark.parametrize(("fields", "words"), READ["an order that can t be met is told first"])
def test_an_order_that_can_t_be_met_is_told_first(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        _order(**fields).check()


def test_trainings_that_are_not_over_are_listed(hubs: HubEndpoints) -> None:
    runs = _runs(hubs)
    started = start_training(runs, _order(), _zip())
    assert [run.id for run in list_running(runs)] in ([started.id], [])
    runs.follow(started)
    assert list_running(runs) == ()


def test_an_unfinished_training_names_no_lora() -> None:
    with pytest.raises(HubUiError, match="it doesn't say why"):
        lora_of(Run(kind="trainings", id="a", status="processing"))
