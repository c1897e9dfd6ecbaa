"""The report for CI systems: JUnit's XML.

One test suite a claim, one test case a claim and instance.

=============  ==========================================================================
CERTIFIED      passed
SUPPORTED      passed
REFUTED        failure
UNDECIDED      skipped: it is no failure (``--strict`` decides whether the run fails)
VACUOUS        skipped, with the reason
INAPPLICABLE   skipped, with the reason
not run        error: the run ended early
=============  ==========================================================================

The suite ``mutants`` has one test case a mutant: not refuted on any of the instances meant for it
is a failure, not tried is skipped.  The suite ``self-test`` has the arithmetic's start-up checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

from verification.report.digits import ratio, short
from verification.report.document import Document
from verification.report.summary import (
    ClaimSummary,
    MutantStatus,
    MutantSummary,
    headline,
    self_test,
    summarize,
)
from verification.report.text import brief, clean
from verification.verdict import Verdict

_OUTCOMES = ("failure", "error", "skipped")


def render_junit(document: Document) -> bytes:
    """Return the XML file, in UTF-8."""
    summaries = summarize(document)
    suites = [
        suite
        for suite in (
            _suite("self-test", [_check(check) for check in self_test(document)]),
            *(_suite(_label(summary), _cases(summary)) for summary in summaries),
            _suite("mutants", [_mutant(m) for summary in summaries for m in summary.mutants]),
        )
        if len(suite)
    ]
    root = ET.Element("testsuites", name="verification report")
    _count(root, [case for suite in suites for case in suite])
    created = datetime.fromisoformat(document["created"])
    if created.tzinfo is not None:
        created = created.astimezone(UTC)
    for number, suite in enumerate(suites):
        # The usual schema takes no time zone.
        suite.set("timestamp", created.strftime("%Y-%m-%dT%H:%M:%S"))
        suite.set("id", str(number))
        if number == 0:
            output = ET.Element("system-out")
            output.text = clean(headline(document))
            suite.append(output)
        root.append(suite)
    ET.indent(root)
    xml: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return xml + b"\n"


def _suite(name: str, cases: Sequence[ET.Element]) -> ET.Element:
    suite = ET.Element("testsuite", name=brief(name))
    _count(suite, cases)
    suite.extend(cases)
    return suite


def _count(element: ET.Element, cases: Iterable[ET.Element]) -> None:
    cases = list(cases)
    element.set("tests", str(len(cases)))
    for key, outcome in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        element.set(key, str(sum(case.find(outcome) is not None for case in cases)))
    element.set("time", f"{sum(float(case.get('time', '0')) for case in cases):.6f}")


def _case(classname: str, name: str, seconds: float = 0.0) -> ET.Element:
    return ET.Element(
        "testcase", classname=brief(classname), name=brief(name), time=f"{seconds:.6f}"
    )


def _add(case: ET.Element, outcome: str, message: str, *, kind: str = "", text: str = "") -> None:
    element = ET.SubElement(case, outcome, message=brief(message, 1_000))
    if kind:
        element.set("type", kind)
    if text:
        element.text = clean(text)


def _label(summary: ClaimSummary) -> str:
    return f"{summary.id} {summary.claim['title']}"


def _classname(claim: Document) -> str:
    return f"{claim['theorem'] or 'claims'}.{claim['id']}"


def _cases(summary: ClaimSummary) -> list[ET.Element]:
    cases = [_result(summary, name, result) for name, result in summary.results.items()]
    for name in summary.missing:
        case = _case(_classname(summary.claim), name)
        _add(case, "error", "not run: the run ended early", kind="NotRun")
        cases.append(case)
    return cases


def _result(summary: ClaimSummary, name: str, result: Document) -> ET.Element:
    case = _case(_classname(summary.claim), name, result["seconds"])
    verdict = result["verdict"]
    if name in summary.faults:
        _add(case, "failure", result["reason"], kind=verdict, text=_evidence(summary, result))
    elif verdict not in (Verdict.CERTIFIED, Verdict.SUPPORTED, Verdict.REFUTED):
        _add(case, "skipped", f"{verdict}: {result['reason']}")
    return case


def _evidence(summary: ClaimSummary, result: Document) -> str:
    lines = [summary.claim["statement"], result["reason"]]
    lines.append(f"claimed: left {summary.claim['relation']} right")
    if result["case"] is not None:
        lines.append(f"case: {result['case']}")
    for side in ("left", "right"):
        bounds = result[side]
        if bounds is not None:
            lines.append(f"{side}: {short(bounds)}  [{bounds['lower']}, {bounds['upper']}]")
    if result["tightness"] is not None:
        lines.append(f"left / right: at least {ratio(result['tightness'])}")
    if result["samples"] is not None:
        lines.append(f"{result['samples']} samples, error level {result['confidence']}")
    return "\n".join(lines)


def _mutant(mutant: MutantSummary) -> ET.Element:
    seconds = sum(outcome["seconds"] for outcome in mutant.outcomes)
    case = _case(f"mutants.{mutant.claim}", mutant.name, seconds)
    status = mutant.status
    if status is MutantStatus.SURVIVED:
        lines = [
            f"{outcome['instance']}: {outcome['verdict']}: {outcome['reason']}"
            for outcome in mutant.outcomes
        ]
        message = f"refuted nowhere: {mutant.error}"
        _add(case, "failure", message, kind="NotRefuted", text="\n".join(lines))
    elif status is not MutantStatus.REFUTED:
        needed = ", ".join(mutant.refuted_on)
        _add(case, "skipped", f"{status}; meant for: {needed}" if needed else str(status))
    return case


def _check(check: Document) -> ET.Element:
    case = _case("self-test", check["name"])
    if not check["passed"]:
        outcome = "failure" if check["fatal"] else "skipped"
        kind = "SelfTest" if check["fatal"] else ""
        _add(case, outcome, check["detail"] or "failed", kind=kind)
    return case
