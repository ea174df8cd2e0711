package main

import (
	"bufio"
	"encoding/json"
	"os/exec"
	"syscall"
	"testing"

	"github.com/kuvert-im/kuvert/app/chat"
)

// watcher is a kuvertd watch.
type watcher struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func startWatch(t *testing.T, env []string, profile string, args ...string) *watcher {
	t.Helper()
	cmd := exec.Command(kuvertd, append([]string{"watch", "--profile", profile}, args...)...)
	cmd.Env = env
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return &watcher{cmd, bufio.NewScanner(out)}
}

// until reads events until one fits.
func (w *watcher) until(t *testing.T, fits func(eventLine) bool) eventLine {
	t.Helper()
	for w.lines.Scan() {
		var l eventLine
		if err := json.Unmarshal(w.lines.Bytes(), &l); err != nil {
			t.Fatalf("%v: %s", err, w.lines.Bytes())
		}
		if fits(l) {
			return l
		}
	}
	t.Fatalf("watch ended: %v", w.cmd.Wait())
	return eventLine{}
}

func isReady(l eventLine) bool { return l.Event == "ready" }

// end ends the watcher as a person would.
func (w *watcher) end(t *testing.T) {
	t.Helper()
	_ = w.cmd.Process.Signal(syscall.SIGTERM)
	for w.lines.Scan() { // what was on its way
	}
	if err := w.cmd.Wait(); err != nil {
		t.Errorf("watch: %v", err)
	}
}

// TestWatch is a bot's view: alice's runs the client itself, bob's attaches to
// one that runs.
func TestWatch(t *testing.T) {
	dir, env := testEnv(t)
	a, b := pairUp(t, dir, env)
	wa := startWatch(t, env, a.profile, "--listen", "127.0.0.1:0", "--no-discovery")
	wa.until(t, isReady)
	d, err := startDaemon(b.profile, env)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.wait(); err != nil {
		t.Fatal(err)
	}
	wb := startWatch(t, env, b.profile)
	wb.until(t, isReady)

	var sent struct {
		ID chat.MessageID `json:"id"`
	}
	runKuvertd(t, env, a.profile, &sent, "send", b.to.String(), "to the bot")
	isIt := func(kind string) func(eventLine) bool {
		return func(l eventLine) bool {
			return string(l.Event) == kind && l.ID != nil && *l.ID == sent.ID && l.Conversation != nil && *l.Conversation == a.to
		}
	}
	wa.until(t, isIt("message_added"))
	wb.until(t, isIt("message_added"))
	wa.until(t, isIt("message_changed")) // sent, or delivered
	wb.end(t)
	wa.end(t)
	if err := d.end(); err != nil {
		t.Error(err)
	}
}

// TestWatchLosesItsInstance: the instance that watch attached to ends.
func TestWatchLosesItsInstance(t *testing.T) {
	dir, env := testEnv(t)
	profile := dir + "/alice"
	runKuvertd(t, env, profile, nil, "init", "--name", "Alice")
	d, err := startDaemon(profile, env)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.wait(); err != nil {
		t.Fatal(err)
	}
	w := startWatch(t, env, profile)
	w.until(t, isReady)
	d.kill()
	for w.lines.Scan() {
	}
	if err := w.cmd.Wait(); w.cmd.ProcessState.ExitCode() != exitFailed {
		t.Errorf("watch ended with %v", err)
	}
}
