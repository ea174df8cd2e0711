//go:build unix

package mailstore

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func init() { children["limit"] = limitChild }

// limitChild lets the system refuse every write beyond a size, as a failing disk
// does, and prints what the store makes of it.
func limitChild(path string) error {
	signal.Ignore(syscall.SIGXFSZ)
	s, err := Open(path, Options{})
	if err != nil {
		return err
	}
	ctx := context.Background()
	if err := s.Allow(ctx, map[[32]byte]int64{id32('t', 1): 0}); err != nil {
		return err
	}
	one, err := s.Auth(ctx, id32('t', 1))
	if err != nil {
		return err
	}
	if err := makeQueue(s, one, 1, time.Time{}); err != nil {
		return err
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	free := limit.Cur
	limit.Cur = 256 << 10
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	stored := 0
	for ; stored < 100; stored++ {
		if _, _, err = put(s, 1, fmt.Sprint(stored, strings.Repeat("x", 16<<10))); err != nil {
			break
		}
	}
	fmt.Println(stored, errors.Is(err, ErrIO))
	limit.Cur = free
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		return err
	}
	_, _, err = put(s, 1, "more")
	fmt.Println(errors.Is(err, ErrIO), errors.Is(err, ErrStopped))
	return s.Close()
}

// TestStopsAfterAnIOError: no acknowledgement, nothing more is written, and what was
// acknowledged before is there.
func TestStopsAfterAnIOError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mail.db")
	lines := run(t, child(t, "limit", path), time.Minute)
	var stored int
	if len(lines) != 2 {
		t.Fatal(lines)
	}
	if _, err := fmt.Sscanf(lines[0], "%d true", &stored); err != nil || stored == 0 || stored == 100 {
		t.Error(lines[0], err)
	}
	if lines[1] != "true true" {
		t.Error(lines[1])
	}
	s := openAt(t, path, Options{})
	if places, _ := list(t, s, 1, 0); len(places) != stored {
		t.Errorf("%d acknowledged, %d stored", stored, len(places))
	}
	checkCounters(t, s)
}
