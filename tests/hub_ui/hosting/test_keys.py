"""Whose key counts."""

import pytest

from connectors.errors import UsageError
from connectors.ref import Ref
from hub_ui.hosting.visitor import SharedKeys, Visitor, VisitorKeys, use_right, use_visitor

OWNER = {"civitai": "owner", "replicate": "owner"}


def test_the_owner_lists_hubs_and_loras() -> None:
    shared = SharedKeys.parse("replicate:list, civitai:123@456 hf:ada/secret", OWNER)
    assert (shared.shares_list("replicate"), shared.shares_list("civitai")) == (True, False)
    assert shared.shares(Ref.parse("civitai:123@789"))
    assert not shared.shares(Ref.parse("civitai:124"))
    # Without a key there is nothing to share.
    assert not shared.shares(Ref.parse("huggingface:ada/secret"))


def test_by_default_nothing_is_shared() -> None:
    shared = SharedKeys.parse("", OWNER)
    assert (shared.lists, shared.refs) == (frozenset(), frozenset())


@pytest.mark.parametrize("text", ["replicate:everything", "nobody:list", "list", "civitai:x"])
def test_what_is_neither_a_list_nor_a_lora_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="HUB_UI_SHARED_KEYS has"):
        SharedKeys.parse(text, OWNER)


def test_a_key_counts_only_with_the_right_to_it() -> None:
    keys = VisitorKeys(OWNER)
    with use_visitor(Visitor(id="a", keys={"civitai": "own"})):
        assert dict(keys) == {}
        with use_right("visitor"):
            assert dict(keys) == {"civitai": "own"}
        with use_right("owner"):
            assert dict(keys) == OWNER
    with use_right("visitor"):
        assert dict(keys) == {}
    assert "own" not in repr(keys)
