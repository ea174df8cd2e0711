package node

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kuvert-im/kuvert/p2p/transfer"
)

// person is a Node and its handler: it answers every frame with "committed" and
// remembers what happened.
type person struct {
	t    testing.TB
	name string
	cfg  Config
	n    *Node
	stop func()

	mu       sync.Mutex
	change   *sync.Cond
	keys     map[string][32]byte
	events   []string
	frames   []string // "ref:frame"
	batches  []int
	statuses []string
	hosts    map[string]map[HostKey][]string
	nearby   map[HostKey]string
	traffic  []contacted
	onFrames func(ref string, frames [][]byte) []byte
	paired   func(ctx context.Context, host HostKey, s PairStream) error
	hold     chan struct{} // Recognised waits for it
	give     func(ref string, id [32]byte) (transfer.Source, error)
}

func loose() *Limits {
	l := DefaultLimits()
	l.UnknownHellos, l.UnknownFrames, l.Pairings = 10000, 10000, 10000
	l.ConnRate, l.ConnBurst = 10000, 10000
	return &l
}

func newPerson(t testing.TB, name string) *person {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &person{
		t: t, name: name, keys: map[string][32]byte{}, hosts: map[string]map[HostKey][]string{}, nearby: map[HostKey]string{},
		cfg: Config{HostKey: key, Loopback: true, NoMDNS: true, NoBroadcast: true, Limits: loose()},
	}
	if testing.Verbose() {
		p.cfg.Logger = slog.New(slog.NewTextHandler(logWriter{t}, &slog.HandlerOptions{Level: slog.LevelDebug})).With("who", name)
	}
	p.change = sync.NewCond(&p.mu)
	return p
}

type logWriter struct{ t testing.TB }

func (w logWriter) Write(b []byte) (int, error) {
	defer func() { _ = recover() }() // a log line after the test's end
	w.t.Log(string(b[:len(b)-1]))
	return len(b), nil
}

// start runs the node until stop or the end of the test.
func (p *person) start() *person {
	p.t.Helper()
	n, err := New(p.cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	p.n = n
	ctx, cancel := context.WithCancel(p.t.Context())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx, p) }()
	var once sync.Once
	p.stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				p.t.Errorf("%s: run: %v", p.name, err)
			}
		})
	}
	p.t.Cleanup(p.stop)
	waitFor(p.t, p.name+" is up", func() bool { return len(n.Addrs()) > 0 })
	return p
}

// befriend gives two people a common key, each under the other's name.
func befriend(a, b *person) {
	key := sha256.Sum256([]byte(a.name + "|" + b.name))
	a.setKey(b.name, key)
	b.setKey(a.name, key)
}

func (p *person) setKey(ref string, key [32]byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys[ref] = key
}

func (p *person) follow(o *person) {
	p.n.Follow(o.name, map[HostKey][]string{o.n.HostKey(): o.n.Addrs()}, nil)
}

func (p *person) id() peer.ID { return p.n.id }

func waitFor(t testing.TB, what string, cond func() bool) {
	t.Helper()
	end := time.Now().Add(60 * time.Second)
	for !cond() {
		if time.Now().After(end) {
			t.Fatalf("waited too long: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// until waits for a condition on what the handler saw.
func (p *person) until(what string, cond func() bool) {
	p.t.Helper()
	waitFor(p.t, p.name+": "+what, func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return cond()
	})
}

// took and saw return what arrived and what the handler was told so far.
func (p *person) took() []string { p.mu.Lock(); defer p.mu.Unlock(); return slices.Clone(p.frames) }

func (p *person) saw() []string { p.mu.Lock(); defer p.mu.Unlock(); return slices.Clone(p.events) }

func (p *person) note(format string, args ...any) {
	p.events = append(p.events, fmt.Sprintf(format, args...))
}

func (p *person) HelloKeys(context.Context) (map[string][32]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.keys), nil
}

func (p *person) Recognised(_ context.Context, ref string, host HostKey, addrs []string) {
	if p.hold != nil {
		<-p.hold
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note("recognised %s", ref)
	if p.hosts[ref] == nil {
		p.hosts[ref] = map[HostKey][]string{}
	}
	p.hosts[ref][host] = addrs
}

func (p *person) Lost(ref string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note("lost %s", ref)
}

func (p *person) Status(_ context.Context, ref string) ([]byte, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return []byte("status of " + p.name + " for " + ref), nil
}

func (p *person) OnStatus(_ context.Context, ref string, status []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.statuses = append(p.statuses, ref+": "+string(status))
	return nil
}

func (p *person) Frames(_ context.Context, ref string, _ HostKey, frames [][]byte) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.batches = append(p.batches, len(frames))
	if p.onFrames != nil {
		return p.onFrames(ref, frames)
	}
	for _, f := range frames {
		p.frames = append(p.frames, ref+":"+string(f))
	}
	return make([]byte, len(frames))
}

func (p *person) Bundle(_ context.Context, ref string) ([]byte, error) {
	return []byte("bundle for " + ref), nil
}

func (p *person) Nearby(host HostKey, name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if name == "" {
		delete(p.nearby, host)
		return
	}
	p.nearby[host] = name
}

func (p *person) PairAccepted(ctx context.Context, host HostKey, s PairStream) error {
	p.mu.Lock()
	f := p.paired
	p.mu.Unlock()
	if f == nil {
		return io.ErrClosedPipe
	}
	return f(ctx, host, s)
}

func (p *person) NetworkChanged() {}

func (p *person) GiveFile(_ context.Context, ref string, id [32]byte) (transfer.Source, error) {
	if p.give == nil {
		return nil, transfer.ErrNotFound
	}
	return p.give(ref, id)
}

func (p *person) StationChanged(host HostKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.note("station %x", host[:2])
}

func (p *person) Traffic(kind Traffic, ref string, host HostKey, addr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.traffic = append(p.traffic, contacted{kind, ref, host, addr})
}

// contacts returns the traffic with a machine.
func (p *person) contacts(host HostKey) (out []contacted) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.traffic {
		if c.host == host {
			out = append(out, c)
		}
	}
	return out
}
