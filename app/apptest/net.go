package apptest

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/kuvert-im/kuvert/app/core"
)

// Verdict is what happens to a frame on its way.
type Verdict int

// The verdicts.
const (
	Pass       Verdict = iota
	Drop               // lost, and the connection with it
	LoseAnswer         // it arrives, but the answer is lost with the connection
	Twice              // it arrives twice
	Flip               // a bit of it is flipped
	Truncate           // its second half is missing
)

// Fault decides about a frame from one person to another. n counts the frames of
// this direction.
type Fault func(from, to string, n int, frame []byte) Verdict

var errBroken = errors.New("apptest: connection broke")

// Net carries frames between the people of a world. Everybody who is online is
// found by everybody who looks for them, as in one office network.
type Net struct {
	log func(string)

	mu        sync.Mutex
	links     []*Link
	stations  []*Station
	conns     []*conn
	fault     Fault
	far       bool
	apart     bool
	fileFault FileFault
	counts    map[string]int
	// Carried is every frame that was handed over, for checks on the bytes.
	carried [][]byte

	kick chan struct{}
	quit chan struct{}
	wg   sync.WaitGroup
}

// conn is a recognised connection.
type conn struct {
	ends [2]*Link
	refs [2]string // refs[i]: what ends[i] calls the other
	// told is closed when both know of the connection; nothing is handed over
	// before.
	told chan struct{}
}

func (c *conn) side(l *Link) int {
	if c.ends[0] == l {
		return 0
	}
	return 1
}

func newNet() *Net {
	n := &Net{counts: map[string]int{}, kick: make(chan struct{}, 1), quit: make(chan struct{}), log: func(string) {}}
	n.wg.Go(n.connectLoop)
	return n
}

func (n *Net) close() {
	close(n.quit)
	n.wg.Wait()
}

// SetFault sets what happens to frames from now on; nil: nothing.
func (n *Net) SetFault(f Fault) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fault = f
}

// SetFar takes everybody out of one office: from now on only machines whose host
// key and address somebody knows are found.
func (n *Net) SetFar(far bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.far = far
}

// SetApart keeps everybody apart: no two machines reach each other any more, as
// behind closed routers; only stations are reached.
func (n *Net) SetApart(apart bool) {
	n.mu.Lock()
	n.apart = apart
	links := slices.Clone(n.links)
	n.mu.Unlock()
	if apart {
		for _, l := range links {
			n.dropAll(l)
		}
	}
	n.poke()
}

// Carried returns every frame that was handed over so far.
func (n *Net) Carried() [][]byte {
	n.mu.Lock()
	defer n.mu.Unlock()
	return append([][]byte(nil), n.carried...)
}

// SetOnline connects or disconnects a computer.
func (n *Net) SetOnline(l *Link, on bool) {
	n.mu.Lock()
	l.online = on
	n.reachChangedLocked()
	n.mu.Unlock()
	if !on {
		n.dropAll(l)
	}
	l.owner().NetworkChanged()
	n.poke()
}

func (n *Net) poke() {
	select {
	case n.kick <- struct{}{}:
	default:
	}
}

func (n *Net) newLink(name string, seed [32]byte) *Link {
	l := &Link{net: n, name: name, key: keyOf(seed), addr: address(1), online: true, follows: map[string]map[core.HostKey][]string{}}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links = append(n.links, l)
	return l
}

func keyOf(seed [32]byte) (key core.HostKey) {
	copy(key[:], ed25519.NewKeyFromSeed(seed[:]).Public().(ed25519.PublicKey))
	return key
}

// address is one of those that computers have here.
func address(n byte) string { return fmt.Sprintf("/ip4/10.0.0.%d/udp/4001/quic-v1", n) }

func (n *Net) connectLoop() {
	for {
		select {
		case <-n.quit:
			return
		case <-n.kick:
			for n.connectOne() {
			}
		}
	}
}

// connectOne makes one connection that somebody looks for and that is possible.
func (n *Net) connectOne() bool {
	for _, a := range n.active() {
		for _, b := range n.active() {
			if a == b || n.between(a, b) != nil {
				continue
			}
			refA, refB, ok := recognise(a, b)
			if !ok || !n.finds(a, refA, b) && !n.finds(b, refB, a) {
				continue
			}
			n.establish(&conn{ends: [2]*Link{a, b}, refs: [2]string{refA, refB}, told: make(chan struct{})})
			return true
		}
	}
	return false
}

// recognise does what the hello does: both hold the same key, each under a name
// of its own. A contact's key goes before an invitation's.
func recognise(a, b *Link) (refA, refB string, ok bool) {
	ka, errA := a.owner().HelloKeys(context.Background())
	kb, errB := b.owner().HelloKeys(context.Background())
	if errA != nil || errB != nil {
		return "", "", false
	}
	byKey := map[[32]byte]string{}
	for ref, key := range kb {
		byKey[key] = ref
	}
	for ref, key := range ka {
		if other, found := byKey[key]; found && (!ok || len(ref) > len(refA)) {
			refA, refB, ok = ref, other, true
		}
	}
	return refA, refB, ok
}

func (n *Net) establish(c *conn) {
	n.mu.Lock()
	n.conns = append(n.conns, c)
	n.mu.Unlock()
	n.log("connected: " + c.ends[0].name + " and " + c.ends[1].name)
	ctx := context.Background()
	for i, l := range c.ends {
		other := c.ends[1-i]
		n.mu.Lock()
		ref := c.refs[i] // what came over the new connection may have changed it
		n.mu.Unlock()
		l.owner().Recognised(ctx, ref, other.HostKey(), other.Addrs())
	}
	close(c.told)
	n.exchangeStatus(ctx, c)
}

func (n *Net) exchangeStatus(ctx context.Context, c *conn) {
	var told [2][]byte
	n.mu.Lock()
	refs := c.refs
	n.mu.Unlock()
	for i, l := range c.ends {
		told[i], _ = l.owner().Status(ctx, refs[i])
	}
	for i, l := range c.ends {
		if st := told[1-i]; st != nil {
			if err := l.owner().OnStatus(ctx, refs[i], st); err != nil {
				n.log(l.name + ": status: " + err.Error())
			}
		}
	}
}

func (n *Net) active() []*Link {
	n.mu.Lock()
	defer n.mu.Unlock()
	var out []*Link
	for _, l := range n.links {
		if l.online && l.handler != nil {
			out = append(out, l)
		}
	}
	return out
}

func (n *Net) between(a, b *Link) *conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		if c.ends[0] == a && c.ends[1] == b || c.ends[0] == b && c.ends[1] == a {
			return c
		}
	}
	return nil
}

// finds reports whether a link that looks for a ref can reach this machine.
func (n *Net) finds(l *Link, ref string, other *Link) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	book, ok := l.follows[ref]
	return ok && !n.apart && (!n.far || slices.Contains(book[other.key], other.addr))
}

// find returns a link's connection by what it calls the other.
func (n *Net) find(l *Link, ref string) *conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, c := range n.conns {
		if (c.ends[0] == l || c.ends[1] == l) && c.refs[c.side(l)] == ref {
			return c
		}
	}
	return nil
}

// drop ends a connection; the two find each other again.
func (n *Net) drop(c *conn) {
	n.mu.Lock()
	found := false
	for i, o := range n.conns {
		if o == c {
			n.conns = append(n.conns[:i:i], n.conns[i+1:]...)
			found = true
			break
		}
	}
	refs := c.refs
	handlers := [2]core.TransportHandler{c.ends[0].handler, c.ends[1].handler}
	n.mu.Unlock()
	if !found {
		return
	}
	n.log("disconnected: " + c.ends[0].name + " and " + c.ends[1].name)
	for i, h := range handlers {
		if h != nil {
			h.Lost(refs[i])
		}
	}
	n.poke()
}

func (n *Net) dropAll(l *Link) {
	for {
		n.mu.Lock()
		var hit *conn
		for _, c := range n.conns {
			if c.ends[0] == l || c.ends[1] == l {
				hit = c
			}
		}
		n.mu.Unlock()
		if hit == nil {
			return
		}
		n.drop(hit)
	}
}

// judge decides about a frame and records it.
func (n *Net) judge(from, to *Link, frame []byte) Verdict {
	n.mu.Lock()
	defer n.mu.Unlock()
	key := from.name + ">" + to.name
	n.counts[key]++
	n.carried = append(n.carried, append([]byte(nil), frame...))
	if n.fault == nil {
		return Pass
	}
	return n.fault(from.name, to.name, n.counts[key], frame)
}
