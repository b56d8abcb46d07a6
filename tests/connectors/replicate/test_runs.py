import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.errors import BadAnswer, HubDown, KeyRequired, RateLimited, UsageError
from connectors.http.retry import RetryPolicy
from connectors.replicate.runs import Run, Runs, fraction, read
from tests.connectors.cases import read_cases
from tests.connectors.serving import Answer, Hub, in_turn, said

READ = read_cases(__file__)

HASH = "dd66" * 16
PREDICTIONS, ONE = "/v1/predictions", "/v1/predictions/abc123"
BARS = "  0%|          | 0/50 [00:00<?]\n 42%|####      | 21/50 [00:04<00:05,  4.88it/s]\n"


def _runs(server: Hub, token: str | None = "k", *, waited: list[float] | None = None) -> Runs:
    slept = waited.append if waited is not None else lambda _: None
    return Runs(server.endpoint("replicate", token), retry=RetryPolicy(tries=4, pause=slept))


def _run(**fields: Any) -> dict[str, Any]:
    return {"id": "abc123", "status": "processing", "model": "maker/x", "version": HASH, "input": {}, **fields}


def test_a_pinned_version_is_asked_for_by_its_hash(server: Hub) -> None:
    server.answers[PREDICTIONS] = said(_run(status="starting"), 201)
    run = _runs(server).predict("maker/x", HASH, {"prompt": "a pier"})
    assert (run.id, run.status, run.over) == ("abc123", "starting", False)
    assert json.loads(server.asked[0].body) == {"version": HASH, "input": {"prompt": "a pier"}}
    assert server.asked[0].headers["Authorization"] == "Bearer k"


def test_an_official_model_runs_by_its_name(server: Hub) -> None:
    server.answers["/v1/models/labs/flux/predictions"] = said(_run(), 201)
    assert _runs(server).predict("labs/flux", None, {}).id == "abc123"
    assert json.loads(server.asked[0].body) == {"input": {}}


@pytest.mark.parametrize(
    "call",
    [
        lambda runs: runs.predict("a/b", HASH, {}),
        lambda runs: runs.model("a/b"),
        lambda runs: runs.get("trainings", "abc"),
        lambda runs: runs.upload("a.zip", b"", "application/zip"),
    ],
)
def test_without_a_key_nothing_is_asked(server: Hub, call: Callable[[Runs], object]) -> None:
    with pytest.raises(KeyRequired) as caught:
        call(_runs(server, token=None))
    assert caught.value.message.partition(" on Replicate needs a key, and costs money there. ")[2] == (
        "Add a key (REPLICATE_API_TOKEN, from replicate.com/account/api-tokens)."
    )
    assert server.asked == []


@pytest.mark.parametrize(
    ("model", "version"), [("../account", HASH), ("a", HASH), ("a/b/c", HASH), ("a/b", "v1"), ("a/b", "../x")]
)
def test_what_is_no_model_or_version_goes_nowhere(server: Hub, model: str, version: str) -> None:
    runs = _runs(server)
    with pytest.raises(UsageError):
        runs.version(model, version)
    assert server.asked == []


@pytest.mark.parametrize("run_id", ["../account", "", "a/b", "x" * 65])
def test_what_is_no_run_s_id_goes_nowhere(server: Hub, run_id: str) -> None:
    with pytest.raises(UsageError):
        _runs(server).get("trainings", run_id)
    assert server.asked == []


def test_what_may_have_been_accepted_is_never_sent_twice(server: Hub) -> None:
    server.answers[PREDICTIONS] = said({"detail": "?"}, 502)
    with pytest.raises(HubDown):
        _runs(server).predict("maker/x", HASH, {})
    assert len(server.asked) == 1


def test_what_was_not_taken_is_asked_again_when_the_hub_says(server: Hub) -> None:
    throttled = said({"detail": "Request was throttled. Your rate limit resets in ~7s."}, 429)
    server.answers[PREDICTIONS] = in_turn(throttled, said({}, 429, Retry_After="2"), said(_run(), 201))
    waited: list[float] = []
    assert _runs(server, waited=waited).predict("maker/x", HASH, {}).id == "abc123"
    assert sum(waited) == pytest.approx(9)


def test_who_cancels_while_waiting_for_a_turn_waits_no_longer(server: Hub) -> None:
    server.answers[PREDICTIONS] = said({}, 429, Retry_After="60")
    with pytest.raises(RateLimited):
        _runs(server).predict("maker/x", HASH, {}, is_cancelled=lambda: True)
    assert len(server.asked) == 1


def test_a_run_is_followed_to_its_end(server: Hub) -> None:
    ended = said(_run(status="succeeded", output=["https://x/1.png"], metrics={"predict_time": 7.5}))
    server.answers[ONE] = in_turn(said(_run(logs=BARS)), ended)
    heard: list[float | None] = []
    run = _runs(server).follow(_started(), on_progress=lambda run: heard.append(run.progress))
    assert heard == [None, 0.42]
    assert (run.status, run.output, run.seconds, run.progress) == ("succeeded", ("https://x/1.png",), 7.5, 1.0)


def _started() -> Run:
    return Run(kind="predictions", id="abc123", status="starting")


def test_a_hub_that_is_away_for_a_moment_loses_no_run(server: Hub) -> None:
    away, slow = said({}, 500), said({}, 429, Retry_After="3")
    server.answers[ONE] = in_turn(away, away, away, slow, said({"id": "abc123"}), said(_run(status="succeeded")))
    waited: list[float] = []
    assert _runs(server, waited=waited).follow(_started()).status == "succeeded"
    assert sum(waited) > 3


def test_a_hub_that_stays_away_is_told(server: Hub) -> None:
    server.answers[ONE] = said({}, 429, Retry_After="1")
    with pytest.raises(RateLimited):
        _runs(server).follow(_started())
    assert len(server.asked) == 4


def test_questions_come_more_slowly_as_time_goes_on(server: Hub) -> None:
    server.answers[ONE] = in_turn(*[said(_run())] * 30, said(_run(status="succeeded")))
    waited: list[float] = []
    _runs(server, waited=waited).follow(_started())
    assert 60 < sum(waited) < 90


def test_who_cancels_a_run_ends_it_there(server: Hub) -> None:
    server.answers[ONE] = said(_run())
    server.answers[f"{ONE}/cancel"] = said(_run(status="canceled"))
    asked_before: list[int] = []
    run = _runs(server).follow(
        _started(), on_progress=lambda _: asked_before.append(1), is_cancelled=lambda: len(asked_before) > 1
    )
    assert run.status == "canceled"
    assert [(asked.method, asked.path) for asked in server.asked] == [("GET", ONE), ("POST", f"{ONE}/cancel")]


@pytest.mark.parametrize("answer", [{}, [], "x", {"id": "abc"}, {"id": "a/b", "status": "starting"}, _run(status="?")])
def test_an_answer_about_no_run_is_told(answer: object) -> None:
    with pytest.raises(BadAnswer, match="without its id or state"):
        read("predictions", answer)


@pytest.mark.parametrize(("logs", "steps", "progress"), READ["progress is what the bar of the steps says"])
def test_progress_is_what_the_bar_of_the_steps_says(logs: str, steps: float | None, progress: float | None) -> None:
    assert fraction(logs, steps) == progress


def test_the_key_goes_along_to_the_hub_s_own_files_only(server: Hub) -> None:
    server.answers["/v1/files/f1/download"] = Answer(body=b"picture")
    assert _runs(server).fetch(f"{server.url}/v1/files/f1/download") == b"picture"
    assert server.asked[0].headers["Authorization"] == "Bearer k"


def test_another_port_gets_the_request_without_the_key(server: Hub, elsewhere: Hub) -> None:
    """As replicate.delivery does; here it is the same host."""
    elsewhere.answers["/out.png"] = Answer(body=b"picture")
    assert _runs(server).fetch(f"{elsewhere.url}/out.png") == b"picture"
    assert "Authorization" not in elsewhere.asked[0].headers


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.invalid/out.png",
        "https://replicate.delivery.evil.invalid/out.png",
        "http://replicate.delivery/out.png",
    ],
)
def test_a_picture_on_another_s_host_is_not_fetched(server: Hub, url: str) -> None:
    with pytest.raises(BadAnswer, match="isn't a hub's"):
        _runs(server).fetch(url)


def test_a_picture_may_come_inline(server: Hub) -> None:
    assert _runs(server).fetch("data:image/png;base64,cGljdHVyZQ==") == b"picture"
    with pytest.raises(BadAnswer, match="can't be read"):
        _runs(server).fetch("data:image/png;base64,???")


def test_an_endless_picture_is_not_kept(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.replicate.runs._MOST_FETCHED", 1_000)
    server.answers["/big"] = Answer(body=b"x" * 5_000)
    with pytest.raises(BadAnswer, match="too large"):
        _runs(server).fetch(f"{server.url}/big")


def test_a_file_is_uploaded_as_a_form(server: Hub) -> None:
    server.answers["/v1/files"] = said({"id": "f1", "urls": {"get": f"{server.url}/v1/files/f1"}}, 201)
    assert _runs(server).upload("a.zip", b"PK", "application/zip") == f"{server.url}/v1/files/f1"
    assert b'name="content"; filename="a.zip"' in server.asked[0].body


def test_a_file_that_is_too_large_is_not_sent(server: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.replicate.runs.MOST_UPLOADED", 10)
    with pytest.raises(UsageError, match="below 100 MB"):
        _runs(server).upload("a.zip", b"x" * 10, "application/zip")
    assert server.asked == []


def test_outputs_of_every_shape_are_addresses() -> None:
    assert read("predictions", _run(output="https://x/1")).output == ("https://x/1",)
    assert read("predictions", _run(output=["https://x/1", {"a": 1}, "data:,x"])).output == ("https://x/1", "data:,x")
    assert read("predictions", _run(output={"version": "a/b:c"})).output == ()


def test_a_key_never_shows() -> None:
    runs = _runs(Hub("http://127.0.0.1:1"), token="r8_secret")
    assert "r8_secret" not in repr(runs) + repr(vars(runs)) + repr(_started())


def test_every_recorded_run_is_read(recordings: Path) -> None:
    recorded = [path for kind in ("prediction", "training") for path in recordings.glob(f"replicate_{kind}*.json")]
    bodies = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in map(Path, recorded)}
    runs = {name: read("predictions", body) for name, body in bodies.items() if "id" in body}
    assert len(runs) > 20
    assert runs["replicate_prediction_qixbyytbrnkrzlwb5ggxi6xnva_succeeded.json"].progress == 1.0
    assert runs["replicate_prediction_hdwst0bb05rgp0cf0p29mzk2am_canceled.json"].over
