"""The graph of which claim uses which, laid out in columns: what is used stands to the left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean
from typing import TypeAlias

NODE_WIDTH = 64
NODE_HEIGHT = 28
_COLUMN = 136
_ROW = 44
_MARGIN = 8
_SWEEPS = 4

_Slot: TypeAlias = tuple[str, ...]
"""A place in a column: ``(claim,)``, or ``(source, target, column)`` for an edge in passing."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """A claim; `x`, `y` is the upper left corner of its box."""

    id: str
    x: int
    y: int


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A curve from a claim to one that uses it, as the data of an SVG path."""

    source: str
    target: str
    path: str


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A drawing of the graph, in pixels; empty where no claim uses another."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    width: int
    height: int


def uses_graph(uses: Mapping[str, Sequence[str]]) -> Graph:
    """Lay out the claims that use others or are used.

    Parameters
    ----------
    uses : mapping
        For each claim the claims that its proof uses; names outside the mapping are left out,
        and so are references of a claim to itself.
    """
    parents = {
        name: [other for other in dict.fromkeys(used) if other in uses and other != name]
        for name, used in uses.items()
    }
    linked = {name for name, used in parents.items() if used}
    linked |= {other for used in parents.values() for other in used}
    parents = {name: used for name, used in parents.items() if name in linked}
    columns, chains = _columns(parents)
    tallest = max(map(len, columns), default=0)
    place = {
        slot: (
            _MARGIN + depth * _COLUMN,
            _MARGIN + (tallest - len(column)) * _ROW // 2 + row * _ROW,
        )
        for depth, column in enumerate(columns)
        for row, slot in enumerate(column)
    }
    return Graph(
        nodes=tuple(Node(id=name, x=place[name,][0], y=place[name,][1]) for name in parents),
        edges=tuple(
            Edge(source=chain[0][0], target=chain[-1][0], path=_path([place[s] for s in chain]))
            for chain in chains
        ),
        width=2 * _MARGIN + max(len(columns) - 1, 0) * _COLUMN + NODE_WIDTH,
        height=2 * _MARGIN + max(tallest - 1, 0) * _ROW + NODE_HEIGHT,
    )


def _columns(parents: Mapping[str, Sequence[str]]) -> tuple[list[list[_Slot]], list[list[_Slot]]]:
    """Return the slots of each column from top to bottom, and the slots that each edge visits.

    An edge over more than one column holds a slot of its own in those between, so that it does
    not run through a claim that it has nothing to do with.
    """
    depth = _depths(parents)
    columns: list[list[_Slot]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name, level in depth.items():
        columns[level].append((name,))
    chains: list[list[_Slot]] = []
    for name, used in parents.items():
        for other in used:
            between = range(depth[other] + 1, depth[name])
            passed: list[_Slot] = [(other, name, str(level)) for level in between]
            for level, slot in zip(between, passed, strict=True):
                columns[level].append(slot)
            chains.append([(other,), *passed, (name,)])
    near: dict[_Slot, list[_Slot]] = {slot: [] for column in columns for slot in column}
    for chain in chains:
        for slot, following in pairwise(chain):
            near[slot].append(following)
            near[following].append(slot)
    for _ in range(_SWEEPS):
        for column in columns:
            _untangle(column, columns, near)
    return columns, chains


def _depths(parents: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return the length of the longest chain of uses below each claim, without gaps."""
    depth = dict.fromkeys(parents, 0)
    # By relaxation; in a cycle, which no honest report has, it stops all the same.
    for _ in parents:
        depth = {
            name: min(max((depth[other] + 1 for other in used), default=0), len(parents) - 1)
            for name, used in parents.items()
        }
    levels = sorted(set(depth.values()))
    return {name: levels.index(level) for name, level in depth.items()}


def _untangle(
    column: list[_Slot], columns: Sequence[Sequence[_Slot]], near: Mapping[_Slot, Sequence[_Slot]]
) -> None:
    """Order a column by the mean height of each slot's neighbours."""
    height = {slot: row - len(other) / 2 for other in columns for row, slot in enumerate(other)}

    def wanted(slot: _Slot) -> float:
        return fmean([height[other] for other in near[slot]] or [height[slot]])

    column.sort(key=wanted)


def _path(corners: Sequence[tuple[int, int]]) -> str:
    """Return a smooth curve from the right of the first box to the left of the last."""
    middles = [(x, y + NODE_HEIGHT // 2) for x, y in corners]
    x, y = middles[0][0] + NODE_WIDTH, middles[0][1]
    path = f"M{x} {y}"
    for number, (end_x, end_y) in enumerate(middles[1:], start=2):
        bend = max((end_x - x) // 2, NODE_HEIGHT)
        path += f"C{x + bend} {y} {end_x - bend} {end_y} {end_x} {end_y}"
        x, y = end_x, end_y
        if number < len(middles):
            x += NODE_WIDTH
            path += f"H{x}"
    return path
