"""A sequence becomes the chain that it says: exact counts, exact stationary law, honest states."""

from __future__ import annotations

import csv
import io
import itertools
import json
import shlex
from collections import Counter
from fractions import Fraction
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification import cli, gallery
from verification.errors import InvalidInstance
from verification.instance import MAX_DIMENSION, Instance
from verification.markov.chain import communicating_classes, period
from verification.sequence import layout, table
from verification.sequence.conversion import MAX_ORDER, MAX_STATES, Options, from_csv
from verification.sequence.history import circular_history
from verification.sequence.numbers import IDENTITY, AffineMap, affine_map, ratio
from verification.sequence.symbols import quantile_states
from verification.strict_json import loads, parse_number
from verification.subject import read_subject

EXAMPLES = Path(__file__).parents[1] / "examples"

SEQUENCES = st.integers(2, 4).flatmap(
    lambda n: st.tuples(st.just(n), st.lists(st.integers(0, n - 1), min_size=2, max_size=40))
)


def converted(folder: Path, content, **options):
    """Convert a CSV file with this content (text, bytes, or the cells of one column)."""
    if isinstance(content, list):
        content = "v\n" + "".join(f"{cell}\n" for cell in content)
    path = folder / "data.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return from_csv(path, "data", Options(**options))


def chain_of(folder: Path, content, **options):
    return converted(folder, content, **options).instance.chain


def refused(folder: Path, content, **options) -> str:
    with pytest.raises(InvalidInstance) as error:
        converted(folder, content, **options)
    (line,) = str(error.value).splitlines()
    assert len(line) < 500
    return line


def product(law, rows):
    """The row vector law P, exact."""
    result = [Fraction(0)] * len(rows)
    for weight, row in zip(law, rows, strict=True):
        for j, p in row:
            result[j] += weight * p
    return result


def windows(sequence, order):
    """The words of a sequence written twice: a second way to read a circle, by slices."""
    twice = [*sequence, *sequence]
    size = len(sequence)
    return [tuple(twice[size + t - order + 1 : size + t + 1]) for t in range(size)]


# The chain


@given(SEQUENCES, st.integers(1, 4))
def test_the_empirical_law_is_exactly_the_stationary_law(drawn, order):
    n_symbols, sequence = drawn
    order = min(order, len(sequence))
    history = circular_history(sequence, n_symbols, order)
    words = windows(sequence, order)
    counts = Counter(words)
    states = [history.word(i) for i in range(len(history.codes))]
    assert states == sorted(counts)
    assert [states[i] for i in history.path] == words
    assert [history.newest(i) for i in history.path] == sequence
    law = [Fraction(counts[word], len(sequence)) for word in states]
    assert all(sum(p for _, p in row) == 1 for row in history.rows)
    assert product(law, history.rows) == law


@given(SEQUENCES, st.integers(1, 4))
def test_probabilities_are_counts_of_longer_words(drawn, order):
    n_symbols, sequence = drawn
    order = min(order, len(sequence) - 1)
    history = circular_history(sequence, n_symbols, order)
    short, long = Counter(windows(sequence, order)), Counter(windows(sequence, order + 1))
    found = {
        (*history.word(i), history.newest(j)): p
        for i, row in enumerate(history.rows)
        for j, p in row
    }
    assert found == {word: Fraction(times, short[word[:-1]]) for word, times in long.items()}
    for i, row in enumerate(history.rows):
        assert [j for j, _ in row] == sorted({j for j, _ in row})
        assert all(history.word(i)[1:] == history.word(j)[:-1] for j, _ in row)


@given(SEQUENCES, st.integers(1, 3))
def test_the_chain_of_longer_words_lumps_to_that_of_shorter_ones(drawn, order):
    """Its stationary law and flows, summed over the oldest symbol, are those of order m."""
    n_symbols, sequence = drawn
    order = min(order, len(sequence) - 1)
    fine, coarse = (circular_history(sequence, n_symbols, m) for m in (order + 1, order))

    def flows(history):
        visits = Counter(history.path)
        return {
            (history.word(i), history.word(j)): visits[i] * p
            for i, row in enumerate(history.rows)
            for j, p in row
        }

    lumped = Counter()
    for (before, after), flow in flows(fine).items():
        lumped[before[1:], after[1:]] += flow
    assert lumped == flows(coarse)


@given(SEQUENCES, st.integers(1, 4))
def test_the_chain_is_irreducible(drawn, order):
    n_symbols, sequence = drawn
    order = min(order, len(sequence))
    history = circular_history(sequence, n_symbols, order)
    reached, waiting = {0}, [0]
    while waiting:
        new = {j for j, _ in history.rows[waiting.pop()]} - reached
        reached |= new
        waiting += new
    assert reached == set(range(len(history.codes)))


def test_a_chain_written_by_hand(tmp_path):
    """Circle a b b c; the transitions ab, bb, bc, ca."""
    chain = chain_of(tmp_path, list("abbc"))
    half = Fraction(1, 2)
    assert chain.rows == (((1, 1),), ((1, half), (2, half)), ((0, 1),))
    assert chain.inputs == ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    assert chain.targets == (1, half, 0)  # b is the commonest
    assert chain.initial == 0
    second = chain_of(tmp_path, list("abbc"), order=2)
    # ab, bb, bc, ca in this order; the circle is ca, ab, bb, bc, from the word of the first row
    assert second.rows == (((1, 1),), ((2, 1),), ((3, 1),), ((0, 1),))
    assert second.initial == 3
    assert second.inputs == ((0, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 0))


def test_a_long_order_is_one_sparse_cycle(tmp_path):
    cells = [str(k * k % 257 % 2) for k in range(300)]
    made = converted(tmp_path, cells, order=64)
    chain = made.instance.chain
    assert chain.n_states == len(set(windows(cells, 64)))
    assert sum(map(len, chain.rows)) <= chain.n_states + 2
    document = json.loads(layout.encoded(made.instance))
    assert document["chain"]["transition"]["rows"] == chain.n_states


# Quantile states


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(1, 12))
def test_quantile_states_are_intervals_and_as_many_as_asked(counts, n_states):
    states = quantile_states(counts, n_states)
    assert len(states) == len(counts)
    assert states == sorted(states)
    assert set(states) == set(range(min(n_states, len(counts))))


@given(st.integers(1, 300), st.integers(1, 40))
def test_without_ties_sizes_differ_by_one_at_most(n_values, n_states):
    sizes = Counter(quantile_states([1] * n_values, n_states)).values()
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) == min(n_states, n_values)


@given(st.lists(st.integers(1, 50), min_size=2, max_size=40), st.integers(2, 8))
def test_a_state_is_too_large_by_less_than_its_commonest_value(counts, n_states):
    """While values are left to choose from, a state ends within half a value of the mean size."""
    states = quantile_states(counts, n_states)
    n_states = max(states) + 1
    left = sum(counts)
    for state in range(n_states - 1):
        inside = [times for times, s in zip(counts, states, strict=True) if s == state]
        mean = Fraction(left, n_states - state)
        if len(inside) > 1:
            assert sum(inside) - mean <= Fraction(inside[-1], 2)
        after = states.count(state) + states.index(state)
        if len(counts) - after > n_states - state - 1:  # not forced to leave values for the rest
            assert mean - sum(inside) < Fraction(counts[after], 2)
        left -= sum(inside)


@pytest.mark.parametrize(
    ("counts", "n_states", "states"),
    [
        ([90, 5, 5], 8, [0, 1, 2]),  # each distinct value its own
        ([838, 1, 1, 1, 1, 1, 1], 4, [0, 1, 1, 2, 2, 3, 3]),  # a large tie takes one state
        ([1, 1, 1, 1, 1, 1, 838], 4, [0, 0, 0, 0, 1, 2, 3]),
        ([1] * 10, 4, [0, 0, 0, 1, 1, 2, 2, 2, 3, 3]),
        ([5], 3, [0]),
    ],
)
def test_quantile_states_with_ties(counts, n_states, states):
    assert quantile_states(counts, n_states) == states


DECIMALS = st.decimals(-1000, 1000, places=2, allow_nan=False, allow_infinity=False)


@given(cells=st.lists(DECIMALS, min_size=2, max_size=40), n_states=st.integers(2, 6))
def test_a_column_of_numbers(tmp_path_factory, cells, n_states):
    values = [Fraction(cell) for cell in cells]
    if len(set(values)) == 1:
        values[0] += 1
        cells[0] += 1
    folder = tmp_path_factory.mktemp("numbers")
    chain = chain_of(folder, cells, states=n_states)
    n = chain.n_states
    assert n == min(n_states, len(set(values)))
    # A second way to the states: each value's input says which state it is in, by the partition.
    counts = Counter(values)
    ordered = sorted(counts)
    parts = quantile_states([counts[v] for v in ordered], n_states)
    state = dict(zip(ordered, parts, strict=True))
    path = [state[v] for v in values]
    scaling = affine_map(*extremes(path, values, n))
    following = values[1:] + values[:1]
    for i in range(n):
        visits = [t for t, s in enumerate(path) if s == i]
        mean = sum((values[t] for t in visits), Fraction(0)) / len(visits)
        assert chain.targets[i] == scaling(
            sum((following[t] for t in visits), Fraction(0)) / len(visits)
        )
        (x,) = chain.inputs[i]
        assert abs(x - scaling(mean)) <= Fraction(1, 2000)
        assert abs(x) <= 1
    assert [x for (x,) in chain.inputs] == sorted({x for (x,) in chain.inputs})
    assert chain.initial == path[0]


def extremes(path, values, n_states):
    def mean(state):
        inside = [v for s, v in zip(path, values, strict=True) if s == state]
        return sum(inside, Fraction(0)) / len(inside)

    return mean(0), mean(n_states - 1)


RATIONALS = st.fractions(-(10**6), 10**6, max_denominator=10**4)


@given(st.tuples(RATIONALS, RATIONALS).filter(lambda pair: pair[0] < pair[1]))
def test_the_affine_map_is_short_and_fills_the_interval(ends):
    low, high = ends
    scaling = affine_map(low, high)
    assert -1 <= scaling(low) < scaling(high) <= 1
    half = (high - low) / 2
    # unit <= half / 10, and the scale is at most half and one and a half units
    assert half <= scaling.scale <= half * Fraction(115, 100)
    # 10 <= half / unit < 100 and the scale is a multiple of the unit: 3 digits at most
    mantissa = scaling.scale
    while mantissa.denominator > 1:
        mantissa *= 10
    while mantissa % 10 == 0:
        mantissa /= 10
    assert mantissa < 110


def test_the_affine_map_reads_as_one():
    scaling = AffineMap(centre=Fraction(-3, 2), scale=Fraction(20))
    assert str(scaling) == "(value + 1.5) / 20"
    assert str(affine_map(Fraction(0), Fraction(1))) == "(value - 0.5) / 0.5"
    assert scaling(Fraction(1, 2)) == Fraction(1, 10)
    assert IDENTITY(Fraction(7, 3)) == Fraction(7, 3)


@given(
    st.one_of(
        st.decimals(allow_nan=True, allow_infinity=True).map(str),
        st.from_regex(r"[-+]?[0-9]{0,4}\.?[0-9]{0,4}(e[-+]?[0-9]{1,4})?", fullmatch=True),
        st.fractions().map(str),
        st.text(max_size=6),
        st.sampled_from(
            ["", "-", "--1", "-.", ".", "1.2.3", "1_0", "٣", "²", "1" * 45, "+5", "-.5"]
        ),
    )
)
def test_numbers_are_what_the_instance_reader_takes_for_numbers(text):
    value = parse_number(text)
    found = ratio(text)
    assert (found is None) == (value is None)
    if found is not None:
        assert found[1] > 0
        assert Fraction(*found) == value


def test_a_number_is_exact_whatever_its_form(tmp_path):
    chain = chain_of(tmp_path, ["0.1", "1/10", "1e-1", "+.1", "0.10000000000000000000000001"])
    # the first four are one value, four times, and lead to themselves three times
    assert dict(chain.rows[0]) == {0: Fraction(3, 4), 1: Fraction(1, 4)}
    assert chain.n_states == 2


def test_extreme_but_allowed_numbers(tmp_path):
    cells = ["5e-324", "1.7976931348623157e308", "-1e300", "0"]
    instance = converted(tmp_path, cells).instance
    assert instance.chain.n_states == 4
    assert read_subject(loads(layout.encoded(instance).decode())) == instance


# Categories and targets


def test_two_categories_are_minus_one_and_one(tmp_path):
    chain = chain_of(tmp_path, ["wet", "dry", "dry", "dry", "wet"])
    assert chain.inputs == ((-1,), (1,))
    assert chain.initial == 1
    assert dict(chain.rows[0]) == {0: Fraction(2, 3), 1: Fraction(1, 3)}
    assert chain.targets == (Fraction(2, 3), Fraction(1, 2))  # dry is the commonest


def test_unit_vectors_get_means_that_differ(tmp_path):
    instance = converted(tmp_path, list("abcab")).instance
    assert instance.chain.dimension == 3
    assert instance.law.w.mean == (-1, 0, 1)


def test_a_target_column(tmp_path):
    text = "s,y,z\na,1,p\nb,2,q\na,4,r\nc,0.5,s\n"
    chain = chain_of(tmp_path, text, column="s", target="y")
    # means a 2.5, b 2, c 0.5: half the range is 1, the unit 0.1
    assert chain.targets == (1, Fraction(1, 2), -1)
    line = refused(tmp_path, text, column="s", target="z")
    assert line == "line 2: 'p' in column 'z', expected a number"
    assert "same mean" in refused(tmp_path, "s,y\na,1\nb,1\n", column="s", target="y")


def test_kind_overrules_what_a_column_looks_like(tmp_path):
    codes = ["10", "9", "10", "8"]
    assert chain_of(tmp_path, codes).dimension == 1
    made = converted(tmp_path, codes, kind="categorical")
    assert made.instance.chain.dimension == 3
    assert "'10', '8', '9'" in made.instance.origin
    line = refused(tmp_path, [*codes, "3o"], kind="numeric")
    assert line == "line 6: '3o' in column 'v', expected a number"
    mixed = converted(tmp_path, [*codes, "3o"])
    assert mixed.notes == ("column 'v' is taken as categories: line 6 has '3o', not a number",)


def test_fewer_values_than_states_is_said(tmp_path):
    made = converted(tmp_path, ["1", "2", "3", "1"])
    assert made.notes == ("3 distinct values only: 3 states, not 8",)
    assert [x for (x,) in made.instance.chain.inputs] == [-1, 0, 1]


def test_missing_values_are_left_out_where_asked(tmp_path):
    text = "v,y\na,1\n,2\nb,NA\nnew,nan\nb,4\n\na,5\n"
    made = converted(tmp_path, text, column="v", target="y", skip_missing=True)
    plain = converted(tmp_path, "v,y\na,1\nb,4\na,5\n", column="v", target="y")
    assert made.instance.chain == plain.instance.chain
    assert made.notes == ("4 rows with a missing value left out",)
    assert "3 rows (4 with missing values left out)" in made.instance.origin
    assert converted(tmp_path, text, column="v", skip_missing=True).n_rows == 5


# The file


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_dialects(tmp_path, delimiter, mark, end):
    rows = [["time", "the word", "x"], ["1", "a,b", "0"], ["2", 'c"d', "0"], ["3", "a,b", "0"]]
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=end).writerows(rows)
    content = mark + text.getvalue().encode() + 2 * end.encode()
    made = converted(tmp_path, content, column="the word")
    assert "'a,b', 'c\"d'" in made.instance.origin
    assert made.n_rows == 3
    assert converted(tmp_path, content, column="time").n_rows == 3


@pytest.mark.parametrize(
    ("text", "header", "n_rows", "column"),
    [
        ("v\n1\n2\n", None, 2, "v"),
        ("1\n2\n3\n", None, 3, "1"),
        ("a\nb\na\n", None, 2, "a"),
        ("a\nb\na\n", False, 3, "1"),
        ("2012\n1\n2\n", True, 2, "2012"),
        ('"v w"\n 1 \n2', None, 2, "v w"),
    ],
)
def test_headers(tmp_path, text, header, n_rows, column):
    made = converted(tmp_path, text, header=header)
    assert made.n_rows == n_rows
    assert f"column {column!r}" in made.instance.origin


def test_a_last_row_that_ends_in_an_empty_cell_is_whole(tmp_path):
    assert converted(tmp_path, "a\tb\n1\tx\n2\ty\n3\t\n\n", column="a").n_rows == 3


def test_columns_without_a_header_are_numbered(tmp_path):
    assert chain_of(tmp_path, "1,a\n2,b\n3,b\n", column="2").inputs == ((-1,), (1,))


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("", {}, "has no rows, expected a CSV file"),
        (b"\xef\xbb\xbf", {}, "has no rows"),
        ("\n\n\n", {}, "has no rows"),
        ("v\n", {}, "has 0 rows, expected at least 2"),
        ("v\na\n", {}, "has 1 row, expected at least 2"),
        ("5\n", {}, "has 1 row, expected at least 2"),
        ("v\na\nb\n", {"order": 2}, "has 2 rows, expected at least 3, more than --order 2"),
        (["a"] * 9, {}, "column 'v': is 'a' throughout, expected at least two values"),
        (["1.0", "1", "1e0"], {}, "column 'v': is 1.0 throughout, expected at least two"),
        ("v,w\n1,2\n3\n", {"column": "v"}, "line 3: has 1 cells, expected 2"),
        ("v,w\n1,2\n\n3,4,5\n", {"column": "v"}, "line 3: '' in column 'v', expected a value"),
        ("v,w\n1,2\n3,4,5\n", {"column": "v"}, "line 3: has 3 cells, expected 2"),
        ("v\n1\n\n2\n", {}, "line 3: '' in column 'v', expected a value (--missing skip leaves"),
        (["1", "NaN", "2"], {}, "line 3: 'NaN' in column 'v', expected a value"),
        (["a", "n/a", "b"], {}, "line 3: 'n/a' in column 'v'"),
        ("a,v\n1,x\n2,\n", {"column": "v", "target": "a"}, "line 3: '' in column 'v'"),
        (["1", "2\0", "3"], {}, "line 3: contains a NUL character"),
        (b"v\n1\n\xff\n2\n", {}, "line 3: is not UTF-8, expected a CSV file in UTF-8"),
        ("v\n1\n2\n".encode("utf-16"), {}, "line 1: is not UTF-8"),
        (["1", "9" * 10**7, "2"], {}, "line 3: is not CSV: field larger than field limit"),
        (["1", "9" * 10**5, "2"], {"kind": "numeric"}, "line 3: '9999"),
        (["1", "1e999999", "2"], {"kind": "numeric"}, "line 3: '1e999999' in column 'v', expected"),
        (["1", "1e999", "2"], {}, "line 3: '1e999' in column 'v': the column's numbers have more"),
        (["1", "1e-999", "2"], {}, "line 3: '1e-999' in column 'v': the column's numbers have"),
        (["1", "1e999999", "2"], {"states": 3}, "is not used by a column of categories: line 3"),
        ('v\n"a\nb\n', {}, "line 3: is not CSV: unexpected end of data"),
        ('v\n"a"b\nc\n', {}, "line 2: is not CSV: ',' expected after '\"'"),
        ("\nv\n1\n2\n", {}, "line 1: is blank, expected a header or a row"),
        ("a,b\n1,2\n3,4\n", {}, "--column: is required, the columns are 'a', 'b'"),
        ("a,b\n1,2\n", {"column": "aa"}, "--column: is 'aa', expected one of 'a', 'b' (nearest"),
        ("a,b\n1,2\n", {"column": "a", "target": "y"}, "--target: is 'y', expected one of 'a'"),
        ("a,a\n1,2\n", {"column": "a"}, "--column: is 'a', the name of 2 columns"),
        (["1", "2"], {"order": 0}, "--order: is 0, expected 1 to 64"),
        (["1", "2"], {"order": 65}, "--order: is 65, expected 1 to 64"),
        (["1", "2"], {"states": 1}, "--states: is 1, expected 2 to 1024"),
        (["1", "2"], {"states": 1025}, "--states: is 1025, expected 2 to 1024"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) and value.isprintable() else "",
)
def test_what_is_refused(tmp_path, content, options, said):
    assert said in refused(tmp_path, content, **options)


def test_the_stated_limits_are_the_limits():
    assert (MAX_ORDER, MAX_STATES, MAX_DIMENSION) == (64, 1024, 64)


def test_too_many_categories(tmp_path):
    cells = [f"c{i}" for i in range(MAX_DIMENSION)]
    assert chain_of(tmp_path, cells).dimension == MAX_DIMENSION
    line = refused(tmp_path, [*cells, "c64"])
    assert line == (
        "column 'v': has 65 categories, expected at most 64 (line 2 has 'c0', not a number)"
    )
    line = refused(tmp_path, [*map(str, range(99)), "9O"])
    assert line.endswith(
        "has 100 categories, expected at most 64 (line 101 has '9O', not a number)"
    )


def test_fractions_without_a_common_denominator(tmp_path):
    primes = [p for p in range(2, 2000) if all(p % q for q in range(2, p))]
    line = refused(tmp_path, [f"1/{p}" for p in primes])
    assert "no common denominator of less" in line


def test_too_many_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "MAX_ROWS", 3)
    assert converted(tmp_path, list("abab")[:3]).n_rows == 3
    assert "line 5: is one row too many, expected 3" in refused(tmp_path, list("abab"))


def test_too_large_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "MAX_FILE_BYTES", 6)
    assert converted(tmp_path, "v\n1\n2\n").n_rows == 2
    assert "more than 6 bytes" in refused(tmp_path, "v\n1\n2\n3\n")


def test_too_large_an_instance(tmp_path, monkeypatch):
    instance = converted(tmp_path, list("abc")).instance
    monkeypatch.setattr(layout, "MAX_FILE_BYTES", 100)
    with pytest.raises(InvalidInstance, match="--order: gives a file of"):
        layout.encoded(instance)


def test_no_such_file(tmp_path):
    with pytest.raises(InvalidInstance, match="cannot be read: No such file"):
        from_csv(tmp_path / "no.csv", "no", Options())
    with pytest.raises(InvalidInstance, match="is a folder, expected a CSV file"):
        from_csv(tmp_path, "no", Options())


# The instance


NASTY = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=80)


@given(
    name=NASTY,
    column=NASTY,
    cells=st.lists(NASTY, min_size=2, max_size=12),
    order=st.integers(1, 3),
)
def test_whatever_a_file_says_the_instance_is_read_again(
    tmp_path_factory, name, column, cells, order
):
    folder = tmp_path_factory.mktemp("nasty")
    path = folder / "data.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL)
        writer.writerows([column, cell] for cell in [*cells, "one", "two", "three", "four"])
    options = Options(column="2", order=order, header=False, skip_missing=True)
    made = from_csv(path, name, options)
    assert read_subject(loads(layout.encoded(made.instance).decode())) == made.instance
    assert "\n" not in made.summary()
    assert all("\n" not in note for note in made.notes)


def test_names_that_cannot_be_names(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a\nb\nc\n", encoding="utf-8")
    for name, expected in (("", "sequence"), ("a\nb", "a�b"), ("x" * 200, "x" * 117 + "...")):
        assert from_csv(path, name, Options()).instance.name == expected


def test_the_origin_says_how_to_go_back(tmp_path):
    cells = ["10", "20", "35", "20", "10", "50"]
    instance = converted(tmp_path, cells, states=3, source="A thermometer").instance
    assert instance.origin == (
        "A thermometer: data.csv, column 'v', 6 rows, read as a circle, so that the empirical law "
        "is the stationary law. Symbols, from 0: 10, 20, 35 to 50. Inputs: (value - 26) / 17 of "
        "the mean in the state, rounded to 3 decimals. Targets: (value - 26) / 17 of the mean of "
        "the next value. Law and training are defaults."
    )
    assert [x for (x,) in instance.chain.inputs] == [
        Fraction(round(1000 * Fraction(mean - 26, 17)), 1000) for mean in (10, 20, Fraction(85, 2))
    ]


def test_the_summary_says_what_the_chain_is(tmp_path):
    assert converted(tmp_path, list("abab")).summary() == (
        "data: 4 rows, 2 states of order 1, 2 transitions, 1 recurrent class of period 2"
    )


# The examples


def commands() -> list[list[str]]:
    """Return the arguments of the commands in the README of the examples that write JSON."""
    lines = (EXAMPLES / "README.md").read_text(encoding="utf-8").splitlines()
    prefix = "    theorems instance from-csv "
    found = [shlex.split(line.removeprefix(prefix)) for line in lines if line.startswith(prefix)]
    return [arguments for arguments in found if "--source" in arguments]


def test_the_examples_make_the_gallery_byte_for_byte(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(EXAMPLES)
    made = set()
    for arguments in commands():
        name = arguments[-1].removesuffix(".json")
        out = tmp_path / arguments[-1]
        with pytest.raises(SystemExit) as stop:
            cli.main((), ["instance", "from-csv", *arguments[:-1], str(out)])
        assert stop.value.code == 0
        committed = resources.files(gallery).joinpath(f"{name}.json").read_bytes()
        assert out.read_bytes() == committed
        made.add(name)
    assert made == {"sunspots", "seattle-weather"}
    assert "sunspots: 309 rows, 8 states of order 1" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["sunspots", "seattle-weather"])
def test_the_examples_are_one_aperiodic_class(name):
    instance = gallery.load(name)
    assert isinstance(instance, Instance)
    (found,) = communicating_classes(instance.chain)
    assert found.recurrent
    assert period(instance.chain, found) == 1


def test_sunspots_by_hand():
    with (EXAMPLES / "sunspots.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["year"]) for row in rows] == list(range(1700, 2009))
    values = [Fraction(row["sunspots"]) for row in rows]
    cuts = ["8.1", "15.6", "27.9", "40", "54.8", "69.8", "103"]
    path = [sum(v > Fraction(cut) for cut in cuts) for v in values]
    assert set(Counter(path).values()) <= {38, 39, 40}
    instance = gallery.load("sunspots")
    moves = Counter(itertools.pairwise([*path, path[0]]))
    visits = Counter(path)
    assert {(i, j): p for i, row in enumerate(instance.chain.rows) for j, p in row} == {
        (i, j): Fraction(times, visits[i]) for (i, j), times in moves.items()
    }


def test_seattle_by_hand():
    with (EXAMPLES / "seattle-weather.csv").open(encoding="utf-8", newline="") as file:
        days = [row["weather"] for row in csv.DictReader(file)]
    assert len(days) == 1461
    words = list(zip([days[-1], *days], days, strict=False))
    chain = gallery.load("seattle-weather").chain
    ordered = sorted(set(words))
    assert chain.n_states == len(ordered)
    assert ordered[chain.initial] == ("sun", "drizzle")
    for i, word in enumerate(ordered):
        following = [days[(t + 1) % 1461] for t in range(1461) if words[t] == word]
        assert chain.targets[i] == Fraction(following.count("sun"), len(following))
        for j, p in chain.rows[i]:
            assert p == Fraction(following.count(ordered[j][1]), len(following))
