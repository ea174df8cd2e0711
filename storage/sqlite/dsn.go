package sqlite

import (
	"net/url"
	"strconv"

	"github.com/kuvert-im/kuvert/storage/cryptvfs"
)

// Limits of a connection.
const (
	// busyTimeout in milliseconds: how long a statement waits for a lock that
	// another process holds (a virus scanner, a second instance).
	busyTimeout = 5000
	// Page caches in KiB: the writer's holds what a batch of updates touches.
	writerCacheKiB = 16384
	readerCacheKiB = 8192
	// checkpointPages is how long the WAL grows before a commit moves it into the
	// database: SQLite's 1,000 pages cost a tenth of the throughput, since the
	// indexes' pages are moved again and again.
	checkpointPages = 4000
	// journalLimit in bytes is what the WAL is cut to after a burst.
	journalLimit = 32 << 20
)

// access says what a connection is for.
type access int

const (
	accessInspect access = iota // looks at a file without changing it
	accessWrite
	accessRead
)

// pragmas returns the settings of a connection; docs/storage.md has the reasons.
func (a access) pragmas() []string {
	p := []string{
		"busy_timeout(" + strconv.Itoa(busyTimeout) + ")",
		"cell_size_check(1)",
		"foreign_keys(1)",
		"recursive_triggers(1)",
		"temp_store(2)",
		"trusted_schema(0)",
	}
	switch a {
	case accessInspect:
		return append(p, "query_only(1)")
	case accessRead:
		return append(p, "cache_size(-"+strconv.Itoa(readerCacheKiB)+")", "query_only(1)")
	default:
		return append(p,
			"cache_size(-"+strconv.Itoa(writerCacheKiB)+")",
			"checkpoint_fullfsync(1)",
			"fullfsync(1)",
			"journal_mode(WAL)",
			"journal_size_limit("+strconv.Itoa(journalLimit)+")",
			"secure_delete(1)",
			"synchronous(FULL)",
			"wal_autocheckpoint("+strconv.Itoa(checkpointPages)+")",
		)
	}
}

// dsn names the database for one kind of access. Everything a connection needs is
// in it, the encrypting VFS included: no connection is opened in any other way.
// Without the "file:" in front SQLite would ignore mode and VFS.
func dsn(db *cryptvfs.Database, a access) string {
	q := a.settings()
	q.Set("vfs", db.VFS())
	return "file:" + cryptvfs.FileName + "?" + q.Encode()
}

func (a access) settings() url.Values {
	q := url.Values{
		"_txlock":    {"immediate"},
		"_defensive": {"1"},
		"_dqs":       {"0"},
		"_error_rc":  {"1"},
		"_pragma":    a.pragmas(),
	}
	if a == accessInspect {
		q.Set("mode", "ro")
	}
	return q
}
