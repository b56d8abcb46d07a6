"""Text that becomes part of the page, by whatever fault, runs nothing and asks nobody."""

from collections.abc import Callable

from playwright.sync_api import Page

# As a fault in the cleaning of a hub's text would let it through.
INTO_THE_PAGE = """() => {
    window.broken = [];
    document.addEventListener('securitypolicyviolation', event => window.broken.push(event.effectiveDirective));
    document.body.insertAdjacentHTML('beforeend', `
        <img src="x-none" onerror="window.ran = 'a handler'"><svg onload="window.ran = 'a handler'"></svg>
        <a id="link" href="javascript:window.ran = 'a link'">link</a>
        <img src="http://127.0.0.2:9/tracking.png"><iframe src="http://127.0.0.2:9/"></iframe>
        <form action="http://127.0.0.2:9/"><input name="key"><button id="send">send</button></form>`);
    document.getElementById('link').click();
    for (const text of ["window.ran = 'a script'", '']) {
        const script = document.createElement('script');
        text ? script.textContent = text : script.src = 'http://127.0.0.2:9/x.js';
        document.body.append(script);
    }
    document.getElementById('send').click();
    return fetch('http://127.0.0.2:9/').catch(() => new Promise(then => setTimeout(then, 500)));
}"""
BROKEN = ["script-src-attr", "script-src-elem", "img-src", "frame-src", "form-action", "connect-src"]


def test_text_that_becomes_markup_runs_nothing_and_asks_nobody(open_page: Callable[..., Page], demo: str) -> None:
    page, asked = open_page(), list[str]()
    page.goto(demo)
    page.on("requestfinished", lambda request: asked.append(request.url))
    page.evaluate(INTO_THE_PAGE)
    # Some of them are found by another process of the browser, which takes its time.
    page.wait_for_function("(all) => all.every((each) => window.broken.includes(each))", arg=BROKEN)
    assert page.evaluate("window.ran ?? null") is None
    assert [url for url in asked if "127.0.0.2" in url] == []
