//go:build !windows

package main

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/run"
)

// TestStopped stops a process in its tracks, as a laptop's lid does: the other side
// goes on by itself, shows nothing as delivered, and soon after the process goes on
// everything has arrived once.
func TestStopped(t *testing.T) {
	pause := 20 * time.Second
	if testing.Short() {
		pause = 6 * time.Second
	}
	dir, env := testEnv(t)
	a, b := pairUp(t, dir, env)
	d, err := startDaemon(b.profile, env)
	if err != nil {
		t.Fatal(err)
	}
	defer d.kill()
	if _, err := d.wait(); err != nil {
		t.Fatal(err)
	}
	end := up(t, a)
	defer end()
	a.says(t, 0)
	waitUntil(t, "the first message is delivered", func() bool { return a.settled(t, a.history(t)) })

	if err := d.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	for i := 1; time.Since(begin) < pause; i++ {
		before := time.Now()
		a.says(t, i)
		if took := time.Since(before); took > 5*time.Second {
			t.Errorf("message %d took %v to send", i, took)
		}
		time.Sleep(500 * time.Millisecond)
	}
	for _, m := range a.history(t) {
		if _, mine := a.sent[m.ID]; mine && (m.State == chat.Delivered) != (m.Text == "alice 0") {
			t.Errorf("%q is %s while the process does nothing", m.Text, m.State)
		}
	}
	if err := d.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	begin = time.Now()
	ha, hb := settledHistories(t, a, b)
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("everything arrived after %v", took)
	}
	b.check(t, hb, a)
	if err := sameHistory(ha, hb); err != nil {
		t.Error(err)
	}
	if err := d.end(); err != nil {
		t.Error(err)
	}
}

// says sends a numbered message.
func (s *side) says(t *testing.T, n int) {
	t.Helper()
	c, err := run.Attach(t.Context(), s.profile)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // nothing waits for it
	text := fmt.Sprint(s.name, " ", n)
	id, err := c.Send(t.Context(), s.to, core.Outgoing{Text: text})
	if err != nil {
		t.Fatal(err)
	}
	s.sent[id] = text
}
