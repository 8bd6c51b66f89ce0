"""Which measures are wanted? Run them one after the other, print the table, write the JSON.

python -m tests.bench [--quick] [--rounds N] [--json FILE] [P1 P3 ...]; --list names them.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

from tests.bench import (
    alerting,
    arrivals,
    command_line,
    cost,
    due_at_once,
    lateness,
    output,
    passes,
    report,
    rules,
    sampling,
    soak,
    starting,
    watching,
)
from tests.bench.figures import BenchError, Measure, Scale

ROOMS = (
    alerting,
    due_at_once,
    lateness,
    starting,
    passes,
    cost,
    command_line,
    output,
    soak,
    rules,
    arrivals,
    sampling,
    watching,
)
ALL: list[Measure] = sorted(
    (measure for room in ROOMS for measure in room.MEASURES),
    key=lambda measure: (int(measure.name[1:].rstrip("B")), measure.name),
)
WORK = Path(__file__).parents[2] / ".bench" / "work"


def main() -> int:
    """0: every floor is met; 1: one is missed; 2: something could not be measured."""
    asked = _arguments()
    if asked.list:
        print("\n".join(f"{measure.name:<4} {measure.about}" for measure in ALL))
        return 0
    results = [_result(measure, asked) for measure in ALL if not asked.names or measure.name in asked.names]
    print(report.table(results))
    if asked.json:
        asked.json.write_text(report.as_json(results, quick=asked.quick))
    if any(result.error for result in results):
        return 2
    return int(any(figure.verdict == "missed" for result in results for figure in result.figures))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure Jarvis beside its peers.")
    parser.add_argument("names", nargs="*", metavar="MEASURE", help="only these (see --list)")
    parser.add_argument("--list", action="store_true", help="say what is measured")
    parser.add_argument("--quick", action="store_true", help="small sizes, one round: does everything work?")
    parser.add_argument("--rounds", type=int, help="so many rounds of both sides in turn")
    parser.add_argument("--json", type=Path, help="write the figures and all samples to this file")
    parser.add_argument("--keep", action="store_true", help="leave the files of the measures in .bench/work")
    asked = parser.parse_args()
    asked.names = [name.upper() for name in asked.names]
    known = {measure.name for measure in ALL}
    if unknown := [name for name in asked.names if name not in known]:
        parser.error(f"there is no measure {', '.join(unknown)}; --list says which there are")
    return asked


def _result(measure: Measure, asked: argparse.Namespace) -> report.Result:
    print(f"{measure.name} {measure.about} ...", file=sys.stderr, flush=True)
    WORK.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f"{measure.name}-", dir=WORK))
    load = report.load()
    try:
        scale = Scale(work=work, quick=asked.quick, rounds=asked.rounds)
        return report.Result(measure=measure, figures=measure.run(scale), load=load)
    except BenchError as error:
        print(f"{measure.name}: {error}", file=sys.stderr)
        return report.Result(measure=measure, figures=[], load=load, error=str(error))
    except Exception as error:
        traceback.print_exc()
        return report.Result(measure=measure, figures=[], load=load, error=f"{type(error).__name__}: {error}")
    finally:
        if not asked.keep:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
