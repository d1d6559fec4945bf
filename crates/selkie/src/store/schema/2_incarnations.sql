ALTER TABLE local ADD COLUMN incarnation BLOB;
ALTER TABLE local ADD COLUMN chain BLOB;
CREATE TABLE incarnation (chain BLOB PRIMARY KEY, member BLOB NOT NULL, token BLOB NOT NULL)
    WITHOUT ROWID;
CREATE TABLE resend (
    num INTEGER PRIMARY KEY,
    incarnation BLOB,
    number INTEGER NOT NULL,
    stamp INTEGER NOT NULL,
    bytes BLOB NOT NULL
);
