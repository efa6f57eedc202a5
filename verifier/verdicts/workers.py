"""The one seam for parallel work: joblib, with one BLAS thread a worker. Tasks are named functions with plain arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import joblib
import threadpoolctl


@dataclass(frozen=True)
class Task:
    """A call that any process can make: a function of a module and plain arguments."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]

    def __call__(self) -> Any:
        """Make the call."""
        with threadpoolctl.threadpool_limits(limits=1):
            return self.function(*self.arguments)


def run_tasks(tasks: Iterable[Task], jobs: int) -> Iterator[Any]:
    """Results in the order in which they are ready; in this process for one job. Tasks are asked for as they are started."""
    if jobs == 1:
        yield from (task() for task in tasks)
        return
    calls = (joblib.delayed(_call)(task) for task in tasks)
    yield from joblib.Parallel(n_jobs=jobs, backend="loky", return_as="generator_unordered", batch_size=1)(calls)


def _call(task: Task) -> Any:
    return task()
