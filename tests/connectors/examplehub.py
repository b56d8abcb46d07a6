"""A made-up hub, as ADDING_A_HUB.md says to write one: its row, its connector, and how its JSON becomes a Lora."""

import re

from connectors.claims.base_models import base_claims
from connectors.connector import Download, HttpDownload, filter_loras
from connectors.http.json_fields import Table, count, table, tables, text
from connectors.http.session import HubClient
from connectors.query import Page, Query
from connectors.record import Claim, Lora, Version, WeightFile
from connectors.ref import Ref
from connectors.registry import Hub, RefFormat

ROW = Hub(
    name="examplehub",
    label="Example Hub",
    mark="EX",
    endpoint="https://api.examplehub.invalid",
    endpoint_variable="EXAMPLEHUB_ENDPOINT",
    token_variable="EXAMPLEHUB_TOKEN",
    key_page="https://examplehub.invalid/keys",
    key_note="Works without.",
    example="examplehub:SLUG",
    ref=RefFormat(
        id=re.compile(r"[a-z-]{1,40}"),
        pinned=re.compile(r"r[0-9]+"),
        prefixes=("eh",),
        # https://examplehub.invalid/l/ink-lines
        addresses=(re.compile(r"examplehub\.invalid/l/(?P<id>[a-z-]+)"),),
    ),
    connector="tests.connectors.examplehub:ExampleHub",
)


class ExampleHub(HubClient):
    def search(self, query: Query, cursor: str | None = None) -> Page:
        answer = table(self._session.json("/loras", {"q": query.text}))
        return Page(loras=filter_loras((parse(item) for item in tables(answer.get("items"))), query))

    def get(self, ref: Ref) -> Lora:
        return parse(table(self._session.json(f"/loras/{ref.id}")))

    def download(self, ref: Ref, lora: Lora | None = None) -> Download:
        return self.locate((lora or self.get(ref)).pin(ref))

    def locate(self, ref: Ref) -> Download:
        url = f"{self._web}/files/{ref.id}/{ref.version}/{ref.file}"
        return HttpDownload(ref=ref, name=ref.file or "", url=url, headers=self._session.auth(url))


def parse(item: Table) -> Lora:
    ref = Ref(hub=ROW.name, id=text(item.get("slug")) or "")
    here = ref.at(f"r{count(item.get('revision'))}")
    name = text(item.get("file")) or ""
    version = Version(
        ref=here, name=here.version or "", files=(WeightFile(ref=here.at(here.version, name), name=name),)
    )
    words = Claim(field="trigger_words", value=("inkstyle",), source="card", where="about")
    return Lora(
        ref=ref,
        title=text(item.get("title")) or ref.id,
        url=f"https://examplehub.invalid/l/{ref.id}",
        versions=(version,),
        claims=(*base_claims(text(item.get("base")) or "", "hub", "base"), words),
    )
