"""The one seam for parallel work: joblib's loky backend on one machine, Dask distributed where a scheduler is named.

Tasks are named functions with plain arguments, each with one BLAS thread. A worker, or a whole cluster, may be killed at any
moment: what was being computed is computed again, what was finished is kept, and a caller that wants to know is told. A task
that takes its worker with it whenever it runs comes back as :class:`Lost` after ``TRIES`` tries, and costs no other task.

joblib has a Dask backend of its own, and with ``return_as="generator_unordered"`` it waits for ever (joblib 1.6) for a task
whose workers died and for a scheduler that is gone: it reports only what succeeds. So futures are asked for directly.

Nothing is unpickled here: loky and Dask talk to workers of their own. Whoever reaches a ``tcp://`` scheduler can run code on
its workers, so it belongs on loopback or a private network; ``tls://`` takes its certificates from Dask's configuration.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import re
import socket
import sys
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import joblib
import threadpoolctl
from joblib.externals.loky import process_executor

from verifier.provenance import code_digest

TRIES = 3  # a task that was running when its worker died, so often, is given up
CONNECT_SECONDS = 5.0
WORKER_SECONDS = 30.0  # how long a cluster may have no worker before it counts as gone: a nanny restarts one in a few
GROWTH = 2_000_000_000  # bytes by which a worker of loky may grow before it is replaced
_GATHER_SECONDS = 10.0
_POLL_SECONDS = 0.5
_EXTRA = "pip install 'verifier[cluster]'"
_IN_THIS_PROCESS = threading.Lock()

OnDamage = Callable[[str, str], None]


@dataclass(frozen=True)
class Task:
    """A call that any process can make: a function of a module and plain arguments."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]

    def __call__(self) -> Any:
        """Make the call."""
        with threadpoolctl.threadpool_limits(limits=1):
            return self.function(*self.arguments)


@dataclass(frozen=True)
class Lost:
    """What comes back instead of a result: ``what`` says, after the name of the task, why it was given up."""

    task: Task
    what: str

    def __str__(self) -> str:
        return f"{_named(self.task)} was {self.what}"


class SchedulerError(ValueError):
    """The cluster that was named cannot be used; one sentence with the remedy."""


def run_tasks(
    tasks: Iterable[Task],
    jobs: int,
    scheduler: str | None = None,
    *,
    on_damage: OnDamage | None = None,
) -> Iterator[Any]:
    """Results in the order in which they are ready, :class:`Lost` for a task that was given up.

    Tasks are asked for as they are started, in this process for one job. ``scheduler`` (``tcp://host:port`` or ``tls://``)
    runs them on the workers of a Dask cluster; when its scheduler dies, or all its workers do for ``WORKER_SECONDS``, the run
    goes on with ``jobs`` processes of this machine. ``on_damage(where, what)`` hears of every such event. An exception of
    a task ends the run. SchedulerError for a cluster that cannot be used to begin with.
    """
    address = None if scheduler is None else scheduler_address(scheduler)
    tell = (lambda where, what: None) if on_damage is None else on_damage
    return _results(_Tray(tasks), jobs, address, tell)


def scheduler_address(text: str) -> str:
    """The address of a Dask scheduler, checked: ``tcp://host:port`` or ``tls://host:port``."""
    wanted = f"scheduler={text!r} must be tcp://HOST:PORT or tls://HOST:PORT"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise SchedulerError(f"{wanted}: {error}") from None
    if parts.scheme not in ("tcp", "tls") or not host or not port or not re.fullmatch(r"[\w.:-]+", host, re.ASCII):
        raise SchedulerError(wanted)
    if parts.path or parts.query or parts.fragment or parts.username is not None:
        raise SchedulerError(f"{wanted}, and nothing else")
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


class _Tray:
    """The tasks that are not finished: those that were asked for, of which some have to run again, and the others."""

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._fresh = enumerate(tasks)
        self._asked_for: dict[int, Task] = {}
        self._again: deque[int] = deque()
        self._tries: Counter[int] = Counter()
        self._round = 0
        self._lock = threading.Lock()  # joblib asks for tasks from a thread of its own

    def take(self) -> tuple[int, Task] | None:
        """The next task to run and its number; None when there is none."""
        with self._lock:
            return self._take()

    def _take(self) -> tuple[int, Task] | None:
        if self._again:
            number = self._again.popleft()
            return number, self._asked_for[number]
        following = next(self._fresh, None)
        if following is not None:
            number, self._asked_for[number] = following
        return following

    def calls(self) -> Iterator[Any]:
        """The calls for joblib; an iterator of an earlier round ends, so that a late thread takes nothing from this one."""
        this = self._round
        while True:
            with self._lock:
                taken = self._take() if self._round == this else None
            if taken is None:
                return
            yield joblib.delayed(_numbered)(*taken, tuple(sys.path))

    def task(self, number: int) -> Task:
        """A task that is not finished."""
        return self._asked_for[number]

    def finish(self, number: int) -> None:
        """Take a task off; its result is there, or it was given up."""
        with self._lock:
            del self._asked_for[number]
            if number in self._again:
                self._again.remove(number)
            self._tries.pop(number, None)

    def give_back(self, number: int) -> int:
        """Have a task run again that was lost while it ran, and say how often that was so."""
        with self._lock:
            if number not in self._again:
                self._again.append(number)
            self._tries[number] += 1
            return self._tries[number]

    def give_back_all(self) -> int:
        """Have everything run again that was running, and say how much that is."""
        with self._lock:
            running = [number for number in self._asked_for if number not in self._again]
            self._round += 1
        for number in running:
            self.give_back(number)
        return len(running)

    def take_suspect(self, tries: int) -> tuple[int, Task] | None:
        """The next task that was lost at least so often."""
        with self._lock:
            number = next((number for number in self._again if self._tries[number] >= tries), None)
            if number is None:
                return None
            self._again.remove(number)
            return number, self._asked_for[number]


def _numbered(number: int, task: Task, importable: tuple[str, ...]) -> tuple[int, Any]:
    # loky keeps its workers for the next run, which may have packs in places that this one did not know.
    sys.path[:] = [*importable, *(place for place in sys.path if place not in importable)]
    # loky takes 300 MB for a leak. The bounded caches of a worker come to that in half a minute, and its successor has to import
    # and compute everything anew.
    process_executor._MAX_MEMORY_LEAK_SIZE = GROWTH
    return number, task()


def _results(tray: _Tray, jobs: int, scheduler: str | None, tell: OnDamage) -> Iterator[Any]:
    if scheduler is not None:
        try:
            yield from _on_cluster(tray, scheduler, tell)
            return
        except _ClusterGone as gone:
            again = tray.give_back_all()
            tell(f"scheduler {scheduler}", f"{gone}: {_tasks(again)} run again, on this machine ({_processes(jobs)})")
    yield from _on_machine(tray, jobs, tell)


# ----------------------------------------------------------------------------------------------------
# This machine


def _on_machine(tray: _Tray, jobs: int, tell: OnDamage) -> Iterator[Any]:
    """In this process for one job; else in loky's, whose whole pool ends with the first worker that is killed."""
    while True:
        # Who took the worker down is not known: a task that was there twice runs alone, so that no other is blamed for it.
        # With one job everything else runs in this process, which a dangerous task must not.
        while (suspect := tray.take_suspect(1 if jobs == 1 else TRIES - 1)) is not None:
            yield _alone(tray, *suspect, tell)
        if jobs == 1:
            while (taken := tray.take()) is not None:
                number, task = taken
                result = task()
                tray.finish(number)
                yield result
            return
        try:
            for number, result in _loky(jobs)(tray.calls()):
                tray.finish(number)
                yield result
            return
        except BrokenProcessPool as error:
            again = tray.give_back_all()
            tell("worker", f"{_killed(error)}: {_tasks(again)} run again")


def _alone(tray: _Tray, number: int, task: Task, tell: OnDamage) -> Any:
    """The result of one task with no other beside it; with it, a worker's death is its own."""
    while True:
        try:
            ((_, result),) = _loky(2)([joblib.delayed(_numbered)(number, task, tuple(sys.path))])
        except BrokenProcessPool as error:
            if tray.give_back(number) < TRIES:
                tell("worker", f"{_killed(error)}: {_named(task)} runs again")
                continue
            result = Lost(task, f"given up after {TRIES} tries, the last one alone: {_killed(error)}")
            tell("worker", str(result))
        tray.finish(number)
        return result


def _loky(jobs: int) -> Any:
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        return joblib.Parallel(n_jobs=jobs, return_as="generator_unordered", batch_size=1)


def _killed(error: BaseException) -> str:
    codes = ", ".join(sorted(set(re.findall(r"(?:SIG\w+|EXIT)\(-?\d+\)", str(error)))))
    return f"a worker process died{f' ({codes})' if codes else ''}"


def _named(task: Task) -> str:
    return f"{task.function.__name__}{task.arguments!r}"


def _tasks(count: int) -> str:
    return f"{count} task{'' if count == 1 else 's'} that had not finished"


def _processes(jobs: int) -> str:
    return f"{jobs} process{'' if jobs == 1 else 'es'}"


# ----------------------------------------------------------------------------------------------------
# A cluster


class _ClusterGone(Exception):
    """The scheduler, or every worker, is gone in the middle of a run."""


@dataclass(frozen=True)
class _Again:
    """A task that has to run again, and why."""

    why: str


@dataclass(frozen=True)
class _Foreign:
    """What a worker sends back that runs other code than this process."""

    digest: str


def _remote(task: Task, digest: str) -> Any:
    """Make the call on a worker of a cluster: one at a time in a process, because the machinery keeps state of the process."""
    if (here := code_digest()) != digest:
        return _Foreign(here)
    with _IN_THIS_PROCESS:
        return task()


def _on_cluster(tray: _Tray, scheduler: str, tell: OnDamage) -> Iterator[Any]:
    """Keep two tasks a worker with the scheduler, which runs those of a dead worker again on another one."""
    digest = code_digest()
    with _client(scheduler) as client:
        workers = _workers(client)
        _check_workers(client, scheduler, digest, tell)
        ready: queue.SimpleQueue[Any] = queue.SimpleQueue()
        running: dict[Any, int] = {}  # the futures, by their identity: a key of Dask may be taken again
        idle = 0.0
        try:
            while True:
                while len(running) < 2 * max(len(workers), 1) and (taken := tray.take()) is not None:
                    number, task = taken
                    try:
                        future = client.submit(_remote, task, digest, pure=False)
                    except Exception as error:
                        raise _ClusterGone(_why(error)) from None
                    running[future] = number
                    future.add_done_callback(ready.put)
                if not running:
                    return
                try:
                    future = ready.get(timeout=_POLL_SECONDS)
                except queue.Empty:
                    future = None
                if client.status != "running":
                    raise _ClusterGone("the scheduler is gone")
                now = _workers(client)
                for address in workers.keys() - now.keys():
                    tell(f"worker {address}", "it is gone; the scheduler runs its tasks again on another one")
                workers = now
                if future is not None:
                    number = running.pop(future)
                    idle = 0.0
                    task = tray.task(number)
                    outcome = _outcome(client, task, future)
                    if isinstance(outcome, _Again):
                        if tray.give_back(number) < TRIES:
                            tell("worker", f"{_named(task)} runs again: {outcome.why}")
                            continue
                        outcome = Lost(task, f"given up after {TRIES} tries: {outcome.why}")
                    if isinstance(outcome, Lost):
                        tell("worker", str(outcome))
                    tray.finish(number)
                    yield outcome
                elif not workers and (idle := idle + _POLL_SECONDS) >= WORKER_SECONDS:
                    raise _ClusterGone(f"the cluster has had no worker for {WORKER_SECONDS:.0f} s")
        finally:
            if client.status == "running":
                client.cancel(list(running))


def _outcome(client: Any, task: Task, future: Any) -> Any:
    """The result of a future that is done, Lost for a task that was given up, _Again for one that has to run again."""
    from distributed import KilledWorker

    error, result = None, None
    try:
        if future.status == "error":
            error = future.exception(timeout=_GATHER_SECONDS)
        else:
            result = future.result(timeout=_GATHER_SECONDS)
    except Exception as failure:  # its worker died with the result, or somebody cancelled it, or the scheduler is gone
        if client.status != "running":
            raise _ClusterGone("the scheduler is gone") from None
        if not _workers(client):  # nobody is there to compute it again
            raise _ClusterGone("the cluster has no worker") from None
        return _Again(f"its result did not arrive: {_why(failure)}")
    if isinstance(error, KilledWorker):
        return Lost(task, "given up by the scheduler: every worker that it ran on died")
    if error is not None:
        raise error
    if isinstance(result, _Foreign):
        here = f"a worker runs other code (digest {result.digest[:12]}) than this process"
        return _Again(f"{here}: install the same version there")
    return result


@contextmanager
def _client(scheduler: str) -> Iterator[Any]:
    """A client of the scheduler; SchedulerError, within seconds, for one that cannot be reached."""
    try:
        from distributed import Client
    except ImportError as error:
        raise SchedulerError(f"scheduler={scheduler!r} needs Dask ({error}): {_EXTRA}") from None
    wrong = f"scheduler={scheduler!r} does not answer as a Dask scheduler of this version"
    parts = urlsplit(scheduler)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 0), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise SchedulerError(
            f"scheduler={scheduler!r} cannot be reached ({_why(error)}): start one with `dask scheduler` there"
        ) from None
    with _quiet("distributed"):
        try:
            # Dask's own client waits for ever for an answer of what is no scheduler; in a thread because this one may have a loop.
            with ThreadPoolExecutor(1) as thread:
                thread.submit(asyncio.run, _introduce(scheduler)).result()
            client = Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
        except Exception as error:  # whatever answers at that port, it may answer anything
            raise SchedulerError(f"{wrong} ({_why(error)})") from None
        try:
            yield client
        finally:
            client.close(timeout=2)


async def _introduce(scheduler: str) -> None:
    """Ask who is there; an exception unless a scheduler says so in time."""
    from distributed import Security, rpc

    async def ask() -> Any:
        async with rpc(scheduler, connection_args=Security().get_connection_args("client")) as there:
            return await there.identity()

    said = await asyncio.wait_for(ask(), CONNECT_SECONDS)
    if said["type"] != "Scheduler":
        raise ValueError(f"it is a {said['type']}")


@contextmanager
def _quiet(name: str) -> Iterator[None]:
    """Without the log of a library that writes tracebacks of what is handled here."""
    loggers = [logger for each, logger in logging.root.manager.loggerDict.items() if each.split(".")[0] == name]
    silenced = [logger for logger in loggers if isinstance(logger, logging.Logger) and not logger.disabled]
    for logger in silenced:
        logger.disabled = True
    try:
        yield
    finally:
        for logger in silenced:
            logger.disabled = False


def _workers(client: Any) -> dict[str, int]:
    """The threads of each worker, from the scheduler itself: what the client remembers as its info is without workers every two
    seconds.
    """
    try:
        found: dict[str, int] = client.nthreads()
    except OSError:
        raise _ClusterGone("the scheduler is gone") from None
    return found


def _check_workers(client: Any, scheduler: str, digest: str, tell: OnDamage) -> None:
    """SchedulerError unless there is a worker, and every one of them runs this code; threads that stay idle are named."""
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except TimeoutError:
        raise SchedulerError(
            f"scheduler={scheduler!r} has no worker: start one with `dask worker {scheduler} --nthreads 1`"
        ) from None
    for address, found in client.run(code_digest, on_error="return").items():
        if isinstance(found, BaseException):
            raise SchedulerError(f"the worker {address} cannot import verifier ({_why(found)}): install it there")
        if found != digest:
            raise SchedulerError(
                f"the worker {address} runs other code (digest {found[:12]}, here {digest[:12]}): install the same version there"
            )
    for address, threads in _workers(client).items():
        if threads > 1:
            tell(
                f"worker {address}",
                f"one of its {threads} threads is used: start it with --nthreads 1, and --nworkers for more",
            )


def _why(error: BaseException) -> str:
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said[:200]}" if said else type(error).__name__
