package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/run"
)

// soak makes the tests of this file as long as the project promises: make soak.
var soak = os.Getenv("KUVERT_SOAK") != ""

// alwaysOn is a node that is killed and started again on its port.
type alwaysOn struct {
	dir, addr string
	env       []string
	space     func(args ...string) *exec.Cmd // where it runs; nil: here
	cmd       *exec.Cmd
	stderr    bytes.Buffer
}

func newAlwaysOn(t testing.TB, dir string, env []string) *alwaysOn {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n := &alwaysOn{dir: filepath.Join(dir, "node"), addr: l.Addr().String(), env: env}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.kill)
	return n
}

// start starts the node and returns its access link.
func (n *alwaysOn) start() (link string, err error) {
	n.stderr.Reset()
	args := []string{kuvertd, "node", "--json", "--listen", n.addr, "--data", n.dir}
	if n.space == nil {
		n.cmd = exec.Command(args[0], args[1:]...)
	} else {
		n.cmd = n.space(args...)
	}
	n.cmd.Env, n.cmd.Stderr = n.env, &n.stderr
	out, err := n.cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := n.cmd.Start(); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	var says struct{ Link string }
	if err == nil {
		err = json.Unmarshal(line, &says)
	}
	if err != nil {
		n.kill()
		return "", fmt.Errorf("the node does not start: %w: %s", err, n.stderr.String())
	}
	return says.Link, nil
}

func (n *alwaysOn) kill() {
	if n.cmd == nil || n.cmd.Process == nil {
		return
	}
	_ = n.cmd.Process.Kill()
	_ = n.cmd.Wait()
	n.cmd = nil
}

// killRounds kills and restarts the node n times at random moments.
func (n *alwaysOn) killRounds(t *testing.T, rng *rand.Rand, times int, until time.Time) (done int) {
	for ; done < times && time.Now().Before(until); done++ {
		time.Sleep(time.Duration(50+rng.IntN(400)) * time.Millisecond)
		n.kill()
		time.Sleep(time.Duration(rng.IntN(200)) * time.Millisecond)
		if _, err := n.start(); err != nil {
			t.Error(err)
			return done
		}
	}
	return done
}

// up starts sides and returns what ends them.
func up(t testing.TB, sides ...*side) (end func()) {
	t.Helper()
	var ds []*daemon
	for _, s := range sides {
		d, err := startDaemon(s.profile, s.env)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.wait(); err != nil {
			t.Fatal(err)
		}
		ds = append(ds, d)
	}
	return func() {
		for _, d := range ds {
			if err := d.end(); err != nil {
				t.Error(err)
			}
		}
	}
}

// pairUpWithNode makes two profiles that know each other, bob with a node of which
// alice has heard.
func pairUpWithNode(t testing.TB, dir string, env []string) (a, b *side, n *alwaysOn) {
	t.Helper()
	a, b = pairUp(t, dir, env)
	n = newAlwaysOn(t, dir, env)
	link, err := n.start()
	if err != nil {
		t.Fatal(err)
	}
	runKuvertd(t, env, b.profile, nil, "nodes", "add", link)
	end := up(t, a, b)
	c, err := run.Attach(t.Context(), a.profile)
	if err != nil {
		t.Fatal(err)
	}
	id, err := c.Send(t.Context(), a.to, core.Outgoing{Text: "alice 0"})
	if err != nil {
		t.Fatal(err)
	}
	a.sent[id] = "alice 0"
	_ = c.Close()
	end()
	// Now bob is away: what alice writes reaches the node once she knows of it.
	for stop := time.Now().Add(patience); ; {
		end := up(t, a, b)
		time.Sleep(2 * time.Second)
		end()
		end = up(t, a)
		ok := a.mailed(t)
		end()
		if ok {
			return a, b, n
		}
		if time.Now().After(stop) {
			t.Fatal("alice does not know of the node")
		}
	}
}

// mailed sends something to somebody who is away and reports whether a mailbox
// takes it.
func (s *side) mailed(t testing.TB) bool {
	t.Helper()
	c, err := run.Attach(t.Context(), s.profile)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // nothing waits for it
	text := fmt.Sprintf("%s 0.%d", s.name, len(s.sent))
	id, err := c.Send(t.Context(), s.to, core.Outgoing{Text: text})
	if err != nil {
		t.Fatal(err)
	}
	s.sent[id] = text
	for range 50 {
		d, err := c.Delivery(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if d.Where == core.WhereMailbox {
			return true
		}
		time.Sleep(100 * time.Millisecond)
	}
	return false
}

// TestKillsWithANode kills both people and their node again and again: nothing is
// lost, nothing doubled.
func TestKillsWithANode(t *testing.T) {
	times, most := 60, 60*time.Second
	if testing.Short() {
		times, most = 12, 30*time.Second
	}
	if soak {
		times, most = 1002, 20*time.Minute
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dir, env := testEnv(t)
	a, b, node := pairUpWithNode(t, dir, env)

	ctx, stop := context.WithCancel(t.Context())
	until := time.Now().Add(most)
	var writers, killers sync.WaitGroup
	var done [3]int
	var last [2]*daemon
	for i, s := range []*side{a, b} {
		writers.Go(func() { s.write(ctx, rand.New(rand.NewPCG(seed, uint64(i)))) })
		killers.Go(func() { done[i], last[i] = s.killRounds(t, rand.New(rand.NewPCG(seed, uint64(i)+2)), times/3, until) })
	}
	killers.Go(func() { done[2] = node.killRounds(t, rand.New(rand.NewPCG(seed, 9)), times/3, until) })
	killers.Wait()
	stop()
	writers.Wait()
	for _, d := range last {
		if d == nil {
			t.FailNow()
		}
		defer d.kill()
	}
	ha, hb := settledHistories(t, a, b)
	t.Logf("%d kills, %d of them of the node, %d and %d messages acknowledged, %d and %d calls cut off, %d in the history",
		done[0]+done[1]+done[2], done[2], len(a.sent), len(b.sent), len(a.lost), len(b.lost), len(ha))
	a.check(t, ha, b)
	b.check(t, hb, a)
	if err := sameHistory(ha, hb); err != nil {
		t.Error(err)
	}
}

// settledHistories waits until everything is acknowledged.
func settledHistories(t *testing.T, a, b *side) (ha, hb []messageLine) {
	t.Helper()
	ha, hb = a.history(t), b.history(t)
	for end := time.Now().Add(patience); !a.settled(t, ha) || !b.settled(t, hb); ha, hb = a.history(t), b.history(t) {
		if time.Now().After(end) {
			t.Error("something is still on its way")
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return ha, hb
}

// TestThousandsWait queues messages for somebody who is away. After their return all
// of them arrive, in order and once, while both and the node are killed on the way.
func TestThousandsWait(t *testing.T) {
	count, times := 1000, 6
	if testing.Short() {
		count, times = 300, 3
	}
	if soak {
		count, times = 10_000, 20
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	dir, env := testEnv(t)
	a, b, node := pairUpWithNode(t, dir, env)
	end := up(t, a)
	a.queue(t, count)
	end()

	begin, rng := time.Now(), rand.New(rand.NewPCG(seed, 1))
	var killers sync.WaitGroup
	last := make([]*daemon, 2)
	for i, s := range []*side{a, b} {
		own := rand.New(rand.NewPCG(seed, uint64(i)+2))
		killers.Go(func() { _, last[i] = s.killRounds(t, own, times/3, begin.Add(patience)) })
	}
	killers.Go(func() { node.killRounds(t, rng, times-2*(times/3), begin.Add(patience)) })
	killers.Wait()
	for _, d := range last {
		if d == nil {
			t.FailNow()
		}
		defer d.kill()
	}
	for stop := time.Now().Add(2 * patience); len(b.history(t)) < len(a.sent); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(stop) {
			t.Fatal("not everything has arrived")
		}
	}
	t.Logf("%d messages arrived %v after their recipient came back, with %d kills", count, time.Since(begin).Round(100*time.Millisecond), times)
	ha, hb := settledHistories(t, a, b)
	b.check(t, hb, a)
	if err := sameHistory(ha, hb); err != nil {
		t.Error(err)
	}
	n := 0
	for _, m := range hb {
		if rest, ok := strings.CutPrefix(m.Text, "queued "); ok {
			if rest != strconv.Itoa(n) {
				t.Fatalf("message %d is %q", n, m.Text)
			}
			n++
		}
	}
}

// queue writes numbered messages to somebody who is away.
func (s *side) queue(t *testing.T, count int) {
	t.Helper()
	c, err := run.Attach(t.Context(), s.profile)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // nothing waits for it
	for i := range count {
		text := fmt.Sprint("queued ", i)
		id, err := c.Send(t.Context(), s.to, core.Outgoing{Text: text})
		if err != nil {
			t.Fatal(err)
		}
		s.sent[id] = text
	}
}

// TestMeetThroughANode is inviter and guest who are never up at the same time.
func TestMeetThroughANode(t *testing.T) {
	dir, env := testEnv(t)
	n := newAlwaysOn(t, dir, env)
	link, err := n.start()
	if err != nil {
		t.Fatal(err)
	}
	a := &side{name: "alice", profile: filepath.Join(dir, "alice"), env: env}
	b := &side{name: "bob", profile: filepath.Join(dir, "bob"), env: env}
	var me core.Profile
	runKuvertd(t, env, a.profile, nil, "init", "--name", a.name)
	runKuvertd(t, env, b.profile, &me, "init", "--name", b.name)
	end := up(t, a)
	runKuvertd(t, env, a.profile, nil, "nodes", "add", link)
	waitUntil(t, "the node is connected", func() bool {
		var list []core.NodeInfo
		runKuvertd(t, env, a.profile, &list, "nodes")
		return len(list) == 1 && list[0].State == core.NodeConnected
	})
	var inv invitation
	runKuvertd(t, env, a.profile, &inv, "invite")
	time.Sleep(time.Second) // the queue and the keys are left at the node
	end()

	end = up(t, b)
	runKuvertd(t, env, b.profile, nil, "accept", inv.Invitation)
	var list []contactLine
	runKuvertd(t, env, b.profile, &list, "contacts")
	var sent struct{ ID chat.MessageID }
	runKuvertd(t, env, b.profile, &sent, "send", list[0].ID.String(), "ohne dich zu sehen")
	b.awaitMailbox(t, sent.ID)
	end()

	end = up(t, a)
	defer end()
	waitUntil(t, "bob is alice's contact", func() bool {
		runKuvertd(t, env, a.profile, &list, "contacts")
		return len(list) == 1 && list[0].ID == me.ID && list[0].Name == "bob"
	})
	var got []messageLine
	runKuvertd(t, env, a.profile, &got, "messages", "bob")
	if !slices.ContainsFunc(got, func(m messageLine) bool { return m.ID == sent.ID && m.Text == "ohne dich zu sehen" }) {
		t.Errorf("alice has %+v", got)
	}
}

// awaitMailbox waits until a message lies in a mailbox.
func (s *side) awaitMailbox(t *testing.T, id chat.MessageID) {
	t.Helper()
	waitUntil(t, "the message lies in a mailbox", func() bool {
		var list []core.Delivery
		runKuvertd(t, s.env, s.profile, &list, "delivery", id.String())
		return len(list) == 1 && list[0].Where == core.WhereMailbox
	})
}

func waitUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not in time: " + what)
		}
	}
}
