"""hub_ui/access/visitor.py."""

import pytest

from connectors.errors import UsageError
from connectors.ref import Ref
from hub_ui.access.visitor import SharedKeys, Visitor, VisitorKeys, Visitors, current_visitor, use_right, use_visitor


def arrive(visitors: Visitors, cookie: str = "") -> Visitor:
    visitor = visitors.find(cookie)
    visitors.keep(visitor)
    return visitor


def test_a_cookie_that_nobody_got_brings_a_new_visitor_and_who_brings_none_counts_by_the_peer() -> None:
    visitors = Visitors()
    first = arrive(visitors, "made up")
    assert first.id != "made up"
    assert arrive(visitors, first.id) is first
    visitors = Visitors()
    program = visitors.find("", "", "172.17.0.1")
    assert (program.address, visitors.find(program.id) is program) == ("172.17.0.1", False)
    ada = arrive(visitors)
    assert visitors.find(ada.id, "", "172.17.0.1").address == ""
    assert visitors.find(ada.id, "8.8.8.8", "172.17.0.1").address == "8.8.8.8"


def test_a_visitor_is_forgotten_an_hour_after_the_last_request() -> None:
    now = [0.0]
    visitors = Visitors(clock=lambda: now[0])
    ada = arrive(visitors)
    now[0] = 3_000.0
    assert arrive(visitors, ada.id) is ada
    now[0] = 6_000.0
    assert arrive(visitors, ada.id) is ada
    now[0] = 9_601.0
    assert arrive(visitors, ada.id) is not ada


def test_the_visitor_is_that_of_the_innermost_block_and_not_shown_by_key_or_id() -> None:
    assert repr(Visitor(id="secret", keys={"civitai": "key"})) == "Visitor()"
    ada, ben = Visitor(id="a"), Visitor(id="b")
    with use_visitor(ada):
        with use_visitor(ben):
            assert current_visitor() is ben
        assert current_visitor() is ada
    assert current_visitor() is None


def test_a_crowd_does_not_drive_out_who_has_a_key() -> None:
    visitors = Visitors(most=10)
    ada, ben = arrive(visitors), arrive(visitors)
    ada.put_key("civitai", "key")
    assert arrive(visitors, ada.id) is ada
    for _ in range(20):
        arrive(visitors)
    assert (arrive(visitors, ada.id) is ada, arrive(visitors, ben.id) is ben) == (True, False)


def test_a_sign_in_counts_until_it_ends_or_its_visitor_signs_out() -> None:
    ada = Visitor(id="a")
    info = {"access_token": "hf_oauth_x", "expires_at": 100, "userinfo": {"preferred_username": "ada"}}
    ada.sign_in({"oauth_info": info}, now=99)
    assert (ada.keys, ada.account) == ({"huggingface": "hf_oauth_x"}, "ada")
    ada.sign_in({"oauth_info": info}, now=101)
    assert (ada.keys, ada.account) == ({}, "")
    ada.sign_in({"oauth_info": info}, now=99)
    ada.sign_in({}, now=99)
    assert (ada.keys, ada.account) == ({}, "")


OWNER = {"civitai": "owner", "replicate": "owner"}


def test_the_owner_lists_hubs_and_loras_and_by_default_nothing_is_shared() -> None:
    shared = SharedKeys.parse("replicate:list, civitai:123@456 hf:ada/secret", OWNER)
    assert (shared.shares_list("replicate"), shared.shares_list("civitai")) == (True, False)
    assert shared.shares(Ref.parse("civitai:123@789"))
    assert not shared.shares(Ref.parse("civitai:124"))
    # Without a key there is nothing to share.
    assert not shared.shares(Ref.parse("huggingface:ada/secret"))
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
