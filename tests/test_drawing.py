"""Figures are computed where they are asked for; one that fails costs nothing but itself."""

import time
from dataclasses import replace

import pytest
import toy_claims as toys

from theorems import CLAIMS
from theorems.memory_contraction import M5
from verification import gallery
from verification.claim import Drawing
from verification.deadline import BUDGET_SPENT, heed_deadline
from verification.decision import decide
from verification.drawing import draw_figures
from verification.enclosure.balls import PRECISIONS, working_precision
from verification.errors import NotEnclosed
from verification.figure import Axis, Figure, Guarantee, Series, joined
from verification.runner import Task, decide_all, process_pool, run_task
from verification.verdict import Verdict

DRAWINGS = [(claim, drawing) for claim in CLAIMS for drawing in claim.figures]


def drawn_on(*drawings, instance="coin", **more):
    claim = toys.claim("T1", figures=drawings)
    return draw_figures(claim, toys.instance(instance), **more)


def bits_figure(_instance):
    points = [(1, working_precision())]
    return Figure(
        title="Bits",
        description="As many as there are.",
        x=Axis(label="x"),
        y=Axis(label="bits"),
        series=(Series.of("bits", points, guarantee=Guarantee.ENCLOSURE),),
    )


def needs_256_bits(instance):
    if working_precision() < 256:
        raise NotEnclosed("too few bits")
    return bits_figure(instance)


def never_enclosed(_instance):
    raise NotEnclosed("it cannot be known")


def faulty(_instance):
    raise LookupError("a fault")


def bits(drawn):
    return int(drawn.figure.series[0].points[0].y.lower)


def test_it_is_drawn_on_the_instances_that_it_names_or_suits():
    drawing = Drawing(name="bits", draw=bits_figure, on=("coin",))
    assert [item.drawing for item in drawn_on(drawing)] == ["bits"]
    assert drawn_on(drawing, instance="die") == ()
    suited = replace(drawing, suits=lambda instance: instance.name == "die")
    assert [len(drawn_on(suited, instance=name)) for name in ("coin", "die", "card")] == [1, 1, 0]


def test_the_first_precision_that_suffices_is_taken():
    drawn = drawn_on(
        Drawing(name="any", draw=bits_figure, on=("coin",)),
        Drawing(name="more", draw=needs_256_bits, on=("coin",)),
    )
    assert [bits(item) for item in drawn] == [PRECISIONS[0], 256]


@pytest.mark.parametrize(
    ("drawing", "more", "reason"),
    [
        (Drawing(name="a", draw=never_enclosed, on=("coin",)), {}, "it cannot be known"),
        (Drawing(name="a", draw=faulty, on=("coin",)), {}, "internal error: LookupError: a fault"),
        (
            Drawing(name="a", draw=bits_figure, suits=faulty),
            {},
            "internal error: LookupError: a fault",
        ),
        (
            Drawing(name="a", draw=bits_figure, on=("coin",)),
            {"applicable": False},
            "the claim does not apply",
        ),
        (
            Drawing(name="a", draw=bits_figure, on=("coin",)),
            {"deadline": time.monotonic() - 1},
            BUDGET_SPENT,
        ),
    ],
)
def test_a_figure_that_fails_says_why(drawing, more, reason):
    (drawn,) = drawn_on(drawing, **more)
    assert (drawn.figure, drawn.reason) == (None, reason)


def endless(_instance):
    while True:
        heed_deadline()


def test_a_figure_that_takes_too_long_is_given_up():
    drawing = Drawing(name="endless", draw=endless, on=("coin",))
    (drawn,) = drawn_on(drawing, deadline=time.monotonic() + 0.1)
    assert (drawn.figure, drawn.reason) == (None, BUDGET_SPENT)
    assert drawn.seconds < 10


def test_a_task_draws_where_it_is_asked_to_and_the_result_is_the_same():
    claim = toys.claim(
        "T1",
        figures=(
            Drawing(name="bits", draw=bits_figure, on=("coin",)),
            Drawing(name="faulty", draw=faulty, on=("coin",)),
        ),
    )
    task = Task(claim=claim, instance=toys.instance(), seed=0)
    plain, drawn = (run_task(replace(task, draw=draw), None) for draw in (False, True))
    assert plain.drawn == ()
    assert [item.figure is None for item in drawn.drawn] == [False, True]
    assert replace(drawn, drawn=(), seconds=0.0) == replace(plain, seconds=0.0)
    assert decide(claim, toys.instance()).drawn == ()


def test_a_claim_that_does_not_apply_is_not_drawn():
    claim = replace(toys.UNMET, figures=(Drawing(name="bits", draw=bits_figure, on=("coin",)),))
    result = run_task(Task(claim=claim, instance=toys.instance(), seed=0, draw=True), None)
    assert result.verdict is Verdict.INAPPLICABLE
    assert result.drawn[0].reason == "the claim does not apply"


def test_there_are_drawings_to_test():
    assert DRAWINGS


@pytest.mark.parametrize(("claim", "drawing"), DRAWINGS, ids=lambda item: getattr(item, "id", None))
def test_the_drawings_of_the_theorems_name_instances_of_their_kind(claim, drawing):
    names = [other.name for other in claim.figures]
    assert names.count(drawing.name) == 1
    assert drawing.on
    for name in drawing.on:
        assert gallery.load(name).schema == claim.kind


@pytest.mark.parametrize(("claim", "drawing"), DRAWINGS, ids=lambda item: getattr(item, "id", None))
def test_the_drawings_of_the_theorems_give_figures(claim, drawing):
    figures = []
    for name in drawing.on:
        (item,) = draw_figures(replace(claim, figures=(drawing,)), gallery.load(name))
        assert item.figure is not None, f"{name}: {item.reason}"
        figures.append(item.figure)
    assert not drawing.joined or joined(figures).series


def test_figures_come_from_workers():
    tasks = [
        Task(claim=M5, instance=gallery.load(name), seed=0, draw=True)
        for name in ("sharp-fixed-point", "fair-coin")
    ]
    (first, second), _ = decide_all(tasks, make_executor=process_pool(tasks, 1), jobs=1)
    assert [item.drawing for item in first.drawn] == ["forgetting"]
    assert first.drawn[0].figure == draw_figures(M5, tasks[0].instance)[0].figure
    assert second.drawn == ()
