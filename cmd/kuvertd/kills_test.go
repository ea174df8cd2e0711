package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/run"
)

// kills is how often a process is killed in TestKills, and killTime how long the
// killing may go on: on a slow machine the last ones are left out.
const (
	kills    = 200
	killTime = 100 * time.Second
)

// side is one of the two people of TestKills.
type side struct {
	name    string
	profile string
	env     []string
	to      chat.ConversationID

	sent map[chat.MessageID]string // what Send acknowledged
	lost map[string]bool           // texts whose Send did not answer: there once or not at all
}

// killRounds kills and restarts this side n times at random moments, the start
// included.
func (s *side) killRounds(t *testing.T, rng *rand.Rand, n int, until time.Time) (done int, last *daemon) {
	for ; ; done++ {
		d, err := startDaemon(s.profile, s.env)
		if err != nil {
			t.Error(err)
			return done, nil
		}
		if done >= n || time.Now().After(until) {
			if _, err := d.wait(); err != nil {
				t.Error(err)
			}
			return done, d
		}
		if rng.IntN(10) > 0 { // one in ten dies while it starts
			if _, err := d.wait(); err != nil {
				t.Error(err)
				return done, nil
			}
		}
		time.Sleep(time.Duration(rng.IntN(300)) * time.Millisecond)
		d.kill()
	}
}

// write sends numbered messages through the local socket as fast as they are
// taken, a pause of some milliseconds between them, until ctx ends.
func (s *side) write(ctx context.Context, rng *rand.Rand) {
	for n := 0; ctx.Err() == nil; {
		c, err := run.Attach(ctx, s.profile)
		if err != nil {
			time.Sleep(5 * time.Millisecond)
			continue
		}
		for err == nil && ctx.Err() == nil {
			n++
			text := fmt.Sprintf("%s %d", s.name, n)
			var id chat.MessageID
			if id, err = c.Send(ctx, s.to, core.Outgoing{Text: text}); err == nil {
				s.sent[id] = text
			} else {
				s.lost[text] = true
			}
			time.Sleep(time.Duration(rng.IntN(20)) * time.Millisecond)
		}
		_ = c.Close()
	}
}

func (s *side) history(t *testing.T) []messageLine {
	t.Helper()
	var list []messageLine
	runKuvertd(t, s.env, s.profile, &list, "messages", s.to.String(), "--limit", "1000000")
	return list
}

// settled reports whether everything this side wrote is acknowledged.
func (s *side) settled(t *testing.T, list []messageLine) bool {
	t.Helper()
	for _, m := range list {
		if m.State == chat.Queued || m.State == chat.Sent {
			return false
		}
	}
	return true
}

// check compares what this side has with what both sides wrote.
func (s *side) check(t *testing.T, list []messageLine, other *side) {
	t.Helper()
	ids, texts := map[chat.MessageID]string{}, map[string]int{}
	for _, m := range list {
		ids[m.ID] = m.Text
		texts[m.Text]++
	}
	for _, from := range []*side{s, other} {
		for id, text := range from.sent {
			if ids[id] != text {
				t.Errorf("%s does not have %q", s.name, text)
			}
			texts[text]--
		}
		for text := range from.lost {
			if texts[text] == 1 { // it was committed, the answer did not come
				texts[text]--
			}
		}
	}
	for text, n := range texts {
		if n > 0 {
			t.Errorf("%s has %q %d times too often", s.name, text, n)
		}
	}
}

// pairUp makes two profiles that know each other.
func pairUp(t testing.TB, dir string, env []string) (a, b *side) {
	t.Helper()
	a = &side{name: "alice", profile: filepath.Join(dir, "alice"), env: env, sent: map[chat.MessageID]string{}, lost: map[string]bool{}}
	b = &side{name: "bob", profile: filepath.Join(dir, "bob"), env: env, sent: map[chat.MessageID]string{}, lost: map[string]bool{}}
	var me [2]core.Profile
	var ds [2]*daemon
	for i, s := range []*side{a, b} {
		runKuvertd(t, env, s.profile, &me[i], "init", "--name", s.name, "--lan-only")
		d, err := startDaemon(s.profile, env)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.wait(); err != nil {
			t.Fatal(err)
		}
		ds[i] = d
	}
	a.to = chat.DirectConversation(me[0].ID, me[1].ID)
	b.to = a.to
	var inv invitation
	runKuvertd(t, env, a.profile, &inv, "invite")
	runKuvertd(t, env, b.profile, nil, "accept", inv.Invitation)
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		var list []contactLine
		runKuvertd(t, env, a.profile, &list, "contacts")
		if len(list) == 1 && list[0].Online {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the two never met")
		}
	}
	for _, d := range ds {
		if err := d.end(); err != nil {
			t.Fatal(err)
		}
	}
	return a, b
}

// testEnv is an environment of its own for the processes of a test, and this
// process's too, so that both look for sockets in the same place.
func testEnv(t testing.TB) (dir string, env []string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "kuvert-") // short: sockets lie in it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	t.Setenv("HOME", dir)
	t.Setenv("KUVERT_KEY_FILE", filepath.Join(dir, "key"))
	return dir, os.Environ()
}

// TestKills lets two people write to each other while their processes are killed
// again and again: nothing may be lost, nothing doubled, and both sides must end
// with the same history.
func TestKills(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dir, env := testEnv(t)
	a, b := pairUp(t, dir, env)

	n := kills
	if testing.Short() {
		n = 20
	}
	ctx, stop := context.WithCancel(t.Context())
	until := time.Now().Add(killTime)
	var writers, killers sync.WaitGroup
	var done [2]int
	var last [2]*daemon
	for i, s := range []*side{a, b} {
		writers.Go(func() { s.write(ctx, rand.New(rand.NewPCG(seed, uint64(i)))) })
		killers.Go(func() { done[i], last[i] = s.killRounds(t, rand.New(rand.NewPCG(seed, uint64(i)+2)), n/2, until) })
	}
	killers.Wait()
	stop()
	writers.Wait()
	for _, d := range last {
		if d == nil {
			t.FailNow()
		}
		defer d.kill()
	}

	ha, hb := a.history(t), b.history(t)
	for end := time.Now().Add(patience); !a.settled(t, ha) || !b.settled(t, hb); ha, hb = a.history(t), b.history(t) {
		if time.Now().After(end) {
			t.Error("something is still on its way")
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Logf("%d kills, %d and %d messages acknowledged, %d and %d calls cut off, %d in the history",
		done[0]+done[1], len(a.sent), len(b.sent), len(a.lost), len(b.lost), len(ha))
	if len(a.sent) == 0 || len(b.sent) == 0 {
		t.Error("nobody could write")
	}
	a.check(t, ha, b)
	b.check(t, hb, a)
	if err := sameHistory(ha, hb); err != nil {
		t.Error(err)
	}
	for i, d := range last {
		if err := d.end(); err != nil {
			t.Errorf("daemon %d: %v", i, err)
		}
	}
}

func sameHistory(a, b []messageLine) error {
	if len(a) != len(b) {
		return fmt.Errorf("%d messages here, %d there", len(a), len(b))
	}
	for i := range a {
		if a[i].ID != b[i].ID || a[i].Sender != b[i].Sender || a[i].Text != b[i].Text || !a[i].SentAt.Equal(b[i].SentAt) {
			return errors.New("the histories differ from place " + fmt.Sprint(i) + " on")
		}
	}
	return nil
}
