"""A piece of page that Gradio lacks: HTML made on the server, clicks sent back as one event.

Gradio fills `html_template` with Handlebars and then evaluates the *result* as a JavaScript template literal, so a
title containing `${...}` would run as code even where `{{ }}` escaped it. Therefore no text of ours goes through a
template of Gradio's: Jinja2 escapes and fills everything here, and the browser only receives the finished value.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

import gradio as gr


def widget(value: str = "", *, elem_id: str, script: str = "") -> gr.HTML:
    """`value` is finished HTML. The event `act` fires with the clicked element's data- attributes as its data.

    `script` runs once more than what every widget does; it may call `trigger('act', {...})` itself.
    A function, not a subclass: Gradio writes a .pyi file beside every subclass of a component (6.31).
    """
    return gr.HTML(
        value,
        html_template="${value}",
        css_template="",
        js_on_load=read_script("widget") + script,
        apply_default_css=False,
        elem_id=elem_id,
    )


def read_script(name: str) -> str:
    """One of hub_ui/widgets/scripts, for a widget's `script`."""
    return (resources.files("hub_ui.widgets") / "scripts" / f"{name}.js").read_text(encoding="utf-8")


def act_data(event: gr.EventData) -> dict[str, Any]:
    """The clicked element's attributes, all strings. The browser is not trusted: callers check each value."""
    data = event._data
    return {str(k): v for k, v in data.items()} if isinstance(data, dict) else {}
