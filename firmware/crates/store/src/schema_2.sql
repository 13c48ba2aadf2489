-- Who tracked: a camera process, and the classes of the model that it had. Numbers grow.
CREATE TABLE track_sessions (
  number INTEGER PRIMARY KEY,
  id     TEXT    NOT NULL, -- ULID that the camera process gave itself
  camera TEXT    NOT NULL,
  labels TEXT    NOT NULL, -- JSON list, in class order
  UNIQUE (id, labels)
) STRICT;

-- What was tracked, some seconds a row, in the order of arrival.
CREATE TABLE track_stretches (
  row     INTEGER PRIMARY KEY AUTOINCREMENT,
  session INTEGER NOT NULL,
  from_ms INTEGER NOT NULL, -- wall clock, Unix time: first and last step
  to_ms   INTEGER NOT NULL,
  body    BLOB    NOT NULL  -- opaque here
) STRICT;
CREATE INDEX track_stretches_by_session ON track_stretches (session);
CREATE INDEX track_stretches_by_time ON track_stretches (to_ms, from_ms);

INSERT INTO counters VALUES ('track_bytes', 0);
