"""A made-up run in which every verdict, and every kind of trouble, occurs."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from verification.claim import Assumption, Claim, Constant, Mutant, Vacuity
from verification.decision import Result
from verification.report.document import MutantResult, Run
from verification.verdict import Enclosure, Evidence, EvidenceKind, Truth, Verdict

NAMES = """
    markov-onegin rain-tel-aviv sharp-slope sharp-arctan sharp-sine sharp-erf
    fair-coin lazy-walk-on-a-cycle periodic-clock reducible-two-rooms
    nearly-decomposable-1e-12 hidden-state-two-targets de-bruijn-order-3-noisy
    one-state absorbing-gambler delta-one-in-one-step saturated-units-one-percent
    near-critical-memory two-thousand-states-sparse mixture-of-five-activations
    symmetric-odd-vacuous empirical-law-of-a-drawn-network ehrenfest-urn
    words-of-a-very-long-name-indeed-and-more
"""

CREATED = "2025-11-20T11:03:00+00:00"


@dataclass(frozen=True, kw_only=True)
class Toy:
    """An instance with nothing in it."""

    name: str
    origin: str | None = None
    schema: str = "toy/1"

    def to_json(self):
        return {"schema": self.schema, "name": self.name}


def toy_claim(name, **changes):
    """Return a claim that no one decides: its functions are never called by a report."""
    fields = {
        "id": name,
        "theorem": "memory_contraction",
        "title": "The memory map contracts",
        "statement": "For every state i, |Φ(xᵢ, v) − Φ(xᵢ, w)| ≤ q |v − w| for all v, w.",
        "formula": r"\sup_{v} \bigl| \mathbb{E}[B \sigma'(W \cdot x_i + v)] \bigr| \le q < 1",
        "kind": "toy/1",
        "cases": lambda instance, rng: (),
        "left": lambda instance, case: Fraction(0),
        "right": lambda instance, case: Fraction(1),
        "proof": "The mean value theorem.\n\nThen the triangle inequality.",
        "establishes": "CERTIFIED: the inequality here. REFUTED: a counterexample.",
        "source": "this project",
        "sharp": ("coin",),
        "assumptions": (
            Assumption(text="q < 1", holds=lambda i: Truth.TRUE, offending=lambda i: "q = 2"),
        ),
        "constants": (
            Constant(
                symbol="q",
                meaning="contraction factor",
                formula=r"s_1 \mathbb{E}|B|",
                value=lambda i: Fraction(1, 2),
            ),
        ),
        "vacuities": (Vacuity(reason="B is zero", holds=lambda i: False),),
        "mutants": (Mutant(name="half", error="q replaced by q/2", refuted_on=("coin",)),),
    }
    return Claim(**(fields | changes))


def toy_result(claim, instance, verdict=Verdict.CERTIFIED, **changes):
    fields = {
        "claim": claim,
        "instance": instance,
        "verdict": verdict,
        "reason": "holds in 3 cases; tightest: state 1",
        "left": Enclosure(Decimal("0.4999999999"), Decimal("0.5000000001")),
        "right": Enclosure(Decimal("0.625"), Decimal("0.625")),
        "case": "state 1",
        "tightness": 0.79,
        "evidence": Evidence(kind=EvidenceKind.BALLS, precision_bits=64),
        "cases": {"CERTIFIED": 3},
        "constants": {"q": Enclosure(Decimal("0.625"), Decimal("0.625"))},
        "seconds": 0.25,
    }
    return Result(**(fields | changes))


def toy_run(**changes):
    """Return a small run: two claims, three instances, a refuted mutant, nothing refuted."""
    toys = (Toy(name="coin", origin="two sides"), Toy(name="die"), Toy(name="clock"))
    claims = (toy_claim("M1"), toy_claim("E1", theorem="geometric_ergodicity", uses=("M1",)))
    fields = {
        "created": CREATED,
        "environment": {
            "seed": 7,
            "versions": {"python": "3.11.2", "python-flint": "0.9.0"},
            "trusted": ["The compiler."],
            "self_test": [
                {"name": "balls", "passed": True, "fatal": True, "detail": "10,000 products"},
                {"name": "series", "passed": False, "fatal": False, "detail": "known fault"},
            ],
        },
        "claims": claims,
        "instances": toys,
        "results": tuple(toy_result(claim.id, toy.name) for claim in claims for toy in toys),
        "mutants": tuple(
            MutantResult(
                claim=claim.id,
                mutant="half",
                error="q replaced by q/2",
                result=toy_result(claim.id, "coin", Verdict.REFUTED, tightness=1.58),
            )
            for claim in claims
        ),
    }
    return Run(**(fields | changes))


def troubled_run():
    """Return a run with every verdict, an unrefuted and an untried mutant, and missing results."""
    run = toy_run(interrupted="Ctrl-C")
    verdicts = iter(Verdict)
    results = [
        replace(result, verdict=verdict)
        for result, verdict in zip(run.results, verdicts, strict=True)
    ]
    results[1] = replace(
        results[1],
        evidence=Evidence(kind=EvidenceKind.SIMULATION, samples=10_000, confidence="1e-6"),
    )
    bare = {"left": None, "right": None, "tightness": None, "case": None, "evidence": None}
    results[5] = replace(results[5], **bare, cases={}, constants={})
    survivor, *_ = run.mutants
    return replace(
        run,
        instances=(*run.instances, Toy(name="never reached")),
        results=tuple(results),
        mutants=(replace(survivor, result=toy_result("M1", "coin", Verdict.CERTIFIED)),),
    )


HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "]]>&amp;{{ 7*7 }}",
    "\u202egnp.exe\u202c",
    "../../etc/passwd",
    "a\x00b\x1bc\ud800",
    "שלום עולם",
    "| pipe | `tick` *star* [link](http://evil.example) @everyone #1",
    "x" * 5_000,
    "Same name",
    "same name",
    "same-name",
    "   ",
)


def hostile_run():
    """Return a run in which every text is hostile."""
    toys = tuple(Toy(name=name, origin=name, schema="toy/1") for name in HOSTILE)
    claims = tuple(
        toy_claim(
            name,
            title=name,
            theorem=name,
            statement=name,
            proof=name,
            establishes=name,
            source=name,
            formula=name,
            sharp=(name,),
            uses=HOSTILE,
            constants=(
                # A blank symbol is refused.
                Constant(
                    symbol=name if name.strip() else f"{name}.",
                    meaning=name,
                    formula=name,
                    value=lambda i: Fraction(1),
                ),
            ),
            mutants=(Mutant(name=name, error=name, refuted_on=(name,)),),
        )
        for name in HOSTILE
    )
    results = tuple(
        toy_result(
            claim.id,
            toy.name,
            Verdict.REFUTED,
            reason=toy.name,
            case=toy.name,
            constants={claim.id: Enclosure(Decimal(1), Decimal(2))},
        )
        for claim in claims
        for toy in toys
    )
    mutants = tuple(
        MutantResult(
            claim=name, mutant=name, error=name, result=toy_result(name, name, reason=name)
        )
        for name in HOSTILE
    )
    return Run(
        created=CREATED,
        environment={name: [name, {name: name}] for name in HOSTILE}
        | {
            "trusted": list(HOSTILE),
            "self_test": [
                {"name": name, "passed": False, "fatal": False, "detail": name} for name in HOSTILE
            ],
        },
        claims=claims,
        instances=toys,
        results=results,
        mutants=mutants,
        interrupted=HOSTILE[0],
    )


def empty_run():
    return Run(created=CREATED, environment={}, claims=(), instances=(), results=())


def large_run():
    """Return a run of the size of a real one: 7 claims, 24 instances."""
    rng = random.Random(1)
    names = NAMES.split()
    toys = tuple(
        Toy(name=name, schema="instance/1", origin=f"A. A. Markov (1913), as told of {name}")
        for name in names
    )
    theorems = {
        "activation_bounds": ("A1", "A2"),
        "memory_contraction": ("M1", "M2", "M3", "M4", "M5"),
    }
    uses = {"M1": ("A1",), "M2": ("A1",), "M3": ("A1", "M2"), "M4": ("M1",), "M5": ("M1", "M4")}
    titles = {
        "A1": "Suprema of the activation and its derivatives",
        "A2": "Bounds of the activation on a strip of the complex plane",
        "M1": "The memory map contracts",
        "M2": "The layer map contracts in L²(λ)",
        "M3": "The layer map contracts in the Sobolev space H¹(λ)",
        "M4": "Periodic input has one fixed point",
        "M5": "The random fixed point exists and is unique",
    }
    formulas = {
        "A1": r"\sup_{t \in \mathbb{R}} |\sigma^{(k)}(t)| \le s_k, \qquad k = 0, 1, 2",
        "M3": r"\|T_x h - T_x h'\|_{H^1(\lambda)} \le \sup_{u} \bigl(\sigma'(u)^2 + R^2 "
        r"\sigma''(u)^2\bigr)^{1/2} \bigl(\mathbb{E}[\mathbb{E}[B \mid W]^2]\bigr)^{1/2} "
        r"\|h - h'\|_{H^1(\lambda)}",
        "M4": r"|v^* - c| \le \frac{|F(c) - c|}{1 - q^p}, \qquad F = \Phi_{i_p} \circ \dots \circ "
        r"\Phi_{i_1}",
    }
    claims = []
    results = []
    mutants = []
    for theorem, ids in theorems.items():
        for name in ids:
            claim = toy_claim(
                name,
                theorem=theorem,
                title=titles[name],
                kind="instance/1",
                uses=uses.get(name, ()),
                formula=formulas.get(name, toy_claim("").formula),
                sharp=("sharp-slope", "sharp-arctan"),
                source="Lam, Sirignano and Spiliopoulos (arXiv 2308.14555), section 3",
                mutants=tuple(
                    Mutant(name=mutant, error=error, refuted_on=("sharp-slope", "fair-coin"))
                    for mutant, error in (
                        ("half-q", "q replaced by q/2"),
                        ("factor-dropped", "the factor 1/(1 − q^p) dropped"),
                    )
                ),
            )
            claims.append(claim)
            for toy in toys:
                left = Decimal(rng.randrange(10**29)).scaleb(-29)
                right = left / Decimal(repr(rng.uniform(0.3, 1)))
                verdict = rng.choices(list(Verdict), (80, 4, 0, 2, 8, 6))[0]
                bare = verdict is Verdict.INAPPLICABLE
                results.append(
                    toy_result(
                        name,
                        toy.name,
                        verdict,
                        left=None if bare else Enclosure(left, left + Decimal("1e-25")),
                        right=None if bare else Enclosure(right, right + Decimal("1e-22")),
                        tightness=None if bare else float(left / right) - 1e-9,
                        reason={
                            Verdict.VACUOUS: "the memory is identically zero: σ is odd, W is "
                            "symmetric and independent of B",
                            Verdict.INAPPLICABLE: "needs q < 1, but q = 1.2",
                            Verdict.UNDECIDED: "not decided in 1 of 12 cases: the enclosures "
                            "still overlap at 1024 bits",
                        }.get(verdict, "holds in 12 cases; tightest: state 3, v near 0.17"),
                        evidence=None
                        if bare
                        else Evidence(kind=EvidenceKind.BALLS, precision_bits=128),
                        constants={"q": Enclosure(right, right)},
                    )
                )
            mutants += [
                MutantResult(
                    claim=name,
                    mutant=mutant.name,
                    error=mutant.error,
                    result=toy_result(
                        name,
                        where,
                        Verdict.REFUTED if where == "sharp-slope" else Verdict.CERTIFIED,
                        tightness=1.0007 if where == "sharp-slope" else 0.62,
                    ),
                )
                for mutant in claim.mutants
                for where in mutant.refuted_on
            ]
    base = toy_run()
    environment = base.environment | {
        "git_revision": "b8f5793",
        "cpu": "x86_64, 16 cores",
        "trusted": [
            "Arb's ball arithmetic for scalars and matrices (python-flint 0.9.0).",
            "Python's integers, fractions and decimals.",
            "The rule that compares two enclosures, verification/verdict.py.",
        ],
    }
    return replace(
        base,
        environment=environment,
        claims=tuple(claims),
        instances=toys,
        results=tuple(results),
        mutants=tuple(mutants),
    )


def broad_run():
    """Return a run with as many claims as a sheet of paper is to hold, in a graph eight deep."""
    base = toy_run()
    claims = tuple(
        toy_claim(f"P{i}", theorem=f"theorem_{i // 5}", uses=(f"P{i - 6}",) if i >= 6 else ())
        for i in range(42)
    )
    results = tuple(toy_result(claim.id, toy.name) for claim in claims for toy in base.instances)
    return replace(base, claims=claims, results=results, mutants=())


RUNS = {
    "small": toy_run,
    "troubled": troubled_run,
    "hostile": hostile_run,
    "empty": empty_run,
    "large": large_run,
}
