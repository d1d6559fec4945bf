#!/usr/bin/env python3
"""Make penguins.ndjson from the data files of the PyPI package `palmerpenguins`.

Usage: pip download --no-deps palmerpenguins==0.1.6
       python3 make_penguins.py palmerpenguins-0.1.6-py3-none-any.whl > penguins.ndjson

Standard library only. The raw file holds the field notes; the tidy one checks the measurements.
"""
import csv
import io
import json
import re
import sys
import zipfile

# Column of the raw file -> (field, how to read it). The order here is the order of the fields.
FIELDS = {
    "studyName": ("study_name", str),
    "Sample Number": ("sample_number", int),
    "Species": ("scientific_name", lambda text: re.search(r"\((.*)\)", text).group(1)),
    "Region": ("region", str),
    "Island": ("island", str),
    "Stage": ("stage", str),
    "Individual ID": ("individual_id", str),
    "Clutch Completion": ("clutch_completion", lambda text: {"Yes": True, "No": False}[text]),
    "Date Egg": ("date_egg", str),
    "Culmen Length (mm)": ("bill_length_mm", float),
    "Culmen Depth (mm)": ("bill_depth_mm", float),
    "Flipper Length (mm)": ("flipper_length_mm", int),
    "Body Mass (g)": ("body_mass_g", int),
    "Sex": ("sex", str.lower),
    "Delta 15 N (o/oo)": ("delta_15_n_permille", float),
    "Delta 13 C (o/oo)": ("delta_13_c_permille", float),
    "Comments": ("comments", str),
}
CHECKED = ["island", "bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "sex"]


def rows(wheel, name):
    text = wheel.read(f"palmerpenguins/data/{name}").decode("utf-8")
    return list(csv.DictReader(io.StringIO(text)))


def record(raw):
    species = raw["Species"].split()[0]
    # Sample numbers count from 1 within a species, so species and number name one bird's row.
    out = {"id": f"{species.lower()}-{int(raw['Sample Number']):03}", "species": species}
    for column, (field, read) in FIELDS.items():
        if raw[column] not in ("NA", ""):
            out[field] = read(raw[column])
    return out


def main():
    with zipfile.ZipFile(sys.argv[1]) as wheel:
        raw, tidy = rows(wheel, "penguins-raw.csv"), rows(wheel, "penguins.csv")
    records = [record(row) for row in raw]
    assert len(records) == 344 and len({item["id"] for item in records}) == 344
    for item, check in zip(records, tidy, strict=True):
        for field in CHECKED:
            expected = None if check[field] in ("NA", "") else type(item.get(field, ""))(check[field])
            assert item.get(field) == expected, (item["id"], field, item.get(field), expected)
    for item in records:
        print(json.dumps(item, ensure_ascii=False, separators=(",", ":")))


if __name__ == "__main__":
    main()
