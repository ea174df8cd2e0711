package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Some tests need a process that can be killed or limited: the test binary itself,
// started with childEnv set to the name of one of these jobs.
const childEnv = "KUVERT_SQLITE_CHILD"

var children = map[string]func(path string) error{
	"crash":   crashChild,
	"migrate": migrateChild,
	"limit":   limitChild,
	"full":    fullChild,
	"open":    openChild,
}

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

// child returns a job's process, not started yet.
func child(ctx context.Context, job, path string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], path)
	cmd.Env = append(os.Environ(), childEnv+"="+job)
	cmd.Stderr = os.Stderr
	return cmd
}

// killAfter starts a job, kills it after a while, if it has not ended by then, and
// returns what it printed.
func killAfter(t *testing.T, cmd *exec.Cmd, d time.Duration) (lines []string) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	timer := time.AfterFunc(d, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	lines, err = readLines(out)
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	return lines
}

// readLines returns the whole lines of r; a last one without its end was not
// written in full.
func readLines(r io.Reader) (lines []string, err error) {
	br := bufio.NewReader(r)
	for {
		line, err := br.ReadString('\n')
		if err == io.EOF { //nolint:errorlint // as bufio returns it
			return lines, nil
		}
		if err != nil {
			return nil, err
		}
		lines = append(lines, line[:len(line)-1])
	}
}
