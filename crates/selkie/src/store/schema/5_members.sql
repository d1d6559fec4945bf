CREATE TABLE device_key (one INTEGER PRIMARY KEY CHECK (one = 1), secrets BLOB NOT NULL);
INSERT INTO device_key SELECT one, device_secrets FROM local;
UPDATE local SET device_secrets = x'';

CREATE TABLE chain (
    device BLOB NOT NULL,
    number INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (device, number)
) WITHOUT ROWID;
CREATE TABLE claim (
    claimant BLOB NOT NULL,
    device BLOB NOT NULL,
    number INTEGER NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (claimant, device)
) WITHOUT ROWID;
CREATE TABLE heard (device BLOB PRIMARY KEY, stamp INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE relay_high (
    url TEXT PRIMARY KEY,
    cursor INTEGER NOT NULL,
    roster INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE finding (
    kind TEXT NOT NULL,
    subject BLOB NOT NULL,
    number INTEGER NOT NULL,
    said_by BLOB NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (kind, subject)
) WITHOUT ROWID;
