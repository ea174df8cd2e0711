package mailstore

import (
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"github.com/kuvert-im/kuvert/storage/cryptvfs"
)

// Settings of a connection; docs/storage.md has the reasons for those it shares
// with the profile's database.
const (
	busyTimeout = 5000 // ms
	// Page caches in KiB. They are small: the system caches the file as well.
	writerCacheKiB = 16384
	readerCacheKiB = 4096
	// checkpointPages is how long the WAL grows before it is moved into the file.
	checkpointPages = 4000
	// journalLimit in bytes is what the WAL is cut to after a burst.
	journalLimit = 32 << 20
)

type access int

const (
	writing access = iota
	reading
)

func (a access) pragmas() []string {
	p := []string{
		"busy_timeout(" + strconv.Itoa(busyTimeout) + ")",
		"cell_size_check(1)",
		"foreign_keys(1)",
		"temp_store(2)",
		"trusted_schema(0)",
	}
	if a == reading {
		return append(p, "cache_size(-"+strconv.Itoa(readerCacheKiB)+")", "query_only(1)")
	}
	return append(p,
		"cache_size(-"+strconv.Itoa(writerCacheKiB)+")",
		"checkpoint_fullfsync(1)",
		"fullfsync(1)",
		"journal_mode(WAL)",
		"journal_size_limit("+strconv.Itoa(journalLimit)+")",
		// Sealed bytes: they are overwritten where that costs no write of its own.
		"secure_delete(FAST)",
		"synchronous(FULL)",
		"wal_autocheckpoint("+strconv.Itoa(checkpointPages)+")",
	)
}

// dsn names the file for one kind of access, with all its settings.
func (s *Store) dsn(a access) string {
	q := url.Values{
		"_txlock":    {"immediate"},
		"_defensive": {"1"},
		"_dqs":       {"0"},
		"_error_rc":  {"1"},
		"_pragma":    a.pragmas(),
	}
	if s.file != nil {
		q.Set("vfs", s.file.VFS())
		return "file:" + cryptvfs.FileName + "?" + q.Encode()
	}
	p := filepath.ToSlash(s.path)
	if !strings.HasPrefix(p, "/") {
		p = "/" + p // a Windows drive: file:///C:/...
	}
	u := url.URL{Scheme: "file", Path: p, RawQuery: q.Encode()}
	return u.String()
}
