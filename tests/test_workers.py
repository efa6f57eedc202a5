"""Workers and all workers of a cluster are killed for real, on loopback; nothing that was finished is lost.

The scheduler, and one worker of two, are killed under a whole night: see test_nightly.py.
"""

from __future__ import annotations

import importlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from verifier.verdicts.workers import GROWTH, Lost, SchedulerError, Task, run_tasks, scheduler_address

HERE = Path(__file__).parent


def square(k: int) -> int:
    return k * k


def slow_square(k: int, directory: str, seconds: float) -> int:
    """Leaves a file that names its process, so that a test can kill it."""
    Path(directory, f"{k}.{os.getpid()}").touch()
    time.sleep(seconds)
    return k * k


def deadly(k: int, directory: str, deaths: int) -> int:
    """Kills its process, for k = 3, the first so many times."""
    if k == 3:
        died = len(list(Path(directory).iterdir()))
        if died < deaths:
            Path(directory, str(died)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
    return k * k


def raising(k: int) -> int:
    raise ZeroDivisionError(f"k = {k}")


def threads() -> list[int]:
    import numpy as np
    import threadpoolctl

    np.linalg.eigvalsh(np.eye(3))
    return [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]


class Damage(list):
    def __call__(self, where: str, what: str) -> None:
        self.append((where, what))


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_of_all_tasks(jobs):
    assert sorted(run_tasks((Task(square, (k,)) for k in range(9)), jobs)) == [k * k for k in range(9)]


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.thorough
def test_an_exception_of_a_task_ends_the_run(jobs):
    with pytest.raises(ZeroDivisionError, match="k = 0"):
        list(run_tasks([Task(raising, (0,))], jobs))


def of_a_pack(name: str) -> Any:
    return importlib.import_module(name).VALUE


def test_workers_of_an_earlier_run_find_what_was_put_on_the_path_since(tmp_path, monkeypatch):
    assert list(run_tasks([Task(square, (3,))], 2)) == [9]  # loky keeps its workers
    (tmp_path / "pack_of_a_later_run.py").write_text("VALUE = 7")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert list(run_tasks([Task(of_a_pack, ("pack_of_a_later_run",))], 2)) == [7]


def growth() -> int:
    """Bytes by which the process that runs this may grow before loky takes its place away."""
    from joblib.externals.loky import process_executor

    return process_executor._MAX_MEMORY_LEAK_SIZE


def test_a_worker_has_one_blas_thread_and_room_for_its_caches():
    (found,) = set(map(tuple, run_tasks([Task(threads, ()) for _ in range(4)], 2)))
    assert found
    assert set(found) == {1}
    assert set(run_tasks([Task(growth, ()) for _ in range(4)], 2)) == {GROWTH}


@pytest.mark.parametrize("deaths", [1, 2])
@pytest.mark.thorough
def test_a_worker_that_is_killed_costs_nothing(tmp_path, deaths):
    damage = Damage()
    tasks = [Task(deadly, (k, str(tmp_path), deaths)) for k in range(8)]
    assert sorted(run_tasks(tasks, 2, on_damage=damage)) == [k * k for k in range(8)]
    assert len(damage) == deaths
    assert damage[0][0] == "worker"
    assert "SIGKILL(-9)" in damage[0][1]


@pytest.mark.thorough
def test_a_task_that_always_kills_its_worker_is_lost_alone(tmp_path):
    damage = Damage()
    tasks = [Task(deadly, (k, str(tmp_path), 99)) for k in range(8)]
    results = list(run_tasks(tasks, 2, on_damage=damage))
    (lost,) = [result for result in results if isinstance(result, Lost)]
    assert lost.task is tasks[3]
    assert "given up after 3 tries, the last one alone" in lost.what
    assert sorted(result for result in results if result is not lost) == [k * k for k in range(8) if k != 3]
    assert len(damage) == 3


@pytest.mark.thorough
def test_a_worker_that_somebody_kills(tmp_path):
    tasks = (Task(slow_square, (k, str(tmp_path), 0.1)) for k in range(12))
    results, killed = [], False
    for result in run_tasks(tasks, 2):
        results.append(result)
        if not killed and len(results) == 3:
            running = {int(path.suffix[1:]) for path in tmp_path.iterdir()}
            os.kill(running.pop(), signal.SIGKILL)
            killed = True
    assert sorted(results) == [k * k for k in range(12)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost:8786",
        "http://localhost:8786",
        "tcp://",
        "tcp://localhost",
        "tcp://localhost:0",
        "tcp://localhost:99999",
        "tcp://localhost:port",
        "tcp://user@localhost:8786",
        "tcp://localhost:8786/path",
        "tcp://local host:8786",
        "tcp://[::1:8786",
    ],
)
def test_an_address_that_is_none(text):
    with pytest.raises(SchedulerError, match=r"^scheduler=.* must be tcp://HOST:PORT or tls://HOST:PORT"):
        run_tasks([], 1, text)


@pytest.mark.parametrize("text", ["tcp://localhost:8786", "tls://10.0.0.1:1", "tcp://[::1]:8786"])
def test_an_address(text):
    assert scheduler_address(text) == text


def test_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(SchedulerError, match=r"needs Dask .*: pip install 'verifier\[cluster\]'"):
        list(run_tasks([Task(square, (1,))], 1, "tcp://127.0.0.1:8786"))


# ----------------------------------------------------------------------------------------------------
# A cluster on loopback


@pytest.fixture
def port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return server.getsockname()[1]


class Cluster:
    """A scheduler and its workers: processes that a test can kill."""

    def __init__(self, port: int, log: Path, workers: int, path: Path = HERE) -> None:
        self.address, self.log, self.path = f"tcp://127.0.0.1:{port}", log, path
        self.processes: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start(
            "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"
        )
        self.workers = [self.worker() for _ in range(workers)]

    def worker(self) -> subprocess.Popen[bytes]:
        arguments = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--local-directory", str(self.log)]
        return self._start("distributed.cli.dask_worker", self.address, "--host", "127.0.0.1", *arguments)

    def _start(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        python_path = os.pathsep.join([str(HERE.parent), str(self.path)])
        # A worker that is not in the middle of a task would close itself with its scheduler: it may, it is not needed then.
        environment = {**os.environ, "PYTHONPATH": python_path, "DASK_DISTRIBUTED__WORKER__DEATH_TIMEOUT": "60"}
        with (self.log / "log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.log,
            )
        self.processes.append(process)
        return process

    def wait(self) -> None:
        from distributed import Client

        with Client(self.address, timeout=20, set_as_default=False) as client:
            if self.workers:
                client.wait_for_workers(len(self.workers), timeout=20)

    def stop(self) -> None:
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.wait()


@pytest.fixture
def cluster(port, tmp_path) -> Iterator[Cluster]:
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    started = Cluster(port, tmp_path, workers=2)
    try:
        started.wait()
        yield started
    finally:
        started.stop()


@pytest.mark.thorough
def test_a_task_that_kills_every_worker_of_a_cluster(cluster, tmp_path, monkeypatch):
    """Here nobody starts them again: the run goes on on this machine, where the task is found out and given up."""
    monkeypatch.setattr("verifier.verdicts.workers.WORKER_SECONDS", 1.0)
    monkeypatch.setattr("verifier.verdicts.workers._GATHER_SECONDS", 1.0)
    seen = tmp_path / "seen"
    seen.mkdir()
    damage = Damage()
    tasks = [Task(deadly, (k, str(seen), 99)) for k in range(8)]
    results = list(run_tasks(tasks, 1, cluster.address, on_damage=damage))
    (lost,) = [result for result in results if isinstance(result, Lost)]
    assert lost.task.arguments[0] == 3
    assert sorted(result for result in results if result is not lost) == [k * k for k in range(8) if k != 3]
    assert any("no worker" in what for _, what in damage)


@pytest.mark.thorough
def test_a_worker_that_is_there_is_not_missed(cluster, tmp_path):
    """The client of Dask writes over what it knows of the cluster from time to time, here all the time."""
    from dask import config

    damage = Damage()
    with config.set({"distributed.client.scheduler-info-interval": "2ms"}):
        tasks = [Task(slow_square, (k, str(tmp_path), 0.05)) for k in range(60)]
        results = list(run_tasks(tasks, 1, cluster.address, on_damage=damage))
    assert sorted(results) == [k * k for k in range(60)]
    assert damage == []


def test_a_cluster_without_a_worker(port, tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    monkeypatch.setattr("verifier.verdicts.workers.CONNECT_SECONDS", 2.0)
    started = Cluster(port, tmp_path, workers=0)
    try:
        started.wait()
        with pytest.raises(SchedulerError, match="has no worker: start one with `dask worker tcp://"):
            list(run_tasks([Task(square, (1,))], 2, started.address))
    finally:
        started.stop()


def test_no_scheduler_at_the_address(port):
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    started = time.monotonic()
    with pytest.raises(SchedulerError, match=r"cannot be reached \(ConnectionRefusedError: .*\): start one with `dask"):
        list(run_tasks([Task(square, (1,))], 2, f"tcp://127.0.0.1:{port}"))
    assert time.monotonic() - started < 5


def test_something_else_at_the_address(capfd, monkeypatch):
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    monkeypatch.setattr("verifier.verdicts.workers.CONNECT_SECONDS", 1.0)
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(SchedulerError, match="does not answer as a Dask scheduler"):
            list(run_tasks([Task(square, (1,))], 2, address))
    assert capfd.readouterr().err == ""
