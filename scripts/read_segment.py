#!/usr/bin/env python3
"""A second reader: opens sealed segments from docs/FORMAT.md alone, down to the documents.

A store and a sync package made by `crates/selkie/examples/sealed_segments.rs` are read here with Python's own crypto:
the roster is verified from its genesis, the epoch key opened from this device's wrap in it, and every envelope checked,
decrypted and decoded in the order that docs/FORMAT.md gives. The changes are merged into documents, which must be those
that were written and those that the store shows. What is changed in any byte must be refused.

Needs: pip install sqlcipher3-wheels PyNaCl cryptography argon2-cffi mnemonic zstandard; and cargo, to make the store.
"""
import json
import pathlib
import secrets
import struct
import subprocess
import sys
import tempfile

try:
    import nacl.bindings
    import nacl.exceptions
    import zstandard
    from interop_sqlcipher import ROOT, Failed, check, connect, store_key
    from vectors import (
        XWing, cbor, derive, device_id, ed_public, hpke_seal, key_id, label, padme, segment_key, sha256, u32)
except ImportError as missing:
    sys.exit(f"{missing}; run: python3 -m pip install"
             " sqlcipher3-wheels PyNaCl cryptography argon2-cffi mnemonic zstandard")

BODY_MAX, RATIO_MAX, ENVELOPE_MAX = 16 << 20, 64, 4 << 20


class Refused(Exception):
    """Bytes that are not what the page says."""


def require(holds, why):
    if not holds:
        raise Refused(why)


# ---- docs/FORMAT.md: conventions ----

def take_item(data, at):
    """One CBOR item and where it ends; `from_cbor` refuses every second encoding of it."""
    major, info = data[at] >> 5, data[at] & 31
    at += 1
    if (major, info) in ((7, 20), (7, 21), (7, 22)):
        return {20: False, 21: True, 22: None}[info], at
    if (major, info) == (7, 27):
        return struct.unpack_from(">d", data, at)[0], at + 8
    require(major not in (6, 7) and info < 28, "CBOR: a tag, another simple value or an indefinite length")
    size = 0 if info < 24 else 1 << (info - 24)
    n = info if info < 24 else int.from_bytes(data[at:at + size], "big")
    at += size
    if major == 0: return n, at
    if major == 1: return -1 - n, at
    if major in (2, 3):
        require(at + n <= len(data), "CBOR: cut")
        return (data[at:at + n] if major == 2 else data[at:at + n].decode()), at + n
    items = []
    for _ in range(n if major == 4 else 2 * n):
        item, at = take_item(data, at)
        items.append(item)
    return (items if major == 4 else dict(zip(items[::2], items[1::2]))), at


def from_cbor(data):
    try:
        value, end = take_item(data, 0)
    except (IndexError, struct.error, UnicodeDecodeError, TypeError) as failure:
        raise Refused(f"CBOR: {failure}") from None
    require(end == len(data) and cbor(value) == data, "CBOR: not deterministic, or bytes after it")
    return value


def verify(public, name, signed, signature):
    """Strict, as libsodium is: canonical S, no small-order points."""
    try:
        nacl.bindings.crypto_sign_open(signature + label(name) + sha256(signed), public)
    except nacl.exceptions.BadSignatureError:
        raise Refused("signature") from None


def unseal(key, nonce, associated, ciphertext):
    try:
        return nacl.bindings.crypto_aead_xchacha20poly1305_ietf_decrypt(ciphertext, associated, nonce, key)
    except nacl.exceptions.CryptoError:
        raise Refused("AEAD") from None


# ---- docs/FORMAT.md: sync package, roster entry ----

def read_package(data, vault):
    """Its roster entries and its envelopes."""
    require(data[:8] == b"SLK1\x09\x01\0\0" and data[8:40] == vault, "package: header")
    found, at, last = {1: [], 2: [], 3: []}, 40, 0
    while True:
        require(at + 5 <= len(data), "package: cut")
        kind, length = struct.unpack_from("<BI", data, at)
        item = data[at + 5:at + 5 + length]
        require(0 < length == len(item) and kind >= last, "package: an item")
        if kind == 0xFF:
            require(item == sha256(data[:at]) and at + 5 + length == len(data), "package: its end")
            return found[1], found[3]
        require(kind in found, "package: an unknown kind of item")
        found[kind].append(item)
        at, last = at + 5 + length, kind


def read_roster(entries, vault):
    """Keys and Add digests of the devices, and the rotations, of a roster without revocations."""
    members, rotations, admin, previous = {}, [], None, bytes(32)
    for number, entry in enumerate(entries):
        body = from_cbor(entry[84:-64])
        operation, fields = body
        length = struct.unpack_from("<I", entry, 80)[0]
        require(entry[:8] == b"SLK1\x03\x01\0\0" and length == len(entry) - 148, "entry: structure")
        require(entry[8:40] == (vault if number else bytes(32)), "entry: vault")
        require(struct.unpack_from("<Q", entry, 40)[0] == number and entry[48:80] == previous, "entry: its place")
        if number == 0:
            require(operation == 0 and sha256(label("genesis") + entry) == vault, "entry: genesis")
            admin = fields[0]
        verify(admin, "sig/roster", entry[:-64], entry[-64:])
        previous = sha256(entry)
        if operation == 1:
            keys, consent = fields
            verify(keys[0], "sig/member", vault + keys[0] + keys[1] + sha256(keys[2]), consent)
            members[device_id(keys[0])] = (keys, previous)
        elif operation == 2:
            require(fields[0][0] == len(rotations) and fields[0][1] == 1, "entry: rotation")
            rotations.append(fields[0])
        else:
            require(operation == 0 and number == 0, "entry: an operation that this store has not made")
    return members, rotations


def epoch_key_from_wrap(rotation, vault, device, secrets_of_device, key):
    """Whether the device's wrap opens to this key: sealed again with the same shared secret, it is the same bytes."""
    kem = XWing(secrets_of_device[65:97])
    sealed = {wrap[0]: wrap[1] for wrap in rotation[3]}[device]
    info = label("epoch-wrap") + vault + u32(rotation[0]) + device
    return sealed[1120:] == hpke_seal(kem.decapsulate(sealed[:1120]), info, rotation[2], key)


# ---- docs/FORMAT.md: envelope, plaintext, segment body ----

class Chain:
    """Reads one device's envelopes in their order."""

    def __init__(self, vault, members, key_ids, keys):
        self.vault, self.members, self.key_ids, self.keys = vault, members, key_ids, keys
        self.number, self.previous, self.next_change = 0, None, 1
        self.compressions, self.stamp = set(), 0

    def read(self, envelope):
        """The changes in it. Nothing is remembered of an envelope that is refused."""
        require(228 + 16 <= len(envelope) <= ENVELOPE_MAX and envelope[:4] == b"SLK1", "structure")
        require(envelope[4:8] == b"\x01\x01\0\0", "type, suite or flags")
        sealed_len = struct.unpack_from("<I", envelope, 160)[0]
        require(sealed_len >= 16 and len(envelope) == 164 + sealed_len + 64, "length")
        require(envelope[8:40] == self.vault, "vault")
        device = envelope[40:56]
        require(device in self.members, "device")
        keys, added = self.members[device]
        verify(keys[0], "sig/segment", envelope[:-64], envelope[-64:])
        require(struct.unpack_from("<Q", envelope, 56)[0] == self.number + 1, "number")
        require(envelope[64:96] == (self.previous or added), "previous digest")
        kid = envelope[104:136]
        require(kid in self.key_ids, "key id")
        epoch_key = self.keys[self.key_ids.index(kid)]
        require(key_id(epoch_key, self.vault) == kid, "key id")
        plain = unseal(segment_key(epoch_key, self.vault, device), envelope[136:160], envelope[:164], envelope[164:-64])
        body, compression = self.unpad(plain)
        changes = self.read_body(body)
        self.number, self.previous = self.number + 1, sha256(envelope)
        self.next_change += len(changes)
        self.compressions.add(compression)
        return changes

    @staticmethod
    def unpad(plain):
        require(plain[0] == 1 and plain[1] in (0, 1) and plain[2:4] == b"\0\0", "plaintext")
        length = struct.unpack_from("<I", plain, 4)[0]
        require(len(plain) == padme(max(8 + length, 512)) and not any(plain[8 + length:]), "padding")
        body = plain[8:8 + length]
        if plain[1] == 0:
            return body, 0
        expanded = struct.unpack_from("<I", body)[0]
        require(expanded <= min(BODY_MAX, RATIO_MAX * length), "compression: a bomb")
        frame = zstandard.ZstdDecompressor().decompressobj()
        data = frame.decompress(body[4:])
        require(frame.eof and not frame.unused_data and len(data) == expanded, "compression: not one exact frame")
        return data, 1

    def read_body(self, body):
        fields = from_cbor(body)
        require(set(fields) == {0, 1, 2, 3} and fields[1] == {}, "body")
        require(fields[0] >= self.stamp and fields[2] == self.next_change, "body: stamp or first change")
        return [(fields[2] + index, from_cbor(change)) for index, change in enumerate(fields[3])]


# ---- docs/FORMAT.md: change, state and merging, view ----

def components(path):
    """(marker, bytes) from the root on."""
    found, at = [], 0
    while at < len(path):
        head, at = path[at], at + 1
        if head & 0x80:
            require(at < len(path) and 0 < path[at] < 0x80, "path: varint")
            head, at = head & 0x7F | path[at] << 7, at + 1
        require(at + (head >> 1) <= len(path), "path: cut")
        found.append((head & 1, path[at:at + (head >> 1)]))
        at += head >> 1
    return found


class State:
    """S of one writer: all overwritten siblings are here before what overwrites them."""

    def __init__(self):
        self.records = {}

    def apply(self, device, number, change):
        require({0, 2} <= set(change) <= {0, 2}, "change: keys, or other devices than its own")
        for collection, record_id, operations in change[2]:
            record = self.records.setdefault((collection, record_id), {})
            for operation in operations:
                siblings = record.setdefault(operation[0], {})
                pairs = operation.get(1, [])
                for index, overwritten in zip(pairs[::2], pairs[1::2]):
                    require(index == 0 and overwritten in siblings, "change: it overwrites what is not there")
                    del siblings[overwritten]
                if 2 in operation or 3 in operation:
                    siblings[number] = (change[0], number, operation.get(2, 0), operation.get(3))

    def documents(self):
        """The records shown. One writer leaves one sibling at each path, so no policy is needed."""
        shown = {}
        for key, record in self.records.items():
            tree = {"entry": None, "below": {}}
            for path, siblings in record.items():
                require(len(siblings) <= 1, "contested")
                node = tree
                for component in components(path):
                    node = node["below"].setdefault(component, {"entry": None, "below": {}})
                node["entry"] = next(iter(siblings.values()), None)
            root = tree["entry"]
            if root is not None and root[2] == 3:
                tree["entry"] = None
                shown[key] = show(tree, ({},))[0]
        return shown


def show(node, nothing=()):
    """A tuple of the one value shown here, or `nothing`."""
    entry, forms = node["entry"], []
    kind = None if entry is None else entry[2]
    if kind == 0:
        forms.append(entry[3])
    keys = {name.decode(): show(child) for (marker, name), child in node["below"].items() if marker == 0}
    keys = {name: value[0] for name, value in keys.items() if value}
    if keys:
        forms.append(keys)
    elements = [(name, child) for (marker, name), child in sorted(node["below"].items()) if marker == 1]
    written = [(name, child) for name, child in elements if child["entry"] and child["entry"][2] == 0]
    members = sorted((child["entry"][:2], name, child["entry"][3]) for name, child in written if name[:1] == b"s")
    if members:
        require(all(name == b"s" + sha256(cbor(member))[:16] for _, name, member in members), "set: a member's name")
        forms.append([member for _, _, member in members])
    parts = [child["entry"][3] for name, child in written if name[:1] == b"c"]
    if parts:
        forms.append(sum(parts))
    items = [(child["entry"][3], name, show(child["below"][(1, b"v")])) for name, child in written if name[:1] == b"l"]
    items = [item for item in sorted(items) if item[2]]
    if items:
        forms.append([value[0] for _, _, value in items])
    require(len(forms) <= 1, "two forms at one place")
    if forms:
        return (forms[0],)
    return {1: ({},), 5: ([],)}.get(kind, nothing)


# ---- what must come out ------------------------------------------------------------------------------------------------

def expected_documents():
    """What `sealed_segments.rs` wrote, less what stays on the device."""
    text = "grey seal, hauled out, asleep; "
    expected = {("sightings", f"{n:03}"): {"number": n, "text": text * (1 + n % 5)} for n in range(40)}
    expected["trips", "skomer"] = {
        "title": "Überfahrt", "tags": ["sea", "seals"], "visits": 7,
        "stops": ["Martin's Haven", "Jack Sound", "North Haven"],
        "place": {"lat": 51.7375, "pools": [3, 1]}, "mood": None,
    }
    expected["values", "all"] = {
        "yes": True, "no": False, "nothing": None, "text": "größer\n\U0001f9ad", "empty": "",
        "least": -9007199254740991, "most": 9007199254740991, "minus": -1, "half": 0.5, "tiny": 5e-324, "whole": 3,
        "object": {}, "array": [], "deep": {"a": {"b": [1, {"c": [None, "d"]}]}}, "with.dot": 1, "": 2,
    }
    expected["n", "1"] = {"n": 1}
    fields = {"tags": "set", "visits": "counter", "stops": "list"}
    expected["_schema", "trips"] = {"schema": [{"version": 1, "fields": fields, "unique": []}]}
    return expected


def same(one, other):
    """Equal, and of equal types: True is not 1 here."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def refuses(chain, envelope):
    try:
        chain.read(envelope)
    except Refused:
        return True
    return False


def read_all(connection, package):
    rows = dict(zip(("vault", "added"), connection.execute("SELECT vault, device_added FROM local").fetchone()))
    vault = bytes(rows["vault"])
    entries, envelopes = read_package(package, vault)
    stored = [bytes(row[0]) for row in connection.execute("SELECT bytes FROM roster_entry ORDER BY number")]
    check(f"the package has the store's {len(stored)} roster entries", entries == stored)
    members, rotations = read_roster(entries, vault)
    check("the roster verifies from the genesis that names the vault", len(members) == 1 and rotations != [])
    keys = [bytes(row[0]) for row in connection.execute("SELECT key FROM epoch_key ORDER BY epoch")]
    key_ids = [rotation[2] for rotation in rotations]
    check("each epoch key derives to the key id signed in the roster", [key_id(key, vault) for key in keys] == key_ids)
    device_secrets = bytes(connection.execute("SELECT secrets FROM device_key").fetchone()[0])
    device, (device_keys, added) = next(iter(members.items()))
    check("the device's secrets give its signed public keys",
          [ed_public(device_secrets[1:33]), ed_public(device_secrets[33:65]), XWing(device_secrets[65:97]).public]
          == [device_keys[0], device_keys[1], device_keys[2]] and bytes(rows["added"]) == added)
    check("the device's wrap in the roster opens to the last epoch key",
          epoch_key_from_wrap(rotations[-1], vault, device, device_secrets, keys[-1]))

    chain, state, changes = Chain(vault, members, key_ids, keys), State(), 0
    for index, envelope in enumerate(envelopes):
        if index == 0:
            altered = sum(not refuses(chain, envelope[:at] + bytes([byte ^ 1 << at % 8]) + envelope[at + 1:])
                          for at, byte in enumerate(envelope))
            cut = sum(not refuses(chain, envelope[:end]) for end in range(len(envelope)))
            check(f"of {len(envelope)} changed bytes and as many cuts each is refused", altered + cut == 0)
            check("a segment out of its place is refused", all(refuses(chain, later) for later in envelopes[1:]))
        for number, change in chain.read(envelope):
            state.apply(device, number, change)
            changes += 1
    check(f"{len(envelopes)} segments with {changes} changes are signed, chained, decrypted and decoded",
          len(envelopes) == 4 and changes >= 6)
    check("plain and compressed bodies were among them", chain.compressions == {0, 1})
    return state.documents()


def store_documents(connection):
    rows = connection.execute(
        "SELECT c.name, r.id, r.body FROM record r JOIN collection c ON c.num = r.collection"
        " WHERE r.body IS NOT NULL AND c.local_only = 0")
    return {(name, record_id): json.loads(body) for name, record_id, body in rows}


def second_reader(directory):
    store, package, caller_key = directory / "segments.db", directory / "vault.slkp", secrets.token_bytes(32)
    subprocess.run(
        ["cargo", "run", "--quiet", "--locked", "-p", "selkie", "--example", "sealed_segments", "--",
         str(store), str(package)], input=caller_key, check=True, cwd=ROOT)
    lsk = store_key((directory / "segments.db.keys").read_bytes(), caller_key)
    connection = connect(store, derive(lsk, "database"))
    documents = read_all(connection, package.read_bytes())
    check("nothing of a local collection is in it", not any(collection == "diary" for collection, _ in documents))
    expected = expected_documents()
    for key in sorted(documents.keys() | expected.keys()):
        if not same(documents.get(key), expected.get(key)):
            print(f"differs: {key}: {documents.get(key)} is not {expected.get(key)}", file=sys.stderr)
    check(f"the {len(expected)} documents are those that were written, to the last digit",
          sorted(documents) == sorted(expected) and all(same(documents[key], expected[key]) for key in expected))
    shown = store_documents(connection)
    check("and those that the store shows", documents.keys() == shown.keys()
          and all(same(documents[key], shown[key]) for key in shown))
    connection.close()


def main():
    try:
        with tempfile.TemporaryDirectory() as directory:
            second_reader(pathlib.Path(directory))
    except (Failed, Refused, subprocess.CalledProcessError, nacl.exceptions.CryptoError) as failure:
        sys.exit(f"FAILED: {type(failure).__name__}: {failure}")
    print("an independent reader opens Selkie's segments and finds every document")


if __name__ == "__main__":
    main()
