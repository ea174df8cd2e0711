// Package cryptvfs keeps an SQLite database encrypted on the disk: every page and
// every record of the write-ahead log is sealed with XChaCha20-Poly1305 before it
// leaves the process (docs/storage-format.md has the bytes).
//
// Open makes or opens a database and registers a VFS of its own for it, by whose
// name SQLite's connections reach it:
//
//	db, err := cryptvfs.Open(path, key)
//	dsn := "file:" + cryptvfs.FileName + "?vfs=" + db.VFS()
//
// What it promises:
//
//   - No plaintext reaches the disk: not in the database, not in the log, and not
//     in temporary files, which are kept in memory.
//   - A changed bit in the database or its log is an error, never other data. What
//     a power cut may leave unfinished at the log's end is told from damage: see
//     the mark in docs/storage-format.md.
//   - A wrong key is ErrWrongKey before anything is touched.
//   - What SQLite's synchronous=FULL promises holds: see the tests that kill
//     processes and cut the power. After a sync has failed, nothing more is
//     written, since the system may forget what it could not write.
//
// What it does not hide or notice: the sizes of the files and when they are
// written; a whole file, or a single page, that is replaced by an older one of the
// same place; a log that is removed as a whole.
//
// SQLite must use WAL mode, which a new database is in; rollback journals are
// refused. Use secure_delete=1 and synchronous=FULL. One process at a time has a
// database, and in it any number of connections: the index of the log lives in
// the process's memory.
//
// The package uses the inside of modernc.org/sqlite, so its version and that of
// modernc.org/libc change only together with a run of all tests here
// (TestVersionsAreTheTestedOnes).
package cryptvfs
