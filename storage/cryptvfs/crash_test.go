package cryptvfs

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The crash suite's size; make crash runs a larger one.
var (
	kills  = flag.Int("kills", 100, "processes to kill")
	cuts   = flag.Int("cuts", 200, "power cuts")
	faults = flag.Int("faults", 150, "runs on a failing disk")
)

func rounds(n int) int {
	if testing.Short() {
		return n / 10
	}
	return n
}

// body is the text of row id: anything that is lost or mixed up shows.
func body(id int64) string {
	return fmt.Sprint("GEHEIMWORT ", id, " ") + strings.Repeat(string(rune('a'+id%26)), int(id*7919%3000))
}

// writer stores rows one by one.
type writer struct {
	c    *sql.DB
	last int64 // the last id that was acknowledged
}

// kept is how many rows there are at most.
const kept = 60

// step stores one row and deletes an old one.
func (w *writer) step() error {
	id := w.last + 1
	tx, err := w.c.Begin()
	if err != nil {
		return err
	}
	_, err = tx.Exec("INSERT OR REPLACE INTO m(id, body) VALUES (?, ?)", id, body(id))
	if err == nil {
		_, err = tx.Exec("DELETE FROM m WHERE id <= ?", id-kept)
	}
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	w.last = id
	return nil
}

// undone writes much and takes it back, so that the WAL holds frames that were
// never committed.
func (w *writer) undone() error {
	tx, err := w.c.Begin()
	if err != nil {
		return err
	}
	_, err = tx.Exec("PRAGMA cache_spill = 5; UPDATE m SET body = body || 'x'")
	return errors.Join(err, tx.Rollback())
}

// crashPragmas make checkpoints frequent and the cache small.
var crashPragmas = []string{"wal_autocheckpoint(25)", "cache_size(10)"}

// examine looks at everything after a crash and returns the highest id. An error
// tells what is not as it must be.
func examine(db *Database) (last int64, err error) {
	c, err := sql.Open("sqlite", uri(db, crashPragmas...))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	c.SetMaxOpenConns(1)
	if res := one(c, "PRAGMA integrity_check"); res != "ok" {
		return 0, errors.New(res)
	}
	if _, err := c.Exec("INSERT INTO f(f) VALUES ('integrity-check')"); err != nil {
		return 0, err
	}
	rows, err := c.Query("SELECT id, body FROM m ORDER BY id")
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var text string
		before := last
		if err := rows.Scan(&last, &text); err != nil {
			return 0, err
		}
		if text != body(last) || before > 0 && last != before+1 {
			return 0, fmt.Errorf("row %d after %d holds %.30q", last, before, text)
		}
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	return last, db.Verify(context.Background())
}

// cutRun is what a series of power cuts found.
type cutRun struct{ lost, bad, acknowledged int }

// cutPower cuts a disk's power n times, at any operation.
func cutPower(t *testing.T, n int, lies bool) (found cutRun) {
	t.Helper()
	d := newMemDisk()
	var acked int64
	for i := range n {
		r := rand.New(rand.NewPCG(7, uint64(i)))
		d.mu.Lock()
		d.left, d.lies = 1+r.IntN(2000), lies
		d.mu.Unlock()
		acked = max(acked, writeUntilDark(d, acked, r))
		d.restart(r)
		d.lies = false
		last, err := reexamine(d)
		switch {
		case err != nil:
			found.bad++
			if !lies {
				t.Errorf("cut %d: %v", i, err)
				return found
			}
			d, acked = newMemDisk(), 0
			continue
		case last < acked:
			found.lost++
			t.Logf("cut %d: %d was acknowledged, %d is the last", i, acked, last)
		}
		found.acknowledged += int(last - min(acked, last))
		acked = last
	}
	found.acknowledged = int(acked)
	return found
}

const memPath = "/disk/x.db"

// writeUntilDark works on a disk until its power is gone, and returns the last
// acknowledged id.
func writeUntilDark(d *memDisk, last int64, r *rand.Rand) int64 {
	db, err := open(memPath, &testKey, d)
	if err != nil {
		return last
	}
	defer func() { _ = db.Close() }()
	c, err := sql.Open("sqlite", uri(db, crashPragmas...))
	if err != nil {
		return last
	}
	defer c.Close()
	c.SetMaxOpenConns(1)
	w := writer{c: c, last: last}
	if err := setUp(c); err != nil {
		return last
	}
	if r.IntN(2) == 0 {
		defer disturb(db)()
	}
	for err == nil {
		if r.IntN(15) == 0 {
			err = w.undone()
		} else {
			err = w.step()
		}
	}
	return w.last
}

// disturb checkpoints and reads on a connection of its own until it is told to
// stop, while another one writes.
func disturb(db *Database) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		c, err := sql.Open("sqlite", uri(db, crashPragmas...))
		if err != nil {
			return
		}
		defer c.Close()
		c.SetMaxOpenConns(1)
		for {
			select {
			case <-done:
				return
			default:
				_ = one(c, "PRAGMA wal_checkpoint(PASSIVE)")
				_ = one(c, "SELECT sum(length(body)) FROM m")
			}
		}
	}()
	return func() { close(done); <-ended }
}

// setUp makes the tables unless they are there.
func setUp(c *sql.DB) error {
	var n int
	if err := c.QueryRow("SELECT count(*) FROM sqlite_schema WHERE name = 'd'").Scan(&n); err != nil || n > 0 {
		return err
	}
	_, err := c.Exec("BEGIN IMMEDIATE; " + testSchema + " COMMIT;")
	return err
}

// reexamine opens the database after a restart and looks at everything.
func reexamine(d *memDisk) (last int64, err error) {
	db, err := open(memPath, &testKey, d)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	c, err := sql.Open("sqlite", uri(db))
	if err != nil {
		return 0, err
	}
	if err := errors.Join(setUp(c), c.Close()); err != nil {
		return 0, err
	}
	return examine(db)
}

func TestNothingAcknowledgedIsLostByPowerCuts(t *testing.T) {
	found := cutPower(t, rounds(*cuts), false)
	if found.lost > 0 || found.bad > 0 {
		t.Errorf("%+v", found)
	}
	t.Logf("%d cuts: %+v", rounds(*cuts), found)
}

// TestPowerCutsFindMissingSyncs is the control: a disk that only pretends to sync
// must lose what was acknowledged.
func TestPowerCutsFindMissingSyncs(t *testing.T) {
	found := cutPower(t, 40, true)
	if found.lost+found.bad < 10 {
		t.Errorf("only %+v", found)
	}
	t.Logf("%+v", found)
}

// onFailingDisk works on a disk that fails at times, cuts its power, and returns
// how many acknowledged rows were lost and what else was wrong. With quiet the
// disk tells nobody of its errors.
func onFailingDisk(t *testing.T, n int, quiet bool) (lost, bad, failures int) {
	t.Helper()
	d := newMemDisk()
	var acked int64
	for i := range n {
		r := rand.New(rand.NewPCG(8, uint64(i)))
		db, err := open(memPath, &testKey, d)
		if err != nil {
			t.Fatal(err)
		}
		c, err := sql.Open("sqlite", uri(db, crashPragmas...))
		if err != nil {
			t.Fatal(err)
		}
		c.SetMaxOpenConns(1)
		if err := setUp(c); err != nil {
			t.Fatal(err)
		}
		d.mu.Lock()
		d.fault, d.quiet = faultsOf(r), quiet
		d.mu.Unlock()
		w := writer{c: c, last: acked}
		for range 60 {
			if w.step() != nil {
				failures++
			}
		}
		acked = w.last
		_, _ = c.Close(), db.Close()
		d.restart(r)
		last, err := reexamine(d)
		if err != nil {
			bad++
			if !quiet {
				t.Errorf("run %d: %v", i, err)
				return lost, bad, failures
			}
			d, acked = newMemDisk(), 0
			continue
		}
		if last < acked {
			lost++
		}
		acked = last
	}
	return lost, bad, failures
}

// faultsOf fails some operations: reads and writes with an I/O error or no space
// (half of what was to be written is), syncs seldom.
func faultsOf(r *rand.Rand) func(string) error {
	return func(op string) error {
		switch n := r.IntN(3000); {
		case op == "sync" && n < 15, op == "truncate" && n < 15:
			return syscall.EIO
		case (op == "write" || op == "read") && n == 0:
			return syscall.EIO
		case op == "write" && n < 4:
			return errNoSpace
		}
		return nil
	}
}

func TestNothingAcknowledgedIsLostOnAFailingDisk(t *testing.T) {
	lost, bad, failures := onFailingDisk(t, rounds(*faults), false)
	if lost > 0 || bad > 0 || failures == 0 {
		t.Errorf("lost %d, bad %d, failures %d", lost, bad, failures)
	}
	t.Logf("%d runs, %d updates failed", rounds(*faults), failures)
}

// TestFailingDiskFindsSwallowedErrors is the control: what a disk does not tell
// must be found afterwards.
func TestFailingDiskFindsSwallowedErrors(t *testing.T) {
	lost, bad, _ := onFailingDisk(t, 20, true)
	if lost+bad < 5 {
		t.Errorf("only lost %d, bad %d", lost, bad)
	}
	t.Logf("lost %d, bad %d", lost, bad)
}

const childEnv = "KUVERT_CRYPTVFS_CHILD"

func TestMain(m *testing.M) {
	mode := os.Getenv(childEnv)
	if mode == "" {
		os.Exit(m.Run())
	}
	if err := crashChild(os.Args[1], mode == "early"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// crashChild stores rows until it is killed, and prints the id of each one that
// was acknowledged; with early before it was.
func crashChild(path string, early bool) error {
	db, err := Open(path, &testKey)
	if err != nil {
		return err
	}
	c, err := sql.Open("sqlite", uri(db, crashPragmas...))
	if err != nil {
		return err
	}
	c.SetMaxOpenConns(1)
	if err := setUp(c); err != nil {
		return err
	}
	w := writer{c: c}
	if err := c.QueryRow("SELECT coalesce(max(id), 0) FROM m").Scan(&w.last); err != nil {
		return err
	}
	for {
		if early {
			_, _ = os.Stdout.WriteString(strconv.FormatInt(w.last+1, 10) + "\n")
		}
		if err := w.step(); err != nil {
			return err
		}
		if !early {
			_, _ = os.Stdout.WriteString(strconv.FormatInt(w.last, 10) + "\n")
		}
	}
}

// killChild starts a writing process, kills it a while after its first line, and
// returns the last id it acknowledged.
func killChild(t *testing.T, path, mode string, after time.Duration) (last int64) {
	t.Helper()
	cmd := exec.Command(os.Args[0], path)
	cmd.Env = append(os.Environ(), childEnv+"="+mode)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	for r, first := bufio.NewReader(out), true; ; first = false {
		line, err := r.ReadString('\n')
		if err != nil {
			_ = cmd.Wait() // it was killed
			return last
		}
		if first {
			timer.Reset(after)
		}
		if last, err = strconv.ParseInt(strings.TrimSpace(line), 10, 64); err != nil {
			t.Fatal(err)
		}
	}
}

// killRounds kills a writing process n times and returns how often something
// acknowledged was lost, and the last id.
func killRounds(t *testing.T, n int, mode string) (lost int, last int64) {
	t.Helper()
	path := newPath(t)
	for range n {
		acked := killChild(t, path, mode, rand.N(80*time.Millisecond))
		db, err := Open(path, &testKey)
		if err != nil {
			t.Fatal(err)
		}
		last, err = examine(db)
		if err := errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		if acked == 0 {
			t.Fatal("nothing was acknowledged")
		}
		if last < acked {
			lost++
		}
	}
	return lost, last
}

func TestNothingAcknowledgedIsLostByKills(t *testing.T) {
	lost, last := killRounds(t, rounds(*kills), "crash")
	if lost > 0 {
		t.Errorf("lost something %d times", lost)
	}
	t.Logf("%d kills, %d rows acknowledged", rounds(*kills), last)
}

// TestKillsFindEarlyAcknowledgement is the control: who acknowledges before the
// commit must be found out.
func TestKillsFindEarlyAcknowledgement(t *testing.T) {
	for range 10 {
		if lost, _ := killRounds(t, 5, "early"); lost > 0 {
			return
		}
	}
	t.Error("nothing was lost")
}
