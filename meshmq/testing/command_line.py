"""``python -m meshmq.testing``: runs one seed of a simulation again, or thousands of new ones."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from meshmq.testing.campaign import Plan, run
from meshmq.testing.replay import SimulationFailed

JOBS: Final = "meshmq.testing.jobs:Jobs"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 where all seeds hold, 1 where one fails or not all were run in time."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        plan = Plan(options.scenario, options.set, options.fault, options.nodes)
        if options.processes:
            return _run_many(plan, options)
        for seed in range(options.seed, options.seed + options.count):
            report = plan.run(seed, _tell if options.trace else None)
            counts = ", ".join(f"{count} {what}" for what, count in sorted(report.counts.items()))
            told = f"{report.events} events in {report.seconds:.1f} s, {report.trace_hash}; {counts}"
            sys.stdout.write(f"seed {seed} holds: {told}\n")
    except SimulationFailed as failure:
        _tell(str(failure))
        return 1
    except (ValueError, ImportError, AttributeError) as error:
        parser.error(str(error))
    return 0


def _run_many(plan: Plan, options: argparse.Namespace) -> int:
    seeds = range(options.seed, options.seed + options.count)
    outcome = run(plan, seeds, processes=options.processes, limit=options.limit, say=_tell)
    sys.stdout.write(f"{outcome}\n")
    if outcome.failure:
        _tell(outcome.failure)
    elif outcome.held < len(seeds):
        _tell(f"stopped after {options.limit:g} s: {len(seeds) - outcome.held:,} seeds were not run")
    return int(outcome.held < len(seeds))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m meshmq.testing", description="Run seeds of a simulation.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=1, help="so many seeds from --seed on")
    parser.add_argument("--nodes", type=int, default=5)
    parser.add_argument("--scenario", default=JOBS, metavar="MODULE:CLASS")
    parser.add_argument("--fault", action="append", default=[], metavar="NAME=VALUE", help="a field of Faults")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a field of the scenario")
    parser.add_argument("--trace", action="store_true", help="every line of the trace on stderr")
    parser.add_argument("--processes", type=int, default=0, help="run the seeds in so many, with a summary")
    parser.add_argument("--limit", type=float, default=1800.0, help="seconds after which --processes stops")
    return parser


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
