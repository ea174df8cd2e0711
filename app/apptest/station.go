package apptest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/crypto/invite"
)

// Station is an always-on machine of the hand-carried network: it keeps mail in
// memory as the protocol says. Its fields are guarded by its Net's mutex.
type Station struct {
	net    *Net
	node   core.Node
	tokens [][32]byte
	online bool
	on     *Link // the computer whose program it is part of; nil: its own
	queues []*queue
	pages  map[[24]byte][]byte
	room   int // blobs for each queue
	next   uint64
	change chan struct{} // closed and replaced whenever something arrives
	// Meddle, if not nil, may change what a LIST gives.
	Meddle func([]core.MailBlob) []core.MailBlob
	// Swallow makes it say that it stored what it did not.
	Swallow bool
	endless [24]byte // send id of the queue whose list never ends
	lists   int      // of it
}

type queue struct {
	core.QueueIDs
	blobs []core.MailBlob
	slot  uint64 // place of the slot's blob, 0: none
	seen  map[[32]byte]time.Time
}

// goneLife is how long a station remembers what it had, as storage/mailstore does.
const goneLife = 12 * time.Hour

func (q *queue) knows(b []byte, hash [32]byte) bool {
	return time.Since(q.seen[hash]) < goneLife || slices.ContainsFunc(q.blobs, func(o core.MailBlob) bool { return bytes.Equal(o.Blob, b) })
}

// NewStation starts a station.
func (n *Net) NewStation(name string) *Station {
	s := &Station{
		net: n, online: true, tokens: [][32]byte{sha256.Sum256([]byte(name))}, pages: map[[24]byte][]byte{}, room: 10000, change: make(chan struct{}),
		node: core.Node{Host: keyOf(sha256.Sum256([]byte("station " + name))), Addrs: []string{"/ip4/10.0.0.200/udp/4000/quic-v1"}, Token: sha256.Sum256([]byte(name)), Relay: true},
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.stations = append(n.stations, s)
	return s
}

// SetStation switches a station on or off.
func (n *Net) SetStation(s *Station, on bool) {
	n.mu.Lock()
	s.online = on
	s.changedLocked()
	links := slices.Clone(n.links)
	n.mu.Unlock()
	for _, l := range links {
		l.owner().NodeChanged(s.node.Host)
	}
}

// SetRoom sets how many blobs fit into a queue.
func (s *Station) SetRoom(n int) {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	s.room = n
}

// Forget loses everything that was stored; with queues, the queues too.
func (s *Station) Forget(queues bool) {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	for _, q := range s.queues {
		q.blobs, q.slot, q.seen = nil, 0, map[[32]byte]time.Time{}
	}
	if queues {
		s.queues = nil
	}
	s.changedLocked()
}

// Snapshot returns a copy of what is stored, to be put back by Restore.
func (s *Station) Snapshot() any {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	return s.copyLocked()
}

// Restore puts an older copy back.
func (s *Station) Restore(old any) {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	s.queues = old.([]*queue) //nolint:forcetypeassert // made by Snapshot
	s.queues = s.copyLocked()
	s.changedLocked()
}

func (s *Station) copyLocked() []*queue {
	var out []*queue
	for _, q := range s.queues {
		c := *q
		c.blobs, c.seen = slices.Clone(q.blobs), map[[32]byte]time.Time{}
		for k := range q.seen {
			c.seen[k] = q.seen[k]
		}
		out = append(out, &c)
	}
	return out
}

// Swap gives each queue what lies in another.
func (s *Station) Swap() {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	var first []core.MailBlob
	for i, q := range s.queues {
		if i == 0 {
			first = q.blobs
		}
		if q.blobs = first; i+1 < len(s.queues) {
			q.blobs = s.queues[i+1].blobs
		}
	}
	s.changedLocked()
}

// Endless lets the list of one queue, named by its send id, never end.
func (s *Station) Endless(id [24]byte) {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	s.endless = id
	s.changedLocked()
}

// Lists returns how often that list was asked for.
func (s *Station) Lists() int {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	return s.lists
}

// rubbishLocked is a full page of an endless list.
func (s *Station) rubbishLocked(after uint64) (out []core.MailBlob) {
	s.lists++
	for i := range uint64(core.MaxMailPage) {
		out = append(out, core.MailBlob{Place: after + 1 + i, Blob: []byte("rubbish")})
	}
	return out
}

// Stored returns every blob and page that is stored.
func (s *Station) Stored() [][]byte {
	s.net.mu.Lock()
	defer s.net.mu.Unlock()
	var out [][]byte
	for _, q := range s.queues {
		for _, b := range q.blobs {
			out = append(out, b.Blob)
		}
	}
	for _, p := range s.pages {
		out = append(out, p)
	}
	return out
}

// reachChangedLocked lets everybody who watches look whether their station is still
// reached.
func (n *Net) reachChangedLocked() {
	for _, s := range n.stations {
		s.changedLocked()
	}
}

func (s *Station) changedLocked() {
	close(s.change)
	s.change = make(chan struct{})
}

// at runs f at the station a node names, if this computer can reach it.
func (l *Link) at(n core.Node, f func(*Station) error) error {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	i := slices.IndexFunc(l.net.stations, func(s *Station) bool { return s.node.Host == n.Host })
	if i < 0 || !l.online || !l.net.stations[i].upLocked() {
		return chat.ErrUnreachable
	}
	return f(l.net.stations[i])
}

func (s *Station) upLocked() bool {
	return s.online && (s.on == nil || s.on.online && s.on.handler != nil && s.on.key == s.node.Host)
}

func (s *Station) byRecv(id [24]byte, access [32]byte) (*queue, error) {
	return s.find(func(q *queue) bool { return q.RecvID == id }, func(q *queue) bool { return q.RecvCap == access })
}

func (s *Station) bySend(id [24]byte, access [32]byte) (*queue, error) {
	return s.find(func(q *queue) bool { return q.SendID == id }, func(q *queue) bool { return q.SendCap == access })
}

func (s *Station) find(is, may func(*queue) bool) (*queue, error) {
	i := slices.IndexFunc(s.queues, is)
	if i < 0 {
		return nil, chat.ErrNotFound
	}
	if !may(s.queues[i]) {
		return nil, chat.ErrRefused
	}
	return s.queues[i], nil
}

// UseNodes implements core.Transport.
func (l *Link) UseNodes(nodes []core.Node) {
	l.net.mu.Lock()
	l.stations = slices.Clone(nodes)
	l.net.mu.Unlock()
	for _, n := range nodes {
		l.owner().NodeChanged(n.Host)
	}
}

// NodeState implements core.Transport.
func (l *Link) NodeState(host core.HostKey) (st core.NodeState) {
	l.net.mu.Lock()
	i := slices.IndexFunc(l.stations, func(n core.Node) bool { return n.Host == host })
	var n core.Node
	if i >= 0 {
		n = l.stations[i]
	}
	l.net.mu.Unlock()
	if i < 0 {
		return core.NodeState{Err: chat.ErrNotFound}
	}
	st.Err = l.at(n, func(s *Station) error {
		if !slices.Contains(s.tokens, n.Token) {
			return chat.ErrRefused
		}
		return nil
	})
	st.Connected = st.Err == nil
	return st
}

// MakeQueue implements core.Mailboxes.
func (l *Link) MakeQueue(_ context.Context, n core.Node, q core.QueueIDs, _ time.Time) error {
	return l.at(n, func(s *Station) error {
		if !slices.Contains(s.tokens, n.Token) {
			return chat.ErrRefused
		}
		for _, old := range s.queues {
			if old.QueueIDs == q {
				return nil
			}
			if old.RecvID == q.RecvID || old.SendID == q.SendID {
				return chat.ErrRefused
			}
		}
		s.queues = append(s.queues, &queue{QueueIDs: q, seen: map[[32]byte]time.Time{}})
		return nil
	})
}

// DropQueue implements core.Mailboxes.
func (l *Link) DropQueue(_ context.Context, n core.Node, id [24]byte, access [32]byte) error {
	return l.at(n, func(s *Station) error {
		q, err := s.byRecv(id, access)
		if err == nil {
			s.queues = slices.DeleteFunc(s.queues, func(o *queue) bool { return o == q })
		}
		return err
	})
}

// PutMail implements core.Mailboxes.
func (l *Link) PutMail(_ context.Context, n core.Node, id [24]byte, access [32]byte, blobs [][]byte) (taken int, err error) {
	err = l.at(n, func(s *Station) error {
		q, err := s.bySend(id, access)
		if err != nil || s.Swallow {
			taken = len(blobs)
			return err
		}
		for _, b := range blobs {
			if hash := sha256.Sum256(b); !q.knows(b, hash) {
				if len(q.blobs) >= s.room {
					return chat.ErrQuota
				}
				q.seen[hash] = time.Now()
				s.addLocked(q, b)
			}
			taken++
		}
		return nil
	})
	if taken > 0 {
		l.net.log(fmt.Sprintf("%s > station: %d blobs", l.name, taken))
	}
	return taken, err
}

func (s *Station) addLocked(q *queue, b []byte) uint64 {
	s.next++
	q.blobs = append(q.blobs, core.MailBlob{Place: s.next, Blob: bytes.Clone(b)})
	s.changedLocked()
	return s.next
}

// PutSlot implements core.Mailboxes.
func (l *Link) PutSlot(_ context.Context, n core.Node, id [24]byte, access [32]byte, blob []byte) error {
	return l.at(n, func(s *Station) error {
		q, err := s.bySend(id, access)
		if err != nil {
			return err
		}
		q.blobs = slices.DeleteFunc(q.blobs, func(b core.MailBlob) bool { return b.Place == q.slot })
		q.slot = s.addLocked(q, blob)
		return nil
	})
}

// ListMail implements core.Mailboxes.
func (l *Link) ListMail(_ context.Context, n core.Node, id [24]byte, access [32]byte, after uint64) (out []core.MailBlob, err error) {
	err = l.at(n, func(s *Station) error {
		q, err := s.byRecv(id, access)
		if err != nil {
			return err
		}
		if q.SendID == s.endless && s.endless != [24]byte{} {
			out = s.rubbishLocked(after)
			return nil
		}
		for _, b := range q.blobs {
			if b.Place > after && len(out) < core.MaxMailPage {
				out = append(out, b)
			}
		}
		if s.Meddle != nil {
			out = s.Meddle(out)
		}
		return nil
	})
	return out, err
}

// DeleteMail implements core.Mailboxes.
func (l *Link) DeleteMail(_ context.Context, n core.Node, id [24]byte, access [32]byte, places []uint64) error {
	return l.at(n, func(s *Station) error {
		q, err := s.byRecv(id, access)
		if err == nil {
			q.blobs = slices.DeleteFunc(q.blobs, func(b core.MailBlob) bool { return slices.Contains(places, b.Place) })
		}
		return err
	})
}

// missing stands for the last place of a queue that does not exist.
const missing = ^uint64(0)

// WatchMail implements core.Mailboxes.
func (l *Link) WatchMail(ctx context.Context, n core.Node, queues []core.QueueIDs, arrived func(int)) error {
	told := make([]uint64, len(queues))
	for {
		var full []int
		var change chan struct{}
		err := l.at(n, func(s *Station) error {
			change = s.change
			for i, ids := range queues {
				q, err := s.byRecv(ids.RecvID, ids.RecvCap)
				switch {
				case err != nil && told[i] != missing:
					told[i] = missing // listing it says so
					full = append(full, i)
				case err != nil:
				case told[i] == missing:
					return errBroken // a queue that is made anew is to be watched anew
				case len(q.blobs) > 0 && q.blobs[len(q.blobs)-1].Place != told[i]:
					told[i] = q.blobs[len(q.blobs)-1].Place
					full = append(full, i)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		for _, i := range full {
			arrived(i)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-change: // of what is stored, or of who is reached
		}
	}
}

// PublishBundle implements core.Mailboxes.
func (l *Link) PublishBundle(_ context.Context, n core.Node, id [24]byte, blob []byte, _ time.Time) error {
	return l.at(n, func(s *Station) error {
		if !slices.Contains(s.tokens, n.Token) {
			return chat.ErrRefused
		}
		s.pages[id] = bytes.Clone(blob)
		return nil
	})
}

// ReadBundle implements core.Mailboxes.
func (l *Link) ReadBundle(_ context.Context, n core.Node, id [24]byte) (out []byte, err error) {
	err = l.at(n, func(s *Station) error {
		b, ok := s.pages[id]
		if !ok {
			return chat.ErrNotFound
		}
		out = bytes.Clone(b)
		return nil
	})
	return out, err
}

// KeepMail implements core.Transport.
func (l *Link) KeepMail(_ context.Context, tokens [][32]byte) error {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	i := slices.IndexFunc(l.net.stations, func(s *Station) bool { return s.on == l })
	if i < 0 {
		i = len(l.net.stations)
		l.net.stations = append(l.net.stations, &Station{net: l.net, on: l, pages: map[[24]byte][]byte{}, room: 10000, change: make(chan struct{})})
	}
	s := l.net.stations[i]
	s.node.Host, s.online, s.tokens = l.key, len(tokens) > 0, tokens
	s.changedLocked()
	return nil
}

// MailKept implements core.Transport.
func (l *Link) MailKept(context.Context) (core.MailKept, error) {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	var k core.MailKept
	for _, s := range l.net.stations {
		if s.on != l {
			continue
		}
		k.Queues = len(s.queues)
		for _, q := range s.queues {
			k.Blobs += len(q.blobs)
		}
	}
	return k, nil
}

// Relayed implements core.Transport.
func (l *Link) Relayed(string) bool { return false }

// TryAddrs implements core.Transport.
func (l *Link) TryAddrs([]string) error { return nil }

// Uses gives a person a station's access link.
func (p *Person) Uses(s *Station) {
	p.w.T.Helper()
	link := invite.NodeLink{Host: s.node.Host, Token: s.node.Token, Relay: true, Addrs: []invite.Addr{{Proto: invite.QUIC4, At: netip.MustParseAddrPort("10.0.0.200:4000")}}}
	_, err := p.Core.AddNode(p.w.T.Context(), link.String())
	p.w.check(err)
}

// Started starts the program if it is not running.
func (p *Person) Started() *Person {
	if p.cancel == nil {
		p.Starts()
	}
	return p
}
