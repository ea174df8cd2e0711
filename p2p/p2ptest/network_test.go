package p2ptest_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kuvert-im/kuvert/p2p/node"
	"github.com/kuvert-im/kuvert/p2p/p2ptest"
	"github.com/kuvert-im/kuvert/p2p/transfer"
)

// person runs a node on a machine and notes what arrives, each frame once, as the
// core would.
type person struct {
	t    *testing.T
	name string
	m    *p2ptest.Machine
	key  ed25519.PrivateKey
	n    *node.Node
	stop func()

	looking bool          // a conversation is open
	slow    time.Duration // of Recognised
	mu      sync.Mutex
	keys    map[string][32]byte
	frames  []string
	online  map[string]bool
}

func newPerson(t *testing.T, net *p2ptest.Network, name string) *person {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &person{t: t, name: name, m: net.Machine(name), key: key, keys: map[string][32]byte{}, online: map[string]bool{}}
}

func befriend(a, b *person) {
	k := sha256.Sum256([]byte(a.name + "|" + b.name))
	a.keys[b.name], b.keys[a.name] = k, k
}

func (p *person) start(discovery bool) {
	p.t.Helper()
	cfg := p.m.Config(p.key, discovery)
	cfg.Active = func() bool { return p.looking }
	n, err := node.New(cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	p.n = n
	ctx, cancel := context.WithCancel(p.t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx, p) }()
	p.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			p.t.Errorf("%s: %v", p.name, err)
		}
	})
	synctest.Wait()
}

func (p *person) follow(o *person) {
	p.n.Follow(o.name, map[node.HostKey][]string{o.n.HostKey(): o.n.Addrs()}, nil)
}

// within advances time until cond holds.
func (p *person) within(d time.Duration, what string, cond func() bool) {
	p.t.Helper()
	end := time.Now().Add(d)
	for !cond() {
		if time.Now().After(end) {
			p.t.Fatalf("%s: not within %v: %s", p.name, d, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (p *person) HelloKeys(context.Context) (map[string][32]byte, error) {
	return maps.Clone(p.keys), nil
}

func (p *person) Recognised(_ context.Context, ref string, _ node.HostKey, _ []string) {
	time.Sleep(p.slow)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.online[ref] = true
}

func (p *person) Lost(ref string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.online[ref] = false
}

func (p *person) took() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.frames)
}

func (p *person) sees(ref string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.online[ref]
}

func (p *person) Status(context.Context, string) ([]byte, error)                    { return nil, nil }
func (p *person) OnStatus(context.Context, string, []byte) error                    { return nil }
func (p *person) Bundle(context.Context, string) ([]byte, error)                    { return []byte("bundle"), nil }
func (p *person) Nearby(node.HostKey, string)                                       {}
func (p *person) NetworkChanged()                                                   {}
func (p *person) PairAccepted(context.Context, node.HostKey, node.PairStream) error { return nil }

func (p *person) Frames(_ context.Context, ref string, _ node.HostKey, frames [][]byte) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	answers := make([]byte, len(frames))
	for i, f := range frames {
		text := ref + ":" + string(f)
		if slices.Contains(p.frames, text) {
			answers[i] = 1
			continue
		}
		p.frames = append(p.frames, text)
	}
	return answers
}

// deliverAll sends frames, again after each failure, until all are answered.
func (p *person) deliverAll(to string, frames [][]byte) {
	for len(frames) > 0 && p.t.Context().Err() == nil {
		answers, err := p.n.Deliver(p.t.Context(), to, frames)
		frames = frames[len(answers):]
		if err != nil {
			time.Sleep(500 * time.Millisecond)
		}
	}
}

func numbered(n int) (frames [][]byte, want []string) {
	for i := range n {
		frames = append(frames, fmt.Appendf(nil, "frame %04d", i))
		want = append(want, fmt.Sprintf("alice:frame %04d", i))
	}
	return frames, want
}

// world runs a test with alice and bob, who know each other, in simulated time.
func world(t *testing.T, f func(t *testing.T, net *p2ptest.Network, alice, bob *person)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		net := p2ptest.NewNetwork(t, 1)
		alice, bob := newPerson(t, net, "alice"), newPerson(t, net, "bob")
		befriend(alice, bob)
		defer func() {
			for _, p := range []*person{alice, bob} {
				if p.stop != nil {
					p.stop()
				}
			}
		}()
		f(t, net, alice, bob)
	})
}

// met starts both and lets them meet by the address book.
func met(alice, bob *person) {
	alice.start(false)
	bob.start(false)
	alice.follow(bob)
	bob.follow(alice)
	both := func() bool { return alice.sees("bob") && bob.sees("alice") }
	alice.within(5*time.Second, "meet", both)
}

func TestFoundByAnnouncementAlone(t *testing.T) {
	world(t, func(t *testing.T, _ *p2ptest.Network, alice, bob *person) {
		alice.start(true)
		bob.start(true)
		alice.within(10*time.Second, "bob is recognised", func() bool { return alice.sees("bob") && bob.sees("alice") })
	})
}

// Two machines of one person are recognised at once by a handler that takes its
// time. Nobody is blocked for good, nor, in simulated time, is the clock.
func TestSlowHandlers(t *testing.T) {
	world(t, func(t *testing.T, net *p2ptest.Network, alice, bob *person) {
		second := newPerson(t, net, "second")
		second.keys["alice"] = bob.keys["alice"]
		alice.slow = time.Second
		for _, p := range []*person{alice, bob, second} {
			p.start(false)
		}
		defer second.stop()
		alice.n.Follow("bob", map[node.HostKey][]string{
			bob.n.HostKey(): bob.n.Addrs(), second.n.HostKey(): second.n.Addrs(),
		}, nil)
		alice.within(20*time.Second, "both machines", func() bool { return bob.sees("alice") && second.sees("alice") })
	})
}

func TestLossAndDuplicatesLoseNothing(t *testing.T) {
	world(t, func(t *testing.T, net *p2ptest.Network, alice, bob *person) {
		net.SetLoss(0.1)
		net.SetDuplicates(0.1)
		net.SetDelay(time.Millisecond, 60*time.Millisecond)
		alice.start(false)
		bob.start(false)
		alice.follow(bob)
		alice.within(2*time.Minute, "meet", func() bool { return alice.sees("bob") && bob.sees("alice") })
		frames, want := numbered(300)
		alice.deliverAll("bob", frames)
		if !slices.Equal(bob.took(), want) {
			t.Errorf("%d frames arrived, not %d in order", len(bob.took()), len(want))
		}
		if s := net.Stats(); s.Lost == 0 || s.Duplicated == 0 {
			t.Errorf("the network was too good: %+v", s)
		}
	})
}

func TestPartitionIsNoticedAndHealed(t *testing.T) {
	world(t, func(t *testing.T, net *p2ptest.Network, alice, bob *person) {
		met(alice, bob)
		net.Cut(alice.m, bob.m)
		alice.within(45*time.Second, "bob is gone", func() bool { return !alice.sees("bob") })
		bob.within(45*time.Second, "alice is gone", func() bool { return !bob.sees("alice") })
		if _, err := alice.n.Deliver(t.Context(), "bob", [][]byte{{1}}); err == nil {
			t.Error("a frame was delivered into a partition")
		}
		time.Sleep(2 * time.Hour)
		net.Heal()
		alice.within(75*time.Second, "bob is back", func() bool { return alice.sees("bob") && bob.sees("alice") })
	})
}

// With a conversation open, a dead link is noticed by our own pings, long before
// QUIC gives up after 30 s.
func TestDeadLinkIsNoticedSoonWhileSomebodyLooks(t *testing.T) {
	world(t, func(t *testing.T, net *p2ptest.Network, alice, bob *person) {
		alice.looking = true
		met(alice, bob)
		time.Sleep(time.Minute)
		net.Cut(alice.m, bob.m)
		alice.within(16*time.Second, "bob is gone", func() bool { return !alice.sees("bob") })
	})
}

func TestOneWayPartitionGivesNoFalseAnswer(t *testing.T) {
	world(t, func(t *testing.T, net *p2ptest.Network, alice, bob *person) {
		met(alice, bob)
		net.CutOneWay(bob.m, alice.m) // frames arrive, answers do not
		answers, err := alice.n.Deliver(t.Context(), "bob", [][]byte{[]byte("frame 0000")})
		if err == nil || len(answers) != 0 {
			t.Errorf("answers %v, error %v", answers, err)
		}
		net.Heal()
		alice.within(2*time.Minute, "bob is back", func() bool { return alice.sees("bob") })
		frames, want := numbered(3)
		alice.deliverAll("bob", frames)
		if !slices.Equal(bob.took(), want) {
			t.Errorf("arrived: %q", bob.took())
		}
	})
}

func TestReconnectsAtOnceAfterAnAddressChange(t *testing.T) {
	world(t, func(t *testing.T, _ *p2ptest.Network, alice, bob *person) {
		met(alice, bob)
		before := alice.m.Addr()
		alice.m.Move()
		// Noticed within a second; the old connection closes, a new one opens. The
		// other side, which noticed nothing, does not wait for the old one either.
		began := time.Now()
		bob.deliverAll("alice", [][]byte{[]byte("from where nothing changed")})
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("a frame from the other side took %v", d)
		}
		time.Sleep(5*time.Second - time.Since(began))
		if !alice.sees("bob") || !bob.sees("alice") {
			t.Fatal("not connected 5 s after the address changed")
		}
		if a := alice.n.Addrs(); len(a) != 1 || a[0] == fmt.Sprintf("/ip4/%s/udp/8000/quic-v1", before) {
			t.Errorf("addresses after the change: %q", a)
		}
		frames, want := numbered(3)
		alice.deliverAll("bob", frames)
		if !slices.Equal(bob.took(), want) {
			t.Errorf("arrived: %q", bob.took())
		}
	})
}

func TestCableOutAndIn(t *testing.T) {
	world(t, func(t *testing.T, _ *p2ptest.Network, alice, bob *person) {
		met(alice, bob)
		alice.m.Unplug()
		alice.within(10*time.Second, "bob is gone", func() bool { return !alice.sees("bob") })
		if alice.n.State().Online {
			t.Error("online without a cable")
		}
		time.Sleep(time.Hour)
		alice.m.Plug()
		alice.within(5*time.Second, "bob is back", func() bool { return alice.sees("bob") && bob.sees("alice") })
		if !alice.n.State().Online {
			t.Error("not online with a cable")
		}
	})
}

func TestRestartReconnectsByTheAddressBook(t *testing.T) {
	world(t, func(t *testing.T, _ *p2ptest.Network, alice, bob *person) {
		met(alice, bob)
		bob.stop()
		alice.within(5*time.Second, "bob is gone", func() bool { return !alice.sees("bob") })
		time.Sleep(time.Hour)
		bob.start(false) // bob follows nobody: alice dials
		alice.within(75*time.Second, "bob is back", func() bool { return alice.sees("bob") && bob.sees("alice") })
	})
}

func (p *person) GiveFile(context.Context, string, [32]byte) (transfer.Source, error) {
	return nil, transfer.ErrNotFound
}
func (p *person) StationChanged(node.HostKey)                        {}
func (p *person) Traffic(node.Traffic, string, node.HostKey, string) {}
