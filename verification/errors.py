"""Exceptions that a user can cause or meet; everything else is a fault of this project."""

from __future__ import annotations


class VerificationError(Exception):
    """Root of the exceptions that the commands turn into one line and an exit code."""


class InvalidInstance(VerificationError):  # noqa: N818 - the contract's own name
    """Malformed input: which field, which value, what was expected.

    Parameters
    ----------
    path : str
        Path of the offending field, such as ``chain.transition[1]``; empty for the whole file.
    problem : str
        What is there and what was expected, such as ``row sums to 99/100, expected 1``.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}" if path else problem)
        self.path = path
        self.problem = problem

    def __reduce__(self) -> tuple[type[InvalidInstance], tuple[str, str]]:
        return (InvalidInstance, (self.path, self.problem))


class NotEnclosed(VerificationError):  # noqa: N818 - "not proved" is an outcome, not a failure
    """A number could not be enclosed within the stated limits; the case becomes UNDECIDED.

    The message says which limit was met, so that the report can repeat it.
    """


class SelfTestFailed(VerificationError):  # noqa: N818 - reads as the sentence it is
    """The arithmetic that every verdict rests on failed its start-up test: nothing is decided."""
