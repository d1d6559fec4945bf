CREATE TABLE link (
    url TEXT PRIMARY KEY,
    state TEXT NOT NULL DEFAULT 'idle',
    reason TEXT,
    until INTEGER,
    attempt INTEGER NOT NULL DEFAULT 0,
    network TEXT NOT NULL DEFAULT 'unknown',
    push_bytes INTEGER NOT NULL DEFAULT 0,
    parked INTEGER,
    succeeded_at INTEGER,
    started_at INTEGER,
    duration_ms INTEGER NOT NULL DEFAULT 0,
    changes_sent INTEGER NOT NULL DEFAULT 0,
    changes_received INTEGER NOT NULL DEFAULT 0,
    segments_sent INTEGER NOT NULL DEFAULT 0,
    segments_received INTEGER NOT NULL DEFAULT 0,
    bytes_sent INTEGER NOT NULL DEFAULT 0,
    bytes_received INTEGER NOT NULL DEFAULT 0,
    conflicts_found INTEGER NOT NULL DEFAULT 0,
    conflicts_resolved INTEGER NOT NULL DEFAULT 0,
    error_message TEXT
);

CREATE TABLE deletion_guard (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    percent INTEGER NOT NULL,
    since INTEGER NOT NULL,
    last_record INTEGER NOT NULL,
    complete INTEGER NOT NULL
);
INSERT INTO deletion_guard SELECT 1, 50, 0, 0,
    EXISTS (SELECT 1 FROM relay WHERE last_sync_outcome = 'ok');
CREATE TABLE deleted_lately (
    collection INTEGER PRIMARY KEY REFERENCES collection (num),
    deleted INTEGER NOT NULL
);
CREATE TABLE held_deletion (
    device BLOB NOT NULL,
    collection TEXT NOT NULL,
    deletions INTEGER NOT NULL,
    records INTEGER NOT NULL,
    PRIMARY KEY (device, collection)
) WITHOUT ROWID;
