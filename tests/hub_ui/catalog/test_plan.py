from hub_ui.catalog.plan import Plan, order_key


def test_a_larger_number_comes_before_any_tie() -> None:
    keys = [order_key(count, 28, tie) for count, tie in ((5, 0), (4, 2**64 - 1))]
    assert keys == sorted(keys, reverse=True)


def test_numbers_without_room_in_the_key_stand_with_the_largest_one() -> None:
    assert order_key(2**28 - 1, 28, 0) == order_key(2**30, 28, 0) == 0xFFFFFFF << 36


def test_only_the_conditions_in_use_are_named() -> None:
    assert Plan().conditions() == frozenset()
    marked = Plan(nsfw=0, wanted=(("installed", False), ("favorite", True)))
    assert marked.conditions() == {"nsfw", "installed", "favorite"}
