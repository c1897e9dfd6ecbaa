"""Dependencies point one way, and only the rooms that may use a dangerous library do."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(
    path
    for folder in ("verification", "theorems", "tests", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)
PACKAGES = [
    path for path in FILES if path.relative_to(ROOT).parts[0] in {"verification", "theorems"}
]

# The rooms of the house, from the ground up: a room may use those of its own floor and of the
# floors below.  A new room is given its floor here.
FLOORS = (
    ("errors", "deadline", "verdict"),
    ("strict_json", "enclosure"),
    ("instance", "linear_functional", "subject", "claim", "figure", "statistics"),
    ("decision", "case", "drawing", "gallery", "oracle", "environment", "workers", "cluster"),
    ("markov", "recurrent", "kernel", "flow", "linear_rnn"),
    ("runner", "quantity", "sequence"),
    ("campaign", "report", "certificate", "prediction"),
    ("progress", "verifying", "pytest_plugin", "cli"),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
FLOOR_OF_SCIENCE = FLOOR["markov"]

# What these may use of our own, whatever the floor.
ALLOWED = {
    "verification.oracle": {"errors", "instance", "verdict"},
    "verification.campaign.strategies": {"instance", "markov"},
    "verification.certificate.check": {"certificate.check"},
}
FLINT_POLYNOMIAL = re.compile(
    r"(fmpz|fmpz_mod|fmpq|nmod|fq_default|arb|acb)_(poly|mpoly|series)(_ctx|_vec)?"
    r"|charpoly|minpoly"
)
SELF_TEST = ROOT / "verification" / "enclosure" / "selftest.py"


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> set[str]:
    """Return the full names that a module imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def libraries(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


def rooms_used(path: Path) -> set[str]:
    """Return the rooms of `verification` that a module imports."""
    return {name.split(".")[1] for name in imports(path) if name.startswith("verification.")}


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def ids(paths):
    return [str(path.relative_to(ROOT)) for path in paths]


IN_VERIFICATION = [path for path in PACKAGES if within(module_name(path), "verification")]
IN_THEOREMS = [path for path in PACKAGES if within(module_name(path), "theorems")]
IN_ROOMS = [path for path in IN_VERIFICATION if module_name(path) != "verification"]


def test_there_is_something_to_test():
    assert len(IN_ROOMS) > 10
    assert len(IN_THEOREMS) > 1


@pytest.mark.parametrize("path", IN_VERIFICATION, ids=ids(IN_VERIFICATION))
def test_the_engine_knows_no_theorem(path):
    assert not libraries(path) & {"theorems", "tests", "benchmarks"}


@pytest.mark.parametrize("path", IN_ROOMS, ids=ids(IN_ROOMS))
def test_a_room_uses_no_room_above_it(path):
    room = module_name(path).split(".")[1]
    assert room in FLOOR, f"{room} has no floor: give it one in FLOORS"
    above = {used for used in rooms_used(path) if FLOOR[used] > FLOOR[room]}
    assert above == set()


def test_no_two_rooms_use_each_other():
    uses: dict[str, set[str]] = {}
    for path in IN_ROOMS:
        room = module_name(path).split(".")[1]
        uses.setdefault(room, set()).update(rooms_used(path) - {room})
    waiting = dict(uses)
    while waiting:
        free = [room for room, used in waiting.items() if not used & waiting.keys()]
        assert free, f"these rooms use each other: {sorted(waiting)}"
        for room in free:
            del waiting[room]


@pytest.mark.parametrize("package", ALLOWED)
def test_the_independent_rooms_use_little(package):
    allowed = {f"verification.{name}" for name in ALLOWED[package]} | {package}
    for path in IN_ROOMS:
        if within(module_name(path), package):
            ours = {name for name in imports(path) if within(name, "verification")}
            outside = {name for name in ours if not any(within(name, place) for place in allowed)}
            assert outside == set(), path


@pytest.mark.parametrize("path", PACKAGES, ids=ids(PACKAGES))
def test_only_the_enclosures_use_flint_and_only_the_oracle_mpmath(path):
    homes = {
        "flint": ("verification.enclosure", "verification.certificate.check"),
        "mpmath": ("verification.oracle",),
        "pytest": ("verification.pytest_plugin", "theorems.pytest_plugin"),
    }
    name = module_name(path)
    for library in libraries(path) & homes.keys():
        assert any(within(name, home) for home in homes[library]), library


@pytest.mark.parametrize("path", IN_THEOREMS, ids=ids(IN_THEOREMS))
def test_a_theorem_uses_the_mathematics_only(path):
    name = module_name(path)
    if name == "theorems.__main__":
        assert rooms_used(path) <= {"cli"}
    elif name == "theorems.pytest_plugin":
        assert rooms_used(path) <= {"pytest_plugin"}
    else:
        above = {used for used in rooms_used(path) if FLOOR[used] > FLOOR_OF_SCIENCE}
        assert above | (rooms_used(path) & {"oracle"}) == set()


def test_theorems_use_only_what_earlier_theorems_show():
    uses = {}
    for path in IN_THEOREMS:
        name = module_name(path)
        if name not in {"theorems", "theorems.__main__", "theorems.pytest_plugin"}:
            others = {used for used in imports(path) if within(used, "theorems")}
            hidden = {used for used in others if "._" in used}
            assert hidden == set(), name
            uses[name] = {".".join(used.split(".")[:2]) for used in others}
    waiting = dict(uses)
    while waiting:
        free = [name for name, used in waiting.items() if not used & waiting.keys()]
        assert free, f"these theorems use each other: {sorted(waiting)}"
        for name in free:
            del waiting[name]


@pytest.mark.parametrize("path", FILES, ids=ids(FILES))
def test_nothing_uses_the_polynomials_or_series_of_flint(path):
    """They multiply wrongly at some sizes; the self-test alone may show it."""
    if path != SELF_TEST:
        found = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = {
                getattr(node, field)
                for field in ("id", "attr", "name")
                if isinstance(getattr(node, field, None), str)
            }
            found |= {name for name in names if FLINT_POLYNOMIAL.fullmatch(name)}
        assert found == set()


@pytest.mark.parametrize("path", PACKAGES, ids=ids(PACKAGES))
def test_no_verdict_hangs_on_an_assert(path):
    """`python -O` removes them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)] == []


@pytest.mark.parametrize(
    ("text", "used"),
    [
        ("arb_poly", True),
        ("fmpz_poly", True),
        ("acb_series", True),
        ("fmpz_mod_poly_ctx", True),
        ("charpoly", True),
        ("mehler_series", False),
        ("arb_mat", False),
        ("polylog", False),
    ],
)
def test_the_names_of_polynomials_are_known(text, used):
    assert bool(FLINT_POLYNOMIAL.fullmatch(text)) is used
