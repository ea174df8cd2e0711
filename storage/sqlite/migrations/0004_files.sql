-- Files of messages. The sealed files lie beside the database (docs/storage.md);
-- here is what opens them and how it stands with each.

CREATE TABLE file (
	num        INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	message    BLOB    NOT NULL REFERENCES message (id) ON DELETE CASCADE,
	place      INTEGER NOT NULL,
	id         BLOB    NOT NULL,
	state      INTEGER NOT NULL,
	size       INTEGER NOT NULL,
	sealed     INTEGER NOT NULL,
	hash       BLOB    NOT NULL,
	manifest   BLOB    NOT NULL,
	mailed_at  INTEGER NOT NULL,
	name       TEXT    NOT NULL,
	media_type TEXT    NOT NULL,
	identity   TEXT    NOT NULL,
	picture    BLOB    NOT NULL,
	UNIQUE (message, place)
) STRICT;
CREATE INDEX file_id ON file (id);
CREATE INDEX file_waiting ON file (num) WHERE state = 2;

-- How many files a message has: messages without any, nearly all, cost no look
-- into the other table.
ALTER TABLE message ADD COLUMN files INTEGER NOT NULL DEFAULT 0;
