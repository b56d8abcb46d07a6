"""The page in a browser beside an empty Gradio page with a text box and its echo, in turns, on the same computer.

What a visit takes (time, script, requests, bytes), what an act takes until it is painted, and what the server works.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from statistics import median

import psutil
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.chromium import chromium
from tests.programs import started
from tests.tools.benchmarks.bench_start import EMPTY, OURS, served
from tests.tools.benchmarks.figures import Figure, limit

RUNS = 7
# Kilobytes, compressed, without images; requests without images; milliseconds of a processor for an act.
MOST_KB, MOST_REQUESTS, MOST_WORK = 150, 12, 10


@dataclass(frozen=True, kw_only=True)
class Server:
    """One side: its address, its process, and when it is ready (`sign`)."""

    url: str
    process: psutil.Process
    sign: str

    def work(self) -> float:
        """Seconds of a processor so far; in hundredths where the clock of a process can't be read."""
        with suppress(AttributeError, OSError):
            # MAKE_PROCESS_CPUCLOCK of the Linux kernel.
            return time.clock_gettime((~self.process.pid << 3) | 2)
        times = self.process.cpu_times()
        return float(times.user + times.system)


# The page's own clock: when the frame with the sign is drawn.
READY = """
new MutationObserver((_, observer) => {{
  if (!document.querySelector({sign!r})) return;
  observer.disconnect();
  requestAnimationFrame(() => (document.documentElement.dataset.ready = performance.now()));
}}).observe(document, {{childList: true, subtree: true}});
"""


@dataclass(frozen=True, kw_only=True)
class Visit:
    """`ready` and `script` in seconds; `kb` as they came over the wire."""

    ready: float
    script: float
    requests: int
    kb: float


def visit(browser: Browser, server: Server) -> Visit:
    """A first visit, with nothing in the browser's cache."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    client = context.new_cdp_session(page)
    client.send("Network.enable")
    client.send("Performance.enable", {"timeDomain": "threadTicks"})
    sizes: dict[str, float] = {}
    images: set[str] = set()

    def responded(event: dict[str, object]) -> None:
        if event["type"] == "Image":
            images.add(str(event["requestId"]))

    client.on("Network.responseReceived", responded)
    client.on("Network.loadingFinished", lambda e: sizes.update({str(e["requestId"]): float(e["encodedDataLength"])}))
    page.add_init_script(READY.format(sign=server.sign))
    page.goto(server.url, wait_until="commit")
    page.wait_for_selector("html[data-ready]", state="attached")
    ready = float(page.evaluate("document.documentElement.dataset.ready")) / 1000
    page.wait_for_timeout(1500)
    metrics = {each["name"]: float(each["value"]) for each in client.send("Performance.getMetrics")["metrics"]}
    own = {id_: size for id_, size in sizes.items() if id_ not in images}
    context.close()
    return Visit(ready=ready, script=metrics["ScriptDuration"], requests=len(own), kb=sum(own.values()) / 1000)


# Resolves with milliseconds from the act to the frame after its sign.
TIMED = """([act, sign]) => new Promise((done) => {
  const isThere = Function(`return ${sign}`);
  const start = performance.now();
  Function(act)();
  const look = () => isThere()
    ? requestAnimationFrame(() => done(performance.now() - start)) : setTimeout(look, 1);
  look();
})"""
LINE = "document.querySelector('#line')?.textContent"
# Of the list that is shown, whatever the box and the address say.
TEXT = "document.querySelector('#line')?.dataset.text"
TYPE = (
    "const q = document.querySelector('#q'); q.focus(); q.value = {text!r}; "
    "q.dispatchEvent(new Event('input', {{bubbles: true}}))"
)
FILTER = "#base-tiny-shapes"
CLICK = "document.querySelector({selector!r}).click()"


@dataclass(frozen=True, kw_only=True)
class Act:
    """Scripts of a person's act, and of how its answer is told; `back` undoes it."""

    name: str
    act: str
    sign: str
    back: str
    after: str


ACTS = (
    Act(
        name="a filter to the painted list",
        act=CLICK.format(selector=FILTER), sign=f"{LINE}.includes('Tiny Shapes ×')",
        back=CLICK.format(selector=FILTER), after=f"!{LINE}.includes('Tiny Shapes ×')",
    ),
    Act(
        name="a card to the panel's title",
        act=CLICK.format(selector="#cards .hit"), sign="!!document.querySelector('#panel h2')",
        back=CLICK.format(selector="#panel [data-close]"), after="!document.querySelector('#panel h2')",
    ),
    Act(
        name="a card to the whole panel",
        act=CLICK.format(selector="#cards .hit"), sign="!!document.querySelector('#panel .head h2')",
        back=CLICK.format(selector="#panel [data-close]"), after="!document.querySelector('#panel h2')",
    ),
    Act(
        name="what was typed to its cards",
        act=TYPE.format(text="robot"), sign=f"{TEXT} === 'robot'", back=TYPE.format(text=""), after=f"{TEXT} === ''",
    ),
    Act(
        name="page to page",
        act=CLICK.format(selector=".places a[href*=library]"), sign="!!document.querySelector('main.library')",
        back=CLICK.format(selector=".places a"), after="!!document.querySelector('#cards .hit')",
    ),
)  # fmt: skip


def timed(page: Page, act: str, sign: str) -> float:
    return float(page.evaluate(TIMED, [act, sign])) / 1000


def echo(page: Page, number: int) -> float:
    """Of the empty page: from Enter to the echo."""
    text = f"echo {number}"
    page.get_by_label("typed").fill(text)
    act = (
        "document.querySelector('[aria-label=typed], textarea, input').dispatchEvent("
        "new KeyboardEvent('keypress', {key: 'Enter', bubbles: true}))"
    )
    return timed(page, act, f"[...document.querySelectorAll('textarea, input')].at(-1).value === {text!r}")


def acts(browser: Browser, ours: Server, empty: Server, runs: int) -> Iterator[Figure]:
    page, plain = browser.new_page(viewport={"width": 1440, "height": 900}), browser.new_page()
    page.goto(ours.url)
    plain.goto(empty.url)
    page.wait_for_selector(ours.sign)
    plain.wait_for_selector(empty.sign)
    # It comes with the hubs' answers, which take a while on a busy computer.
    page.wait_for_selector(FILTER, state="attached")
    page.wait_for_timeout(3000)
    work: list[float] = []
    for act in ACTS:
        taken, echoes = [], []
        for number in range(runs):
            before = ours.work()
            taken.append(timed(page, act.act, act.sign))
            page.wait_for_timeout(300)
            # Two signs of one act count once.
            if act.act not in [each.act for each in ACTS[: ACTS.index(act)]]:
                work.append(1000 * (ours.work() - before))
            timed(page, act.back, act.after)
            page.wait_for_timeout(300)
            echoes.append(echo(plain, number))
        yield Figure(name=act.name, ours=median(taken), other=median(echoes), against="an echo", target=0.8)
    yield limit("the server's work for an act", median(work), MOST_WORK, "ms", "the most that it may take")
    yield limit("requests when the panel closes, and one", 1 + requests_to_close(page), 1, "requests", "none")


def requests_to_close(page: Page) -> int:
    asked: list[str] = []
    timed(page, ACTS[1].act, ACTS[1].sign)
    page.wait_for_timeout(1000)
    page.on("request", lambda request: asked.append(request.url))
    timed(page, ACTS[1].back, ACTS[1].after)
    page.wait_for_timeout(500)
    return len(asked)


def figures(*, runs: int = RUNS) -> Iterator[Figure]:
    path = chromium()
    with (
        # In a process of their own.
        started(sys.executable, "-m", "hub_ui", "hubs") as (hubs, _process),
        served(OURS, endpoints=json.loads(hubs)) as (url, process),
        served(EMPTY) as (empty_url, empty_process),
        sync_playwright() as playwright,
    ):
        ours = Server(url=url, process=process, sign="#cards .hit")
        empty = Server(url=empty_url, process=empty_process, sign="textarea")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        for server in (ours, empty):
            visit(browser, server)
        pairs = [(visit(browser, ours), visit(browser, empty)) for _ in range(runs)]
        yield from visits(pairs)
        yield from acts(browser, ours, empty, runs)
        browser.close()


def visits(pairs: list[tuple[Visit, Visit]]) -> Iterator[Figure]:
    def middle(of: Callable[[Visit], float], side: int) -> float:
        return median(of(pair[side]) for pair in pairs)

    against, most = "an empty Gradio page", "the most that it may be"
    ready, script = [middle(lambda v: v.ready, n) for n in (0, 1)], [middle(lambda v: v.script, n) for n in (0, 1)]
    yield Figure(name="a visit to its first card", ours=ready[0], other=ready[1], against=against, target=0.4)
    yield Figure(name="script of a visit", ours=script[0], other=script[1], against=against, target=0.2)
    yield limit("requests of a visit", middle(lambda v: v.requests, 0), MOST_REQUESTS, "requests", most)
    yield limit("size of a visit", middle(lambda v: v.kb, 0), MOST_KB, "kB", most)
