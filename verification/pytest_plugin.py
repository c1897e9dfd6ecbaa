"""Claims as tests of pytest: one for each claim and instance file of a folder, and a fixture.

``pytest --theorems=DIR`` collects ``DIR/*.json`` beside whatever else it is told to.  What a test
does with a verdict:

============================  ====================================================================
CERTIFIED, SUPPORTED          passes
REFUTED                       fails, with both sides and the command that decides it again; of a
                              disputed claim it is what is expected (xfail)
UNDECIDED                     is skipped with the reason: no proof of anything; fails with
                              ``--theorems-strict``, as ``theorems verify --strict`` does
VACUOUS, INAPPLICABLE         is skipped with the reason: the claim says nothing there
============================  ====================================================================

A malformed file is an error in one line: which field, which value, what was expected.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pytest

from verification import gallery
from verification.claim import AnyClaim
from verification.decision import Result, decide
from verification.environment import limit_threads
from verification.errors import InvalidInstance, SelfTestFailed
from verification.report.files import write_counterexample
from verification.statistics.ledger import RUN_LEVEL, Ledger
from verification.subject import Subject, load_subject
from verification.verdict import EvidenceKind, Verdict

if TYPE_CHECKING:
    from _pytest._code.code import TerminalRepr

VerifyClaim: TypeAlias = Callable[..., Result]

_HOLDS = (Verdict.CERTIFIED, Verdict.SUPPORTED)
_SELF_TEST_FAILED = 4
"""What the command exits with."""


class Refuted(AssertionError):  # noqa: N818 - a verdict
    """A claim was refuted; the message is all that a reader needs."""


def add_options(parser: pytest.Parser) -> None:
    """Add the options to pytest's own."""
    group = parser.getgroup("theorems")
    group.addoption(
        "--theorems",
        metavar="DIR",
        help="Collect one test for each claim and each instance file in DIR.",
    )
    group.addoption(
        "--theorems-strict", action="store_true", help="UNDECIDED fails instead of being skipped."
    )
    group.addoption(
        "--theorems-seed",
        type=_seed,
        default=0,
        metavar="S",
        help="Seeds all that is drawn at random, as --seed of the command; default: 0.",
    )


def _seed(text: str) -> int:
    seed = int(text)
    if not 0 <= seed < 2**63:
        raise ValueError(text)
    return seed


class Plugin:
    """The hooks and the fixture, for some claims.

    Parameters
    ----------
    claims : sequence of Claim
    config : pytest.Config

    Raises
    ------
    pytest.UsageError
        Where the folder asked for is none, or holds no instance file.
    """

    def __init__(self, claims: Sequence[AnyClaim], config: pytest.Config) -> None:
        self._claims = claims
        self._config = config
        self._sound = False
        asked = config.getoption("theorems")
        self._files = () if asked is None else _instance_files(Path(asked))
        if asked is not None:
            if not _names_part_of(Path(asked), config.args):
                config.args.append(asked)
            limit_threads()

    def pytest_collect_file(
        self, file_path: Path, parent: pytest.Collector
    ) -> pytest.Collector | None:
        """Collect an instance file of the folder."""
        if file_path.resolve() not in self._files:
            return None
        found: InstanceFile = InstanceFile.from_parent(parent, path=file_path)
        found.plugin = self
        return found

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Share the error level of a run between its simulated claims, before any is deselected."""
        drawn = [item for item in items if isinstance(item, ClaimItem) and item.is_simulated]
        for item in drawn:
            item.level = Ledger(decisions=len(drawn)).share

    @pytest.fixture(scope="session")
    def verify_claim(self) -> VerifyClaim:
        """Return a function that decides a claim on an instance.

        ``verify_claim(claim, instance, seed=0)``: the id of a claim, or a claim of one's own; a
        file, the name of a gallery instance, or an instance.  It returns the result where the
        claim holds, and otherwise ends the test as ``--theorems`` does.  Each call of a simulated
        claim is wrong with a probability of at most 1e-6.
        """

        def verify_claim(
            claim: str | AnyClaim, instance: str | Path | Subject, *, seed: int | None = None
        ) -> Result:
            __tracebackhide__ = True
            if isinstance(instance, str | Path):
                instance = _load(instance)
            return self.decided(self._claim(claim), instance, RUN_LEVEL, seed)

        return verify_claim

    def about(self, instance: Subject) -> Iterator[AnyClaim]:
        """Return the claims about instances of this kind."""
        return (claim for claim in self._claims if claim.kind == instance.schema)

    def decided(
        self, claim: AnyClaim, instance: Subject, level: Fraction, seed: int | None = None
    ) -> Result:
        """Decide a claim, and end the test unless it holds."""
        __tracebackhide__ = True
        self._require_sound_arithmetic()
        seed = self._config.getoption("theorems_seed") if seed is None else seed
        if claim.kind != instance.schema:
            raise InvalidInstance(
                f"{instance.name}: schema", f"is {instance.schema}, expected {claim.kind}"
            )
        result = decide(claim, instance, seed=seed, level=level)
        if result.verdict in _HOLDS:
            return result
        said = f"{claim.id} on {instance.name} is {result.verdict}: {result.reason}"
        if result.verdict is Verdict.REFUTED and claim.disputed is None:
            raise Refuted(self._refutation(said, claim, instance, result, seed))
        if result.verdict is Verdict.REFUTED:
            pytest.xfail(f"{said} (disputed; {claim.disputed.corrected_by} holds in its place)")  # type: ignore[union-attr]
        if result.verdict is Verdict.UNDECIDED and self._config.getoption("theorems_strict"):
            pytest.fail(said, pytrace=False)
        pytest.skip(said)

    def _refutation(
        self, said: str, claim: AnyClaim, instance: Subject, result: Result, seed: int
    ) -> str:
        lines = [said]
        lines += [f"  case   {result.case}"] if result.case else []
        for name, side in (("left", result.left), ("right", result.right)):
            lines.append(f"  {name:6} " + (f"[{side.lower}, {side.upper}]" if side else "?"))
        cache = getattr(self._config, "cache", None)
        if cache is not None:
            file = write_counterexample(cache.mkdir("theorems"), claim.id, None, instance, seed)
            lines.append(f"  again  theorems replay {shlex.quote(str(file))}")
        return "\n".join(lines)

    def _require_sound_arithmetic(self) -> None:
        if not self._sound:
            # Loads numpy, whose threads are limited by then.
            from verification.enclosure import selftest  # noqa: PLC0415

            try:
                selftest.require(selftest.run())
            except SelfTestFailed as error:
                pytest.exit(
                    f"self-test of the arithmetic failed, nothing decided: {error}",
                    _SELF_TEST_FAILED,
                )
            self._sound = True

    def _claim(self, asked: str | AnyClaim) -> AnyClaim:
        if not isinstance(asked, str):
            return asked
        known = {claim.id: claim for claim in self._claims}
        if asked not in known:
            raise InvalidInstance("claim", f"is {asked!r}, expected one of {', '.join(known)}")
        return known[asked]


class InstanceFile(pytest.File):
    """The tests of one instance file: the claims about its kind."""

    plugin: Plugin

    def collect(self) -> Iterable[ClaimItem]:
        """Read the file and return its tests."""
        try:
            instance = load_subject(self.path)
        except InvalidInstance as error:
            raise self.CollectError(f"{self.path.name}: {error}") from None
        for claim in self.plugin.about(instance):
            item: ClaimItem = ClaimItem.from_parent(self, name=claim.id)
            item.claim, item.instance, item.plugin = claim, instance, self.plugin
            yield item


class ClaimItem(pytest.Item):
    """One claim on one instance."""

    claim: AnyClaim
    instance: Subject
    plugin: Plugin
    level: Fraction = RUN_LEVEL

    @property
    def is_simulated(self) -> bool:
        """Whether the verdict may rest on random draws."""
        return self.claim.evidence is EvidenceKind.SIMULATION

    def runtest(self) -> None:
        """Decide the claim."""
        self.plugin.decided(self.claim, self.instance, self.level)

    def repr_failure(
        self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None
    ) -> str | TerminalRepr:
        """Say what a refutation says, without a traceback."""
        if isinstance(excinfo.value, Refuted):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return the file and what the test is called in a report."""
        return self.path, None, f"{self.claim.id} on {self.instance.name}"


def _names_part_of(folder: Path, arguments: Sequence[str]) -> bool:
    """Tell whether an argument names the folder, a file in it or a test in that."""
    named = (Path(argument.partition("::")[0]).resolve() for argument in arguments)
    return any(folder.resolve() in (path, *path.parents) for path in named)


def _instance_files(folder: Path) -> frozenset[Path]:
    if not folder.is_dir():
        raise pytest.UsageError(f"--theorems: {folder} is no folder")
    files = frozenset(path.resolve() for path in folder.glob("*.json"))
    if not files:
        raise pytest.UsageError(f"--theorems: {folder} holds no instance file, expected *.json")
    return files


def _load(name: str | Path) -> Subject:
    path = Path(name)
    if not path.exists() and str(name) in gallery.names():
        return gallery.load(str(name))
    try:
        return load_subject(path)
    except InvalidInstance as error:
        raise InvalidInstance(f"{path}: {error.path}".removesuffix(": "), error.problem) from None
