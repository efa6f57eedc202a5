"""Where Hypothesis keeps examples between runs: a directory, and a Redis beside it that several machines share.

A database is a cache of where to look first; no verdict rests on it. So nothing that is wrong with it ends a search: a Redis that
vanishes, a full disk and an entry that is none are each named once, and the search goes on with what is left. The entries come
from whoever can write there: they are bytes that Hypothesis decodes to choices (numbers, texts), never code, and what is too
long to be one is not handed on.

In Redis the keys begin with the digest of the code that decides verdicts. Hypothesis drops an entry that fails no longer, and
two machines that run different code would drop each other's.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hypothesis import database as _hypothesis
from hypothesis.database import DirectoryBasedExampleDatabase, ExampleDatabase, MultiplexedDatabase

from verifier.provenance import code_digest
from verifier.verdicts.workers import OnDamage

PASSWORD = "VERIFIER_REDIS_PASSWORD"
PORT = 6379
KEPT = timedelta(days=60)  # an entry of Redis that nobody asked for so long goes
LONGEST = 1 << 20  # bytes of an entry; Hypothesis draws some thousands for one example
ANSWER_SECONDS = 2.0
PAUSE_SECONDS = 30.0  # how long a Redis that did not answer is left alone
_EXTRA = "pip install 'verifier[cluster]'"


class DatabaseError(ValueError):
    """The database that was named cannot be used; one sentence with the remedy."""


def example_database(address: str | None, directory: Path, *, on_damage: OnDamage | None = None) -> ExampleDatabase:
    """The examples in ``directory``, multiplexed with those in the Redis at ``redis://host:port/number`` where one is named.

    Each process makes its own: neither the directory nor Redis minds several. ``on_damage(where, what)`` hears once of each kind
    of damage. DatabaseError for an address that is none; whether somebody answers there, :func:`check_database` asks.
    """
    tell = (lambda where, what: None) if on_damage is None else on_damage
    here = _Guarded(DirectoryBasedExampleDatabase(directory), f"database {directory}", tell, (OSError,))
    if address is None:
        return here
    return MultiplexedDatabase(here, _in_redis(redis_address(address), tell))


def redis_address(text: str) -> str:
    """The address of a Redis, checked: ``redis://host[:port][/number]`` or ``rediss://``, with port and number filled in."""
    wanted = f"database={text!r} must be redis://HOST:PORT/NUMBER"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, PORT if parts.port is None else parts.port
    except ValueError as error:
        raise DatabaseError(f"{wanted}: {error}") from None
    if parts.username is not None or parts.password is not None:  # not repeated: the sentence may end in a log
        raise DatabaseError(
            f"database must be redis://HOST:PORT/NUMBER without a password: give it in the variable {PASSWORD}"
        )
    number = re.fullmatch(r"/?|/(\d{1,4})", parts.path, re.ASCII)
    if parts.scheme not in ("redis", "rediss") or not host or not port or number is None:
        raise DatabaseError(wanted)
    if not re.fullmatch(r"[\w.:-]+", host, re.ASCII) or parts.query or parts.fragment:
        raise DatabaseError(wanted)
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}/{int(number[1] or 0)}"


def check_database(address: str) -> None:
    """DatabaseError, within seconds, unless a Redis answers at the address."""
    address = redis_address(address)
    redis = _redis()
    client = _connect(address)
    try:
        client.ping()
    except (redis.RedisError, OSError) as error:
        raise DatabaseError(
            f"database={address!r} does not answer as a Redis ({_why(error)}): start one with `redis-server` there, or leave it out"
        ) from None
    finally:
        client.close()


def _in_redis(address: str, tell: OnDamage) -> ExampleDatabase:
    redis = _redis()
    from hypothesis.extra.redis import RedisExampleDatabase

    prefix = f"verifier:{code_digest()[:16]}:"
    kept = RedisExampleDatabase(
        _connect(address), expire_after=KEPT, key_prefix=prefix.encode(), listener_channel=f"{prefix}changes"
    )
    return _Guarded(
        kept,
        f"database {address}",
        tell,
        (redis.RedisError, OSError),
        (redis.ConnectionError, redis.TimeoutError, OSError),
    )


def _redis() -> Any:
    try:
        import redis
    except ImportError as error:
        raise DatabaseError(f"a database in Redis needs its client ({error}): {_EXTRA}") from None
    return redis


def _connect(address: str) -> Any:
    """A client that gives up after ``ANSWER_SECONDS``; it connects when it is first asked."""
    from redis import Redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    return Redis.from_url(
        address,
        password=os.environ.get(PASSWORD),
        socket_timeout=ANSWER_SECONDS,
        socket_connect_timeout=ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 1),  # once: a server that was restarted has closed the connection
    )


class _Guarded(ExampleDatabase):
    """A database that raises nothing: what it cannot read, decode or keep is named once, and left out.

    ``failures`` are what the inner database may raise; after one of ``gone`` it is left alone for ``PAUSE_SECONDS``, so that a
    host that swallows packets does not slow every example down.
    """

    def __init__(
        self,
        inner: ExampleDatabase,
        where: str,
        tell: OnDamage,
        failures: tuple[type[BaseException], ...],
        gone: tuple[type[BaseException], ...] = (),
    ) -> None:
        super().__init__()
        self._inner, self._where, self._tell = inner, where, tell
        self._failures, self._gone = failures, gone
        self._named: set[str] = set()
        self._silent_until = 0.0

    def fetch(self, key: bytes) -> Iterable[bytes]:
        """The entries that are short enough to be one; of those that do not decode Hypothesis disposes itself."""
        for value in self._asked(lambda: list(self._inner.fetch(key)), "cannot be read") or []:
            if len(value) > LONGEST:
                self._name("too long", f"an entry of {len(value)} bytes is no example: it is ignored")
                continue
            if not _decodes(value):
                self._name("corrupt", "an entry cannot be decoded: Hypothesis drops it")
            yield value

    def save(self, key: bytes, value: bytes) -> None:
        """Keep an entry, and look whether it is there: the directory says nothing about a disk that is full."""
        if (
            self._asked(
                lambda: (self._inner.save(key, value), value in set(self._inner.fetch(key)))[1], "cannot be written"
            )
            is False
        ):
            self._name("lost", "an entry could not be kept: is the disk full, or the directory not writable?")

    def delete(self, key: bytes, value: bytes) -> None:
        """Drop an entry."""
        self._asked(lambda: self._inner.delete(key, value), "cannot be changed")

    def _asked(self, question: Callable[[], Any], what: str) -> Any:
        """The answer, None where there is none."""
        if time.monotonic() < self._silent_until:
            return None
        try:
            return question()
        except self._failures as error:
            if isinstance(error, self._gone):
                self._silent_until = time.monotonic() + PAUSE_SECONDS
                self._name("gone", f"it does not answer ({_why(error)}): the run goes on without it")
            else:
                self._name(what, f"it {what} ({_why(error)}): the run goes on without that")
            return None

    def _name(self, kind: str, what: str) -> None:
        if kind not in self._named:
            self._named.add(kind)
            self._tell(self._where, what)


def _decodes(value: bytes) -> bool:
    """Whether Hypothesis can read an entry; a version that cannot be asked is trusted with it."""
    decode: Callable[[bytes], object] | None = getattr(_hypothesis, "choices_from_bytes", None)
    return decode is None or decode(value) is not None


def _why(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
