ALTER TABLE collection ADD COLUMN local_only INTEGER NOT NULL DEFAULT 0;
ALTER TABLE record ADD COLUMN updated_by INTEGER;
CREATE TABLE writer (num INTEGER PRIMARY KEY, device BLOB NOT NULL UNIQUE);
CREATE TABLE local_change (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL);
INSERT INTO local_change VALUES (1, 0);
CREATE TABLE declared_index (
    num INTEGER PRIMARY KEY,
    collection INTEGER NOT NULL REFERENCES collection (num),
    kind TEXT NOT NULL,
    definition TEXT NOT NULL,
    filled_to INTEGER,
    UNIQUE (collection, kind, definition)
);
