"""The ledger in SQLite.

WAL with synchronous=NORMAL: a commit survives the death of any process at once and is made
durable against power loss by the next checkpoint. FULL costs twelve times as much; what it would
save is at most the last changes before a power cut, and the exec directory, which those changes
speak of, is gone then as well.
"""

import sqlite3
from collections.abc import Iterator, Sequence

from wherry.kit.errors import Corrupt, Internal, Unavailable
from wherry.ledger.ledger import AlreadyClaimed, Change, Claim, Drop, Event, StoredEvent
from wherry.ledger.reserve import Reserve

_MIGRATIONS = (
    # 1: documents and events
    """
    CREATE TABLE documents (
        kind  TEXT NOT NULL,
        key   TEXT NOT NULL,
        value BLOB NOT NULL,
        PRIMARY KEY (kind, key)
    ) WITHOUT ROWID;
    CREATE TABLE events (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        time   INTEGER NOT NULL,
        body   BLOB NOT NULL
    );
    CREATE INDEX events_by_time ON events (time);
    """,
)
_PAGE = 500


class SqliteLedger:
    """One connection, used from one thread at a time."""

    def __init__(self, path: str) -> None:
        """Open or create the file. Raises Corrupt, Unavailable."""
        self._path = path
        self._reserve = Reserve(f"{path}.reserve")
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            if not (_is_full(error) and self._reserve.release()):
                raise _translated(error, path) from error
            try:
                self._open()
            except sqlite3.DatabaseError as again:
                raise _translated(again, path) from again
        if not self._reserve.kept:
            self._reserve.keep()

    def _open(self) -> None:
        path = self._path
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._migrate()

    def __repr__(self) -> str:
        return f"SqliteLedger({self._path!r})"

    def _migrate(self) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version > len(_MIGRATIONS):
            raise Corrupt(
                f"{self._path} was written by a newer wherry (schema {version}, "
                f"this one knows {len(_MIGRATIONS)}): use that version"
            )
        for number, script in enumerate(_MIGRATIONS[version:], version + 1):
            self._connection.executescript(
                f"BEGIN; {script}; PRAGMA user_version = {number}; COMMIT;"
            )

    def commit(self, changes: Sequence[Change], events: Sequence[Event] = ()) -> tuple[int, ...]:
        """See Ledger.commit. On a full disk the reserve is used up first."""
        try:
            numbers = self._commit(changes, events)
        except sqlite3.DatabaseError as error:
            if not (_is_full(error) and self._reserve.release()):
                raise _translated(error, self._path) from error
            try:
                return self._commit(changes, events)
            except sqlite3.DatabaseError as again:
                raise _translated(again, self._path) from again
        if not self._reserve.kept:
            self._reserve.keep()
        return numbers

    def _commit(self, changes: Sequence[Change], events: Sequence[Event]) -> tuple[int, ...]:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            for change in changes:
                self._apply(change)
            numbers = tuple(self._append(event) for event in events)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return numbers

    def _apply(self, change: Change) -> None:
        if isinstance(change, Drop):
            self._connection.execute("DELETE FROM documents WHERE kind = ? AND key = ?", change)
        elif isinstance(change, Claim):
            try:
                self._connection.execute("INSERT INTO documents VALUES (?, ?, ?)", change)
            except sqlite3.IntegrityError as error:
                raise AlreadyClaimed(change.kind, change.key) from error
        else:
            self._connection.execute("REPLACE INTO documents VALUES (?, ?, ?)", change)

    def _append(self, event: Event) -> int:
        cursor = self._connection.execute("INSERT INTO events (time, body) VALUES (?, ?)", event)
        if cursor.lastrowid is None:
            raise Internal(f"{self._path}: an event got no number")
        return cursor.lastrowid

    def get(self, kind: str, key: str) -> bytes | None:
        """See Ledger.get."""
        query = "SELECT value FROM documents WHERE kind = ? AND key = ?"
        row = self._connection.execute(query, (kind, key)).fetchone()
        return None if row is None else row[0]

    def all(self, kind: str) -> list[tuple[str, bytes]]:
        """See Ledger.all."""
        query = "SELECT key, value FROM documents WHERE kind = ? ORDER BY key"
        return self._connection.execute(query, (kind,)).fetchall()

    def events(self, *, since: int, until: int | None = None) -> Iterator[StoredEvent]:
        """See Ledger.events. Pages by number: no read transaction stays open between them."""
        query = (
            "SELECT number, time, body FROM events"
            " WHERE number > ? AND time >= ? AND time <= ? ORDER BY number LIMIT ?"
        )
        last, end = 0, (1 << 63) - 1 if until is None else until
        while True:
            rows = self._connection.execute(query, (last, since, end, _PAGE)).fetchall()
            yield from (StoredEvent(*row) for row in rows)
            if len(rows) < _PAGE:
                return
            last = rows[-1][0]

    def forget_events(self, *, keep: int) -> int:
        """See Ledger.forget_events."""
        query = "DELETE FROM events WHERE number <= (SELECT max(number) FROM events) - ?"
        return self._connection.execute(query, (keep,)).rowcount

    def close(self) -> None:
        """See Ledger.close."""
        self._connection.close()


def _is_full(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
    )


def _translated(error: sqlite3.DatabaseError, path: str) -> Exception:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY):
        return Unavailable(f"cannot write {path}: {error}; is the disk full?")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return Corrupt(f"{path} is damaged: {error}")
    return Internal(f"{path}: {error}")
