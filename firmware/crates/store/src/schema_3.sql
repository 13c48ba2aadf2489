-- Changes over the API and attempts at them, in the order of arrival.
CREATE TABLE audit (
  seq  INTEGER PRIMARY KEY AUTOINCREMENT,
  body TEXT    NOT NULL -- JSON, without its seq
) STRICT;
