"""Sharing of time: strides keep shares, nobody starves, discoveries count and are forgotten."""

from __future__ import annotations

import pytest

from verification.campaign.sharing import MEMORY_SECONDS, Sharing


def run(sharing, turns, discoveries, seconds=1.0):
    """Let turns be taken one after the other; return the seconds of each search."""
    spent = {}
    for _ in range(turns):
        name = sharing.begin(seconds)
        found = discoveries(name, spent.get(name, 0.0))
        sharing.end(name, seconds=seconds, discoveries=found)
        spent[name] = spent.get(name, 0.0) + seconds
    return spent


def test_the_first_turns_are_in_the_given_order():
    sharing = Sharing("abc")
    assert [sharing.begin(1.0) for _ in range(3)] == ["a", "b", "c"]


def test_where_nobody_discovers_time_is_even():
    spent = run(Sharing("abcd"), 400, lambda _name, _spent: 0)
    assert max(spent.values()) - min(spent.values()) <= 1


def test_shares_sum_to_one():
    sharing = Sharing("abc")
    run(sharing, 50, lambda name, _spent: name == "a")
    assert sum(sharing.shares().values()) == pytest.approx(1, abs=1e-12)


def test_who_discovers_has_more_and_the_others_do_not_starve():
    turns = 1000
    spent = run(Sharing("abcd"), turns, lambda name, _spent: 5 * (name == "a"))
    assert spent["a"] > 2 * spent["b"]
    # Each has half of an even part, up to the one turn by which strides may lag.
    assert all(spent[name] >= turns / 8 - 2 for name in "abcd")


def test_what_was_discovered_long_ago_is_forgotten():
    sharing = Sharing("ab")
    run(sharing, 100, lambda name, spent: 5 if name == "a" and spent < 10 else 0)
    early = sharing.shares()["a"]
    run(sharing, int(40 * MEMORY_SECONDS), lambda _name, _spent: 0)
    assert sharing.shares()["a"] < early
    # After twenty half-lives a 2**-20 of the discoveries is left; the priors differ by as little.
    assert sharing.shares()["a"] == pytest.approx(0.5, abs=1e-3)


def test_long_turns_count_for_what_they_last():
    sharing = Sharing(("long", "short"))
    spent = {"long": 0.0, "short": 0.0}
    for _ in range(2000):
        name = sharing.begin(1.0)
        seconds = 5.0 if name == "long" else 0.5
        sharing.end(name, seconds=seconds, discoveries=0)
        spent[name] += seconds
    assert spent["long"] == pytest.approx(spent["short"], rel=0.05)


def test_turns_under_way_count_at_once():
    sharing = Sharing("ab")
    assert {sharing.begin(1.0), sharing.begin(1.0)} == {"a", "b"}


def test_some_may_be_left_out():
    assert Sharing("ab").begin(1.0, but_not=("a",)) == "b"
