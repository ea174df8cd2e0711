package mailstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Some tests need a process that can be killed or limited: the test binary itself,
// started with childEnv set to the name of one of these jobs.
const childEnv = "KUVERT_MAILSTORE_CHILD"

var children = map[string]func(path string) error{"crash": crashChild}

func TestMain(m *testing.M) {
	job, ok := children[os.Getenv(childEnv)]
	if !ok {
		os.Exit(m.Run())
	}
	if err := job(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func child(t *testing.T, job, path string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), os.Args[0], path)
	cmd.Env = append(os.Environ(), childEnv+"="+job)
	cmd.Stderr = os.Stderr
	return cmd
}

// run starts a job and returns the lines that it printed whole; a while after the
// first one it is killed, if it has not ended by then.
func run(t *testing.T, cmd *exec.Cmd, while time.Duration) (lines []string) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			_ = cmd.Wait() // it was killed, or says by its lines how it went
			return lines
		}
		if len(lines) == 0 {
			timer := time.AfterFunc(while, func() { _ = cmd.Process.Kill() })
			defer timer.Stop()
		}
		lines = append(lines, strings.TrimSuffix(line, "\n"))
	}
}

const crashQueues = 8

// crashChild puts numbered blobs from several goroutines, deletes every third, and
// prints what was acknowledged: "+queue number" and "-queue number".
func crashChild(path string) error {
	s, err := Open(path, crashOptions(path))
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
	var wg sync.WaitGroup
	errs := make([]error, crashQueues)
	for n := range crashQueues {
		wg.Go(func() { errs[n] = crashQueue(s, one, n) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func crashQueue(s *Store, one int64, n int) error {
	if err := makeQueue(s, one, n, time.Time{}); err != nil {
		return err
	}
	rid, rcap := recvOf(n)
	for i := int(time.Now().UnixMicro()); ; i++ {
		if _, _, err := put(s, n, strconv.Itoa(i)); err != nil {
			return err
		}
		fmt.Printf("+%d %d\n", n, i)
		if i%3 != 0 {
			continue
		}
		places, blobs, err := s.List(context.Background(), rid, rcap, 0, 1, 1)
		if err != nil {
			return err
		}
		if err := remove(s, n, places...); err != nil {
			return err
		}
		fmt.Printf("-%d %s\n", n, blobs[0])
	}
}

// encryptedName is the name of the file that tests encrypt.
const encryptedName = "encrypted.db"

func crashOptions(path string) (o Options) {
	if filepath.Base(path) == encryptedName {
		o.Key = &testKey
	}
	return o
}

// TestKill: what was acknowledged before a kill -9 is there, and what was deleted is
// not.
func TestKill(t *testing.T) {
	for _, name := range []string{"mail.db", encryptedName} {
		t.Run(name, func(t *testing.T) { testKill(t, filepath.Join(t.TempDir(), name)) })
	}
}

func testKill(t *testing.T, path string) {
	stored := map[string]bool{}
	rounds := 5
	if testing.Short() {
		rounds = 2
	}
	for round := range rounds {
		lines := run(t, child(t, "crash", path), time.Duration(50+30*round)*time.Millisecond)
		for _, l := range lines {
			stored[l[1:]] = l[0] == '+'
		}
		if len(lines) < 10 {
			t.Fatalf("only %d lines", len(lines))
		}
		checkStored(t, path, stored)
	}
}

func checkStored(t *testing.T, path string, stored map[string]bool) {
	t.Helper()
	s := openAt(t, path, crashOptions(path))
	defer s.Close()
	found := map[string]bool{}
	for n := range crashQueues {
		for after, more := uint64(0), true; more; {
			places, blobs := list(t, s, n, after)
			if more = len(places) > 0; more {
				after = places[len(places)-1]
			}
			for _, b := range blobs {
				found[fmt.Sprintf("%d %s", n, b)] = true
			}
		}
	}
	lost, back := 0, 0
	for l, is := range stored {
		switch {
		case is && !found[l]:
			lost++ // one of each queue may be: deleted, and not said any more
		case !is && found[l]:
			back++
		}
	}
	if lost > crashQueues || back > 0 {
		t.Errorf("%d of %d are lost, %d came back", lost, len(stored), back)
	}
	for l := range stored {
		stored[l] = found[l]
	}
	checkCounters(t, s)
}
