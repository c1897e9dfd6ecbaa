"""The commands.  `main` is handed the claims; nothing here knows what they are about."""

from __future__ import annotations

import io
import json
import os
import re
import secrets
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from difflib import get_close_matches
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn, TextIO, TypeVar

import click

from verification import gallery
from verification.claim import AnyClaim
from verification.errors import InvalidInstance, NotEnclosed, SelfTestFailed
from verification.strict_json import format_number, parse_number
from verification.subject import Subject, load_subject
from verification.verdict import Verdict

EXIT_REFUTED = 1
EXIT_USAGE = 2
EXIT_UNDECIDED = 3
EXIT_SELF_TEST = 4
EXIT_INTERRUPTED = 130

T = TypeVar("T")

_WIDTH = 79
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600}


def main(claims: Sequence[AnyClaim], arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line on these claims and exit with the contract's code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A stream that cannot show a mathematical sign shows its escape.
            stream.reconfigure(errors="backslashreplace")
    try:
        code = _run(claims, sys.argv[1:] if arguments is None else arguments)
    except click.exceptions.NoArgsIsHelpError as error:
        group = error.ctx.command
        known = ", ".join(group.commands if isinstance(group, click.Group) else ())
        code = _complain(
            f"no command given, expected one of {known}; "
            f"{error.ctx.command_path} --help explains them"
        )
    except click.ClickException as error:
        code = _complain(error.format_message())
    except InvalidInstance as error:
        code = _complain(str(error))
    except NotEnclosed as error:
        code = _complain(f"not enclosed: {error}", EXIT_UNDECIDED)
    except SelfTestFailed as error:
        code = _complain(
            f"self-test of the arithmetic failed, nothing decided: {error}", EXIT_SELF_TEST
        )
    except KeyboardInterrupt:
        code = _complain("interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:
        _close_output()
        code = 0
    except OSError as error:
        _close_output()
        code = _complain(f"{error.filename or 'output'}: {error.strerror}")
    try:
        sys.stderr.flush()
    except OSError:
        _to_nowhere(sys.stderr)
    sys.exit(code)


def _run(claims: Sequence[AnyClaim], arguments: Sequence[str]) -> int:
    # Not click's own main: it turns a closed pipe into 1, which here means REFUTED.
    try:
        with _commands.make_context("theorems", list(arguments), obj=tuple(claims)) as context:
            code = _commands.invoke(context)
    except click.exceptions.Exit as stop:
        code = stop.exit_code
    return code if isinstance(code, int) else 0


def _say(text: str) -> None:
    """Print; the exit code stands even where the reader of our output has gone."""
    try:
        click.echo(text)
    except BrokenPipeError:
        _close_output()


def _close_output() -> None:
    _to_nowhere(sys.stdout)


def _to_nowhere(stream: TextIO) -> None:
    # Otherwise Python complains once more while closing, or exits with a code of its own.
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _complain(message: str, code: int = EXIT_USAGE) -> int:
    line = " ".join(message.split())
    with suppress(OSError):
        click.echo(f"theorems: {line}", err=True)
    return code


class _Duration(click.ParamType[float]):
    """A time such as 90s, 10m, 8h or plain seconds."""

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smh]?)", str(value))
        if match is None or float(match[1]) == 0:
            self.fail(f"is {value}, expected a time such as 90s, 10m or 8h", param, ctx)
        return float(match[1]) * _UNITS[match[2]]


class _Word(click.ParamType[tuple[int, ...]]):
    """A word of states such as 0,1,2."""

    name = "word"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        text = str(value)
        if not re.fullmatch(r"[0-9]{1,9}(,[0-9]{1,9})*", text):
            self.fail(f"is {text}, expected states such as 0,1,2", param, ctx)
        return tuple(map(int, text.split(",")))


class _Widths(click.ParamType[tuple[int, ...]]):
    """Numbers of units such as 256,1024,4096, or none."""

    name = "widths"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        text = str(value)
        if text == "none":
            return ()
        if not re.fullmatch(r"[0-9]{1,9}(,[0-9]{1,9})*", text):
            self.fail(f"is {text}, expected numbers such as 256,1024,4096, or none", param, ctx)
        return tuple(map(int, text.split(",")))


class _Exact(click.ParamType[Fraction]):
    """An exact number such as 0.1 or 1/3."""

    name = "number"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Fraction:
        number = value if isinstance(value, Fraction) else parse_number(str(value))
        if number is None:
            self.fail(f"is {value}, expected a number such as 0.1 or 1/3", param, ctx)
        return number


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 79})
@click.version_option(package_name="kernel-limit-theorems", prog_name="theorems")
def _commands() -> None:
    """Decide the theorems on what wide recurrent networks become."""


_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_quiet = click.option("--quiet", is_flag=True, help="No progress.")


@_commands.command("list")
@_as_json
@click.pass_obj
def _list(claims: Sequence[AnyClaim], *, as_json: bool) -> None:
    """List every claim: id, title, evidence, what it uses."""
    if as_json:
        _print_json(
            [
                {
                    "id": claim.id,
                    "title": claim.title,
                    "theorem": claim.theorem,
                    "kind": claim.kind,
                    "evidence": str(claim.evidence),
                    "uses": list(claim.uses),
                }
                for claim in claims
            ]
        )
        return
    for claim in claims:
        uses = f"(uses {', '.join(claim.uses)})" if claim.uses else ""
        head = f"{claim.id:<4} {claim.evidence:<10} "
        line = f"{head}{claim.title}  {uses}".rstrip()
        if len(line) <= _WIDTH:
            _say(line)
            continue
        # What it uses is not torn apart, but begins a line.
        _say(_filled(claim.title, head))
        if uses:
            _say(_filled(uses, " " * len(head)))


@_commands.command("show")
@click.argument("claim_id", metavar="[CLAIM]", required=False)
@click.option("--html", "as_html", is_flag=True, help="Write pages: of CLAIM, or of all claims.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("reports/claims"),
    show_default=True,
    help="Folder of the pages.",
)
@_as_json
@click.pass_obj
def _show(
    claims: Sequence[AnyClaim], *, claim_id: str | None, as_html: bool, out: Path, as_json: bool
) -> None:
    """Show one claim: statement, assumptions, constants, proof, mutants, source.

    With --html as a page; without CLAIM then of every claim, with a list of them all.
    """
    if as_html and as_json:
        raise InvalidInstance("--html", "cannot be given with --json")
    if as_html:
        _write_claim_pages(claims, claim_id, out)
        return
    if claim_id is None:
        raise InvalidInstance("CLAIM", "is missing, expected the id of a claim, or --html for all")
    claim = _find_claim(claims, claim_id)
    if as_json:
        from verification.report.document import claim_document  # noqa: PLC0415 - where used

        _print_json({**claim_document(claim), "evidence": str(claim.evidence)})
        return
    from verification.certificate.check.formulas import FORMULAS  # noqa: PLC0415 - where used

    parts: dict[str, str | list[str]] = {
        "statement": claim.statement,
        "formula": claim.formula,
        "assumptions": [assumption.text for assumption in claim.assumptions],
        "constants": [
            f"{constant.symbol}: {constant.meaning}, {constant.formula}"
            for constant in claim.constants
        ],
        "disputed": (
            []
            if claim.disputed is None
            else [f"corrected by {claim.disputed.corrected_by}", claim.disputed.reading]
        ),
        "proof": claim.proof,
        "establishes": claim.establishes,
        "vacuous where": [vacuity.reason for vacuity in claim.vacuities],
        "sharp on": list(claim.sharp),
        "mutants": [f"{mutant.name}: {mutant.error}" for mutant in claim.mutants],
        "uses": list(claim.uses),
        "evidence": str(claim.evidence),
        "certificate": (
            "can be certified and checked" if claim.id in FORMULAS else "not made of this claim yet"
        ),
        "theorem": claim.theorem,
        "source": claim.source,
    }
    _say(f"{claim.id}  {claim.title}\n")
    for name, content in parts.items():
        lines = content if isinstance(content, list) else [content]
        for i, line in enumerate(lines):
            _say(_filled(line, f"{name if i == 0 else '':<14}"))


def _write_claim_pages(claims: Sequence[AnyClaim], claim_id: str | None, out: Path) -> None:
    from verification.certificate.check.formulas import FORMULAS  # noqa: PLC0415 - where used
    from verification.report.claim_pages import ClaimPages  # noqa: PLC0415 - loads jinja
    from verification.report.files import require_folder  # noqa: PLC0415

    only = None if claim_id is None else _find_claim(claims, claim_id)
    require_folder(out)
    pages = ClaimPages(
        claims,
        origins={subject.name: subject.origin for subject in gallery.load_all()},
        certifiable=FORMULAS,
    )
    files = pages.write(out, only)
    _say(f"wrote {files[-1]}" + (f" and {len(files) - 1} others" if len(files) > 1 else ""))


@_commands.command("verify")
@click.argument("files", metavar="[INSTANCE.json ...]", nargs=-1)
@click.option("--claim", "claim_ids", multiple=True, metavar="ID", help="Only this claim.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("reports/latest"), show_default=True
)
@click.option("--jobs", type=click.IntRange(1, 1024), help="Processes; default: all cores.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True)
@click.option("--budget", type=_Duration(), help="Time for the whole run, such as 10m.")
@click.option(
    "--constant",
    type=_Exact(),
    metavar="C",
    help="A value for the constant that a disputed claim leaves open: refute it with this one.",
)
@click.option("--strict", is_flag=True, help="Exit with 3 where anything is UNDECIDED.")
@click.option(
    "--baseline",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A former report.json: exit with 1 where anything got worse.",
)
@_quiet
@_as_json
@click.pass_obj
def _verify(
    claims: Sequence[AnyClaim],
    *,
    files: tuple[str, ...],
    claim_ids: tuple[str, ...],
    out: Path,
    jobs: int | None,
    seed: int,
    budget: float | None,
    constant: Fraction | None,
    strict: bool,
    baseline: Path | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Decide every claim on the gallery, or on the files given; write the report.

    Without files every claim's mutants are tried as well.  A file may also be the name of a
    gallery instance.  With --constant the disputed claim is decided with this value of its
    constant, also on instances that are made to refute it.
    """
    from verification import verifying  # noqa: PLC0415 - loads numpy and the report
    from verification.report.comparison import compare_reports  # noqa: PLC0415 - loaded where used
    from verification.report.terminal import render_comparison  # noqa: PLC0415
    from verification.workers import available_cores  # noqa: PLC0415 - loaded where used

    chosen = [_find_claim(claims, claim_id) for claim_id in dict.fromkeys(claim_ids)] or claims
    made: list[Subject] = []
    if constant is not None:
        chosen, made = _with_constant(claims, chosen, constant)
    kinds = {claim.kind for claim in chosen}
    instances = (
        _load_distinct(files)
        if files
        else [subject for subject in gallery.load_all() if subject.schema in kinds]
    )
    # Before the work: a bad file is found at once.
    former = None if baseline is None else _read_report(baseline)
    outcome = verifying.verify_and_report(
        claims=tuple(chosen),
        instances=(*instances, *made),
        with_mutants=not files,
        out=out,
        jobs=jobs or available_cores(),
        seed=seed,
        seconds=budget,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        quiet=quiet,
    )
    if as_json:
        _print_json(outcome.document)
    else:
        _say(outcome.text)
    comparison = None
    if former is not None:
        comparison = compare_reports(
            former,
            outcome.document,
            claims=set(claim_ids) or None,
            instances={instance.name for instance in instances} if files else None,
        )
        click.echo(render_comparison(comparison), err=as_json)
    if outcome.interrupted:
        return EXIT_INTERRUPTED
    if outcome.failed or (comparison is not None and comparison.regressions):
        return EXIT_REFUTED
    return EXIT_UNDECIDED if strict and outcome.undecided else 0


@_commands.command("campaign")
@click.option("--claim", "claim_ids", multiple=True, metavar="ID", help="Only this claim.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("reports/campaign"), show_default=True
)
@click.option("--jobs", type=click.IntRange(1, 1024), help="Processes; default: all cores.")
@click.option(
    "--executor", metavar="tcp://HOST:PORT", help="Search on the workers of a Dask cluster."
)
@click.option(
    "--seed", type=click.IntRange(0, 2**63 - 1), help="Default: another one in each campaign."
)
@click.option("--budget", type=_Duration(), help="Time, such as 10m or 8h; default: no end.")
@click.option("--resume", is_flag=True, help="Go on with the campaign in the folder, if any.")
@_quiet
@_as_json
@click.pass_obj
def _campaign(
    claims: Sequence[AnyClaim],
    *,
    claim_ids: tuple[str, ...],
    out: Path,
    jobs: int | None,
    executor: str | None,
    seed: int | None,
    budget: float | None,
    resume: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Search for counterexamples, and for the tightest instances of every claim.

    Without a budget the search has no end but Ctrl-C.  All that is found is on disk at all times:
    killed at any moment, a campaign goes on with --resume; several may share a folder.  The
    workers of a cluster have one thread each.
    """
    from verification.campaign import campaign, page, summary  # noqa: PLC0415 - loads hypothesis
    from verification.enclosure import selftest  # noqa: PLC0415 - loaded where used
    from verification.environment import machine, revision  # noqa: PLC0415
    from verification.progress import campaign_progress  # noqa: PLC0415
    from verification.report.files import require_folder  # noqa: PLC0415

    chosen = tuple(
        [_find_claim(claims, claim_id) for claim_id in dict.fromkeys(claim_ids)] or claims
    )
    require_folder(out)
    selftest.require(selftest.run())
    show = campaign_progress(quiet=quiet)
    with _executor(executor, one_thread=True) as (make_executor, workers):
        outcome = campaign.run_campaign(
            claims=chosen,
            out=out,
            jobs=jobs or workers,
            seed=secrets.randbits(63) if seed is None else seed,
            seconds=budget,
            resume=resume,
            revision=revision(),
            on_turn=page.renewed_page(claims, out, machine(), then=show),
            make_executor=make_executor,
        )
    if as_json:
        _print_json(summary.to_document(chosen, outcome.record, out))
    else:
        _say(summary.render(chosen, outcome.record, out, seconds=outcome.seconds))
    _write_campaign_page(claims, out)
    if summary.refuted(chosen, outcome.record):
        return EXIT_REFUTED
    if outcome.interrupted:
        return EXIT_INTERRUPTED
    return EXIT_REFUTED if summary.failed(chosen, outcome.record) else 0


@_commands.command("replay")
@click.argument("file", metavar="FILE.json", type=click.Path(path_type=Path))
@_as_json
@click.pass_obj
def _replay(claims: Sequence[AnyClaim], *, file: Path, as_json: bool) -> int:
    """Decide again the one claim and instance that a file names."""
    from verification.campaign import replay  # noqa: PLC0415 - loaded where used
    from verification.enclosure import selftest  # noqa: PLC0415
    from verification.report.document import result_document  # noqa: PLC0415
    from verification.runner import run_task  # noqa: PLC0415

    asked = _in_file(file, lambda: replay.load(file, claims))
    selftest.require(selftest.run())
    result = run_task(asked.task, None)
    if as_json:
        _print_json({**result_document(result), "mutant": asked.mutant})
    else:
        mutant = f" mutant {asked.mutant}" if asked.mutant else ""
        _say(f"{result.claim}{mutant} on {result.instance}: {result.verdict}")
        _say(textwrap.fill(result.reason, _WIDTH))
        for name, side in (("left", result.left), ("right", result.right)):
            if side is not None:
                _say(f"{name:<5} in [{side.rounded(30).lower}, {side.rounded(30).upper}]")
    refuted = result.verdict is Verdict.REFUTED
    dispute = asked.task.claim.disputed
    if dispute is not None and not asked.mutant:
        return EXIT_REFUTED if not refuted and result.instance in dispute.refuted_on else 0
    return EXIT_REFUTED if refuted != bool(asked.mutant) else 0


@_commands.command("certify")
@click.argument("instance", metavar="INSTANCE.json")
@click.option("--claim", "claim_id", required=True, metavar="ID", help="The claim.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="FILE.json", help="The file."
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True)
@click.pass_obj
def _certify(
    claims: Sequence[AnyClaim], *, instance: str, claim_id: str, out: Path, seed: int
) -> int:
    """Decide a claim on an instance, and write down what its being CERTIFIED rests on."""
    from verification.certificate import writing  # noqa: PLC0415 - loaded where used
    from verification.enclosure import selftest  # noqa: PLC0415
    from verification.report.files import write_atomically  # noqa: PLC0415

    claim = _find_claim(claims, claim_id)
    (subject,) = _load_distinct((instance,))
    if subject.schema != claim.kind:
        raise click.UsageError(f"{claim.id} is about {claim.kind}, not {subject.schema}")
    if out.is_dir():
        raise click.UsageError(f"--out: {out} is a folder, expected a file")
    selftest.require(selftest.run())
    try:
        document = writing.certificate(claim, subject, seed=seed)
    except writing.NotCertified as error:
        refuted = error.verdict is Verdict.REFUTED
        return _complain(str(error), EXIT_REFUTED if refuted else EXIT_USAGE)
    write_atomically(out, writing.to_bytes(document))
    _say(f"{claim.id} on {subject.name}: {out}; theorems check {out} verifies it")
    return 0


@_commands.command("check")
@click.argument("file", metavar="FILE.json", type=click.Path(path_type=Path))
@_as_json
def _check(*, file: Path, as_json: bool) -> int:
    """Check a certificate with an independent small checker.

    VALID exits with 0, INVALID with 1, UNSUPPORTED and a file that is no certificate with 2.
    """
    from verification.certificate.check.outcome import Refused  # noqa: PLC0415 - loaded where used
    from verification.certificate.check.rendering import check_and_render  # noqa: PLC0415

    try:
        text, code = check_and_render(file, as_json=as_json)
    except Refused as error:
        return _complain(f"{file}: {error}")
    _say(text)
    return code


@_commands.command("evaluate")
@click.argument("instance", metavar="INSTANCE.json")
@click.argument("quantity")
@click.option("--state", type=click.IntRange(0), help="State i.")
@click.option("--memory", type=_Exact(), help="Memory v, an exact number.")
@click.option("--other-state", type=click.IntRange(0), help="State j.")
@click.option("--other-memory", type=_Exact(), help="Memory w, an exact number.")
@click.option("--time", type=_Exact(), help="Time t = k/N, an exact number.")
@click.option("--word", type=_Word(), help="States of a word, such as 0,1,2.")
@click.option("--steps", type=click.IntRange(0), help="Number of steps n.")
@click.option("--width", type=click.IntRange(1), help="Number of units N.")
@click.option("--delay", type=_Exact(), help="Delay S of the bump, an exact number.")
@click.option("--error", type=_Exact(), help="Largest error in L1 that is allowed.")
@click.option("--index", type=click.IntRange(1), help="Index of a singular value, from 1 on.")
@click.option("--digits", type=click.IntRange(1, 250), default=30, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Accepted; the output is always JSON.")
def _evaluate(
    *,
    instance: str,
    quantity: str,
    state: int | None,
    memory: Fraction | None,
    other_state: int | None,
    other_memory: Fraction | None,
    time: Fraction | None,
    word: tuple[int, ...] | None,
    steps: int | None,
    width: int | None,
    delay: Fraction | None,
    error: Fraction | None,
    index: int | None,
    digits: int,
    as_json: bool,
) -> None:
    """Enclose one number, or a vector.

    \b
    contraction-factor  q = s1 E|B|
    phi                 E[B sigma(W.x_i + v)]           --state --memory
    memory-fixed-point  of a word repeated for ever     --word
    stationary-law      pi, one entry a state
    dobrushin           delta(P), or delta(P^n)         [--steps]
    poisson-solution    of the targets, one entry a state
    second-moment       max_i E_i[S_n^2] of the targets --steps
    kernel              K((x_i, v), (x_j, w)) --state --memory, both --other-...
    limit               g_t(x_i, v)           --state --memory --time
    explicit-bound      of |G_k - g|(x_i, v)  --state --memory --width [--time]
    l1-norm             of the target, sum_i int |rho_i|
    hankel-singular-value  one entry a channel          --index
    plateau-time        when gradient flow escapes, one entry a delay  [--delay]
    best-known-width    within an error of the target   --error
    """  # noqa: D301 - click reads the backspace as "do not wrap"
    from verification import quantity as quantities  # noqa: PLC0415 - loaded where used
    from verification.enclosure import selftest  # noqa: PLC0415

    if quantity not in quantities.QUANTITIES:
        raise InvalidInstance("QUANTITY", _nearest(quantity, quantities.QUANTITIES))
    subject = _load(instance)
    options = quantities.Options(
        state=state,
        memory=memory,
        other_state=other_state,
        other_memory=other_memory,
        time=time,
        word=word,
        steps=steps,
        width=width,
        delay=delay,
        error=error,
        index=index,
    )
    selftest.require(selftest.run())
    evaluation = quantities.evaluate(subject, quantity, options, digits=digits)
    _say(json.dumps(evaluation.to_json()))


@_commands.command("predict")
@click.argument("instance", metavar="INSTANCE.json")
@click.option(
    "--widths",
    type=_Widths(),
    help="Widths N of the networks, or none.  [default: those of 256,1024,4096 that take little "
    "time]",
)
@click.option(
    "--replicas",
    type=click.IntRange(1, 100_000),
    default=32,
    show_default=True,
    help="Networks of each width.",
)
@click.option("--jobs", type=click.IntRange(1, 1024), help="Processes; default: all cores.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True)
@click.option(
    "--executor", metavar="tcp://HOST:PORT", help="Train on the workers of a Dask cluster."
)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("reports/prediction"), show_default=True
)
@_quiet
@_as_json
def _predict(
    *,
    instance: str,
    widths: tuple[int, ...] | None,
    replicas: int,
    jobs: int | None,
    seed: int,
    executor: str | None,
    out: Path,
    quiet: bool,
    as_json: bool,
) -> int:
    """Say what a wide network becomes that is trained on an instance, and when.

    In the limit of infinite width: the output g_t and the loss over time, enclosed; which part of
    the targets is learned, and when.  Then networks of finite width, drawn, trained and compared
    with it.  Writes prediction.json, limit.csv, spectrum.csv, networks.csv, limit.svg.
    """
    from verification.environment import limit_threads, machine  # noqa: PLC0415 - where used

    limit_threads()
    from verification.enclosure import selftest  # noqa: PLC0415 - loads numpy
    from verification.prediction.document import to_document  # noqa: PLC0415
    from verification.prediction.files import write_prediction  # noqa: PLC0415 - loads jinja
    from verification.prediction.networks import train_networks  # noqa: PLC0415 - loads scipy
    from verification.prediction.prediction import predict  # noqa: PLC0415 - loads scipy
    from verification.prediction.replicas import make_plan  # noqa: PLC0415 - loads numpy
    from verification.prediction.table import render_table  # noqa: PLC0415
    from verification.progress import counted  # noqa: PLC0415
    from verification.report.files import require_folder  # noqa: PLC0415

    def on_stage(stage: str) -> None:
        if not quiet:
            with suppress(OSError):  # whoever read it has gone; the work has not
                click.echo(f"predict: {stage}", err=True)

    subject = _load(instance)
    plan = make_plan(subject, widths=widths, replicas=replicas, seed=seed)
    require_folder(out)
    on_stage("the self-test of the arithmetic")
    checks = selftest.run()
    selftest.require(checks)
    with _executor(executor if plan.widths else None) as (make_executor, workers):
        try:
            found = _in_file(Path(instance), lambda: predict(subject, on_stage=on_stage))
        except NotEnclosed as error:
            raise InvalidInstance(instance, f"cannot be predicted: {error}") from error
        networks = None
        if plan.widths or plan.left_out:
            names = {f"of N = {width}": replicas for width in plan.widths}
            with counted("predict: networks", names, quiet=quiet) as done:
                networks = train_networks(
                    found,
                    plan,
                    make_executor=make_executor,
                    jobs=jobs or workers,
                    on_replica=lambda width: done(f"of N = {width}"),
                )
    on_stage("the files")
    versions = machine(("matplotlib", "numba"))
    document = to_document(found, {**versions, **selftest.record(checks)}, networks)
    write_prediction(found, document, out, networks)
    if as_json:
        _print_json(document)
    else:
        _say(render_table(found, out, networks))
    return EXIT_INTERRUPTED if networks is not None and networks.interrupted else 0


@contextmanager
def _executor(
    address: str | None, *, one_thread: bool = False
) -> Iterator[tuple[Callable[[], Executor] | None, int]]:
    """Yield a maker of executors, None for worker processes, and how many tasks it does at once."""
    from verification.workers import available_cores  # noqa: PLC0415 - loaded where used

    if address is None:
        yield None, available_cores()
        return
    from verification.cluster import cluster  # noqa: PLC0415 - loaded where used

    with cluster(address, one_thread=one_thread) as found:
        yield found


@_commands.group("instance")
def _instance() -> None:
    """Make an instance."""


@_instance.command("from-csv")
@click.argument("file", metavar="DATA.csv", type=click.Path(path_type=Path))
@click.option("--column", metavar="NAME", help="The sequence; not needed where it is the only one.")
@click.option("--states", type=int, help="Quantile states of numbers; default: 8.")
@click.option(
    "--order", type=int, default=1, show_default=True, help="Symbols that a state remembers."
)
@click.option("--target", metavar="NAME", help="Column of the targets; default: the next value.")
@click.option("-o", "--output", metavar="FILE.json", required=True, help="- is standard output.")
@click.option(
    "--kind",
    type=click.Choice(["numeric", "categorical"]),
    help="Default: numeric where every cell is a number.",
)
@click.option(
    "--header/--no-header", default=None, help="Default: a header unless a number is in it."
)
@click.option(
    "--missing",
    type=click.Choice(["error", "skip"]),
    default="error",
    show_default=True,
    help="Whether rows with empty cells, NA or NaN are left out.",
)
@click.option("--source", metavar="TEXT", help="Where the data come from, for the origin.")
@_quiet
def _from_csv(
    *,
    file: Path,
    column: str | None,
    states: int | None,
    order: int,
    target: str | None,
    output: str,
    kind: str | None,
    header: bool | None,
    missing: str,
    source: str | None,
    quiet: bool,
) -> None:
    """Make an instance from a sequence: a column of a CSV file, its rows in time.

    Numbers are divided into quantile states; anything else is taken as categories.  The
    transition probabilities are the empirical ones of the last symbols, read as a circle; the
    targets are means of the next value.  The activation, the law and the training are defaults,
    to be edited in FILE.json.
    """
    from verification.report.files import write_atomically  # noqa: PLC0415 - loads the report
    from verification.sequence import conversion, layout  # noqa: PLC0415 - loaded where used

    destination = None if output == "-" else Path(output)
    if destination and destination.exists():
        if not destination.is_file():  # a device would be replaced by a file
            raise InvalidInstance("--output", f"{output} is not a file, expected FILE.json or -")
        if file.exists() and destination.samefile(file):
            raise InvalidInstance("--output", f"{output} is the CSV file itself")
    options = conversion.Options(
        column=column,
        target=target,
        states=states,
        order=order,
        kind=kind,
        header=header,
        skip_missing=missing == "skip",
        source=source,
    )
    name = (destination or file).stem
    made = _in_file(file, lambda: conversion.from_csv(file, name, options))
    data = _in_file(file, lambda: layout.encoded(made.instance))
    if destination is None:
        _say(data.decode().rstrip("\n"))
    else:
        try:
            write_atomically(destination, data)
        except OSError as error:
            reason = f"{output} cannot be written: {error.strerror}"
            raise InvalidInstance("--output", reason) from error
    if not quiet:
        for line in (*made.notes, made.summary()):
            click.echo(line, err=True)


@_commands.command("diff")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@_as_json
def _diff(*, old: Path, new: Path, as_json: bool) -> int:
    """Compare two runs: verdicts, enclosures, tightness, time.

    OLD and NEW are files report.json, or the folders in which they lie.  Exits with 1 where a
    verdict got worse, two enclosures of one number are disjoint, something vanished, or a claim
    takes more than three times its share of the time.
    """
    from verification.report.comparison import compare_reports  # noqa: PLC0415 - loaded where used
    from verification.report.terminal import render_comparison  # noqa: PLC0415

    comparison = compare_reports(_read_report(old), _read_report(new))
    if as_json:
        _print_json(comparison.to_json())
    else:
        _say(render_comparison(comparison))
    return EXIT_REFUTED if comparison.regressions else 0


@_commands.command("report")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.pass_obj
def _report(claims: Sequence[AnyClaim], *, folder: Path) -> None:
    """Render again the report whose report.json, or campaign, lies in a folder."""
    from verification.campaign.journal import holds_a_campaign  # noqa: PLC0415
    from verification.report.files import write_renderings  # noqa: PLC0415 - loads jinja

    if not (folder / "report.json").exists() and holds_a_campaign(folder):
        _write_campaign_page(claims, folder)
        _say(f"rendered {folder / 'index.html'}")
        return
    document = _read_report(folder / "report.json")
    try:
        write_renderings(document, folder)
    except OSError as error:
        raise InvalidInstance("DIR", f"{folder} cannot be written: {error.strerror}") from error
    _say(f"rendered {folder / 'index.html'}")


def _write_campaign_page(claims: Sequence[AnyClaim], folder: Path) -> None:
    from verification.campaign.page import write_page  # noqa: PLC0415 - loads jinja
    from verification.environment import machine  # noqa: PLC0415

    made = datetime.now(UTC).isoformat(timespec="seconds")
    write_page(claims, folder, machine(), made=made)


def _read_report(path: Path) -> dict[str, Any]:
    """Read a report.json, or the one in a folder."""
    from verification.report.document import read_report  # noqa: PLC0415 - loaded where used

    source = path / "report.json" if path.is_dir() else path
    return _in_file(source, lambda: read_report(source))


def _with_constant(
    known: Sequence[AnyClaim], chosen: Sequence[AnyClaim], constant: Fraction
) -> tuple[list[AnyClaim], list[Subject]]:
    """Return the claims, those with an open constant restated, and instances that refute them."""
    given = format_number(constant)
    if constant <= 0:
        raise InvalidInstance("--constant", f"is {given}, expected a positive number")
    open_claims = [claim.id for claim in known if claim.disputed and claim.disputed.with_constant]
    claims: list[AnyClaim] = []
    made: list[Subject] = []
    for claim in chosen:
        if claim.disputed is None or claim.disputed.with_constant is None:
            claims.append(claim)
        else:
            restated = claim.disputed.with_constant(constant)
            claims.append(restated.claim)
            made += restated.instances
    if not made:
        wanted = " or ".join(f"--claim {claim_id}" for claim_id in open_claims)
        raise InvalidInstance(
            "--constant",
            f"is {given}, but no claim chosen leaves a constant open, "
            f"expected {wanted or 'no --constant'}",
        )
    return claims, made


def _find_claim(claims: Sequence[AnyClaim], claim_id: str) -> AnyClaim:
    known = {claim.id: claim for claim in claims}
    if claim_id not in known:
        raise InvalidInstance("CLAIM", _nearest(claim_id, known))
    return known[claim_id]


def _nearest(given: str, known: Iterable[str]) -> str:
    names = tuple(known)
    near = get_close_matches(given, names, n=1, cutoff=0.0)
    hint = f" (nearest: {near[0]})" if near else ""
    return f"is {given[:60]!r}, expected one of {', '.join(names)}{hint}"


def _load(name: str) -> Subject:
    """Load an instance file, or the gallery's instance of that name where there is no file."""
    path = Path(name)
    if not path.exists() and name in gallery.names():
        return gallery.load(name)
    return _in_file(path, lambda: load_subject(path))


def _load_distinct(files: Sequence[str]) -> list[Subject]:
    """Load instances, no two of one name: the report could not tell them apart."""
    first: dict[str, str] = {}
    instances = [_load(file) for file in files]
    for file, name in zip(files, (instance.name for instance in instances), strict=True):
        if name in first:
            problem = f"is {name!r} as in {first[name]}, expected distinct names"
            raise InvalidInstance(f"{file}: name", problem)
        first[name] = file
    return instances


def _in_file(path: Path, read: Callable[[], T]) -> T:
    """Name the file in what is wrong with it."""
    try:
        return read()
    except InvalidInstance as error:
        raise InvalidInstance(str(path), str(error)) from error


def _filled(text: str, head: str) -> str:
    """Return a text in lines that fit a terminal, the first of them after `head`."""
    return textwrap.fill(
        text,
        _WIDTH,
        initial_indent=head,
        subsequent_indent=" " * len(head),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _print_json(value: object) -> None:
    _say(json.dumps(value, indent=2, ensure_ascii=False))
