"""The largest errors that the tests of the double kernels saw, below their usual output."""

from __future__ import annotations

PREFIX = "largest error: "


def pytest_terminal_summary(terminalreporter):
    # Properties travel with the reports, from the workers of pytest-xdist too.
    lines = sorted(
        {
            f"{name.removeprefix(PREFIX)}: {value}"
            for reports in terminalreporter.stats.values()
            for report in reports
            for name, value in getattr(report, "user_properties", ())
            if name.startswith(PREFIX) and report.when == "call"
        }
    )
    if lines:
        terminalreporter.section("largest errors seen in double precision")
        terminalreporter.write("\n".join(lines) + "\n")
