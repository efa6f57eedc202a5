"""The example database: in a directory, beside it in Redis, with garbage in either, and with a Redis that is killed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from verifier.provenance import code_digest
from verifier.verdicts import database as module
from verifier.verdicts.database import LONGEST, PASSWORD, DatabaseError, check_database, example_database, redis_address

REQUIRED = os.environ.get("VERIFIER_REQUIRE_REDIS") == "1"


class Damage(list):
    def __call__(self, where: str, what: str) -> None:
        self.append((where, what))


def attack(database: Any, event: Callable[[], None] = lambda: None) -> list[int]:
    """A search for k > 1000 that keeps its counterexample; the numbers it looked at, in order. The event comes after a few."""
    looked: list[int] = []

    @settings(  # outermost: seed switches the database off
        max_examples=200,
        database=database,
        deadline=None,
        derandomize=False,
        phases=(Phase.reuse, Phase.generate, Phase.shrink),
    )
    @hypothesis.seed(0)
    @given(st.integers(0, 10**6))
    def small(k: int) -> None:
        looked.append(k)
        if len(looked) == 5:
            event()
        assert k <= 1000

    with pytest.raises(AssertionError):
        small()
    return looked


def entries(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


def test_a_directory_keeps_the_counterexample(tmp_path):
    damage = Damage()
    assert attack(example_database(None, tmp_path / "db", on_damage=damage))[0] != 1001
    assert attack(example_database(None, tmp_path / "db", on_damage=damage))[0] == 1001
    assert damage == []


def test_garbage_in_the_directory(tmp_path):
    damage = Damage()
    attack(example_database(None, tmp_path / "db", on_damage=damage))
    folders = {path.parent for path in entries(tmp_path / "db")}
    garbage = [b"", b"\xff" * 9, os.urandom(1000), b"x" * (LONGEST + 1), b"\x80\x04\x95", b"gASV"]
    for folder in folders:
        for number, data in enumerate(garbage):
            (folder / f"garbage{number}").write_bytes(data)
        (folder / "folder").mkdir()
    looked = attack(example_database(None, tmp_path / "db", on_damage=damage))
    assert 1001 in looked
    assert sorted(what for _, what in damage) == [
        "an entry cannot be decoded: Hypothesis drops it",
        f"an entry of {LONGEST + 1} bytes is no example: it is ignored",
    ]
    assert {where for where, _ in damage} == {f"database {tmp_path / 'db'}"}


def test_a_directory_that_cannot_be_one(tmp_path):
    """As on a full disk, Hypothesis says nothing of an entry that it could not write."""
    (tmp_path / "db").write_text("a file")
    damage = Damage()
    assert 1001 in attack(example_database(None, tmp_path / "db", on_damage=damage))
    assert damage == [
        (f"database {tmp_path / 'db'}", "an entry could not be kept: is the disk full, or the directory not writable?")
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost",
        "localhost:6379",
        "http://localhost",
        "redis://",
        "redis://:6379",
        "redis://localhost:0",
        "redis://localhost:x",
        "redis://localhost/x",
        "redis://localhost/0/1",
        "redis://localhost/-1",
        "redis://localhost/0?ssl_cert_reqs=none",
        "unix:///tmp/redis.sock",
    ],
)
def test_an_address_that_is_none(text, tmp_path):
    with pytest.raises(DatabaseError, match=r"^database=.* must be redis://HOST:PORT/NUMBER"):
        example_database(text, tmp_path)


def test_a_password_is_not_repeated():
    with pytest.raises(DatabaseError, match=f"without a password: give it in the variable {PASSWORD}$") as refused:
        redis_address("redis://:hunter2@localhost/0")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("redis://localhost", "redis://localhost:6379/0"),
        ("redis://127.0.0.1:7000/3", "redis://127.0.0.1:7000/3"),
        ("rediss://[::1]/", "rediss://[::1]:6379/0"),
    ],
)
def test_an_address(text, address):
    assert redis_address(text) == address


def test_without_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(DatabaseError, match=r"needs its client .*: pip install 'verifier\[cluster\]'$"):
        example_database("redis://localhost", tmp_path)


# ----------------------------------------------------------------------------------------------------
# A Redis on loopback


@pytest.fixture
def port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return server.getsockname()[1]


def start(port: int) -> subprocess.Popen[bytes]:
    pytest.importorskip("redis", reason="the extra `cluster` is not installed")
    if shutil.which("redis-server") is None:
        reason = "redis-server is not installed (.ci/run installs it)"
        (pytest.fail if REQUIRED else pytest.skip)(reason)
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    server = subprocess.Popen(["redis-server", *options], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while True:
        try:
            check_database(f"redis://127.0.0.1:{port}")
            return server
        except DatabaseError:
            if time.monotonic() > deadline:
                stop(server)
                raise
            time.sleep(0.02)


def stop(server: subprocess.Popen[bytes]) -> None:
    server.kill()
    server.wait()


@pytest.fixture
def server(port) -> Iterator[subprocess.Popen[bytes]]:
    started = start(port)
    yield started
    stop(started)


@pytest.fixture
def address(server, port) -> str:
    return f"redis://127.0.0.1:{port}/0"


def client(address: str) -> Any:
    from redis import Redis

    return Redis.from_url(address)


def test_another_machine_finds_it_in_redis(address, tmp_path):
    damage = Damage()
    attack(example_database(address, tmp_path / "here", on_damage=damage))
    assert attack(example_database(address, tmp_path / "there", on_damage=damage))[0] == 1001
    assert entries(tmp_path / "there")
    assert damage == []
    with closing(client(address)) as redis:
        keys = redis.keys()
        assert keys
        assert all(key.startswith(f"verifier:{code_digest()[:16]}:".encode()) for key in keys)
        assert 0 < redis.ttl(keys[0]) <= module.KEPT.total_seconds()


def test_other_code_has_other_examples(address, tmp_path, monkeypatch):
    attack(example_database(address, tmp_path / "here"))
    monkeypatch.setattr(module, "code_digest", lambda: "f" * 64)
    assert attack(example_database(address, tmp_path / "there"))[0] != 1001


def test_garbage_in_redis(address, tmp_path):
    damage = Damage()
    attack(example_database(address, tmp_path / "here", on_damage=damage))
    with closing(client(address)) as redis:
        for key in list(redis.scan_iter()):
            redis.sadd(key, b"", b"\xff" * 9, os.urandom(1000), b"x" * (LONGEST + 1))
    assert 1001 in attack(example_database(address, tmp_path / "there", on_damage=damage))
    assert sorted(what for _, what in damage) == [
        "an entry cannot be decoded: Hypothesis drops it",
        f"an entry of {LONGEST + 1} bytes is no example: it is ignored",
    ]


def test_a_key_of_another_kind_in_redis(address, tmp_path):
    damage = Damage()
    attack(example_database(address, tmp_path / "here", on_damage=damage))
    with closing(client(address)) as redis:
        for key in list(redis.scan_iter()):
            redis.set(key, "no set")
    assert attack(example_database(address, tmp_path / "here", on_damage=damage))[0] == 1001  # the directory has it
    assert damage
    assert all("WRONGTYPE" in what and "goes on" in what for _, what in damage)


def test_a_redis_that_is_killed_in_the_middle(server, address, port, tmp_path, monkeypatch):
    """Named once; the directory goes on. When it is there again, it is used again."""
    damage = Damage()
    database = example_database(address, tmp_path / "db", on_damage=damage)
    database.save(b"key", b"before")
    started = time.monotonic()
    assert 1001 in attack(database, event=lambda: stop(server))
    assert attack(database)[0] == 1001
    assert set(database.fetch(b"key")) == {b"before"}
    assert time.monotonic() - started < 5
    ((where, what),) = damage
    assert where == f"database {address}"
    assert "does not answer" in what
    assert "the run goes on without it" in what

    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)
    again = start(port)
    try:
        database = example_database(address, tmp_path / "db", on_damage=damage)
        database.save(b"key", b"after")
        with closing(client(address)) as redis:
            assert redis.smembers(redis.keys()[0]) == {b"after"}
    finally:
        stop(again)
    assert len(damage) == 1


def test_no_redis_at_the_address(port):
    pytest.importorskip("redis", reason="the extra `cluster` is not installed")
    with pytest.raises(DatabaseError, match=r"does not answer as a Redis \(ConnectionError: .*\): start one with"):
        check_database(f"redis://127.0.0.1:{port}")


def test_something_else_at_the_address(monkeypatch):
    pytest.importorskip("redis", reason="the extra `cluster` is not installed")
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.2)
    with closing(socket.create_server(("127.0.0.1", 0))) as mute:
        address = f"redis://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(DatabaseError, match="does not answer as a Redis"):
            check_database(address)
