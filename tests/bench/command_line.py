"""How long does a person wait for a command? (P10, P11)"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.bench import figures, processes
from tests.bench.figures import BenchError, Figure, Measure, Scale
from tests.bench.ours import Ours

READ = """
import sys, yaml
from jarvis.core.job import JobSpec
with open(sys.argv[1]) as file:
    jobs = yaml.load(file, Loader=yaml.CSafeLoader)["jobs"]
print(len([JobSpec.model_validate(body) for body in jobs.values()]))
"""
"""The least that reading jobs.yaml takes: its YAML by the C loader, its jobs by their pydantic model."""


def commands(scale: Scale) -> list[Figure]:
    """Each in turn with an interpreter that only imports click."""
    count, times = scale.size(1_000, 200), scale.size(30, 5)
    ours = Ours(scale.work / "ours")
    ours.jobs({f"job-{n}": {"command": "true", "cron": "0 0 1 1 *"} for n in range(count)})
    jarvis = _installed(ours)
    listed, told, bare = [], [], []
    with ours.up():
        if len(_output([*jarvis, "jobs", "list"], ours).splitlines()) < count:
            raise BenchError(f"'jarvis jobs list' did not show {count} jobs")
        for _ in range(times):
            listed.append(processes.timed([*jarvis, "jobs", "list"], _asking(ours), ours.folder))
            told.append(processes.timed([*jarvis, "--version"], _asking(ours), ours.folder))
            bare.append(processes.timed([sys.executable, "-c", "import click"], ours.env, ours.folder))
    milliseconds = [[1_000 * each for each in samples] for samples in (listed, told, bare)]
    against = "python -c 'import click'"
    return [
        figures.at_most(
            f"jarvis jobs list, {count:,} jobs", milliseconds[0], milliseconds[2],
            against=against, floor=4, target=2.5, unit="ms",
        ),
        figures.at_most(
            "jarvis --version", milliseconds[1], milliseconds[2],
            against=against, floor=1.5, target=1.2, unit="ms",
        ),
    ]  # fmt: skip


def check(scale: Scale) -> list[Figure]:
    """The whole check of a file with nothing wrong in it, beside reading and validating it alone."""
    count, times = scale.size(1_000, 200), scale.size(15, 3)
    ours = Ours(scale.work / "ours")
    ours.jobs(
        {f"job-{n}": {"command": f"echo {n}", "cron": f"{n % 60} {n // 60 % 24} * * *"} for n in range(count)}
    )
    jarvis = _installed(ours)
    if f"{count:,} jobs" not in _output([*jarvis, "check"], ours):
        raise BenchError(f"'jarvis check' did not say that there are {count} jobs")
    checked, alone = [], []
    for _ in range(times):
        checked.append(1_000 * processes.timed([*jarvis, "check"], _asking(ours), ours.folder))
        read = [sys.executable, "-c", READ, str(ours.config)]
        alone.append(1_000 * processes.timed(read, ours.env, ours.folder))
    return [
        figures.at_most(
            f"jarvis check, {count:,} jobs", checked, alone,
            against="CSafeLoader + pydantic", floor=3, target=1.5, unit="ms",
        )
    ]  # fmt: skip


def _installed(ours: Ours) -> list[str]:
    """The jarvis command as it is installed beside this Python; else as a module."""
    installed = Path(sys.executable).parent / "jarvis"
    return [str(installed)] if installed.exists() and "PYTHONPATH" not in ours.env else ours.command()


def _asking(ours: Ours) -> dict[str, str]:
    return ours.env | {"JARVIS_CONFIG": str(ours.config), "JARVIS_STATE": str(ours.state)}


def _output(arguments: list[str], ours: Ours) -> str:
    return processes.output(arguments, _asking(ours), ours.folder)


MEASURES = [
    Measure(name="P10", about="jarvis jobs list and jarvis --version", run=commands),
    Measure(name="P11", about="jarvis check", run=check),
]
