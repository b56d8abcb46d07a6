"""Gradio's queue, and its context for work of ours outside of it.

The named endpoints run in the queue. A generation of the page is a job in a thread of its own: it outlives its
request, which the queue's events do not, and the engine has its own order. All that ZeroGPU needs of Gradio then is
the visitor's request: `spaces` takes the X-IP-Token, by which quotas are counted, from
`gradio.context.LocalContext.request`, and the server's port from `LocalContext.blocks`. Gradio sets both in an endpoint,
and nobody in a route of ours. So a handler starts its job within `use_request`, and the job's thread, which copies the
context, has them until it ends:

    with use_request(request):
        id = jobs.start(...)
"""

from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr
from gradio.context import LocalContext
from starlette.requests import Request


@contextmanager
def use_request(request: Request) -> Iterator[None]:
    """What is called within, and threads that copy its context, work for who sent this request."""
    # A server that was never launched has none.
    blocks = LocalContext.blocks.set(getattr(request.app, "blocks", None))
    asks = LocalContext.request.set(gr.Request(request))
    try:
        yield
    finally:
        LocalContext.request.reset(asks)
        LocalContext.blocks.reset(blocks)
