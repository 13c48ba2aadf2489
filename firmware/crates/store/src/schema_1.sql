-- Every announcement, as it is published but for what is known only then.
CREATE TABLE events (
  seq        INTEGER PRIMARY KEY,
  id         TEXT    NOT NULL,
  phase      TEXT    NOT NULL,
  kind       TEXT    NOT NULL,
  event_type TEXT    NOT NULL,
  camera     TEXT    NOT NULL,
  label      TEXT,
  boot_id    TEXT    NOT NULL,
  stored_ns  INTEGER NOT NULL, -- monotonic clock of the machine's boot in which it was stored
  stored_ms  INTEGER NOT NULL, -- wall clock, Unix time
  body       TEXT    NOT NULL  -- edgecam.event/1
) STRICT;
CREATE INDEX events_by_id ON events (id);
CREATE INDEX events_by_camera ON events (camera, seq);

-- Announcements that the broker has not acknowledged.
CREATE TABLE outbox (seq INTEGER PRIMARY KEY) STRICT;

-- Events without an end, each with its newest announcement.
CREATE TABLE open_events (
  id     TEXT    PRIMARY KEY,
  camera TEXT    NOT NULL,
  first  INTEGER NOT NULL,
  newest INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX open_events_by_newest ON open_events (newest);

CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO counters VALUES ('last_seq', 0), ('dropped_total', 0);
