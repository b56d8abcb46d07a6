"""A crawl of many LoRAs as a process of its own, killed with SIGKILL at random moments and started again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import requests

from connectors.query import Query
from connectors.ref import Origin
from hub_ui.catalog.catalog import Catalog
from hub_ui.demo.hubs.server import running_hubs
from tests.faulty_hubs import apps_behind
from tests.recording import Recorder, Request
from tests.tools.chaos.home import Broken
from tests.tools.chaos.wanted import write_loras

LISTS = ("/api/models", "/api/v1/models", "/v1/models")
# What may be fetched again after a kill: the page of each hub that wasn't in the catalog yet. Hugging Face's last page
# is two requests (see connectors/huggingface).
AGAIN = {"civitai": 1, "huggingface": 2, "replicate": 1}
_LIFE_SECONDS = 900.0
_PAGE_SIZES: dict[Origin, int] = {"civitai": 100, "huggingface": 100, "replicate": 25}


@dataclass(kw_only=True)
class KilledCrawl:
    """Raises Broken for whatever must not be. `loras` are the number that each hub has.

    `fetched` counts requests of lists, `again` those that an earlier life had made already.
    """

    loras: Mapping[Origin, int]
    home: Path
    random: Random
    recorder: Recorder = field(default_factory=Recorder)
    kills: int = 0
    fetched: int = 0
    again: int = 0
    seconds: float = 0.0
    _seen: set[tuple[str, str]] = field(default_factory=set)

    def play(self, kills: int) -> KilledCrawl:
        begin, data = time.monotonic(), self.home.with_name("hubs")
        # A file that two hubs have would be one card.
        numbers = [(hub, number) for hub, count in self.loras.items() for number in range(1, count + 1)]
        tensors = {"lora_unet_a.lora_up.weight": ["F16", [4, 1]]}
        write_loras(data, ((hub, n, {"tensors": tensors, "seed": seed}) for seed, (hub, n) in enumerate(numbers)))
        with running_hubs(data, apps=apps_behind(self.recorder.around)) as endpoints:
            environ = {**os.environ, **endpoints.as_env(), "REPLICATE_API_TOKEN": "any", "HUB_UI_HOME": str(self.home)}
            for left in range(kills, 0, -1):
                most = (self.pages - len(self._seen)) // (left + 1)
                if not self._life(environ, after=self.random.randint(1, max(most, 1))):
                    break
            else:
                self._life(environ, after=None)
        self.seconds = time.monotonic() - begin
        self._check_end()
        return self

    @property
    def pages(self) -> int:
        """Requests that an undisturbed crawl makes. Hugging Face's list of repos without the tag is one page more."""
        return 1 + sum(-(-self.loras[hub] // size) for hub, size in _PAGE_SIZES.items())

    def _life(self, environ: dict[str, str], after: int | None) -> bool:
        """From a start to the kill a moment after that many requests, or to its own end; whether it was killed."""
        self.recorder.forget()
        command = [sys.executable, "-m", "hub_ui", "crawl", "--json"]
        with tempfile.TemporaryFile() as out, subprocess.Popen(command, env=environ, stdout=out) as process:
            until = time.monotonic() + _LIFE_SECONDS
            while process.poll() is None and (after is None or len(self.recorder.requests) < after):
                if time.monotonic() > until:
                    process.kill()
                    raise Broken("the crawl doesn't end")
                time.sleep(0.002)
            if after is not None:
                time.sleep(self.random.uniform(0, 0.05))
            killed = process.poll() is None
            process.kill()
            process.wait()
            # One loop serves all hubs: its last requests are read once this one is answered.
            requests.get(f"{environ['HF_ENDPOINT']}/nothing", timeout=60)
            out.seek(0)
            self.check_requests(self.recorder.requests)
            if not killed:
                self._check_document(out.read())
        self.kills += killed
        return killed

    def check_requests(self, requests: Sequence[Request]) -> None:
        """Of one process; those of the earlier ones are known."""
        fetched = [(each.origin, each.target) for each in requests if each.path in LISTS]
        if twice := [page for page, count in Counter(fetched).items() if count > 1]:
            raise Broken(f"fetched twice by one process: {twice[:3]}")
        again = [page for page in fetched if page in self._seen]
        for hub, count in Counter(origin for origin, _ in again).items():
            if count > AGAIN[hub]:
                raise Broken(f"{count} pages of {hub} fetched again after one kill: {again[:3]}")
        self._seen.update(fetched)
        self.fetched += len(fetched)
        self.again += len(again)

    def _check_document(self, out: bytes) -> None:
        hubs = json.loads(out)["hubs"]
        if [hub["hub"] for hub in hubs if not hub["complete"]]:
            raise Broken(f"not complete: {hubs}")

    def _check_end(self) -> None:
        with Catalog.open(self.home / "catalog.sqlite") as catalog:
            found = catalog.search(Query(limit=1, nsfw="explicit"))
        if found.facets.of("hubs") != dict(sorted(self.loras.items(), key=lambda pair: (-pair[1], pair[0]))):
            raise Broken(f"in the catalog: {found.facets.of('hubs')}, on the hubs: {self.loras}")
        if len(self._seen) != self.pages:
            raise Broken(f"{len(self._seen)} pages fetched, there are {self.pages}")


def crawl_summary(seed: int, told: KilledCrawl) -> Sequence[str]:
    return (
        f"A crawl of {sum(told.loras.values()):,} LoRAs killed {told.kills} times (seed {seed}): complete, "
        f"in {told.seconds:.0f} s",
        f"  {told.fetched:,} pages fetched, {told.again} of them again",
    )
