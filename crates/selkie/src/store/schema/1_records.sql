CREATE TABLE local (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    store_id BLOB NOT NULL,
    vault BLOB NOT NULL,
    device_secrets BLOB NOT NULL,
    device_added BLOB NOT NULL,
    changes_sealed INTEGER NOT NULL,
    stamp INTEGER NOT NULL,
    tended_at INTEGER NOT NULL
);
CREATE TABLE roster_entry (number INTEGER PRIMARY KEY, bytes BLOB NOT NULL);
CREATE TABLE epoch_key (epoch INTEGER PRIMARY KEY, key BLOB NOT NULL);

CREATE TABLE collection (num INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE record (
    num INTEGER PRIMARY KEY,
    collection INTEGER NOT NULL REFERENCES collection (num),
    id TEXT NOT NULL,
    body TEXT,
    state BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    contested INTEGER NOT NULL,
    UNIQUE (collection, id)
);
CREATE INDEX record_contested ON record (collection) WHERE contested <> 0;
CREATE TABLE conflict (
    record INTEGER NOT NULL REFERENCES record (num),
    path BLOB NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (record, path)
) WITHOUT ROWID;

CREATE TABLE past (
    record INTEGER NOT NULL REFERENCES record (num),
    path BLOB NOT NULL,
    device BLOB NOT NULL,
    number INTEGER NOT NULL,
    stamp INTEGER NOT NULL,
    class INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    value BLOB,
    by_device BLOB NOT NULL,
    by_number INTEGER NOT NULL,
    by_stamp INTEGER NOT NULL,
    by_class INTEGER NOT NULL,
    why TEXT,
    PRIMARY KEY (record, path, device, number)
) WITHOUT ROWID;
CREATE TABLE unique_key (
    collection INTEGER NOT NULL REFERENCES collection (num),
    path BLOB NOT NULL,
    digest BLOB NOT NULL,
    record INTEGER NOT NULL REFERENCES record (num),
    PRIMARY KEY (collection, path, digest, record)
) WITHOUT ROWID;
CREATE INDEX unique_key_of_record ON unique_key (record);

CREATE TABLE log (number INTEGER PRIMARY KEY, stamp INTEGER NOT NULL, bytes BLOB NOT NULL);
CREATE TABLE segment (number INTEGER PRIMARY KEY, digest BLOB NOT NULL, changes INTEGER NOT NULL,
    bytes BLOB NOT NULL);

CREATE TABLE seen (device BLOB PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE seen_beyond_gap (device BLOB NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (device, number)) WITHOUT ROWID;
CREATE TABLE dead_on_arrival (
    device BLOB NOT NULL,
    number INTEGER NOT NULL,
    collection TEXT NOT NULL,
    id TEXT NOT NULL,
    path BLOB NOT NULL,
    PRIMARY KEY (device, number, collection, id, path)
) WITHOUT ROWID;
CREATE TABLE head (device BLOB PRIMARY KEY, number INTEGER NOT NULL, digest BLOB NOT NULL)
    WITHOUT ROWID;
CREATE TABLE held (
    device BLOB NOT NULL,
    number INTEGER NOT NULL,
    digest BLOB NOT NULL,
    reason TEXT NOT NULL,
    since INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (device, number, digest)
);
CREATE TABLE relay (
    url TEXT PRIMARY KEY,
    epoch BLOB,
    cursor INTEGER NOT NULL,
    acknowledged INTEGER NOT NULL,
    read_anew_at INTEGER,
    last_sync_at INTEGER,
    last_sync_outcome TEXT
);
