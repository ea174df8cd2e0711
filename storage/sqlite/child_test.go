package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
)

// Some tests need a process that can be killed or limited: the test binary itself,
// started with childEnv set to the name of one of these jobs. Files for one system
// add theirs.
const childEnv = "KUVERT_SQLITE_CHILD"

var children = map[string]func(path string) error{
	"crash":   crashChild,
	"migrate": migrateChild,
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

// killAfter starts a job, kills it after a while if it has not ended by then, and
// returns what it printed.
func killAfter(t *testing.T, cmd *exec.Cmd, d time.Duration) (lines []string) {
	t.Helper()
	timer := time.AfterFunc(time.Hour, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	return output(t, cmd, func() { timer.Reset(d) }, func() {})
}

// killOnceUp is killAfter for a job that prints a first line when it is at work;
// the while begins there.
func killOnceUp(t *testing.T, cmd *exec.Cmd, d time.Duration) (lines []string) {
	t.Helper()
	timer := time.AfterFunc(time.Hour, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	return output(t, cmd, func() {}, func() { timer.Reset(d) })
}

// output runs a job to its end, whatever that is, and returns the lines it
// printed.
func output(t *testing.T, cmd *exec.Cmd, started, up func()) (lines []string) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	started()
	r := bufio.NewReader(out)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			// A line without its end was not written in full.
			_ = cmd.Wait() // it was killed, or says by its lines how it went
			return lines
		}
		if len(lines) == 0 {
			up()
		}
		lines = append(lines, line[:len(line)-1])
	}
}
