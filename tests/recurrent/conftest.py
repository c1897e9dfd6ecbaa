"""The largest errors that the tests of the double kernels saw, below their usual output."""

from __future__ import annotations

PREFIX = "largest error: "


def pytest_terminal_summary(terminalreporter):
    # Properties travel with the reports, from the workers of pytest-xdist too.
    seen: dict[str, tuple[float, str]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) == "call":
                for name, value in report.user_properties:
                    if name.startswith(PREFIX):
                        kernel = name.removeprefix(PREFIX)
                        seen[kernel] = max(seen.get(kernel, (-1.0, "")), tuple(value))
    if seen:
        terminalreporter.section("largest errors seen in double precision, in ulp of 1")
        for kernel, (error, text) in sorted(seen.items()):
            terminalreporter.write_line(f"{kernel}: {error:.3f}, {text}")
