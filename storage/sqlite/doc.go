// Package sqlite is the durable store: people, conversations, messages, the
// outbox and the protocol's state in one SQLite database (docs/storage.md).
//
// What it promises:
//
//   - Update returns nil only after its transaction is on the disk
//     (synchronous=FULL). What it acknowledged survives kill -9 and power cuts.
//   - An update is stored whole or not at all. Updates that wait at the same time
//     share one commit, each under a savepoint of its own: one that fails, panics
//     or ends its goroutine takes nothing with it.
//   - View sees one consistent snapshot and never waits for a writer.
//   - A damaged, foreign or newer database is refused by Open, and its file is
//     not changed.
//   - After an I/O error or damage found while writing, nothing more is written:
//     every further Update fails with ErrStopped until the store is opened anew.
//
// Times are kept to the millisecond, in UTC; what has no time is the zero Time. A
// single thing that is missing is chat.ErrNotFound, a list without entries is
// empty, and deleting what is not there succeeds.
package sqlite
