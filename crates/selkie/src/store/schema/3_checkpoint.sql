CREATE TABLE accepted_segment (
    device BLOB NOT NULL,
    number INTEGER NOT NULL,
    digest BLOB NOT NULL,
    last_change INTEGER NOT NULL,
    PRIMARY KEY (device, number)
) WITHOUT ROWID;
INSERT INTO accepted_segment
    SELECT head.device, head.number, head.digest, coalesce(seen.number, 0)
    FROM head LEFT JOIN seen ON seen.device = head.device
    WHERE head.device NOT IN (SELECT device FROM seen_beyond_gap);
CREATE TABLE shard_sealed (
    shard INTEGER PRIMARY KEY,
    key_id BLOB NOT NULL,
    digest BLOB NOT NULL,
    chunks BLOB NOT NULL
);
CREATE TABLE checkpoint_incoming (one INTEGER PRIMARY KEY CHECK (one = 1), digest BLOB NOT NULL);
CREATE TABLE checkpoint_shard (shard INTEGER PRIMARY KEY);
CREATE TABLE ahead (
    device BLOB NOT NULL,
    number INTEGER NOT NULL,
    single INTEGER NOT NULL,
    PRIMARY KEY (device, number, single)
) WITHOUT ROWID;
CREATE TABLE relay_checkpoint (
    url TEXT PRIMARY KEY,
    epoch BLOB,
    settled BLOB,
    candidate BLOB,
    covers BLOB
);
CREATE TABLE initial_sync (one INTEGER PRIMARY KEY CHECK (one = 1), completed_at INTEGER NOT NULL);
