from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from hub_ui.i18n import use_language
from hub_ui.locales import get_language
from hub_ui.web.layout.render import Renderer, address


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "data:text/html,x", "//host/x", "http://", "http://[x", "", None]
)
def test_only_web_addresses_reach_the_page(url: str | None) -> None:
    assert address(url) == ""


def test_values_in_a_translated_text_are_escaped() -> None:
    render = Renderer()
    template = render._environment.from_string("{{ _('{n} of {m}').format(n=n, m='<b>') }} {{ ngettext(n, n, 1) }}")
    with use_language(get_language("ja")):
        assert template.render(n="<script>") == "&lt;script&gt; of &lt;b&gt; &lt;script&gt;"


def test_a_template_that_names_what_it_was_not_given_fails() -> None:
    with pytest.raises(UndefinedError, match="'lora' is undefined"):
        Renderer()("lora/panel")
