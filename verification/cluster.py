"""A Dask cluster as an executor: tasks go to its scheduler, which hands them to its workers.

A task whose worker dies is given to another by the scheduler.  Whatever goes over the wire are
pickles: a cluster that one does not trust is not to be named.

The workers need this project, of the same version, and give the same numbers where numpy and numba
have the same versions too, and BLAS one thread (Dask's own default for workers with a nanny).
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version

from verification.errors import InvalidInstance

CONNECT_SECONDS = 10

_ADDRESS = re.compile(r"(tcp|tls|wss?)://\S+:[0-9]{1,5}")
_EXAMPLE = "a Dask scheduler such as tcp://host:8786"
_PACKAGES = ("kernel-limit-theorems", "numpy", "numba")


@contextmanager
def cluster(
    address: str, *, one_thread: bool = False
) -> Iterator[tuple[Callable[[], Executor], int]]:
    """Connect to a scheduler; close the connection afterwards.

    Parameters
    ----------
    address : str
        Such as ``tcp://host:8786``.
    one_thread : bool
        Refuse workers that do several tasks at a time: the precision of balls is one for all
        threads of a process.

    Yields
    ------
    callable
        Makes an executor.
    int
        Number of threads of its workers: how many tasks they do at a time.

    Raises
    ------
    InvalidInstance
        Where the package distributed is missing, the scheduler cannot be reached or has no
        workers, or a worker has not the versions that we have, or more threads than allowed.
    """
    try:
        import distributed  # noqa: PLC0415 - an optional dependency, slow to load
    except ImportError as error:
        raise InvalidInstance(
            "--executor",
            "needs the package distributed: pip install 'kernel-limit-theorems[cluster]'",
        ) from error
    if not _ADDRESS.fullmatch(address):
        # Dask would only notice after a while, and complain twice.
        raise InvalidInstance("--executor", f"is {address[:60]}, expected {_EXAMPLE}")
    # What it tells of lost connections is in the exceptions too.
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).handlers[:] = [logging.NullHandler()]
    try:
        # A client would wait for ever for a server that is none of Dask's.
        asyncio.run(asyncio.wait_for(_greet(address), CONNECT_SECONDS))
        client = distributed.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InvalidInstance(
            "--executor", f"{address} cannot be reached, expected {_EXAMPLE}"
        ) from error
    with client:
        of_workers = client.ncores()
        threads = sum(of_workers.values())
        if not threads:
            raise InvalidInstance("--executor", f"{address} has no workers")
        for worker, count in of_workers.items():
            if one_thread and count != 1:
                raise InvalidInstance(
                    "--executor",
                    f"worker {worker} has {count} threads, expected 1: start it with --nthreads 1",
                )
        _require_versions(client.run)
        # Dask would do equal tasks once only, and take later ones for done.
        yield (lambda: client.get_executor(pure=False)), threads


async def _greet(address: str) -> None:
    from distributed.comm import connect  # noqa: PLC0415 - an optional dependency

    (await connect(address, timeout=CONNECT_SECONDS)).abort()


def _require_versions(
    run: Callable[[Callable[[], dict[str, str]]], Mapping[str, dict[str, str]]],
) -> None:
    ours = versions()
    try:
        found = run(versions)
    except Exception as error:  # whatever keeps a worker from finding this module
        raise InvalidInstance(
            "--executor", f"its workers have not this project: {type(error).__name__}: {error}"
        ) from error
    for worker, theirs in found.items():
        for package, here in ours.items():
            if theirs[package] != here:
                raise InvalidInstance(
                    "--executor",
                    f"worker {worker} has {package} {theirs[package]}, expected {here} as here",
                )


def versions() -> dict[str, str]:
    """Return the versions that decide what numbers a task gives; runs on the workers too."""
    return {package: _version(package) for package in _PACKAGES}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
