"""The graph of uses: every claim that takes part, left to right, nothing on top of another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verification.report.graph import NODE_HEIGHT, NODE_WIDTH, uses_graph

NAMES = list("ABCDEFGH")


def test_unlinked_claims_are_left_out():
    graph = uses_graph({"A": (), "B": ("A", "missing", "B"), "C": ()})
    assert [node.id for node in graph.nodes] == ["A", "B"]
    assert [(edge.source, edge.target) for edge in graph.edges] == [("A", "B")]


@pytest.mark.parametrize("uses", [{}, {"A": ()}, {"A": ("A",)}])
def test_no_uses_no_graph(uses):
    assert uses_graph(uses).nodes == ()


@given(st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES))))
def test_boxes_are_apart_and_inside_even_with_cycles(uses):
    graph = uses_graph(uses)
    boxes = [(node.x, node.y) for node in graph.nodes]
    for i, (x, y) in enumerate(boxes):
        assert 0 <= x <= graph.width - NODE_WIDTH
        assert 0 <= y <= graph.height - NODE_HEIGHT
        for other_x, other_y in boxes[:i]:
            assert abs(x - other_x) >= NODE_WIDTH or abs(y - other_y) >= NODE_HEIGHT


@given(
    st.dictionaries(st.integers(0, 9), st.lists(st.integers(0, 9))).map(
        lambda uses: {k: [v for v in values if v < k] for k, values in uses.items()}
    )
)
def test_what_is_used_stands_to_the_left(uses):
    graph = uses_graph({str(k): [str(v) for v in values] for k, values in uses.items()})
    x = {node.id: node.x for node in graph.nodes}
    for edge in graph.edges:
        assert x[edge.source] < x[edge.target]


def test_a_long_edge_makes_room_for_itself():
    graph = uses_graph({"A": (), "B": ("A",), "C": ("A", "B")})
    assert graph.height > uses_graph({"A": (), "B": ("A",), "C": ("B",)}).height
