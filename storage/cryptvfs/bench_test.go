package cryptvfs

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkInsert writes messages with an index and full-text search, beside plain
// SQLite with the same settings in the same run.
func BenchmarkInsert(b *testing.B) {
	for _, perCommit := range []int{1, 64} {
		var plain cost
		b.Run(fmt.Sprint("plain/", perCommit), func(b *testing.B) { plain = benchInsert(b, plainDB(b), perCommit) })
		b.Run(fmt.Sprint("sealed/", perCommit), func(b *testing.B) {
			benchInsert(b, sealedDB(b), perCommit).compare(b, plain)
		})
	}
}

// BenchmarkRead reads single messages at random from 50,000, from a cache too small
// for them.
func BenchmarkRead(b *testing.B) {
	var plain cost
	b.Run("plain", func(b *testing.B) { plain = benchRead(b, plainDB(b)) })
	b.Run("sealed", func(b *testing.B) { benchRead(b, sealedDB(b)).compare(b, plain) })
}

var benchPragmas = []string{"cache_size(-16384)", "wal_autocheckpoint(4000)"}

func sealedDB(b *testing.B) *sql.DB {
	return connect(b, openTest(b, newPath(b)), 1, benchPragmas...)
}

func plainDB(b *testing.B) *sql.DB {
	b.Helper()
	pragmas := "busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=secure_delete(1)&_pragma=synchronous(FULL)&_pragma=temp_store(2)"
	c, err := sql.Open("sqlite", "file:"+filepath.ToSlash(newPath(b))+"?_txlock=immediate&_pragma="+pragmas+
		"&_pragma="+strings.Join(benchPragmas, "&_pragma="))
	if err != nil {
		b.Fatal(err)
	}
	c.SetMaxOpenConns(1)
	b.Cleanup(func() { c.Close() })
	return c
}

// cost is what one operation took, in nanoseconds.
type cost struct{ wall, cpu float64 }

func (c cost) compare(b *testing.B, plain cost) {
	if plain.wall > 0 && plain.cpu > 0 {
		b.ReportMetric(c.wall/plain.wall, "×plain-wall")
		b.ReportMetric(c.cpu/plain.cpu, "×plain-cpu")
	}
}

func measure(b *testing.B) (stop func() cost) {
	b.ResetTimer()
	from := cpuTime()
	return func() cost {
		n := float64(b.N)
		c := cost{float64(b.Elapsed().Nanoseconds()) / n, float64((cpuTime() - from).Nanoseconds()) / n}
		b.ReportMetric(c.cpu/1e3, "cpu-µs/op")
		return c
	}
}

var benchText = "Kommst du morgen um halb neun zum Bahnhof? Ich bringe die Unterlagen mit, und Brötchen. "

func benchInsert(b *testing.B, c *sql.DB, perCommit int) cost {
	run(b, c, testSchema)
	run(b, c, insertMany, 20000)
	stop := measure(b)
	for n := 0; n < b.N; {
		tx, err := c.Begin()
		if err != nil {
			b.Fatal(err)
		}
		for i := 0; i < perCommit && n < b.N; i++ {
			if _, err := tx.Exec("INSERT INTO m(body) VALUES (?)", fmt.Sprint(benchText, n)); err != nil {
				b.Fatal(err)
			}
			n++
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	return stop()
}

func benchRead(b *testing.B, c *sql.DB) cost {
	const rows = 50000
	run(b, c, "CREATE TABLE m (id INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT")
	run(b, c, "PRAGMA cache_size = -1024")
	run(b, c, insertMany, rows)
	run(b, c, "PRAGMA wal_checkpoint(TRUNCATE)")
	st, err := c.Prepare("SELECT body FROM m WHERE id = ?")
	if err != nil {
		b.Fatal(err)
	}
	defer st.Close()
	stop := measure(b)
	var text string
	for n := range b.N {
		if err := st.QueryRow(n*7919%rows + 1).Scan(&text); err != nil {
			b.Fatal(err)
		}
	}
	return stop()
}
