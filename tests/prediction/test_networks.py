"""Finite networks against the limit: errors, bands, what may be said of networks not drawn."""

from __future__ import annotations

import dataclasses
import itertools
from concurrent.futures import BrokenExecutor, Executor, Future
from concurrent.futures import ThreadPoolExecutor as Threads
from fractions import Fraction
from math import inf, nextafter

import numpy as np
import pytest
from predicted import changed, coarse_instance, predicted
from toy_claims import Inline

from verification import gallery
from verification.errors import InvalidInstance
from verification.prediction import networks as module
from verification.prediction.networks import LEVEL, train_networks
from verification.prediction.replicas import LADDER, Plan, make_plan, steps_at
from verification.recurrent.network import (
    Trainer,
    draw_path,
    draw_units,
    replica_generators,
    train_replica,
)
from verification.statistics.tolerance import content_lower

F = Fraction


def trained(instance, widths=(16, 64), replicas=3, seed=0, **options):
    plan = Plan(widths=tuple(widths), replicas=replicas, seed=seed)
    return train_networks(
        predicted(instance), plan, **({"make_executor": Inline, "jobs": 1} | options)
    )


def followed(prediction, width, seed, replica):
    """Train a network step by step; return outputs at the times, and every squared error."""
    instance = prediction.instance
    for_units, for_path = replica_generators(seed, replica, width)
    trainer = Trainer(instance, draw_units(instance.law, width, for_units))
    path = draw_path(instance.chain, int(width * prediction.times[-1]), for_path)
    x = np.array([[float(entry) for entry in point.input] for point in prediction.points])
    v = np.array([float(point.memory) for point in prediction.points])
    outputs, squares = [trainer.output(x, v)], [0.0]
    for state in path:
        trainer.run(np.array([state]))
        outputs.append(trainer.output(x, v))
        squares.append(trainer.squared_error)
    steps = [int(width * time) for time in prediction.times]
    return [outputs[k] for k in steps], squares, steps


# What is seen


def test_an_error_is_the_largest_distance_from_the_limit(rain, plan, networks):
    """In rationals: never below it, and above by two roundings and the widening of the ends."""
    for ensemble in networks.ensembles:
        for replica, error in enumerate(ensemble.errors):
            outputs, _, _ = followed(rain, ensemble.width, plan.seed, replica)
            exact = max(
                abs(F(float(value)) - F(end))
                for row, bounds in zip(outputs, rain.limit.outputs, strict=True)
                for value, enclosure in zip(row, bounds, strict=True)
                for end in (enclosure.lower, enclosure.upper)
            )
            assert exact <= F(error) <= exact + F(1, 2**49)


def test_bands_hold_all_the_networks_and_no_more(rain, plan, networks):
    for ensemble in networks.ensembles:
        seen = np.array(
            [followed(rain, ensemble.width, plan.seed, r)[0] for r in range(plan.replicas)]
        )
        for k, row in enumerate(ensemble.outputs):
            for column, band in enumerate(row):
                values = seen[:, k, column]
                assert (band.least, band.greatest) == (values.min(), values.max())
                assert band.mean == pytest.approx(values.mean(), rel=1e-13)


def test_a_loss_is_the_mean_squared_error_of_the_steps_between(rain, plan, networks):
    ensemble = networks.ensembles[1]
    assert len(ensemble.losses) == len(rain.times) - 1
    runs = [followed(rain, ensemble.width, plan.seed, r) for r in range(plan.replicas)]
    for k, band in enumerate(ensemble.losses):
        before, after = ensemble.steps[k : k + 2]
        means = [
            sum(squares[j + 1] - squares[j] for j in range(before, after)) / (after - before)
            for _, squares, _ in runs
        ]
        # Differences of sums below 2^9 of numbers that are each rounded once.
        found = (band.least, band.mean, band.greatest)
        assert found == pytest.approx((min(means), np.mean(means), max(means)), abs=1e-11)


def test_steps_are_those_that_a_network_has_taken_by_then(rain, networks):
    for ensemble in networks.ensembles:
        for time, steps in zip(rain.times, ensemble.steps, strict=True):
            assert steps <= ensemble.width * time < steps + 1


def test_times_between_which_no_step_lies_have_no_loss():
    (ensemble,) = trained(changed(training={"horizon": "1"}), [4]).ensembles
    assert set(ensemble.steps) == {0, 1, 2, 3, 4}
    assert [k for k, band in enumerate(ensemble.losses, 1) if band is not None] == [8, 16, 24, 32]
    (ensemble,) = trained(changed(training={"horizon": "1e-40"}), [4]).ensembles
    assert set(ensemble.steps) == {0}
    assert set(ensemble.losses) == {None}


def test_the_limit_lies_inside_where_both_ends_of_its_enclosure_do():
    lower, upper = np.array([[0.0, 0.2]]), np.array([[0.1, 0.3]])
    for values, share in (
        ([[[-1.0, 0.25]], [[1.0, 1.0]]], 0.5),
        ([[[0.0, 0.2]], [[0.1, 0.3]]], 1.0),
        ([[[-1.0, 0.1]], [[0.05, 0.2]]], 0.0),
        ([[[np.nan, 0.1]], [[1.0, 0.4]]], 0.5),
    ):
        seen = np.array(values)
        assert module._inside(seen, lower, upper) == share


def test_the_widest_networks_are_nearest_to_the_limit(rain):
    """A factor of 256 in N, of 4 in the error: more than 8 standard deviations of the means."""
    narrow, wide = trained(rain.instance, [16, 4096], replicas=16).ensembles
    assert wide.mean_error < narrow.mean_error / 2
    assert wide.inside > 0.9


# What is said of the others


def test_the_share_is_that_of_the_largest_of_so_many(networks, plan):
    for ensemble in networks.ensembles:
        assert ensemble.content == content_lower(plan.replicas, LEVEL / 3)
        assert ensemble.largest_error == max(ensemble.errors)
        assert ensemble.mean_error == pytest.approx(sum(ensemble.errors) / 12, rel=1e-14)


def test_the_share_holds_in_repeated_runs(rain):
    """Of 20 ensembles no more than chance allows may be worse than they said."""
    width, replicas, runs = 8, 6, 20
    plans = [Plan(widths=(width,), replicas=replicas, seed=seed) for seed in range(runs)]
    errors = [
        train_networks(rain, plan, make_executor=Inline, jobs=1).ensembles[0] for plan in plans
    ]
    everyone = np.concatenate([ensemble.errors for ensemble in errors])
    share = float(errors[0].content)
    failed = sum((everyone <= ensemble.largest_error).mean() < share for ensemble in errors)
    # Binomial with probability 1/20 each: 8 or more of 20 happen less than once in 10^5 runs.
    assert failed < 8


def test_the_rate_is_the_theorys():
    for beta, rate in (("0.6", F(1, 10)), ("0.75", F(1, 4)), ("0.9", F(1, 5))):
        instance = changed(training={"beta": beta, "gamma": "0.05"})
        assert trained(instance, [4], replicas=1).rate == rate
    # Where C has a third moment, laziness is of first order.
    skewed = changed(
        training={"beta": "0.9", "gamma": "0.05"},
        law={
            "kind": "atoms",
            "atoms": [
                {"p": "2/3", "C": "-1", "W": ["0.5"], "B": "0.5"},
                {"p": "1/3", "C": "2", "W": ["0.5"], "B": "0.5"},
            ],
        },
    )
    assert trained(skewed, [4], replicas=1).rate == F(1, 10)


# Whoever does it


@pytest.mark.parametrize(
    "options",
    [
        {"make_executor": lambda: Threads(3), "jobs": 3},
        {"make_executor": None, "jobs": 2},
        {"make_executor": None, "jobs": 1},
    ],
    ids=["threads", "two processes", "one process"],
)
def test_the_executor_changes_nothing(rain, plan, networks, options):
    assert train_networks(rain, plan, **options) == networks


def test_a_replica_is_that_of_its_numbers(rain, networks):
    again = train_networks(
        rain, Plan(widths=(64,), replicas=2, seed=11), make_executor=Inline, jobs=1
    )
    assert again.ensembles[0].errors == networks.ensembles[1].errors[:2]
    other = train_networks(
        rain, Plan(widths=(64,), replicas=2, seed=12), make_executor=Inline, jobs=1
    )
    assert other.ensembles[0].errors != again.ensembles[0].errors


def test_each_network_is_told():
    told = []
    trained(changed(), [4, 8], replicas=2, on_replica=told.append)
    assert told == [4, 4, 8, 8]


def test_an_interrupt_keeps_what_is_trained(networks, rain, plan):
    told = []

    def interrupt(width):
        told.append(width)
        if len(told) == plan.replicas + 2:
            raise KeyboardInterrupt

    found = train_networks(rain, plan, make_executor=Inline, jobs=1, on_replica=interrupt)
    assert found.interrupted
    first, second = found.ensembles
    assert first == networks.ensembles[0]
    assert second.errors == networks.ensembles[1].errors[:2]
    # Three widths were planned: which of them are left must not matter.
    assert second.content == content_lower(2, LEVEL / 3)


class Lost(Executor):
    """One that loses whatever it takes."""

    def submit(self, _fn, /, *_args, **_kwargs):
        future = Future()
        future.set_exception(BrokenExecutor("lost"))
        return future


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"make_executor": Lost}, "--widths: 16 cannot be trained: its worker process died"),
        ({"widths": (64, 16)}, "--widths: is 64,16, expected distinct increasing"),
        ({"widths": (2**25,)}, f"--widths: has {2**25}, expected 1 to {2**24}"),
        ({"replicas": 0}, "--replicas: is 0, expected 1 to"),
        ({"seed": -1}, "--widths: 16 cannot be trained: internal error: InvalidInstance: seed"),
    ],
)
def test_what_cannot_be_trained_is_told(options, said):
    with pytest.raises(InvalidInstance, match=said):
        trained(changed(), **options)


# Which are trained


def test_the_usual_widths_are_those_that_take_a_step_and_little_time():
    def usual(**training):
        plan = make_plan(changed(training=training), widths=None, replicas=32, seed=0)
        return plan.widths, plan.left_out

    assert usual(horizon="1") == (LADDER, ())
    # 32 networks of N units take 32 N (N T) updates; 2^32 are allowed.
    assert usual(horizon="50") == ((256, 1024), (4096,))
    assert usual(horizon="1e8") == ((), LADDER)
    assert usual(horizon="1/1000") == ((1024, 4096), (256,))
    assert usual(horizon="1/10000") == ((), LADDER)


@pytest.mark.parametrize(
    ("horizon", "said"),
    [
        ("50", "Width 4096 is left out, for it would take long: --widths 4096 trains it"),
        ("1/1000", "Width 256 is left out, for it takes no step before the horizon"),
    ],
)
def test_widths_that_are_left_out_are_told(horizon, said):
    instance = changed(training={"horizon": horizon})
    plan = make_plan(instance, widths=None, replicas=32, seed=0)
    # Trained are few and small ones: the note is what is looked at.
    plan = dataclasses.replace(plan, widths=(2,), replicas=1)
    found = train_networks(predicted(instance), plan, make_executor=Inline, jobs=1)
    assert said in found.notes[0]


def test_widths_are_put_in_order_and_checked():
    instance = changed(training={"horizon": "1000000"})
    plan = make_plan(instance, widths=(64, 8), replicas=2, seed=3)
    assert plan == Plan(widths=(8, 64), replicas=2, seed=3)
    with pytest.raises(InvalidInstance, match="--widths: has 4096, expected at most 2147 or none"):
        make_plan(instance, widths=(4096,), replicas=2, seed=0)
    assert make_plan(changed(training=None), widths=(8,), replicas=2, seed=0).widths == ()


def test_steps_are_counted_exactly():
    times = [F(k, 96) for k in range(33)]
    assert steps_at(times, 96) == tuple(range(33))
    assert steps_at([F(1, 3)], 2) == (0,)


# A ladder that tells little


def notes_of(instance, width=16):
    return trained(instance, [width], replicas=2).notes


def test_a_ladder_that_can_tell_of_the_rate_has_no_note():
    assert notes_of(changed(), 256) == ()


def test_a_step_that_overshoots_is_told():
    """alpha (s0^2 + chat^2 s1^2 R^2), by hand: logistic, s0 = 1, s1 = 1/4, R = cbar = 1."""
    instance = changed(training={"alpha": "30", "horizon": "0.125"})
    width, alpha = 16, 30
    (step, drift) = notes_of(instance, width)
    totals = [
        train_replica(instance, width=width, seed=0, replica=r, checkpoints=[2]).absolute_errors[-1]
        for r in range(2)
    ]
    moved = alpha * width ** (0.75 - 2) * max(totals)
    needed = alpha * (1 + (1 + moved) ** 2 / 16)
    assert f"N = 16 is below alpha (s0^2 + chat^2 s1^2 R^2) = {needed:.3g}:" in step
    assert f"D_C = {moved:.3g}, more than |C| was at first, 1:" in drift


def ladder_notes(alpha, total_error):
    """Return the notes on 16 units of the rain: logistic, s0 = 1, s1 = 1/4, R = cbar = 1."""
    instance = changed(training={"alpha": str(alpha), "horizon": "1"})
    trajectory = train_replica(instance, width=16, seed=0, replica=0, checkpoints=[16])
    moved = dataclasses.replace(trajectory, absolute_errors=np.array([total_error]))
    return module._ladder(instance, instance.training, 16, [moved])


def test_the_limits_of_a_ladder_are_sharp():
    # D_C = alpha N^(beta-2) sum|e| against 1.
    assert ladder_notes(4, 0.999 * 16**1.25 / 4) == ()
    (note,) = ladder_notes(4, 1.001 * 16**1.25 / 4)
    assert "training moves C by up to D_C = 1," in note
    # N against alpha (1 + 1/16), nothing having moved.
    assert ladder_notes(15, 0.0) == ()
    (note,) = ladder_notes(15.1, 0.0)
    assert "N = 16 is below alpha (s0^2 + chat^2 s1^2 R^2) = 16:" in note


def test_an_output_that_is_not_centred_is_told():
    """Of the first law C itself is not, of the second only where W is 1; the third is, B or not."""

    def law(*atoms):
        return {
            "kind": "atoms",
            "atoms": [{"p": "1/4", "C": c, "W": [w], "B": b} for c, w, b in atoms],
        }

    uncentred = law(("1", "0", "0"), ("0", "0", "0"), ("1", "1", "0"), ("0", "1", "0"))
    skew = law(("1", "1", "0"), ("1", "1", "0"), ("-1", "0", "0"), ("-1", "0", "0"))
    centred = law(("1", "1", "0.1"), ("-1", "1", "0.2"), ("1", "0", "0.1"), ("-1", "0", "0"))
    product = {
        "C": {"kind": "uniform", "low": "-1", "high": "2"},
        "W": {"kind": "normal", "mean": ["0"], "std": "1"},
        "B": {"kind": "constant", "value": "0.1"},
    }
    for name, one, told in (
        ("uncentred", uncentred, True),
        ("skew", skew, True),
        ("centred", centred, False),
        ("product", product, True),
    ):
        notes = trained(changed(name, law=one), [256], replicas=1).notes
        assert any("E[C | W] is not 0" in note for note in notes) is told


# Unusual instances


def test_an_output_that_is_no_number_is_infinitely_far():
    zero, one = np.zeros((1, 1)), np.ones((1, 1))
    for value in (np.nan, np.inf, -np.inf):
        assert module._distance(np.array([[0.0, value]]), np.zeros((1, 2)), np.ones((1, 2))) == inf
    assert module._distance(zero, one, one) == nextafter(1.0, inf)
    assert module._distance(-one, zero, one) == nextafter(2.0, inf)


@pytest.mark.parametrize(("alpha", "least"), [("1e30", 1e20), ("1e160", inf)])
def test_too_large_a_rate_is_no_fault(alpha, least):
    """alpha N^(beta-2), and so the outputs, are of the order of 10^29; or W overflows."""
    instance = changed(training={"alpha": alpha, "horizon": "1"})
    # The limit at such a time is not known; any other will do.
    prediction = dataclasses.replace(
        predicted(changed()), instance=instance, training=instance.training
    )
    plan = Plan(widths=(8, 16), replicas=2)
    found = train_networks(prediction, plan, make_executor=Inline, jobs=1)
    assert min(found.ensembles[0].errors) >= least
    assert len(found.notes) == 2


def test_targets_that_are_zero_leave_what_the_draw_was():
    found = trained(changed(chain={"targets": ["0", "0"]}))
    assert all(0 < error < 1 for ensemble in found.ensembles for error in ensemble.errors)


def test_a_limit_that_is_known_coarsely_counts_against_the_networks():
    instance = coarse_instance()
    (ensemble,) = trained(instance, [64], replicas=2).ensembles
    widest = max(
        float(bounds.upper - bounds.lower)
        for row in predicted(instance).limit.outputs
        for bounds in row
    )
    assert all(error >= widest / 2 for error in ensemble.errors)


@pytest.mark.parametrize("name", ["one-state", "two-dimensional", "dependent-b-on-w", "absorbing"])
def test_any_instance_will_do(name):
    found = trained(gallery.load(name), [16, 32], replicas=2)
    assert [ensemble.width for ensemble in found.ensembles] == [16, 32]
    assert all(np.isfinite(ensemble.errors).all() for ensemble in found.ensembles)
    assert len(list(itertools.chain(*found.ensembles[0].outputs))) == 33 * len(
        predicted(gallery.load(name)).points
    )
