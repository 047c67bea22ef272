from gpubench_tui.engine.text.grouping import group_labels


def test_what_is_said_of_several_runs_is_said_once_in_the_order_it_came() -> None:
    said = [("a", "slow"), ("b", "hot"), ("c", "slow"), ("c", "slow")]
    assert group_labels(said) == [("a, c", "slow"), ("b", "hot")]


def test_many_names_are_counted() -> None:
    assert group_labels((name, "slow") for name in "abcd") == [("a, b, c, d", "slow")]
    assert group_labels((name, "slow") for name in "abcdefg") == [("a, b, c and 4 more", "slow")]
