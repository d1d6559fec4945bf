#!/usr/bin/env python3
"""Opens a store with a SQLCipher that is not ours, from docs/FORMAT.md alone.

A store made by `crates/selkie/examples/interop_store.rs` is unlocked by its caller's key: the key-slot file is read,
the store key unwrapped and the database's raw key derived here, with Python's HMAC and libsodium. The SQLCipher of
`sqlcipher3-wheels` must then read every record with that key, and nothing without it or with another.

Needs: pip install sqlcipher3-wheels PyNaCl; and cargo, to make the store.
"""
import hashlib
import hmac
import json
import pathlib
import secrets
import struct
import subprocess
import sys
import tempfile

try:
    import nacl.bindings
    from sqlcipher3 import dbapi2 as sqlcipher
except ImportError as missing:
    sys.exit(f"{missing}; run: python3 -m pip install sqlcipher3-wheels PyNaCl")

ROOT = pathlib.Path(__file__).resolve().parent.parent
SLOT_REST_LEN = {1: 172, 2: 144, 3: 72}
CALLER_KEY = 3


class Failed(Exception):
    """What a check found."""


def check(what, holds):
    if not holds:
        raise Failed(what)
    print(f"ok: {what}")


# ---- docs/FORMAT.md: key derivation, key-slot file ---------------------------------------------------------------------

def derive(key, label, context=b""):
    """HKDF-SHA256 (RFC 5869) without salt, 32 bytes: one block of output."""
    extracted = hmac.digest(bytes(32), key, "sha256")
    return hmac.digest(extracted, b"selkie/1/" + label + b"\0" + context + b"\x01", "sha256")


def store_key(slots, caller_key):
    """The LSK, out of the caller's slot of a key-slot file."""
    header, store_id = slots[:26], slots[10:26]
    body, mac, checksum = slots[:-64], slots[-64:-32], slots[-32:]
    check("the key-slot file begins as type 7, suite 1, version 1", header[:10] == b"SLK1\x07\x01\0\0\x01\0")
    check("its checksum is right", hashlib.sha256(slots[:-32]).digest() == checksum)
    found, at = {}, 27
    while at < len(body):
        kind, length = struct.unpack_from("<BH", body, at)
        found[kind] = body[at + 3:at + 3 + length]
        at += 3 + length
    check(f"its slots are whole: kinds {sorted(found)}",
          at == len(body) and len(found) == body[26] and list(found) == sorted(found)
          and all(SLOT_REST_LEN[kind] == len(rest) for kind, rest in found.items()))
    nonce, ciphertext = found[CALLER_KEY][:24], found[CALLER_KEY][24:]
    associated = b"selkie/1/slot-store\0" + header + bytes([CALLER_KEY])
    key = nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(
        ciphertext, associated, nonce, derive(caller_key, b"caller-store", store_id))
    check("its MAC is right under the key it holds",
          hmac.compare_digest(hmac.digest(derive(key, b"slots-mac", store_id), body, "sha256"), mac))
    return key


# ---- the database ------------------------------------------------------------------------------------------------------

def expected_records():
    """What `interop_store.rs` wrote."""
    records = {}
    for n in range(300):
        records[f"seal-{n:04}"] = {
            "name": f"größter Seehund {n}", "number": n, "length_m": 0.5 * n + 0.25,
            "place": {"island": "Skomer", "pools": [n % 7, n % 3]}, "tagged": n % 2 == 0, "mother": None,
        }
    records["seal-0007"]["place"]["island"] = "Lundy"
    records["seal-0007"]["mother"] = "seal-0001"
    del records["seal-0013"]
    return records


def connect(path, key):
    connection = sqlcipher.connect(str(path))
    connection.execute("PRAGMA cipher_log_level = NONE")  # what is refused here is meant to be
    if key is not None:
        connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
    return connection


def opens(path, key):
    connection = connect(path, key)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        return True
    except sqlcipher.DatabaseError:
        return False
    finally:
        connection.close()


def read_with_key(path, key):
    connection = connect(path, key)
    version = connection.execute("PRAGMA cipher_version").fetchone()[0]
    check(f"SQLCipher {version} opens it with the raw key", version.startswith("4."))
    faults = connection.execute("PRAGMA cipher_integrity_check").fetchall()
    check("cipher_integrity_check finds nothing", faults == [])
    check("integrity_check finds nothing", connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)])
    application, version = (connection.execute(f"PRAGMA {name}").fetchone()[0]
                            for name in ("application_id", "user_version"))
    check(f"it says that it is a Selkie store, its tables made in {version} steps", application == 0x534C4B31 and version > 0)
    rows = connection.execute(
        "SELECT r.id, r.body FROM record r JOIN collection c ON c.num = r.collection"
        " WHERE c.name = 'seals' AND r.body IS NOT NULL ORDER BY r.id").fetchall()
    expected = expected_records()
    read = {record_id: json.loads(body) for record_id, body in rows}
    check(f"its {len(expected)} records are those that were written, to the last digit", read == expected)
    connection.close()


def interop(directory):
    path = directory / "interop.db"
    caller_key = secrets.token_bytes(32)
    subprocess.run(
        ["cargo", "run", "--quiet", "--locked", "-p", "selkie", "--example", "interop_store", "--", str(path)],
        input=caller_key, check=True, cwd=ROOT)
    files = {file.name: file.read_bytes() for file in directory.iterdir()}
    check("the file does not begin as SQLite's own", not files["interop.db"].startswith(b"SQLite format 3"))
    for canary in ("Skomer", "größter", "seal-0001", "CREATE TABLE"):
        check(f"no file holds {canary!r} in the clear", not any(canary.encode() in content for content in files.values()))
    key = derive(store_key(files["interop.db.keys"], caller_key), b"database")
    read_with_key(path, key)
    check("nothing opens it without a key", not opens(path, None))
    wrong = bytes([key[0] ^ 1]) + key[1:]
    check("nothing opens it with a key that is wrong in one bit", not opens(path, wrong))
    check("the caller's key itself is not the database's", not opens(path, caller_key))


def main():
    try:
        with tempfile.TemporaryDirectory() as directory:
            interop(pathlib.Path(directory))
    except (Failed, subprocess.CalledProcessError, nacl.exceptions.CryptoError) as failure:
        sys.exit(f"FAILED: {failure}")
    print("an independent SQLCipher reads a Selkie store with its key, and nothing without it")


if __name__ == "__main__":
    main()
