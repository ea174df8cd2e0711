package apptest

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

// Link is one person's end of the network: a core.Transport whose frames are
// carried by the test. Its fields are guarded by its Net's mutex.
type Link struct {
	net      *Net
	name     string
	key      core.HostKey
	addr     string
	online   bool
	handler  core.TransportHandler
	follows  map[string]map[core.HostKey][]string
	shown    string
	stations []core.Node
	failing  int // deliveries still to fail while the connection stands
	slow     time.Duration
}

var _ core.Transport = (*Link)(nil)

// Run implements core.Transport.
func (l *Link) Run(ctx context.Context, h core.TransportHandler) error {
	l.net.mu.Lock()
	l.handler = h
	l.net.mu.Unlock()
	l.net.poke()
	l.net.announce(l)
	h.NetworkChanged()
	<-ctx.Done()
	l.net.mu.Lock()
	l.handler = nil
	l.net.reachChangedLocked()
	l.net.mu.Unlock()
	l.net.dropAll(l)
	return nil
}

// owner is the core at this end; one that is gone answers nothing.
func (l *Link) owner() core.TransportHandler {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	if l.handler == nil {
		return nobody{}
	}
	return l.handler
}

// nobody stands for a program that has ended.
type nobody struct{}

func (nobody) HelloKeys(context.Context) (map[string][32]byte, error)     { return nil, errBroken }
func (nobody) Recognised(context.Context, string, core.HostKey, []string) {}
func (nobody) Lost(string)                                                {}
func (nobody) Status(context.Context, string) ([]byte, error)             { return nil, errBroken }
func (nobody) OnStatus(context.Context, string, []byte) error             { return errBroken }
func (nobody) Frames(context.Context, string, core.HostKey, [][]byte) []byte {
	return []byte{core.AnswerBusy}
}

func (nobody) Bundle(context.Context, string) ([]byte, error) { return nil, errBroken }
func (nobody) GiveFile(context.Context, string, chat.FileID) (core.HeldFile, error) {
	return nil, errBroken
}
func (nobody) Visible(core.HostKey, string)                                      {}
func (nobody) PairAccepted(context.Context, core.HostKey, core.PairStream) error { return errBroken }
func (nobody) NetworkChanged()                                                   {}
func (nobody) NodeChanged(core.HostKey)                                          {}
func (nobody) Traffic(chat.ContactKind, string, core.HostKey, string)            {}

// HostKey implements core.Transport.
func (l *Link) HostKey() core.HostKey {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	return l.key
}

// restart gives the machine the host key of its next start.
func (l *Link) restart(seed [32]byte) {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	l.key = keyOf(seed)
	l.net.reachChangedLocked()
}

// Moves gives the computer another address; its program notices.
func (l *Link) Moves(n byte) {
	l.net.mu.Lock()
	l.addr = address(n)
	l.net.mu.Unlock()
	l.owner().NetworkChanged()
	l.net.poke()
}

// Addrs implements core.Transport.
func (l *Link) Addrs() []string {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	return []string{l.addr}
}

// Follow implements core.Transport.
func (l *Link) Follow(ref string, hosts map[core.HostKey][]string, _ []core.Node) {
	l.net.mu.Lock()
	l.follows[ref] = hosts
	l.net.mu.Unlock()
	l.net.poke()
}

// Unfollow implements core.Transport.
func (l *Link) Unfollow(ref string) {
	l.net.mu.Lock()
	delete(l.follows, ref)
	l.net.mu.Unlock()
	if c := l.net.find(l, ref); c != nil {
		l.net.drop(c)
	}
}

// Rebind implements core.Transport.
func (l *Link) Rebind(host core.HostKey, from, to string) {
	l.net.mu.Lock()
	if f, ok := l.follows[from]; ok && from != "" {
		delete(l.follows, from)
		l.follows[to] = f
	}
	var hit *conn
	for _, c := range l.net.conns {
		if i := c.side(l); c.ends[i] == l && c.ends[1-i].key == host && c.refs[i] == from {
			c.refs[i] = to
			hit = c
		}
	}
	l.net.mu.Unlock()
	if hit == nil {
		l.net.poke()
		return
	}
	l.owner().Recognised(context.Background(), to, host, hit.ends[1-hit.side(l)].Addrs())
	l.tell(hit)
}

// tell hands this end's status to the other.
func (l *Link) tell(c *conn) {
	ctx := context.Background()
	l.net.mu.Lock()
	i := c.side(l)
	mine, theirs, other := c.refs[i], c.refs[1-i], c.ends[1-i].handler
	l.net.mu.Unlock()
	st, err := l.owner().Status(ctx, mine)
	if err == nil && st != nil && other != nil {
		_ = other.OnStatus(ctx, theirs, st)
	}
}

// SendStatus implements core.Transport.
func (l *Link) SendStatus(_ context.Context, ref string) error {
	c := l.net.find(l, ref)
	if c == nil {
		return errBroken
	}
	l.tell(c)
	return nil
}

// Deliver implements core.Transport.
func (l *Link) Deliver(ctx context.Context, ref string, frames [][]byte) ([]byte, error) {
	if l.fails() {
		return nil, errBroken
	}
	var answers []byte
	for _, f := range frames {
		c := l.net.find(l, ref)
		if c == nil {
			return answers, errBroken
		}
		a, err := l.carry(ctx, c, f)
		if err != nil {
			l.net.drop(c)
			return answers, err
		}
		answers = append(answers, a)
	}
	return answers, nil
}

// FailDeliveries lets the next n deliveries fail without any frame handed over,
// as when a stream breaks on a connection that stands.
func (l *Link) FailDeliveries(n int) {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	l.failing = n
}

// SetSlow lets each frame that comes to this computer take so long.
func (l *Link) SetSlow(d time.Duration) {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	l.slow = d
}

func (l *Link) fails() bool {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	if l.failing == 0 {
		return false
	}
	l.failing--
	return true
}

// carry takes one frame across.
func (l *Link) carry(ctx context.Context, c *conn, f []byte) (byte, error) {
	select {
	case <-c.told:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	l.net.mu.Lock()
	i := c.side(l)
	other, ref := c.ends[1-i], c.refs[1-i]
	h, slow := other.handler, other.slow
	l.net.mu.Unlock()
	if h == nil {
		return 0, errBroken
	}
	if slow > 0 {
		time.Sleep(slow)
	}
	v := l.net.judge(l, other, f)
	switch v {
	case Drop:
		return 0, errBroken
	case Flip:
		f = append([]byte(nil), f...)
		f[len(f)*2/3] ^= 4
	case Truncate:
		f = f[:len(f)/2]
	case Pass, LoseAnswer, Twice:
	}
	a := h.Frames(ctx, ref, l.HostKey(), [][]byte{f})
	if v == Twice {
		a = h.Frames(ctx, ref, l.HostKey(), [][]byte{f})
	}
	l.net.log(l.name + " > " + other.name + ": frame, answer " + string('0'+rune(a[0])))
	if v == LoseAnswer {
		return 0, errBroken
	}
	return a[0], nil
}

// FetchBundle implements core.Transport.
func (l *Link) FetchBundle(ctx context.Context, ref string) ([]byte, error) {
	c := l.net.find(l, ref)
	if c == nil {
		return nil, errBroken
	}
	l.net.mu.Lock()
	i := c.side(l)
	h, theirs := c.ends[1-i].handler, c.refs[1-i]
	l.net.mu.Unlock()
	if h == nil {
		return nil, errBroken
	}
	return h.Bundle(ctx, theirs)
}

// Connected implements core.Transport.
func (l *Link) Connected(ref string) bool { return l.net.find(l, ref) != nil }

// Restrict implements core.Transport; this network is a local one.
func (l *Link) Restrict(bool) {}

// Show implements core.Transport.
func (l *Link) Show(name string) {
	l.net.mu.Lock()
	l.shown = name
	l.net.mu.Unlock()
	l.net.announce(l)
}

// announce tells the others what name a machine shows, and it theirs.
func (n *Net) announce(l *Link) {
	for _, o := range n.active() {
		if o == l {
			continue
		}
		n.mu.Lock()
		a, b := l.shown, o.shown
		h := l.handler
		n.mu.Unlock()
		o.owner().Visible(l.HostKey(), a)
		if h != nil {
			h.Visible(o.HostKey(), b)
		}
	}
}

// State implements core.Transport.
func (l *Link) State() core.TransportState {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	return core.TransportState{Online: l.online, Port: 4001}
}

// PairDial implements core.Transport.
func (l *Link) PairDial(ctx context.Context, host core.HostKey) (core.PairStream, error) {
	for _, o := range l.net.active() {
		if o.HostKey() != host || strings.TrimSpace(o.shown) == "" {
			continue
		}
		a, b := newPipe()
		h := o.handler
		l.net.wg.Go(func() {
			defer func() { _ = b.Close() }()
			_ = h.PairAccepted(context.WithoutCancel(ctx), l.HostKey(), b)
		})
		return a, nil
	}
	return nil, errBroken
}

// pipe is a PairStream in memory.
type pipe struct {
	in, out     chan []byte
	mine, other chan struct{}
}

func newPipe() (a, b *pipe) {
	x, y := make(chan []byte, 16), make(chan []byte, 16)
	ca, cb := make(chan struct{}), make(chan struct{})
	return &pipe{in: x, out: y, mine: ca, other: cb}, &pipe{in: y, out: x, mine: cb, other: ca}
}

func (p *pipe) Send(_ context.Context, msg []byte) error {
	select {
	case <-p.other:
		return errBroken
	case p.out <- msg:
		return nil
	}
}

func (p *pipe) Receive(ctx context.Context) ([]byte, error) {
	select {
	case m := <-p.in:
		return m, nil
	default:
	}
	select {
	case m := <-p.in:
		return m, nil
	case <-p.other:
		return nil, errBroken
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (p *pipe) Close() error {
	select {
	case <-p.mine:
		return errors.New("apptest: closed twice")
	default:
		close(p.mine)
		return nil
	}
}
