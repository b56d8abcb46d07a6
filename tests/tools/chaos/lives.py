"""One queue from its first start to its last file, killed on the way: `Round.play`."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext, ForkServerProcess
from random import Random
from typing import Literal

import requests

from hub_ui.base.disk import stamp
from tests.recording import Recorder, Request
from tests.tools.chaos.home import Broken, Home, Kept
from tests.tools.chaos.wanted import Wanted
from tests.tools.chaos.worker import work

# When the kill comes: at any time of the run, or a moment after some file began or ended to come, which is where a
# process checks, renames and writes things down.
Moment = Literal["any time", "a file begins", "a file has come"]
MOMENTS: tuple[Moment, ...] = ("any time", "a file begins", "a file has come")
_AFTER: Mapping[Moment, float] = {"a file begins": 0.7, "a file has come": 0.05}
_MOST_KILLS = 4
_ANOTHER_KILL = 0.35
_LIFE_SECONDS = 240.0
# Where in a tar the LoRA lies is looked for by small reads first.
_LOOK_BYTES = 150_000
_LOOK_AGAIN = 0.01


@dataclass(kw_only=True)
class Told:
    """What came of one round. `sent` are the bytes of files that left the hubs."""

    kills: list[tuple[Moment, int]] = field(default_factory=list)
    too_late: int = 0
    sent: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Worker:
    """Starts processes from one that has everything imported, so that a start costs milliseconds."""

    context: ForkServerContext
    environ: Mapping[str, str]
    wanted: Sequence[Wanted]

    @classmethod
    def on(cls, environ: Mapping[str, str], wanted: Sequence[Wanted]) -> Worker:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload([work.__module__])
        # The first process waits until everything is imported.
        first = context.Process(target=int)
        first.start()
        first.join()
        first.close()
        return cls(context=context, environ=environ, wanted=wanted)

    @contextmanager
    def started(self, home: Home) -> Iterator[ForkServerProcess]:
        home.path.mkdir(exist_ok=True)
        environ = {**self.environ, "HUB_UI_HOME": str(home.path)}
        folders = {"cache": str(home.cache), "log": str(home.log)}
        process = self.context.Process(target=work, args=(environ, folders, [each.ref for each in self.wanted]))
        process.start()
        try:
            yield process
        finally:
            process.kill()
            process.join()
            process.close()


@dataclass(frozen=True, kw_only=True)
class Round:
    """`troubled` are places that a hub sends wholly anew once, on top of the kills.

    With `beside`, a second process waits on the same home, and goes on when the first is killed.
    """

    home: Home
    worker: Worker
    recorder: Recorder
    random: Random
    usual_seconds: float
    troubled: Collection[str] = ()
    beside: bool = False

    def play(self, *, disturbed: bool = True) -> Told:
        """Raises Broken for whatever must not be. No kill is told where every one came after the end."""
        told, begin, again = Told(), time.monotonic(), disturbed
        while again and self._life(self.random.choice(MOMENTS), told):
            again = len(told.kills) < _MOST_KILLS and self.random.random() < _ANOTHER_KILL
        # The loop ends by itself, or with a life that was over before its kill.
        told.too_late += again
        self._life(None, told)
        self.home.check_end()
        told.seconds = time.monotonic() - begin
        return told

    def _life(self, moment: Moment | None, told: Told) -> bool:
        """From a start to the kill, or to the end of its own; whether it was killed."""
        before = self.home.kept()
        self.recorder.forget()
        beside = self.worker.started(self.home) if self.beside and moment else nullcontext()
        with self.worker.started(self.home) as process, beside as second:
            killed = self._watched(process, self._due(moment))
            if killed and moment:
                process.kill()
                process.join()
                told.kills.append((moment, len(self.home.entries())))
            if second is not None:
                self._watched(second, lambda _: False)
        self._await_quiet()
        self._check_unchanged(before, self.home.kept())
        self._check_sent(before)
        told.sent += sum(request.sent for request in self.recorder.requests if _is_file(request))
        return killed

    def _due(self, moment: Moment | None) -> Callable[[float], bool]:
        """Whether the kill is due, asked again and again with the seconds since the start."""
        count = self.random.randint(1, len(self.home.wanted))
        after = self.random.uniform(0.0, _AFTER.get(moment or "any time", self.usual_seconds))
        since = [0.0] if moment == "any time" else []

        def due(now: float) -> bool:
            if not since and moment is not None and self._so_many(moment) >= count:
                since.append(now)
            return bool(since) and now - since[0] >= after

        return due

    def _so_many(self, moment: Moment) -> int:
        return len({r.path for r in self.recorder.requests if _is_file(r) and (r.ended or moment == "a file begins")})

    def _watched(self, process: ForkServerProcess, due: Callable[[float], bool]) -> bool:
        """True once the kill is due, False if the process ended. The lock file is read whenever it changes."""
        begin, seen = time.monotonic(), None
        while process.is_alive():
            seconds = time.monotonic() - begin
            if due(seconds):
                return True
            if seconds > _LIFE_SECONDS:
                raise Broken(f"not done after {_LIFE_SECONDS:.0f} seconds: {self.home.rows()}")
            if seen != (seen := stamp(self.home.lock)):
                self.home.entries()
            time.sleep(_LOOK_AGAIN)
        if process.exitcode:
            raise Broken(f"the process ended by itself with {process.exitcode}")
        return False

    def _await_quiet(self) -> None:
        """The servers take a moment to see that nobody listens any more."""
        # One loop serves all hubs: what had come before this is read once it is answered.
        requests.get(f"{self.worker.environ['HF_ENDPOINT']}/nothing", timeout=60)
        until = time.monotonic() + _LIFE_SECONDS
        while not all(request.ended for request in self.recorder.requests):
            if time.monotonic() > until:
                raise Broken("a request never ended")
            time.sleep(_LOOK_AGAIN)

    def _check_unchanged(self, before: Kept, after: Kept) -> None:
        """A file that was complete is not written anew."""
        changed = [name for name, stamp in before.complete.items() if after.complete.get(name) != stamp]
        if changed:
            raise Broken(f"complete before, and written again or gone: {changed}")

    def _check_sent(self, before: Kept) -> None:
        """Nothing that was kept is fetched again."""
        for each in self.home.wanted:
            asked = [r for r in self.recorder.requests if _is_file(r) and each.place in r.path]
            sent, missing = sum(request.sent for request in asked), each.size - before.bytes_of[each.ref]
            if sent > missing + self._besides(each, missing, before):
                raise Broken(
                    f"of {each.ref} {missing:,} of {each.size:,} bytes were missing, and {sent:,} were fetched: "
                    + ", ".join(f"{dict(r.headers).get('range', 'all')} -> {r.status}, {r.sent:,} bytes" for r in asked)
                )

    def _besides(self, each: Wanted, missing: int, before: Kept) -> int:
        """What may be sent besides the missing bytes."""
        if not missing:
            return 0
        look = _LOOK_BYTES if each.hub == "replicate" and each.ref not in before.looked_into else 0
        # Two lives in one: what the first had and lost, the second fetches.
        again = each.size if self.beside or each.place in self.troubled else 0
        return look + again


def _is_file(request: Request) -> bool:
    return request.origin == "delivery" and request.method == "GET"
