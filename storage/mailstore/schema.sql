-- What a mailbox keeps. Times are Unix milliseconds, places Unix microseconds,
-- 0 is none. Tokens and capabilities are kept as their SHA-256 alone.

CREATE TABLE account (
  id     INTEGER PRIMARY KEY AUTOINCREMENT,
  token  BLOB    NOT NULL UNIQUE,
  active INTEGER NOT NULL, -- 1: the token is valid
  quota  INTEGER NOT NULL, -- bytes
  used   INTEGER NOT NULL, -- bytes of blobs and pages, with row_cost for each row
  queues INTEGER NOT NULL,
  blobs  INTEGER NOT NULL,
  pages  INTEGER NOT NULL
) STRICT;

CREATE TABLE queue (
  id       INTEGER PRIMARY KEY AUTOINCREMENT,
  account  INTEGER NOT NULL REFERENCES account,
  recv_id  BLOB    NOT NULL UNIQUE,
  recv_cap BLOB    NOT NULL,
  send_id  BLOB    NOT NULL UNIQUE,
  send_cap BLOB    NOT NULL,
  until    INTEGER NOT NULL,
  blobs    INTEGER NOT NULL,
  bytes    INTEGER NOT NULL,
  next     INTEGER NOT NULL, -- number of the next blob
  last     INTEGER NOT NULL, -- place of the last one
  slot     INTEGER NOT NULL  -- id of the state blob
) STRICT;

-- id = queue << 32 | number: a queue's blobs lie side by side in the file.
CREATE TABLE blob (
  id    INTEGER PRIMARY KEY,
  queue INTEGER NOT NULL,
  place INTEGER NOT NULL,
  hash  BLOB    NOT NULL, -- SHA-256 of data
  data  BLOB    NOT NULL
) STRICT;
CREATE UNIQUE INDEX blob_place ON blob (queue, place);
CREATE INDEX blob_hash ON blob (queue, hash);

-- Blobs that were deleted a short while ago: they are not stored again.
CREATE TABLE gone (
  queue  INTEGER NOT NULL,
  hash   BLOB    NOT NULL,
  number INTEGER NOT NULL,
  at     INTEGER NOT NULL,
  PRIMARY KEY (queue, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE page (
  id      BLOB    PRIMARY KEY,
  account INTEGER NOT NULL REFERENCES account,
  until   INTEGER NOT NULL,
  data    BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

-- One row: up to which time what is too old was looked for.
CREATE TABLE swept (at INTEGER NOT NULL) STRICT;
INSERT INTO swept VALUES (0);
