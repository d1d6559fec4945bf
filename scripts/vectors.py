#!/usr/bin/env python3
"""Writes docs/vectors/*.json: known answers for docs/FORMAT.md.

Written from that page alone, never from the Rust code, so that a mistake has to be made twice to go unnoticed.
Needs: pip install cryptography PyNaCl argon2-cffi mnemonic zstandard

Running it again gives the same files. X-Wing encapsulations are the one thing here that cannot be made from fixed
randomness; they are taken from the file that exists, and made anew if there is none.
"""
import hashlib
import hmac
import json
import math
import pathlib
import struct
import unicodedata

import argon2.low_level
import nacl.bindings
import zstandard
from cryptography.hazmat.primitives.asymmetric import ed25519, mlkem, x25519
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from mnemonic import Mnemonic

OUT = pathlib.Path(__file__).resolve().parent.parent / "docs" / "vectors"
MAGIC = b"SLK1"
SUITE = 1


# ---- conventions ---------------------------------------------------------------------------------------------------

def u16(n): return struct.pack("<H", n)
def u32(n): return struct.pack("<I", n)
def u64(n): return struct.pack("<Q", n)
def sha256(b): return hashlib.sha256(b).digest()
def hmac256(key, b): return hmac.new(key, b, hashlib.sha256).digest()
def label(name): return b"selkie/1/" + name.encode() + b"\0"


def hkdf_extract(salt, ikm):
    return hmac256(salt or bytes(32), ikm)


def hkdf_expand(prk, info, length):
    out, block, counter = b"", b"", 1
    while len(out) < length:
        block = hmac256(prk, block + info + bytes([counter]))
        out, counter = out + block, counter + 1
    return out[:length]


def derive(key, name, context=b""):
    assert len(key) == 32
    return hkdf_expand(hkdf_extract(b"", key), label(name) + context, 32)


def xchacha(key, nonce, aad, plaintext):
    return nacl.bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(plaintext, aad, nonce, key)


def wrapped_key(key, nonce, aad, secret):
    assert len(secret) == 32 and len(nonce) == 24
    return nonce + xchacha(key, nonce, aad, secret)


def ed_public(seed):
    return ed25519.Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(seed, name, b):
    return ed25519.Ed25519PrivateKey.from_private_bytes(seed).sign(label(name) + sha256(b))


def cbor(value):
    """Deterministic CBOR of the few kinds of value the format uses."""
    def head(major, n):
        if n < 24: return bytes([major << 5 | n])
        for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
            if n < 1 << (8 * size): return bytes([major << 5 | info]) + n.to_bytes(size, "big")
        raise ValueError(n)
    if isinstance(value, Raw): return bytes(value)
    if value is None: return b"\xf6"
    if isinstance(value, bool): return b"\xf5" if value else b"\xf4"
    if isinstance(value, float): return b"\xfb" + struct.pack(">d", value)
    if isinstance(value, int): return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes): return head(2, len(value)) + value
    if isinstance(value, str): return head(3, len(value.encode())) + value.encode()
    if isinstance(value, list): return head(4, len(value)) + b"".join(map(cbor, value))
    if isinstance(value, dict):
        pairs = sorted((cbor(k), cbor(v)) for k, v in value.items())
        return head(5, len(pairs)) + b"".join(k + v for k, v in pairs)
    raise TypeError(value)


class Raw(bytes):
    """CBOR that is written already, right or wrong."""


# ---- X-Wing and HPKE -----------------------------------------------------------------------------------------------

class XWing:
    def __init__(self, seed):
        expanded = hashlib.shake_256(seed).digest(96)
        self.m = mlkem.MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        self.x = x25519.X25519PrivateKey.from_private_bytes(expanded[64:])
        self.pk_x = self.x.public_key().public_bytes_raw()
        self.public = self.m.public_key().public_bytes_raw() + self.pk_x

    def decapsulate(self, enc):
        ct_m, ct_x = enc[:1088], enc[1088:]
        ss_m = self.m.decapsulate(ct_m)
        ss_x = self.x.exchange(x25519.X25519PublicKey.from_public_bytes(ct_x))
        return hashlib.sha3_256(ss_m + ss_x + ct_x + self.pk_x + b"\\.//^\\").digest()


def xwing_encapsulate(public):
    """Only the encapsulation: who has the seed finds the secret by decapsulating."""
    _, ct_m = mlkem.MLKEM768PublicKey.from_public_bytes(public[:1184]).encapsulate()
    return ct_m + x25519.X25519PrivateKey.generate().public_key().public_bytes_raw()


HPKE_SUITE = b"HPKE" + bytes.fromhex("647a") + bytes.fromhex("0001") + bytes.fromhex("0003")


def hpke_seal(shared, info, aad, plaintext, psk=b"", psk_id=b""):
    """RFC 9180 section 5.1, key schedule, and one message."""
    def extract(salt, name, ikm): return hkdf_extract(salt, b"HPKE-v1" + HPKE_SUITE + name + ikm)
    def expand(prk, name, info, n):
        return hkdf_expand(prk, n.to_bytes(2, "big") + b"HPKE-v1" + HPKE_SUITE + name + info, n)
    mode = b"\1" if psk else b"\0"
    context = mode + extract(b"", b"psk_id_hash", psk_id) + extract(b"", b"info_hash", info)
    secret = extract(shared, b"secret", psk)
    key, nonce = expand(secret, b"key", context, 32), expand(secret, b"base_nonce", context, 12)
    return ChaCha20Poly1305(key).encrypt(nonce, plaintext, aad)


class Encapsulations:
    """Remembers encapsulations by name, in the file that is being written."""
    def __init__(self, path):
        self.known = json.loads(path.read_text()).get("encapsulations", {}) if path.exists() else {}
        self.used = {}

    def seal(self, name, to, info, aad, plaintext, psk=b"", psk_id=b""):
        enc = bytes.fromhex(self.known[name]) if name in self.known else xwing_encapsulate(to.public)
        self.used[name] = enc.hex()
        return enc + hpke_seal(to.decapsulate(enc), info, aad, plaintext, psk, psk_id)


# ---- ids and derived keys ------------------------------------------------------------------------------------------

def device_id(d_sig_public): return sha256(label("device-id") + d_sig_public)[:16]
def key_id(epoch_key, vault): return derive(epoch_key, "key-id", vault + bytes([SUITE]))
def segment_key(epoch_key, vault, device): return derive(epoch_key, "segment", vault + device + bytes([SUITE]))


class Device:
    def __init__(self, byte):
        self.d_sig, self.d_auth, self.d_kem = (bytes([byte + i]) * 32 for i in range(3))
        self.kem = XWing(self.d_kem)
        self.sig_public, self.auth_public = ed_public(self.d_sig), ed_public(self.d_auth)
        self.id = device_id(self.sig_public)
        self.stored = b"\1" + self.d_sig + self.d_auth + self.d_kem
        self.keys = {0: self.sig_public, 1: self.auth_public, 2: self.kem.public}

    def consent(self, vault):
        return sign(self.d_sig, "sig/member",
                    vault + self.sig_public + self.auth_public + sha256(self.kem.public))


# ---- envelope ------------------------------------------------------------------------------------------------------

def padme(length):
    e = int(math.floor(math.log2(length)))
    s = int(math.floor(math.log2(e))) + 1
    step = 2 ** (e - s)
    return (length + step - 1) // step * step


def plaintext(body, compression):
    framed = bytes([1, compression, 0, 0]) + u32(len(body)) + body
    return framed + bytes(padme(max(len(framed), 512)) - len(framed))


def envelope(device, vault, number, previous, roster, epoch_key, nonce, plain):
    header = (MAGIC + bytes([1, SUITE, 0, 0]) + vault + device.id + u64(number) + previous + u64(roster)
              + key_id(epoch_key, vault) + nonce + u32(len(plain) + 16))
    assert len(header) == 164
    sealed = header + xchacha(segment_key(epoch_key, vault, device.id), nonce, header, plain)
    return sealed + sign(device.d_sig, "sig/segment", sealed)


def envelopes():
    device, vault, epoch_key = Device(0x11), bytes([0xAA]) * 32, bytes([0xEE]) * 32
    other = bytes([0x0B]) * 16
    bodies = [
        ("heartbeat", {0: 0, 1: {}, 2: 1, 3: []}, False),
        ("two changes", {0: 2**48 + 5, 1: {other: [7, bytes([0x77]) * 32]}, 2: 300, 3: [b"\x80", b"hello"]}, False),
        ("longer than the least padding", {0: 1, 1: {}, 2: 1, 3: [bytes(range(256)) * 4]}, False),
        ("compressed", {0: 1, 1: {}, 2: 1, 3: [b"selkie " * 40 + bytes([i]) for i in range(4)]}, True),
    ]
    cases = []
    for index, (name, body, compress) in enumerate(bodies):
        encoded = cbor(body)
        stored = u32(len(encoded)) + zstandard.ZstdCompressor(level=3).compress(encoded) if compress else encoded
        plain = plaintext(stored, int(compress))
        nonce, previous = bytes([0x40 + index]) * 24, bytes([0x50 + index]) * 32
        bytes_ = envelope(device, vault, index + 1, previous, 9, epoch_key, nonce, plain)
        cases.append({
            "name": name, "compressed": compress, "number": index + 1, "previous": previous.hex(), "roster": 9,
            "nonce": nonce.hex(), "stamp": body[0], "first_change": body[2],
            "heads": [[d.hex(), n, h.hex()] for d, (n, h) in body[1].items()],
            "changes": [c.hex() for c in body[3]],
            "plaintext": plain.hex(), "envelope": bytes_.hex(), "digest": sha256(bytes_).hex(),
        })
    return {"device_secrets": device.stored.hex(), "vault": vault.hex(), "epoch_key": epoch_key.hex(), "cases": cases}


def incarnations():
    """Ids of further chains, the first envelope of one, and bodies that send changes of others again."""
    device, vault, epoch_key = Device(0x11), bytes([0xAA]) * 32, bytes([0xEE]) * 32
    token, earlier = bytes([0x2A]) * 32, bytes([0x2B]) * 32
    def chain(token): return sha256(label("incarnation") + device.sig_public + token)[:16]
    cases = []
    for index, (name, of) in enumerate([("own", "absent"), ("the device's", None), ("an earlier one's", earlier)]):
        body = {0: 3, 1: {}, 2: 5, 3: [b"\x80"]}
        if of != "absent":
            body[4] = of
        nonce = bytes([0x60 + index]) * 24
        plain = plaintext(cbor(body), 0)
        header = (MAGIC + bytes([1, SUITE, 0, 0]) + vault + chain(token) + u64(1) + token + u64(9)
                  + key_id(epoch_key, vault) + nonce + u32(len(plain) + 16))
        sealed = header + xchacha(segment_key(epoch_key, vault, chain(token)), nonce, header, plain)
        sealed += sign(device.d_sig, "sig/segment", sealed)
        cases.append({"name": name, "changes_of": of if of in (None, "absent") else of.hex(), "nonce": nonce.hex(),
                      "body": cbor(body).hex(), "envelope": sealed.hex()})
    return {"device_secrets": device.stored.hex(), "vault": vault.hex(), "epoch_key": epoch_key.hex(),
            "token": token.hex(), "chain": chain(token).hex(), "earlier": earlier.hex(),
            "earlier_chain": chain(earlier).hex(), "roster": 9, "cases": cases}


def padme_table():
    lengths = sorted({0, 1, 511, 512, 513, 544, 545, 65535, 65536, 65544, 2**20 + 1, 3 * 2**20, 4_194_060}
                     | {2**e + d for e in range(9, 22) for d in (-1, 0, 1)}
                     | {int(512 * 1.37**i) for i in range(28)})
    return {"cases": [[length, padme(max(length, 512))] for length in lengths]}


def derivations():
    cases = []
    for byte in (0, 1, 0x7F, 0xFF):
        key, vault, device, store = bytes([byte]) * 32, bytes([byte ^ 0x5A]) * 32, bytes([byte ^ 0x3C]) * 16, bytes([9]) * 16
        cases.append({
            "key": key.hex(), "vault": vault.hex(), "device": device.hex(), "store_id": store.hex(),
            "database_key": derive(key, "database").hex(), "slots_mac_key": derive(key, "slots-mac", store).hex(),
            "key_id": key_id(key, vault).hex(), "segment_key": segment_key(key, vault, device).hex(),
            "d_sig_public": ed_public(key).hex(), "device_id": device_id(ed_public(key)).hex(),
        })
    device, origin, vault, challenge = Device(0x31), "https://relay.example", bytes([3]) * 32, bytes([4]) * 32
    signed = u32(len(origin)) + origin.encode() + vault + device.id + challenge
    return {"cases": cases, "challenge": {
        "device_secrets": device.stored.hex(), "origin": origin, "vault": vault.hex(), "challenge": challenge.hex(),
        "signature": ed25519.Ed25519PrivateKey.from_private_bytes(device.d_auth)
        .sign(b"selkie/1/relay-auth\0" + sha256(signed)).hex()}}


# ---- key slots and recovery ----------------------------------------------------------------------------------------

def slots():
    store_id, salt = bytes(range(16)), bytes(range(100, 116))
    lsk, vak, code, caller = (bytes([b]) * 32 for b in (0x21, 0x22, 0x23, 0x24))
    passphrase, (memory, passes, lanes) = "Ａ se\u0301al’s ﬁn", (19456, 2, 1)
    normal = unicodedata.normalize("NFKC", passphrase).encode()
    stretched = argon2.low_level.hash_secret_raw(normal, salt, passes, memory, lanes, 32, argon2.low_level.Type.ID, 0x13)
    nonces = [bytes([0x60 + i]) * 24 for i in range(5)]
    header = MAGIC + bytes([7, SUITE, 0, 0]) + u16(1) + store_id
    kdf = u32(memory) + u32(passes) + u32(lanes) + salt

    def store(key, name, nonce, kind, extra=b""):
        return wrapped_key(derive(key, name, store_id), nonce, label("slot-store") + header + bytes([kind]) + extra, lsk)

    def admin(key, name, nonce, kind, extra=b""):
        return wrapped_key(derive(key, name, store_id), nonce, label("slot-admin") + header + bytes([kind]) + extra, vak)

    rests = [
        (1, kdf + store(stretched, "passphrase-store", nonces[0], 1, kdf) + admin(stretched, "passphrase-admin", nonces[1], 1, kdf)),
        (2, store(code, "recovery-store", nonces[2], 2) + admin(code, "recovery-slot-admin", nonces[3], 2)),
        (3, store(caller, "caller-store", nonces[4], 3)),
    ]
    file = header + bytes([len(rests)]) + b"".join(bytes([kind]) + u16(len(rest)) + rest for kind, rest in rests)
    file += hmac256(derive(lsk, "slots-mac", store_id), file)
    file += sha256(file)
    return {"passphrase": passphrase, "memory_kib": memory, "passes": passes, "lanes": lanes, "salt": salt.hex(),
            "store_id": store_id.hex(), "store_key": lsk.hex(), "admin_key": vak.hex(), "recovery_code": code.hex(),
            "caller_key": caller.hex(), "nonces": [n.hex() for n in nonces], "stretched": stretched.hex(), "file": file.hex()}


def recovery():
    cases = []
    for entropy in (bytes(32), bytes([0xFF]) * 32, bytes(range(32)), sha256(b"selkie")):
        seed = derive(entropy, "recovery-kem")
        cases.append({"entropy": entropy.hex(), "words": Mnemonic("english").to_mnemonic(entropy),
                      "kem_seed": seed.hex(), "kem_public_key": XWing(seed).public.hex(),
                      "admin_key_encryption_key": derive(entropy, "recovery-admin").hex()})
    return {"cases": cases}


# ---- roster --------------------------------------------------------------------------------------------------------

class Chain:
    def __init__(self, vak):
        self.vak, self.vault, self.entries = vak, bytes(32), []

    def append(self, operation, fields):
        body = cbor([operation, fields])
        previous = sha256(self.entries[-1]) if self.entries else bytes(32)
        entry = (MAGIC + bytes([3, SUITE, 0, 0]) + self.vault + u64(len(self.entries)) + previous
                 + u32(len(body)) + body)
        entry += sign(self.vak, "sig/roster", entry)
        self.entries.append(entry)
        if len(self.entries) == 1:
            self.vault = sha256(label("genesis") + entry)


def make_vault(encapsulations):
    """Laptop makes the vault; phone joins; the epoch is rotated; the laptop is revoked."""
    vak, code = bytes([0x71]) * 32, bytes([0x72]) * 32
    laptop, phone, words = Device(0x81), Device(0x91), XWing(derive(code, "recovery-kem"))
    keys = [bytes([0xE0 + i]) * 32 for i in range(3)]
    chain = Chain(vak)
    admin_aad = label("recovery-admin") + ed_public(vak) + sha256(words.public)
    sealed_admin = wrapped_key(derive(code, "recovery-admin"), bytes([0xA0]) * 24, admin_aad, vak)
    chain.append(0, [ed_public(vak), {0: words.public, 1: sealed_admin}])
    vault = chain.vault

    def rotation(epoch, devices):
        kid = key_id(keys[epoch], vault)
        wraps = []
        for name, device in sorted(devices.items(), key=lambda item: item[1].id):
            info = label("epoch-wrap") + vault + u32(epoch) + device.id
            wraps.append({0: device.id, 1: encapsulations.seal(f"{name} {epoch}", device.kem, info, kid, keys[epoch])})
        info = label("epoch-wrap-recovery") + vault + u32(epoch)
        recovery_wrap = encapsulations.seal(f"words {epoch}", words, info, kid, keys[epoch])
        previous = b""
        if epoch:
            aad = label("previous-epoch") + vault + u32(epoch) + key_id(keys[epoch - 1], vault) + kid
            key = derive(keys[epoch], "previous-epoch", vault + u32(epoch))
            previous = wrapped_key(key, bytes([0xB0 + epoch]) * 24, aad, keys[epoch - 1])
        return {0: epoch, 1: SUITE, 2: kid, 3: wraps, 4: recovery_wrap, 5: previous}

    chain.append(1, [laptop.keys, laptop.consent(vault)])
    chain.append(2, [rotation(0, {"laptop": laptop})])
    chain.append(1, [phone.keys, phone.consent(vault)])
    chain.append(2, [rotation(1, {"laptop": laptop, "phone": phone})])
    chain.append(4, [1])
    chain.append(3, [laptop.id, 5, bytes([0x55]) * 32, rotation(2, {"phone": phone})])
    return vak, code, laptop, phone, keys, chain


def roster(path):
    encapsulations = Encapsulations(path)
    vak, code, laptop, phone, keys, chain = make_vault(encapsulations)
    return {"admin_key": vak.hex(), "recovery_code": code.hex(), "laptop": laptop.stored.hex(), "phone": phone.stored.hex(),
            "epoch_keys": [k.hex() for k in keys], "vault": chain.vault.hex(), "entries": [e.hex() for e in chain.entries],
            "last_digest": sha256(chain.entries[-1]).hex(), "encapsulations": encapsulations.used}


# ---- pairing -------------------------------------------------------------------------------------------------------

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def gf32(a, b):
    product = 0
    for i in range(5):
        if b >> i & 1: product ^= a << i
    for i in (8, 7, 6, 5):
        if product >> i & 1: product ^= 0b100101 << (i - 5)
    return product


def pairing_text(secret):
    check = sha256(label("pairing-check") + secret)[0] >> 6
    bits = int.from_bytes(secret, "big") << 2 | check
    values = [bits >> (125 - 5 * i) & 31 for i in range(26)]
    total = 0
    for value in values:  # Horner: the last of them is multiplied by alpha once
        total = gf32(total ^ value, 2)
    characters = "".join(ALPHABET[v] for v in values + [total])
    return "-".join(characters[i:i + 5] for i in range(0, 27, 5))


def pairing(path, roster_path):
    encapsulations = Encapsulations(path)
    codes = []
    for secret in (bytes(16), bytes([0xFF]) * 16, bytes(range(16)), sha256(b"selkie")[:16]):
        root = sha256(label("pairing-root") + secret)
        codes.append({"secret": secret.hex(), "text": pairing_text(secret), "mailbox": derive(root, "pairing-mailbox").hex(),
                      "psk": derive(root, "pairing-psk").hex(), "offer_key": derive(root, "pairing-offer").hex()})
    secret = bytes(range(16))
    root = sha256(label("pairing-root") + secret)
    psk, psk_id = derive(root, "pairing-psk"), label("pairing-psk")
    vak, code, laptop, phone, keys, chain = make_vault(Encapsulations(roster_path))
    vault, once, nonce, expires = chain.vault, bytes([0xC1]) * 32, bytes([0xC2]) * 24, 1_800_000_600_000

    def header(step, length): return MAGIC + bytes([4, SUITE, 0, 0, step, 0, 0, 0]) + u32(length)

    body = cbor({0: vault, 1: XWing(once).public, 2: expires})
    head = header(0, 24 + len(body) + 16)
    offer = head + nonce + xchacha(derive(root, "pairing-offer"), nonce, head, body)
    body = cbor({0: phone.keys, 1: phone.consent(vault)})
    head = header(1, 1120 + len(body) + 16)
    info = label("pairing-request") + sha256(offer)
    request = head + encapsulations.seal("request", XWing(once), info, head, body, psk, psk_id)
    number = int.from_bytes(sha256(label("pairing-digits") + sha256(offer) + sha256(request))[:8], "big") % 1_000_000
    entries = chain.entries[:5]
    body = cbor({0: vak, 1: len(entries) - 1, 2: sha256(entries[-1]), 3: entries,
                 4: [[i, keys[i]] for i in range(2)], 5: {laptop.id: [5, bytes([0x55]) * 32]}})
    head = header(2, 1120 + len(body) + 16)
    info = label("pairing-grant") + sha256(offer) + sha256(request)
    grant = head + encapsulations.seal("grant", phone.kem, info, head, body, psk, psk_id)
    return {"codes": codes, "exchange": {
        "secret": secret.hex(), "vault": vault.hex(), "one_time_kem_seed": once.hex(), "offer_nonce": nonce.hex(),
        "expires_ms": expires, "phone": phone.stored.hex(), "laptop_id": laptop.id.hex(), "offer": offer.hex(), "request": request.hex(),
        "digits": f"{number // 1000:03} {number % 1000:03}", "grant": grant.hex(), "admin_key": vak.hex(),
        "epoch_keys": [k.hex() for k in keys[:2]]}, "encapsulations": encapsulations.used}


# ---- changes -------------------------------------------------------------------------------------------------------

EMPTY, ABSENT, ALIVE, DEAD, EMPTY_ARRAY = ({"kind": kind} for kind in range(1, 6))
WRITTEN_KEYS = {"kind": 2, "value": 3, "priority": 4, "class": 5, "origin": 6, "why": 7}


def component(step):
    marker, content = (0, step.encode()) if isinstance(step, str) else (1, bytes.fromhex(step["element"]))
    prefix = 2 * len(content) + marker
    low = bytes([prefix]) if prefix < 0x80 else bytes([prefix & 0x7F | 0x80, prefix >> 7])
    return low + content


def path(steps): return b"".join(map(component, steps))
def set_element(member): return {"element": "73" + sha256(cbor(canonical(member)))[:16].hex()}
def counter_element(device): return {"element": "63" + device}
def list_element(device, number, index): return {"element": f"6c{device}{number:016x}{index:08x}"}


LIST_VALUE = {"element": "76"}


def canonical(value):
    """A JSON value with its whole numbers as integers."""
    if isinstance(value, float) and value == int(value) and abs(value) < 2**53: return int(value)
    if isinstance(value, list): return [canonical(item) for item in value]
    if isinstance(value, dict): return {key: canonical(item) for key, item in value.items()}
    return value


def payload(written):
    """The value of an operation: JSON of kind 0, or bytes of a kind of a later version."""
    return bytes.fromhex(written["value"]) if "kind" in written else canonical(written["value"])


def operation(own, others, op):
    fields = {0: path(op["path"])}
    if op.get("overwrites"):
        fields[1] = [n for device, number in op["overwrites"]
                     for n in (0 if device == own else 1 + others.index(device), number)]
    for name, value in op.get("written", {}).items():
        fields[WRITTEN_KEYS[name]] = payload(op["written"]) if name == "value" else value
    return fields


def change(case):
    own = case["device"]
    named = {d for _, _, ops in case["records"] for op in ops for d, _ in op.get("overwrites", [])}
    others = sorted(named - {own})
    records = [[collection, id, [operation(own, others, op) for op in ops]] for collection, id, ops in case["records"]]
    body = {0: case["stamp"], 2: records}
    if others: body[1] = [bytes.fromhex(device) for device in others]
    return body


def changes():
    a, b, c = ("01" * 16, "02" * 16, "f3" * 16)
    stamp = 1_700_000_000_000 << 16
    values = {"null": None, "true": True, "float": 0.5, "whole": 2.0, "negative": -1, "large": 2**53 - 1, "tiny": 5e-324,
              "huge": 1e300, "text": "größe 日本", "array": [1, [], {"bb": 1, "a": {}}, "x"], "object": {"b": 2, "a": 1}}
    cases = [
        {"name": "a new record", "device": a, "number": 1, "stamp": stamp, "records": [["notes", "n1", [
            {"path": [], "written": ALIVE}, {"path": ["title"], "written": {"value": "Milk"}}]]]},
        {"name": "dots of other devices", "device": b, "number": 300, "stamp": stamp + 7, "records": [["notes", "n1", [
            {"path": [], "overwrites": [[a, 1], [b, 299], [c, 2**32]], "written": ALIVE},
            {"path": ["address", "city"], "overwrites": [[c, 23], [c, 24]], "written": {"value": "Oslo"}},
            {"path": ["title"], "overwrites": [[a, 1]], "written": ABSENT}]]]},
        {"name": "an own dot only", "device": a, "number": 2, "stamp": stamp + 1, "records": [["notes", "n1", [
            {"path": [], "overwrites": [[a, 1]], "written": DEAD}]]]},
        {"name": "overwritten by nothing", "device": a, "number": 3, "stamp": stamp + 2, "records": [["notes", "n2", [
            {"path": [], "written": ALIVE}, {"path": ["a"], "overwrites": [[b, 5]]},
            {"path": ["a", "b"], "written": EMPTY}]]]},
        {"name": "a person's answer", "device": c, "number": 9, "stamp": stamp + 3, "records": [["notes", "n1", [
            {"path": ["title"], "overwrites": [[a, 1], [b, 1]],
             "written": {"value": "Oat milk", "class": 2, "why": "the newer one"}}]]]},
        {"name": "a machine's answer", "device": c, "number": 10, "stamp": stamp + 4, "records": [["notes", "n1", [
            {"path": ["title"], "overwrites": [[b, 1]],
             "written": {"value": 1, "priority": -4, "class": 1, "origin": stamp + 3}}]]]},
        {"name": "a set, a counter and a list", "device": a, "number": 8, "stamp": 9, "records": [["notes", "n1", [
            {"path": [], "written": ALIVE}, {"path": ["count", counter_element(a)], "written": {"value": 5}},
            {"path": ["gone"], "written": EMPTY_ARRAY}, {"path": ["gone", set_element("x")], "overwrites": [[b, 3]]},
            {"path": ["list", list_element(a, 8, 0)], "written": {"value": "V"}},
            {"path": ["list", list_element(a, 8, 0), LIST_VALUE], "written": {"value": "first"}},
            {"path": ["set", set_element("é")], "written": {"value": "é"}}]]]},
        {"name": "a kind of a later version", "device": a, "number": 4, "stamp": 0, "records": [["notes", "n1", [
            {"path": [], "written": {"kind": 99, "value": ""}},
            {"path": ["tags", {"element": "00ff"}], "written": {"kind": 77, "value": "0102", "priority": 2**31 - 1}}]]]},
        {"name": "every kind of value", "device": a, "number": 5, "stamp": 2**64 - 1, "records": [["values", "v", [
            {"path": [name], "written": {"value": value}} for name, value in sorted(values.items(), key=lambda i: component(i[0]))]]]},
        {"name": "two collections", "device": a, "number": 6, "stamp": 5, "records": [
            ["_policy", "notes", [{"path": [], "written": ALIVE}]], ["notes", "größe", [{"path": [], "written": ALIVE}]]]},
        {"name": "nothing", "device": a, "number": 7, "stamp": 6, "records": []},
    ]
    for case in cases:
        case["bytes"] = cbor(change(case)).hex()

    def one(*operations): return {0: 1, 2: [["notes", "n", list(operations)]]}
    key = path(["a"])
    deep = []
    for _ in range(16): deep = [deep]
    refused = {
        "no stamp": {2: []}, "a path twice": one({0: key, 2: 2}, {0: key, 2: 1}),
        "a record twice": {0: 1, 2: [["notes", "n", []], ["notes", "n", []]]},
        "alive below the root": one({0: key, 2: 3}), "a value at the root": one({0: b"", 3: 1}),
        "absent at the root": one({0: b"", 2: 2}), "kind 0 by its number": one({0: key, 2: 0, 3: 1}),
        "absent with a value": one({0: key, 2: 2, 3: 1}), "an empty array with a value": one({0: key, 2: 5, 3: b""}),
        "three elements": one({0: path([{"element": "00"}] * 3), 2: 2}), "no elements at the root": one({0: b"", 2: 5}), "an unknown kind with no bytes": one({0: key, 2: 9, 3: "x"}),
        "another class": one({0: key, 3: 1, 5: 3}), "a whole float": one({0: key, 3: Raw(cbor(2.0))}),
        "infinity": one({0: key, 3: float("inf")}), "an integer too large": one({0: key, 3: 2**53}),
        "a short float": one({0: key, 3: Raw(bytes.fromhex("f93800"))}), "a value too deep": one({0: key, 3: deep}),
        "no path": one({2: 2}), "a path too long for its length": one({0: b"\x04a", 2: 2}),
        "a longer varint": one({0: b"\x82\x00a", 2: 2}), "a path too deep": one({0: path(["a"] * 17), 2: 2}),
        "a key too long": one({0: path(["k" * 1025]), 2: 2}), "a key that is no text": one({0: b"\x02\xff", 2: 2}),
        "half a dot": one({0: key, 1: [0], 2: 2}), "no such device": one({0: key, 1: [1, 1], 2: 2}),
        "no collection": {0: 1, 2: [["", "n", []]]}, "a control character": {0: 1, 2: [["notes", "a\u0085", []]]},
        "an id too long": {0: 1, 2: [["notes", "i" * 257, []]]}, "an unknown key": {0: 1, 2: [], 3: 0},
        "an unknown key of an operation": one({0: key, 2: 2, 8: 0}),
        "keys out of order": Raw(bytes.fromhex("a202800001")), "a byte after it": Raw(cbor({0: 1, 2: []}) + b"\0"),
    }
    paths = [["a"], ["address", "city"], ["a.b", "c"], [""], ["größe"], ["k" * 63], ["k" * 64], ["k" * 1024], ["a"] * 16,
             ["tags", {"element": "00ff"}], [{"element": ""}, "x"], ["a"] * 16 + [list_element(c, 2**40, 3), LIST_VALUE],
             ["n", counter_element(b)], ["s", set_element({"b": [1.0], "a": None})]]
    return {"paths": [{"steps": steps, "bytes": path(steps).hex()} for steps in paths], "cases": cases,
            "refused": [{"name": name, "bytes": cbor(body).hex()} for name, body in refused.items()]}


# ---- packed state --------------------------------------------------------------------------------------------------

def document_leaves(document, at=()):
    for key, value in document.items():
        if isinstance(value, dict) and value: yield from document_leaves(value, (*at, key))
        else: yield path([*at, key]), canonical(value)


def packed(entries, document):
    def value_of(entry): return canonical(entry["value"]) if "value" in entry else {}
    entries = sorted(entries, key=lambda e: (path(e["path"]), e["device"], e["number"]))
    origins, kept = [], list(entries)

    def index(e):
        origin = (e["device"], e["number"], e["stamp"], e.get("priority", 0), e.get("class", 0), e.get("origin"))
        if origin not in origins: origins.append(origin)
        return origins.index(origin)

    shown = []
    for at, value in sorted(document_leaves(document or {}), key=lambda leaf: leaf[0]):
        here = [e for e in kept if path(e["path"]) == at and e.get("kind", 0) < 2 and cbor(value_of(e)) == cbor(value)]
        shown.append(index(here[0]) if here else None)
        if here: kept.remove(here[0])
    if shown and shown[0] is not None and len(set(shown)) == 1: shown = shown[0]
    rest = []
    for at in sorted({path(e["path"]) for e in kept}):
        rest.append([at, [[index(e), e.get("kind", 0)] + ([payload(e)] if "value" in e else [])
                          for e in kept if path(e["path"]) == at]])
    devices = sorted({origin[0] for origin in origins})
    rows = [[devices.index(device), number, stamp] + ([] if (priority, class_, origin) == (0, 0, None) else [priority, class_, origin])
            for device, number, stamp, priority, class_, origin in origins]
    return cbor([[bytes.fromhex(d) for d in devices], rows, shown, rest])


def packed_states():
    a, b, c = "01" * 16, "02" * 16, "f3" * 16
    stamp = 1_700_000_000_000 << 16

    def entry(device, number, steps, **written): return {"device": device, "number": number, "stamp": stamp + number, "path": steps, **written}
    quiet = [entry(a, 1, [], kind=3), entry(a, 1, ["title"], value="Milk"), entry(a, 1, ["n", "x"], value=0.5),
             entry(a, 1, ["n", "y"], kind=1)]
    edited = [entry(b, 4, [], kind=3), quiet[1], entry(b, 4, ["n", "x"], value=[1, {"a": None}]), quiet[3]]
    siblings = [entry(a, 1, [], kind=3), entry(c, 2, [], kind=4), entry(a, 1, ["t"], value="one"), entry(b, 7, ["t"], value="two"),
                entry(c, 2, ["t"], value="two"), entry(b, 7, ["u"], kind=2)]
    resolved = [entry(c, 9, [], kind=3), entry(c, 9, ["t"], value="two", **{"class": 2}),
                entry(b, 8, ["t"], value="three", priority=-1, **{"class": 1, "origin": stamp + 7})]
    later = [entry(a, 1, [], kind=3), entry(a, 1, ["t", {"element": "00"}], value=1), entry(a, 2, ["u"], kind=300, value="00ff")]
    elements = [entry(a, 1, [], kind=3), entry(a, 1, ["set", set_element("x")], value="x"), entry(a, 1, ["none"], kind=5),
                entry(a, 1, ["count", counter_element(a)], value=2), entry(b, 2, ["count", counter_element(b)], value=1)]
    atomic = [entry(a, 1, [], kind=3), entry(a, 1, ["address"], value={"city": "Oslo", "zip": {}}), entry(a, 1, ["t"], value=1)]
    cases = [
        ("nothing", [], None), ("a record without fields", [entry(a, 1, [], kind=3)], {}),
        ("written once", quiet, {"title": "Milk", "n": {"x": 0.5, "y": {}}}),
        ("edited by another device", edited, {"title": "Milk", "n": {"x": [1, {"a": None}], "y": {}}}),
        ("siblings", siblings, {"t": "two"}), ("deleted, its values hidden", siblings, None),
        ("resolved", resolved, {"t": "two"}), ("of a later version", later, {}),
        ("elements", elements, {"set": ["x"], "count": 3, "none": []}),
        ("an object written as one value", atomic, {"address": {"city": "Oslo", "zip": {}}, "t": 1}),
    ]
    return {"cases": [{"name": name, "entries": entries, "document": document, "packed": packed(entries, document).hex()}
                      for name, entries, document in cases]}


# ---- sync package --------------------------------------------------------------------------------------------------
def item(kind, b): return bytes([kind]) + u32(len(b)) + b


def packages():
    vault, member, token = b"\x11" * 32, b"\x22" * 16, b"\x33" * 32
    cases = []
    for name, entries, introductions, sealed in [
        ("nothing", [], [], []), ("the roster alone", [b"\x01", b"\x02" * 300], [], []),
        ("everything", [b"\x01"], [(member, token)], [b"\x03" * 5, b"\x04" * 70000]),
    ]:
        b = MAGIC + bytes([9, 1]) + u16(0) + vault
        b += b"".join(item(1, entry) for entry in entries)
        b += b"".join(item(2, of + token) for of, token in introductions)
        b += b"".join(item(3, envelope) for envelope in sealed)
        b += item(0xff, sha256(b))
        cases.append({"name": name, "vault": vault.hex(), "roster": [entry.hex() for entry in entries],
                      "introductions": [{"member": of.hex(), "token": token.hex()} for of, token in introductions],
                      "envelopes": [{"byte": envelope[0], "length": len(envelope)} for envelope in sealed],
                      "length": len(b), "sha256": sha256(b).hex()})
    return {"cases": cases}


# ---- sharing -------------------------------------------------------------------------------------------------------

def policy_hash(canonical): return sha256(label("share-policy") + canonical)


def pseudonym(key, destination, purpose, domain, rotate_days, now_ms, value):
    epoch = now_ms // 86_400_000 // rotate_days if rotate_days else 0
    context = sha256(label("pseudonym-context") + cbor([destination, purpose, domain, rotate_days, epoch]))
    return hmac256(derive(key, "pseudonym", context), cbor(value))[:16].hex()


def sharing():
    def policy(**of):
        return {"version": 1, "name": "stats", "from": "usage", "purpose": "improve", "destination": "lab",
                "categories": ["technical"], "size_bytes_max": 4096, "expires_days": 30, **of}
    policies = [
        ("one rule", policy(field=[{"path": "ms", "bin": [100, 300.5]}])),
        ("every transform", policy(categories=["technical", "interaction"], epsilon_lifetime=4.5, field=[
            {"path": "at", "date": {"to": "month", "unit": "ms"}},
            {"path": "card", "mask": {"first": 0, "last": 4}},
            {"path": "comment", "scan": {"chars_max": 200, "frames": ["app::"]}},
            {"path": "errors.*", "keys": ["disk", "timeout"],
             "noise": {"dist": "discrete_laplace", "clamp": [0, 50], "epsilon": 0.5}},
            {"path": "fingerprint", "drop": True},
            {"path": "location", "geo": {"grid_km": 50}},
            {"path": "model.size", "keep": True, "allow": [1, "large", "small", True], "else": "other"},
            {"path": "sessions[*].ms", "bin": [100, 300.5, 1000]},
            {"path": "user.email", "pseudonym": {"domain": "person", "normalise": "email", "rotate_days": 30}},
        ])),
    ]
    key, now = bytes([7]) * 32, 1_764_000_000_000
    pseudonyms = [
        ("lab", "improve", "person", 0, now, "anna@example.com"), ("shop", "improve", "person", 0, now, "anna@example.com"),
        ("lab", "improve", "person", 30, now, "anna@example.com"),
        ("lab", "improve", "person", 30, now + 31 * 86_400_000, "anna@example.com"),
        ("lab", "improve", "account", 0, now, 1234567), ("lab", "improve", "account", 0, now, "1234567"),
    ]
    names = ["destination", "purpose", "domain", "rotate_days", "now_ms", "value"]
    return {
        "policies": [{"name": name, "value": value, "canonical": cbor(value).hex(), "hash": policy_hash(cbor(value)).hex()}
                     for name, value in policies],
        "key": key.hex(),
        "pseudonyms": [{**dict(zip(names, case)), "pseudonym": pseudonym(key, *case)} for case in pseudonyms],
    }


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    for name, make in {
        "envelope": lambda _: envelopes(), "padme": lambda _: padme_table(), "derivation": lambda _: derivations(),
        "slots": lambda _: slots(), "recovery": lambda _: recovery(), "roster": roster,
        "pairing": lambda file: pairing(file, OUT / "roster.json"),
        "incarnation": lambda _: incarnations(), "change": lambda _: changes(), "packed": lambda _: packed_states(),
        "package": lambda _: packages(), "share": lambda _: sharing(),
    }.items():
        file = OUT / f"{name}.json"
        file.write_text(json.dumps(make(file), indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
