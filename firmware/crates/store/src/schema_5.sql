-- Up to which announcement each webhook has come.
CREATE TABLE webhook_cursors (
  hook TEXT    PRIMARY KEY, -- ULID
  seq  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What became of the last announcements that each webhook posted.
CREATE TABLE webhook_deliveries (
  hook TEXT    NOT NULL,
  seq  INTEGER NOT NULL,
  body TEXT    NOT NULL, -- JSON
  PRIMARY KEY (hook, seq)
) STRICT, WITHOUT ROWID;
