"""Notes that work offline for as long as it takes.

    python notes.py notes.db add "Buy milk"
    python notes.py notes.db list
    python notes.py notes.db done ID
    python notes.py notes.db sync https://relay.example

The passphrase comes from a prompt, or from the first line of standard input.
"""

from __future__ import annotations

import getpass
import sys

from selkie import EncryptedLocalStore, IncrementalSync, NetworkError, NotFound, WrongKey


def run(store: EncryptedLocalStore, command: str, *arguments: str) -> None:
    if command == "add":
        print(store.insert({"title": arguments[0], "done": False}, "notes"))
    elif command == "done":
        store.patch(arguments[0], {"done": True}, "notes")
    elif command == "list":
        for note in store.query(collection="notes", order_by="title"):
            print(note.id, "x" if note.document["done"] else " ", note.document["title"])
    elif command == "sync":
        try:
            report = IncrementalSync(store).sync(arguments[0])
            print(f"sent {report.changes_sent}, received {report.changes_received}")
        except NetworkError:
            print("no network; your notes are here, and are sent another time")
    else:
        sys.exit(__doc__)


def main() -> None:
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    asked = getpass.getpass("passphrase: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    try:
        with EncryptedLocalStore(sys.argv[1], asked) as store:
            if store.recovery_words:
                print("write these words down, they are shown once:", store.recovery_words, file=sys.stderr)
            run(store, *sys.argv[2:])
    except WrongKey:
        sys.exit("that is not the passphrase")
    except NotFound:
        sys.exit("there is no such note")


if __name__ == "__main__":
    main()
