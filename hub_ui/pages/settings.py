"""The Settings page: keys, addresses and folders of one's own page; how it looks, and which images it shows."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr
from platformdirs import user_data_path

from connectors.query import Query
from connectors.record import Nsfw
from connectors.registry import HUBS
from hub_ui import saved_settings
from hub_ui.hosting.visitor import current_visitor
from hub_ui.i18n import _
from hub_ui.keys import Keys, key_place
from hub_ui.pages.events import IN_ORDER, Listeners, errors_as_messages
from hub_ui.web.view import View
from hub_ui.saved_settings import hide_password
from hub_ui.services import Services
from hub_ui.widgets.render import Renderer, act_data, read_script, widget
from hub_ui.widgets.settings import HubKey, Setting, SettingsView, settings_html

LONGEST_SAID = 1000


class SettingsPage:
    """`level` of mature images is remembered by the browser."""

    def __init__(self, services: Services, render: Renderer, *, view: gr.State, level: gr.BrowserState) -> None:
        self.view = view
        self.level = level
        self.settings = widget(
            lambda: settings_html(render, settings_view(services)),
            elem_id="settings",
            script=read_script("language") + read_script("settings"),
        )


def connect(page: SettingsPage, services: Services, render: Renderer, listeners: Listeners) -> None:
    def on_view(now: View) -> Any:
        if now.page != "settings":
            return gr.skip()
        return settings_html(render, settings_view(services, level=now.query.nsfw))

    def on_act(now: View, event: gr.EventData) -> tuple[Any, Any, Any]:
        with errors_as_messages():
            return change(services, render, now, act_data(event))

    listeners.add(on_view, [page.view], [page.settings])
    page.settings.act(on_act, [page.view], [page.settings, page.view, page.level], **IN_ORDER)


def change(services: Services, render: Renderer, view: View, act: dict[str, Any]) -> tuple[Any, Any, Any]:
    """The page, the view and the level of mature images after a click. Keys and addresses come by web/settings.py."""
    name, said = act.get("act"), ""
    if name == "nsfw":
        level = Query.of(nsfw=str(act.get("value", ""))).nsfw
        return gr.skip(), replace(view, query=replace(view.query, nsfw=level)), level
    if name == "clear-images":
        services.policy.check("change settings")
        services.media.clear()
        said = _("The images are cleared.")
    elif name == "shown":
        said = str(act.get("said", ""))[:LONGEST_SAID]
    else:
        return gr.skip(), gr.skip(), gr.skip()
    return settings_html(render, settings_view(services, level=view.query.nsfw, said=said)), gr.skip(), gr.skip()


def settings_view(services: Services, *, level: Nsfw = "soft", said: str = "") -> SettingsView:
    if not services.policy.allows("change settings"):
        return visitor_view(services, level, said)
    settings = services.settings
    # The address may have a password.
    catalog = _("the database of HUB_UI_DATABASE") if settings.database else str(settings.catalog)
    return SettingsView(
        keys=tuple(hub_keys(services)),
        fields=tuple(fields(services)),
        places=(
            (_("Home"), str(settings.home)),
            (_("Library"), str(settings.library)),
            (_("Lock file"), str(settings.lock)),
            (_("Catalog"), catalog),
        ),
        images=services.media.size(),
        budget=services.media.budget,
        level=level,
        said=said,
    )


def visitor_view(services: Services, level: Nsfw, said: str) -> SettingsView:
    visitor = current_visitor()
    keys = visitor.keys if visitor else {}
    return SettingsView(
        keys=tuple(
            HubKey(hub=HUBS[hub], place="visit" if hub in keys else None, is_read=hub in keys, may_type=True)
            for hub in services.settings.endpoints
            if not HUBS[hub].signs_in
        ),
        level=level,
        is_shared=True,
        can_sign_in=services.settings.sign_in,
        account=visitor.account if visitor else "",
        said=said,
    )


def hub_keys(services: Services) -> Iterator[HubKey]:
    keys = services.settings.tokens
    for name in services.settings.endpoints:
        place = key_place(keys, name)
        yield HubKey(
            hub=HUBS[name], place=place, is_read=name in keys, may_type=isinstance(keys, Keys) and place != "given"
        )


def fields(services: Services) -> Iterator[Setting]:
    """With what is saved, which the next start uses; where the environment decides, with what is in use."""
    settings = services.settings
    saved, fixed = saved_settings.read(settings.home), settings.fixed
    for hub, endpoint in settings.endpoints.items():
        value = endpoint if hub in fixed else saved.endpoints.get(hub, "")
        label = _("Address of {hub}").format(hub=HUBS[hub].label)
        yield Setting(
            name=f"endpoints.{hub}", label=label, value=value, usual=HUBS[hub].endpoint, is_fixed=hub in fixed
        )
    usual = user_data_path("hub-ui", appauthor=False)
    library = str(settings.library) if "library" in fixed else saved.library
    rows = (
        ("proxy", _("Proxy"), hide_password(saved.proxy), "http://10.0.0.1:3128"),
        ("library", _("Folder of the library"), library, str(settings.home / "loras")),
        ("home", _("Folder of everything else"), "" if settings.home == usual else str(settings.home), str(usual)),
    )
    for name, label, value, usual_value in rows:
        yield Setting(name=name, label=label, value=value, usual=usual_value, is_fixed=name in fixed)
