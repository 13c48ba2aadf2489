-- Questions by zone and by time, answered without reading the announcements themselves.
ALTER TABLE events ADD COLUMN zones TEXT; -- those it is about or in: '/door/yard/'; null: none
CREATE INDEX events_by_zone ON events (seq, zones) WHERE zones IS NOT NULL;
CREATE INDEX events_by_time ON events (stored_ms, camera, label, kind, phase, zones);
