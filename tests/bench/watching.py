"""What does it cost to watch a big tree, and how long after the quiet does a change start its job? (P18)"""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.bench import figures, processes
from tests.bench.figures import BenchError, Figure, Measure, Scale
from tests.bench.ours import Ours

DEBOUNCE = 2.0
PER_FOLDER = 100


def watching(scale: Scale) -> list[Figure]:
    """Both daemons are there at the same time, one with the tree and one without."""
    count, seconds = scale.size(50_000, 2_000), scale.size(60, 10)
    tree = _tree(scale.work / "tree", count)
    ours, idle = Ours(scale.work / "ours"), Ours(scale.work / "idle")
    ours.jobs({"seen": {"command": "true", "watch": {"paths": str(tree), "initial": False}}})
    idle.jobs({"seen": {"command": "true", "cron": "0 0 1 1 *"}})
    with ours.up() as mine, idle.up() as theirs:
        processes.until(lambda: ours.rows("SELECT files FROM watches") == [(count,)], "the first look", 60)
        time.sleep(5)
        spent, without = [], []
        for _ in scale.times(3):
            before, begun = (_cpu(mine.pid), _cpu(theirs.pid)), time.monotonic()
            time.sleep(seconds)
            minutes = (time.monotonic() - begun) / 60
            spent.append((_cpu(mine.pid) - before[0]) / minutes)
            without.append((_cpu(theirs.pid) - before[1]) / minutes)
        memory = [processes.proportional_memory(mine.pid) - processes.proportional_memory(theirs.pid)]
        late = [_late(ours, tree, number) for number in range(scale.size(10, 3))]
    extra = [max(with_it - base, 0.0) for with_it, base in zip(spent, without, strict=True)]
    return [
        figures.within(
            f"a tree of {count:,} files: change to fire, after the debounce", late, limit=0.5, target=0.2, unit="s"
        ),
        figures.within(
            "... CPU seconds a minute more than a daemon without it", extra, limit=0.1, target=0.02, unit="s/min",
            note=f"with {spent[len(spent) // 2]:.3f}, without {without[len(without) // 2]:.3f}",
        ),
        Figure(
            what="... memory more than a daemon without it (PSS)", unit="MB", ours=memory[0], theirs=None, against="",
            score=memory[0], score_unit="MB", floor=None, more_is_better=False, samples={"ours": memory},
        ),
    ]  # fmt: skip


def _tree(folder: Path, count: int) -> Path:
    for number in range(count // PER_FOLDER):
        inner = folder / f"d{number // 50}" / f"e{number}"
        inner.mkdir(parents=True)
        for file in range(PER_FOLDER):
            (inner / f"f{file}").write_text(str(file))
    return folder


def _cpu(pid: int) -> float:
    return sum(processes.own_cpu(process.pid) for process in processes.family(pid))


def _late(ours: Ours, tree: Path, number: int) -> float:
    """Seconds from the end of the quiet to the fire; it has to be the fire of this very change."""
    changed = tree / "d0" / f"e{number}" / f"f{number}"
    at = time.time()
    changed.write_text("changed")
    processes.until(lambda: len(ours.rows("SELECT id FROM runs")) > number, "a fire", 20)
    queued, cause = ours.rows("SELECT queued_at, cause FROM runs ORDER BY id DESC LIMIT 1")[0]
    if json.loads(cause)["paths"] != [str(changed)]:
        raise BenchError(f"{changed} was changed; the run was told {cause}")
    time.sleep(0.3)
    return float(queued) / 1e6 - at - DEBOUNCE


MEASURES = [
    Measure(name="P18", about="a watched tree of 50,000 files: delay, idle CPU, memory", run=watching)
]
