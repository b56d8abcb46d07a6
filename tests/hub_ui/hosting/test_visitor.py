"""hub_ui/hosting/visitor.py."""

from hub_ui.hosting.visitor import Visitor, Visitors, current_visitor, use_visitor


def test_a_cookie_that_nobody_got_brings_a_new_visitor() -> None:
    visitors = Visitors()
    first = visitors.get("made up")
    assert first.id != "made up"
    assert visitors.get(first.id) is first


def test_a_visitor_is_forgotten_an_hour_after_the_last_request() -> None:
    now = [0.0]
    visitors = Visitors(clock=lambda: now[0])
    ada = visitors.get("")
    now[0] = 3_000.0
    assert visitors.get(ada.id) is ada
    now[0] = 6_000.0
    assert visitors.get(ada.id) is ada
    now[0] = 9_601.0
    assert visitors.get(ada.id) is not ada


def test_keys_and_ids_are_not_shown() -> None:
    assert repr(Visitor(id="secret", keys={"civitai": "key"})) == "Visitor()"


def test_the_visitor_is_that_of_the_innermost_block() -> None:
    ada, ben = Visitor(id="a"), Visitor(id="b")
    with use_visitor(ada):
        with use_visitor(ben):
            assert current_visitor() is ben
        assert current_visitor() is ada
    assert current_visitor() is None


def test_who_brings_no_cookie_is_not_kept_and_counts_by_the_peer() -> None:
    visitors = Visitors()
    program = visitors.find("", "", "172.17.0.1")
    assert (program.address, visitors.find(program.id) is program) == ("172.17.0.1", False)
    ada = visitors.get("")
    assert visitors.find(ada.id, "", "172.17.0.1").address == ""
    assert visitors.find(ada.id, "8.8.8.8", "172.17.0.1").address == "8.8.8.8"


def test_a_crowd_does_not_drive_out_who_has_a_key() -> None:
    visitors = Visitors(most=10)
    ada, ben = visitors.get(""), visitors.get("")
    ada.put_key("civitai", "key")
    assert visitors.get(ada.id) is ada
    for _ in range(20):
        visitors.get("")
    assert (visitors.get(ada.id) is ada, visitors.get(ben.id) is ben) == (True, False)


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
