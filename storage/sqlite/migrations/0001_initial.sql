-- Version 1. Times are milliseconds since 1970 in UTC, 0 is "no time". Ids are
-- blobs; an id of zeros is stored as the empty blob. docs/storage.md says why
-- each index is there.

CREATE TABLE setting (
	key   TEXT NOT NULL PRIMARY KEY,
	value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE secret (
	num   INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	name  TEXT    NOT NULL UNIQUE,
	value BLOB    NOT NULL
) STRICT;

CREATE TABLE contact (
	id         BLOB    NOT NULL PRIMARY KEY,
	name       TEXT    NOT NULL,
	given_name TEXT    NOT NULL,
	alias      TEXT    NOT NULL,
	verified   INTEGER NOT NULL,
	blocked    INTEGER NOT NULL,
	pending    INTEGER NOT NULL,
	added_at   INTEGER NOT NULL,
	last_seen  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What the protocol remembers of a contact: one opaque blob, written anew with
-- every message. A rowid table, because such rows are too long for a b-tree's
-- inner pages.
CREATE TABLE peer (
	num     INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	contact BLOB    NOT NULL UNIQUE,
	state   BLOB    NOT NULL
) STRICT;

CREATE TABLE host (
	contact  BLOB    NOT NULL,
	host_key BLOB    NOT NULL,
	seen_at  INTEGER NOT NULL,
	addrs    TEXT    NOT NULL, -- JSON array of multiaddr texts
	PRIMARY KEY (contact, host_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE request (
	num         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	id          BLOB    NOT NULL UNIQUE,
	name        TEXT    NOT NULL,
	received_at INTEGER NOT NULL,
	frame       BLOB    NOT NULL
) STRICT;

-- unread, last* and last_at are kept by the code that writes messages, so that
-- the list of conversations never counts. last is the message shown in the list
-- (0: none), last_seq, last_id and last_kind say where it stands.
CREATE TABLE conversation (
	num       INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	id        BLOB    NOT NULL UNIQUE,
	contact   BLOB    NOT NULL,
	unread    INTEGER NOT NULL,
	read_seq  INTEGER NOT NULL,
	last      INTEGER NOT NULL,
	last_seq  INTEGER NOT NULL,
	last_id   BLOB    NOT NULL,
	last_kind INTEGER NOT NULL,
	last_at   INTEGER NOT NULL
) STRICT;

-- Apart from conversation, whose rows are written with every message.
CREATE TABLE draft (
	conversation INTEGER NOT NULL PRIMARY KEY REFERENCES conversation (num),
	text         TEXT    NOT NULL
) STRICT;

CREATE TABLE message (
	num          INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	id           BLOB    NOT NULL UNIQUE,
	conversation INTEGER NOT NULL REFERENCES conversation (num),
	seq          INTEGER NOT NULL,
	kind         INTEGER NOT NULL,
	state        INTEGER NOT NULL,
	unread       INTEGER NOT NULL,
	sent_at      INTEGER NOT NULL,
	received_at  INTEGER NOT NULL,
	sender       BLOB    NOT NULL,
	reply_to     BLOB    NOT NULL,
	text         TEXT    NOT NULL
) STRICT;
CREATE INDEX message_place ON message (conversation, seq, id);
CREATE INDEX message_unread ON message (conversation, seq, id) WHERE unread = 1;

-- counted: the payload is a message this person wrote, so that it counts as
-- waiting while sent_at is 0.
CREATE TABLE outbox (
	id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	contact    BLOB    NOT NULL,
	message    BLOB    NOT NULL UNIQUE,
	type       INTEGER NOT NULL,
	counted    INTEGER NOT NULL,
	session    BLOB    NOT NULL,
	ctr        INTEGER NOT NULL,
	number     INTEGER NOT NULL,
	sealed_at  INTEGER NOT NULL,
	created_at INTEGER NOT NULL,
	sent_at    INTEGER NOT NULL,
	attempts   INTEGER NOT NULL,
	next_at    INTEGER NOT NULL,
	payload    BLOB    NOT NULL,
	inner      BLOB    NOT NULL
) STRICT;
CREATE INDEX outbox_contact ON outbox (contact, id);
CREATE INDEX outbox_waiting ON outbox (id) WHERE sent_at = 0 AND counted = 1;

CREATE TABLE seen (
	hash   BLOB    NOT NULL PRIMARY KEY,
	person BLOB    NOT NULL,
	at     INTEGER NOT NULL,
	asks   INTEGER NOT NULL -- 1: asked for an acknowledgement
) STRICT, WITHOUT ROWID;
CREATE INDEX seen_person ON seen (person, at);

CREATE TABLE invitation (
	num        INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	id         BLOB    NOT NULL UNIQUE,
	code       TEXT    NOT NULL,
	keys       BLOB    NOT NULL,
	bundle     BLOB    NOT NULL,
	hint1      TEXT    NOT NULL,
	hint2      TEXT    NOT NULL,
	created_at INTEGER NOT NULL,
	expires_at INTEGER NOT NULL,
	used_by    BLOB    NOT NULL,
	used_at    INTEGER NOT NULL,
	revoked    INTEGER NOT NULL
) STRICT;

CREATE TABLE joining (
	num        INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	id         BLOB    NOT NULL UNIQUE,
	contact    BLOB    NOT NULL,
	code       TEXT    NOT NULL,
	started_at INTEGER NOT NULL
) STRICT;
