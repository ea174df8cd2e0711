-- Messages that disappear. life is how long a message lives in seconds, 0: for
-- ever; expires_at when it goes. timer is what new messages of a conversation get,
-- timer_version and timer_by decide between two people who change it at once.
-- floor is the highest place of what was deleted, so that no new message stands
-- before it on the other side.

ALTER TABLE message ADD COLUMN life INTEGER NOT NULL DEFAULT 0;
ALTER TABLE message ADD COLUMN expires_at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX message_expires ON message (expires_at) WHERE expires_at > 0;

ALTER TABLE conversation ADD COLUMN timer INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN timer_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE conversation ADD COLUMN timer_by BLOB NOT NULL DEFAULT x'';
ALTER TABLE conversation ADD COLUMN floor INTEGER NOT NULL DEFAULT 0;

-- The ids of messages that were deleted here: one that comes again stays away.
CREATE TABLE gone (
	id BLOB NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
