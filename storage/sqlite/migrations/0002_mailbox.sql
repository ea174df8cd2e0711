-- Version 2. Mailboxes: the always-on machines this person uses, the queues in
-- them, and what was contacted.

CREATE TABLE node (
	num      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	host     BLOB    NOT NULL UNIQUE,
	addrs    TEXT    NOT NULL, -- JSON array of multiaddr texts
	token    BLOB    NOT NULL,
	relay    INTEGER NOT NULL,
	keeper   BLOB    NOT NULL, -- contact; empty: a node of one's own
	added_at INTEGER NOT NULL
) STRICT;

-- contact is empty while nobody has answered the invitation.
CREATE TABLE queue (
	id        INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	contact   BLOB    NOT NULL,
	invite    BLOB    NOT NULL,
	out       INTEGER NOT NULL,
	mine      INTEGER NOT NULL,
	recv_id   BLOB    NOT NULL,
	recv_cap  BLOB    NOT NULL,
	send_id   BLOB    NOT NULL,
	send_cap  BLOB    NOT NULL,
	key       BLOB    NOT NULL,
	host      BLOB    NOT NULL,
	addrs     TEXT    NOT NULL, -- JSON array of multiaddr texts
	made_at   INTEGER NOT NULL,
	until     INTEGER NOT NULL,
	relay     INTEGER NOT NULL,
	slot_at   INTEGER NOT NULL,
	slot_hash BLOB    NOT NULL
) STRICT;
CREATE INDEX queue_contact ON queue (contact, id);

-- One row a machine and reason, and no index beside its key: it is written far
-- more often than it is read, and holds one day.
CREATE TABLE contacted (
	kind     INTEGER NOT NULL,
	person   BLOB    NOT NULL,
	host     BLOB    NOT NULL,
	addr     TEXT    NOT NULL,
	first_at INTEGER NOT NULL,
	last_at  INTEGER NOT NULL,
	count    INTEGER NOT NULL,
	PRIMARY KEY (kind, person, host, addr)
) STRICT, WITHOUT ROWID;

ALTER TABLE outbox ADD COLUMN mailed_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN mailed_to BLOB NOT NULL DEFAULT x'';
