"""Two reports held against each other: what got worse, and what merely changed.

A *regression* is

- a verdict that got worse, in the order CERTIFIED, SUPPORTED, then VACUOUS or INAPPLICABLE, then
  UNDECIDED, then REFUTED, on an instance that is the same;
- a number enclosed twice by intervals without a common point: one run is wrong, unless the number
  is defined in another way since, as the right side is where a bound was improved;
- a claim, a mutant or a result that is no longer there;
- a mutant that is no longer refuted;
- a claim that takes more than three times the share of the common work that it took.

Numbers are compared where they are the same numbers: the constants of a claim on an instance with
the same digest, and the sides of a case of the same name, drawn from the same seed and not
simulated; those that a claim takes from a search in double precision are not, as they differ
between processors.  Times are compared as shares of the run's own total, so that another machine is
no regression; a claim that takes less than a hundredth of it is not called slow.  Figures are not
compared: they show what the results say, and networks that were found by a search.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from verification.report.document import Document
from verification.report.text import brief, plural
from verification.verdict import Enclosure, EvidenceKind, Verdict

_RANKS = {
    Verdict.CERTIFIED: 0,
    Verdict.SUPPORTED: 1,
    Verdict.VACUOUS: 2,
    Verdict.INAPPLICABLE: 2,
    Verdict.UNDECIDED: 3,
    Verdict.REFUTED: 4,
}
_SLOWER = 3
_LEAST_SHARE = 0.01
_LOOSER = 0.01


@dataclass(frozen=True, kw_only=True)
class Change:
    """One difference between two reports.

    Parameters
    ----------
    claim : str
    instance : str or None
        None where it is about the claim as a whole.
    text : str
        What changed, in a sentence without its subject.
    regression : bool
    """

    claim: str
    instance: str | None
    text: str
    regression: bool

    @property
    def subject(self) -> str:
        """The claim, and the instance where there is one."""
        return self.claim if self.instance is None else f"{self.claim} on {self.instance}"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What came of holding a new report against an old one.

    Parameters
    ----------
    old, new : str
        The runs, by time and revision.
    changes : tuple of Change
        Regressions first.
    results, numbers : int
        How many results and how many enclosures were compared.
    """

    old: str
    new: str
    changes: tuple[Change, ...]
    results: int
    numbers: int

    @property
    def regressions(self) -> tuple[Change, ...]:
        """The changes that are regressions."""
        return tuple(change for change in self.changes if change.regression)

    @property
    def others(self) -> tuple[Change, ...]:
        """The changes that are none."""
        return tuple(change for change in self.changes if not change.regression)

    def to_json(self) -> Document:
        """Return it as a JSON document."""
        return {
            "schema": "comparison/1",
            "old": self.old,
            "new": self.new,
            "results": self.results,
            "numbers": self.numbers,
            "regressions": len(self.regressions),
            "changes": [
                {
                    "claim": change.claim,
                    "instance": change.instance,
                    "regression": change.regression,
                    "text": change.text,
                }
                for change in self.changes
            ],
        }

    def headline(self) -> str:
        """Return one sentence on what was compared and found."""
        compared = f"{plural(self.results, 'result')} and {plural(self.numbers, 'number')}"
        found = len(self.regressions)
        outcome = plural(found, "regression") if found else "no regression"
        return f"{self.old} to {self.new}: {compared} compared, {outcome}."


def compare_reports(
    old: Document,
    new: Document,
    *,
    claims: Collection[str] | None = None,
    instances: Collection[str] | None = None,
) -> Comparison:
    """Compare two reports as `read_report` or a run gives them.

    Parameters
    ----------
    old, new : dict
        "report/1".
    claims, instances : collection of str, optional
        What the new run was asked for: nothing else can be missing in it.
    """
    asked = _Asked(claims, instances)
    earlier = {key: result for key, result in _results(old).items() if asked.covers(*key)}
    later = _results(new)
    pairs = [(earlier[key], later[key]) for key in earlier if key in later]
    digests = [_digests(old), _digests(new)]
    searched = {claim["id"]: claim["searched"] for claim in new["claims"]}
    same_draws = old["environment"].get("seed") == new["environment"].get("seed")
    changes = [*_vanished(old, new, earlier, later, asked), *_mutants(old, new, asked)]
    numbers = 0
    for before, after in pairs:
        name = before["instance"]
        if not _is_same(digests[0].get(name), digests[1].get(name)):
            changes.append(_change(before, "the instance is another one of that name"))
            continue
        changes += _verdicts(before, after)
        apart = searched.get(before["claim"], ())
        for what, first, second in _numbers(before, after, apart, same_draws=same_draws):
            numbers += 1
            if not first.overlaps(second):
                changes.append(_disjoint(before, what, (first, second), (_name(old), _name(new))))
    changes += _slower(pairs)
    changes.sort(key=lambda change: not change.regression)
    return Comparison(
        old=_name(old), new=_name(new), changes=tuple(changes), results=len(pairs), numbers=numbers
    )


class _Asked:
    """What the new run was asked for."""

    def __init__(self, claims: Collection[str] | None, instances: Collection[str] | None) -> None:
        self._claims, self._instances = claims, instances

    def covers(self, claim: str, instance: str | None = None) -> bool:
        """Tell whether a claim, on an instance, was asked for."""
        wanted = self._claims is None or claim in self._claims
        return wanted and (
            instance is None or self._instances is None or instance in self._instances
        )

    @property
    def mutants(self) -> bool:
        """Whether mutants were to be tried: not where instances were named."""
        return self._instances is None


def _results(document: Document) -> dict[tuple[str, str], Document]:
    return {(result["claim"], result["instance"]): result for result in document["results"]}


def _digests(document: Document) -> dict[str, str | None]:
    return {instance["name"]: instance["digest"] for instance in document["instances"]}


def _is_same(first: str | None, second: str | None) -> bool:
    """Tell whether two instances of one name are one; an old report may not say."""
    return first is None or second is None or first == second


def _name(document: Document) -> str:
    revision = document["environment"].get("git revision")
    shown = f" ({revision[:10]})" if isinstance(revision, str) else ""
    return f"{document['created']}{shown}"


def _change(result: Document, text: str, *, regression: bool = False) -> Change:
    return Change(
        claim=result["claim"], instance=result["instance"], text=text, regression=regression
    )


def _vanished(
    old: Document,
    new: Document,
    earlier: dict[tuple[str, str], Document],
    later: dict[tuple[str, str], Document],
    asked: _Asked,
) -> Iterator[Change]:
    known = {claim["id"] for claim in new["claims"]}
    for claim in old["claims"]:
        if asked.covers(claim["id"]) and claim["id"] not in known:
            yield Change(
                claim=claim["id"], instance=None, text="is no longer claimed", regression=True
            )
    for (claim_id, _), result in earlier.items():
        if claim_id in known and (claim_id, result["instance"]) not in later:
            yield _change(result, f"was {result['verdict']}, and has no result", regression=True)
    before = {claim["id"] for claim in old["claims"]}
    for claim_id in known - before:
        yield Change(claim=claim_id, instance=None, text="is new", regression=False)


def _mutants(old: Document, new: Document, asked: _Asked) -> Iterator[Change]:
    if not asked.mutants:
        return
    refuted = [
        {
            (outcome["claim"], outcome["mutant"])
            for outcome in document["mutants"]
            if outcome["verdict"] == Verdict.REFUTED
        }
        for document in (old, new)
    ]
    tried = {(outcome["claim"], outcome["mutant"]) for outcome in new["mutants"]}
    claimed = {claim["id"] for claim in new["claims"]}
    for claim, mutant in sorted(refuted[0] - refuted[1]):
        if asked.covers(claim) and claim in claimed:
            how = "is refuted nowhere" if (claim, mutant) in tried else "is no longer tried"
            text = f"mutant {brief(mutant, 40)} was refuted, and {how}"
            yield Change(claim=claim, instance=None, text=text, regression=True)


def _verdicts(before: Document, after: Document) -> Iterator[Change]:
    first, second = Verdict(before["verdict"]), Verdict(after["verdict"])
    if first is not second:
        worse = _RANKS[second] > _RANKS[first]
        text = f"was {first}, is {second}: {brief(after['reason'], 200)}"
        yield _change(before, text, regression=worse)
    tightness = before["tightness"], after["tightness"]
    if None not in tightness and tightness[1] < tightness[0] - _LOOSER:
        yield _change(before, f"tightness was {tightness[0]:.6g}, is {tightness[1]:.6g}")


def _numbers(
    before: Document, after: Document, searched: Collection[str], *, same_draws: bool
) -> Iterator[tuple[str, Enclosure, Enclosure]]:
    """Yield each number that both reports enclose: its name and the two enclosures."""
    for symbol, value in before["constants"].items():
        other = after["constants"].get(symbol)
        if symbol not in searched and value is not None and other is not None:
            yield f"constant {symbol}", Enclosure.from_json(value), Enclosure.from_json(other)
    simulated = EvidenceKind.SIMULATION in (before["evidence"], after["evidence"])
    if not same_draws or simulated or before["case"] is None or before["case"] != after["case"]:
        return
    for side in ("left", "right"):
        if side not in searched and before[side] is not None and after[side] is not None:
            first, second = (Enclosure.from_json(result[side]) for result in (before, after))
            yield f"the {side} side of {brief(before['case'], 60)}", first, second


def _disjoint(
    result: Document,
    what: str,
    enclosures: tuple[Enclosure, Enclosure],
    runs: tuple[str, str],
) -> Change:
    shown = " and ".join(
        f"[{enclosure.lower}, {enclosure.upper}] in {run}"
        for enclosure, run in zip((e.rounded(12) for e in enclosures), runs, strict=True)
    )
    text = (
        f"{what} is {shown}, disjoint: one of the two runs is wrong, or the number has a new "
        "definition"
    )
    return _change(result, text, regression=True)


def _slower(pairs: list[tuple[Document, Document]]) -> Iterator[Change]:
    spent: dict[str, list[float]] = {}
    for before, after in pairs:
        of_claim = spent.setdefault(before["claim"], [0.0, 0.0])
        of_claim[0] += before["seconds"]
        of_claim[1] += after["seconds"]
    totals: list[Any] = [sum(times[k] for times in spent.values()) for k in (0, 1)]
    if not all(totals):
        return
    for claim, times in spent.items():
        first, second = (time / total for time, total in zip(times, totals, strict=True))
        if second >= _LEAST_SHARE and second > _SLOWER * first:
            text = f"takes {second:.1%} of the time, and took {first:.1%}"
            yield Change(claim=claim, instance=None, text=text, regression=True)
