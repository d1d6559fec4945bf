#!/usr/bin/env python3
"""Measures Selkie's free-text scanner beside Presidio's pattern recognisers, on the same texts.

  python3 -m venv /tmp/scanner && /tmp/scanner/bin/pip install presidio-analyzer faker
  cargo build --release --manifest-path bench/scanner/Cargo.toml
  /tmp/scanner/bin/python bench/scanner/run.py [--presidio-set synth_dataset_v2.json]

The set is data/synth_dataset_v2.json of the repository microsoft/presidio-research (MIT). The other texts are made here,
from a fixed seed. Prints the table of docs/BENCHMARKS.md.
"""
import argparse
import json
import pathlib
import random
import subprocess
import time
import uuid

from faker import Faker

HERE = pathlib.Path(__file__).resolve().parent
LOCALES = ["en_US", "en_GB", "en_CA", "en_IN", "de_DE", "fr_FR", "es_ES", "it_IT", "nl_NL", "pt_BR", "pl_PL", "sv_SE",
           "fi_FI", "no_NO", "da_DK"]
# Types that have a form of their own; what each side calls them.
SELKIE = {"email": "email", "phone": "phone", "card": "card", "iban": "iban", "ip": "ip", "national id": "national",
          "coordinates": "coordinates", "device": "mac"}
PRESIDIO = {"EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone", "CREDIT_CARD": "card", "IBAN_CODE": "iban",
            "IP_ADDRESS": "ip", "US_SSN": "national", "US_ITIN": "national", "UK_NHS": "national",
            "UK_NINO": "national", "ES_NIF": "national", "ES_NIE": "national", "IT_FISCAL_CODE": "national",
            "PL_PESEL": "national", "FI_PERSONAL_IDENTITY_CODE": "national", "IN_AADHAAR": "national",
            "IN_PAN": "national", "MAC_ADDRESS": "mac", "SE_PERSONNUMMER": "national", "DE_TAX_ID": "national"}
GOLD = {"EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone", "CREDIT_CARD": "card", "IBAN_CODE": "iban",
        "IP_ADDRESS": "ip", "US_SSN": "national"}


# ---- texts ---------------------------------------------------------------------------------------------------------

def presidio_set(path):
    """Texts, their structured spans, and the characters of every span."""
    out = []
    for item in json.loads(path.read_text()):
        spans = [(s["start_position"], s["end_position"], GOLD.get(s["entity_type"])) for s in item["spans"]]
        out.append((item["full_text"], [s for s in spans if s[2]], [s[:2] for s in spans]))
    return out


def faker_set(count, seed):
    """Sentences with one or two structured values, in the forms of 15 locales. Half of the phone numbers have no word
    such as "phone" before them."""
    rng = random.Random(seed)
    fakers = {}
    for locale in LOCALES:
        fakers[locale] = Faker(locale)
        fakers[locale].seed_instance(rng.randrange(1 << 30))
    plain = ["Please use {} from now on.", "{}", "{} was given at the desk on Monday.", "ok, noted: {}",
             "The form says {}, and nothing else.", "see {} (checked twice)", "log entry, value={}", "\"{}\""]
    phone = ["Call me on {}.", "my phone is {}", "Tel: {}", "{} is my mobile number", "fax {}, after nine"]
    out = []
    while len(out) < count:
        fake = fakers[rng.choice(LOCALES)]
        kind = rng.choice(["email", "phone", "card", "iban", "ip", "national", "coordinates", "mac"])
        if fake is fakers["en_GB"] and kind == "national":
            continue  # Faker's begin with ZZ, which is never given out.
        value = {
            "email": fake.email, "phone": fake.phone_number, "card": lambda: grouped(fake.credit_card_number(), rng),
            "iban": lambda: grouped(fake.iban(), rng), "ip": rng.choice([fake.ipv4_public, fake.ipv6]),
            "national": lambda: str(fake.ssn()), "mac": fake.mac_address,
            "coordinates": lambda: f"{rng.uniform(-80, 80):.5f}, {rng.uniform(-179, 179):.5f}",
        }[kind]()
        template = rng.choice(phone if kind == "phone" and rng.random() < 0.5 else plain)
        if kind == "national" and rng.random() < 0.5:
            template = rng.choice(["national id {}", "SSN: {}", "tax number {} (tax id)", "personal number: {}"])
        if kind == "iban" and value.startswith("GB"):
            continue  # Faker's have 21 characters, one too few.
        at = template.index("{}")
        text = template.replace("{}", value)
        span = (at, at + len(value), kind)
        out.append((text, [span], [span[:2]]))
    return out


def grouped(digits, rng):
    """As it is, or in fours."""
    separator = rng.choice(["", "", " ", "-"]) if digits.isdigit() else rng.choice(["", " "])
    return separator.join(digits[i:i + 4] for i in range(0, len(digits), 4)) if separator else digits


def log_set(count, seed):
    """Lines of logs and reports with nothing personal in them: versions, hashes, ids, sizes, times, measures."""
    rng = random.Random(seed)
    hexa = lambda n: "".join(rng.choice("0123456789abcdef") for _ in range(n))
    number = lambda n: str(rng.randrange(10 ** (n - 1), 10 ** n))
    time_ = lambda: f"2026-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}T{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}.{rng.randrange(1000):03}Z"
    lines = [
        lambda: f"{time_()} INFO request {uuid.UUID(int=rng.getrandbits(128), version=4)} took {rng.randrange(5000)} ms",
        lambda: f"{time_()} worker-{rng.randrange(64)} processed {number(7)} records in {rng.uniform(1, 900):.3f} s",
        lambda: f"commit {hexa(40)} built as 0.{rng.randrange(99)}.{rng.randrange(99)}-{hexa(7)}",
        lambda: f"order {number(10)} shipped, invoice {number(8)}",
        lambda: f"epoch {rng.randrange(90)}/90 loss {rng.random():.5f} accuracy {rng.random():.4f} lr 1.0e-04",
        lambda: f"unix time {number(10)} or {rng.randrange(1_500_000_000_000, 1_900_000_000_000)}; pid {number(5)} tid {number(6)}",
        lambda: f"version {rng.randrange(9)}.{rng.randrange(20)}.{rng.randrange(20)}.{rng.randrange(20)} of the driver",
        lambda: f"[{number(4)}.{number(6)}] usb {rng.randrange(9)}-{rng.randrange(9)}: new device number {rng.randrange(99)}",
        lambda: f"bytes {number(9)}-{number(9)}/{number(10)} of blob {hexa(64)}",
        lambda: f"at 0x{hexa(12)}: offset +0x{hexa(3)} in frame {rng.randrange(40)}",
        lambda: f"p50={rng.uniform(1, 99):.2f} p95={rng.uniform(100, 999):.2f} p99={rng.uniform(999, 9999):.2f} n={number(6)}",
        lambda: f"part no. {number(3)}-{number(5)}-{number(2)} rev {rng.choice('ABCDE')}, lot {number(12)}",
        lambda: f"ISBN 978-{rng.randrange(10)}-{number(4)}-{number(4)}-{rng.randrange(10)}, page {number(3)}",
        lambda: f"tensor [{number(3)}, {number(4)}, {number(2)}] mean {rng.uniform(-1, 1):.6f}, std {rng.random():.6f}",
        lambda: f"{rng.randrange(1, 29):02}.{rng.randrange(1, 13):02}.2026 {rng.randrange(24):02}:{rng.randrange(60):02}: {number(4)} rows, {number(5)} bytes",
        lambda: f"GET /api/v{rng.randrange(9)}/items/{number(9)}?page={rng.randrange(99)} 200 {number(5)}",
        lambda: f"sha256:{hexa(64)} etag \"{hexa(32)}\"",
        lambda: f"mem {number(10)} B, heap {number(9)} B, {rng.randrange(99)}% used, swap 0",
        lambda: f"trace id {hexa(32)} span {hexa(16)} sampled={rng.randrange(2)}",
        lambda: f"std::vec::Vec<a::b::c> at src/main.rs:{rng.randrange(999)}:{rng.randrange(80)}",
    ]
    return [(rng.choice(lines)(), [], []) for _ in range(count)]


# ---- scanners ------------------------------------------------------------------------------------------------------

def selkie(texts, binary):
    """Spans in characters, and bytes a second as the binary measured them (best of 15 passes, one thread)."""
    run = subprocess.run([binary], input="\0".join(texts).encode(), capture_output=True, check=True)
    lines = run.stdout.decode().split("\n")
    spans = []
    for line in lines[:len(texts)]:
        parts = [part.split(",") for part in line.split(";") if part]
        spans.append([(int(a), int(b), SELKIE.get(kind, "other")) for a, b, kind in parts])
    return spans, float(run.stderr.decode().split()[0])


def presidio(texts):
    """Pattern recognisers only, no language model; the types that both sides know."""
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.nlp_engine import SpacyNlpEngine
    import spacy
    import tldextract

    # Its e-mail recogniser would ask the network for a list of suffixes; the list that comes with it will do.
    tldextract.extract = tldextract.TLDExtract(suffix_list_urls=())

    class Blank(SpacyNlpEngine):
        def __init__(self):
            super().__init__(models=[{"lang_code": "en", "model_name": "blank"}])
            self.nlp = {"en": spacy.blank("en")}

        def load(self):
            pass

    registry = RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"])
    registry.recognizers = [r for r in registry.recognizers if type(r).__name__ != "SpacyRecognizer"]
    engine = AnalyzerEngine(registry=registry, nlp_engine=Blank(), supported_languages=["en"])
    known = {e for r in registry.recognizers for e in r.supported_entities}
    wanted = [e for e in PRESIDIO if e in known]
    spans, began = [], time.process_time()
    for text in texts:
        found = engine.analyze(text, language="en", entities=wanted, score_threshold=0.0)
        spans.append([(r.start, r.end, PRESIDIO[r.entity_type]) for r in found])
    took = time.process_time() - began  # of the processor: other processes do not count
    return spans, sum(len(text.encode()) for text in texts) / took


# ---- scores --------------------------------------------------------------------------------------------------------

def overlaps(one, other):
    return one[0] < other[1] and other[0] < one[1]


def score(items, found):
    """Recall and precision by spans that overlap and have the same type, and the share of structured characters covered
    by anything."""
    hit = gold = right = said = covered = chars = 0
    missed, wrong = [], []
    for (text, spans, _), got in zip(items, found):
        gold += len(spans)
        said += len(got)
        for span in spans:
            ok = any(overlaps(span, other) and span[2] == other[2] for other in got)
            hit += ok
            if not ok:
                missed.append((span[2], text))
            inside = set(range(span[0], span[1]))
            chars += len(inside)
            covered += len(inside & {i for other in got for i in range(other[0], other[1])})
        for other in got:
            ok = any(overlaps(span, other) and span[2] == other[2] for span in spans)
            right += ok
            if not ok:
                wrong.append((other[2], text[other[0]:other[1]], text))
    return (hit / gold if gold else None, right / said if said else None, covered / chars if chars else None, missed, wrong)


def share_of_all(items, found):
    """The share of all personal characters, names and addresses included, that anything covers."""
    covered = chars = 0
    for (_, _, every), got in zip(items, found):
        inside = {i for a, b in every for i in range(a, b)}
        chars += len(inside)
        covered += len(inside & {i for other in got for i in range(other[0], other[1])})
    return covered / chars


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--presidio-set", type=pathlib.Path)
    parser.add_argument("--binary", default=str(HERE / "target" / "release" / "selkie-scanner-bench"))
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--no-presidio", action="store_true")
    parser.add_argument("--show", type=int, default=0, help="list so many misses and false finds of Selkie's")
    args = parser.parse_args()
    sets = [("Faker, 15 locales", faker_set(2000, args.seed)), ("log lines, nothing personal", log_set(2000, args.seed))]
    if args.presidio_set:
        sets.insert(0, ("Presidio's own set", presidio_set(args.presidio_set)))
    print("| texts | scanner | recall | precision | structured characters covered | of all personal characters | texts hit | speed |")
    print("|---|---|---|---|---|---|---|---|")
    for name, items in sets:
        texts = [item[0] for item in items]
        sides = [("Selkie", selkie(texts, args.binary))]
        if not args.no_presidio:
            sides.append(("Presidio patterns", presidio(texts)))
        for side, (found, speed) in sides:
            recall, precision, covered, missed, wrong = score(items, found)
            show = lambda x: "–" if x is None else f"{x:.3f}"
            every = show(share_of_all(items, found)) if name.startswith("Presidio") else "–"
            hit = f"{sum(bool(got) for got in found) / len(found):.3f}" if not any(i[1] for i in items) else "–"
            rate = f"{speed / 1e6:.1f} MB/s" if speed > 1e6 else f"{speed / 1e3:.0f} kB/s"
            precision = show(precision) if any(i[1] for i in items) else "–"
            print(f"| {name}, {len(items)} | {side} | {show(recall)} | {precision} | {show(covered)} | {every} | {hit} | {rate} |")
            if side == "Selkie" and args.show:
                rng = random.Random(1)
                by = {}
                for kind, *_ in missed:
                    by[kind] = by.get(kind, 0) + 1
                print("missed", by)
                for miss in rng.sample(missed, min(args.show, len(missed))):
                    print("  missed", miss)
                for false in rng.sample(wrong, min(args.show, len(wrong))):
                    print("  wrong", false)


if __name__ == "__main__":
    main()
