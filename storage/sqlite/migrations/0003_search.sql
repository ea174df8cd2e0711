-- Search. The table holds no texts, only which three characters in a row, and which
-- marks of a filter, stand in which message (docs/storage.md, Search). The code
-- fills it, in steps: messages with low < num <= high are in it.

CREATE VIRTUAL TABLE search USING fts5 (
	text, conversation, sender, year, month, file,
	content = '', detail = none, columnsize = 0, tokenize = 'trigram case_sensitive 1'
);
INSERT INTO search (search, rank) VALUES ('secure-delete', 1);

CREATE TABLE search_state (
	num     INTEGER NOT NULL PRIMARY KEY CHECK (num = 1),
	version TEXT    NOT NULL, -- how the text was folded
	low     INTEGER NOT NULL,
	high    INTEGER NOT NULL
) STRICT;
INSERT INTO search_state VALUES (1, '', 0, 0);
