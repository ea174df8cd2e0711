package node

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kuvert-im/kuvert/p2p/mailbox"
)

// Station is an always-on machine: what `kuvertd node` runs, or a colleague's
// computer that keeps mail. Stations are machines, not people: no hello is run with
// one, and it learns no ref.
type Station struct {
	Host  HostKey
	Addrs []string // multiaddr text without the host key
	// Token is the access token of an own one; zero: somebody else's.
	Token [32]byte
	Relay bool // it carries connections, too
}

// StationState is how it stands with an own station.
type StationState struct {
	Connected bool
	Reserved  bool  // it relays for this machine now
	Err       error // why not connected: wraps ErrNotConnected or an error of package mailbox
	Used      int64 // bytes that count against the token's quota
	Quota     int64
}

// Limits of stations.
const (
	// maxOwn is how many own stations are kept connected, maxForeign how many of
	// other people are used at once.
	maxOwn     = 16
	maxForeign = 64
	// maxStationDials is how many stations are dialled at once for calls.
	maxStationDials = 8
	// stationIdle is after how long without use a connection with somebody else's
	// station is closed.
	stationIdle = 2 * time.Minute
	// usageEvery is how often an own station is asked how full the quota is.
	usageEvery = 3 * time.Minute
	// stationPatience bounds the proof of a token and the like: a station that
	// takes longer counts as one that is not there.
	stationPatience = 10 * time.Second
	// stationStable is how long a connection with an own station must have lasted
	// for its end to be followed by a quick try and not by the backoff.
	stationStable = 30 * time.Second
)

// A station is a Station in use.
type station struct {
	id   peer.ID
	key  HostKey
	mail *mailbox.Client
	wake chan struct{} // wakes the keeper of an own one; holds one
	auth turn          // held while the token is proven

	// Guarded by Node.mu.
	own    bool
	addrs  []ma.Multiaddr
	token  [32]byte
	relay  bool
	stop   context.CancelFunc // ends the keeper; nil while there is none
	state  StationState
	proven *link     // on which the token was proven
	renew  time.Time // when the place at its relay is to be taken anew; zero: there is none
	calls  int       // under way
	used   time.Time // the last call's end
}

// UseStations replaces the own stations. The node stays connected with each,
// proves its token and, in Internet mode, keeps a place at its relay.
func (n *Node) UseStations(list []Station) {
	n.mu.Lock()
	keep := make(map[peer.ID]bool, len(list))
	for _, st := range list {
		id, err := peerID(st.Host)
		if err != nil || id == n.id || len(keep) == maxOwn {
			continue
		}
		keep[id] = true
		n.ownLocked(id, st)
	}
	var dropped []*station
	for id, s := range n.stations {
		if s.own && !keep[id] {
			n.disownLocked(s)
			dropped = append(dropped, s)
		}
	}
	n.mu.Unlock()
	n.startKeepers()
	for _, s := range dropped {
		n.spawn(func(context.Context) { s.mail.Close(); n.dropIdleStations(time.Now()) })
	}
}

// ownLocked makes a station an own one, or takes what is new about it.
func (n *Node) ownLocked(id peer.ID, st Station) {
	s := n.stations[id]
	if s == nil {
		s = n.newStation(id, st.Host)
		n.stations[id] = s
	}
	if s.token != st.Token {
		s.token, s.proven = st.Token, nil
	}
	if !s.own {
		s.own, s.state = true, StationState{Err: ErrNotConnected}
	}
	s.addrs, s.relay = parseAddrs(st.Addrs), st.Relay
	s.poke()
}

func (n *Node) disownLocked(s *station) {
	s.own, s.token, s.proven, s.renew, s.used = false, [32]byte{}, nil, time.Time{}, time.Time{}
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

func (n *Node) newStation(id peer.ID, key HostKey) *station {
	s := &station{id: id, key: key, wake: make(chan struct{}, 1), auth: newTurn()}
	s.mail = mailbox.NewClient(func(ctx context.Context) (network.Stream, error) {
		return n.open(ctx, id, mailbox.ID)
	})
	return s
}

// poke wakes the keeper.
func (s *station) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// startKeepers starts what looks after own stations, once the node runs.
func (n *Node) startKeepers() {
	n.mu.Lock()
	if !n.up || n.closing {
		n.mu.Unlock()
		return
	}
	var fresh []func()
	for _, s := range n.stations {
		if s.own && s.stop == nil {
			ctx, stop := context.WithCancel(n.ctx)
			s.stop = stop
			fresh = append(fresh, func() { n.spawn(func(context.Context) { n.keepStation(ctx, s) }) })
		}
	}
	n.mu.Unlock()
	for _, start := range fresh {
		start()
	}
}

// keepStation keeps an own station connected until ctx ends. Events wake it;
// behind them is a backoff.
func (n *Node) keepStation(ctx context.Context, s *station) {
	var wait time.Duration
	for ctx.Err() == nil {
		began := time.Now()
		next, err := n.tend(ctx, s)
		n.setStation(s, func(st *StationState) { st.Err = err })
		if err == nil {
			pause(ctx, next, s.wake)
		}
		if n.linked(s.id) && err == nil {
			wait = 0
			continue
		}
		if time.Since(began) > stationStable {
			wait = 0
		}
		wait = min(max(2*wait, redialMin), redialMax)
		if pause(ctx, wait-wait/4+rand.N(wait/2), s.wake) { //nolint:gosec // a jitter
			wait = 0
		}
		sleep(ctx, redialMin-time.Since(began)) // even events make no more of it
	}
}

// pause waits for d, a wake-up or the end of ctx, and tells whether it was woken.
func pause(ctx context.Context, d time.Duration, wake <-chan struct{}) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-wake:
		return true
	case <-t.C:
	}
	return false
}

// tend connects with an own station, proves the token, asks for the usage and keeps
// the place at the relay. It returns when to do so again.
func (n *Node) tend(ctx context.Context, s *station) (next time.Duration, err error) {
	l, err := n.stationLink(ctx, s)
	if err != nil {
		return 0, err
	}
	usage, err := n.usage(ctx, s, l)
	if err != nil {
		return 0, n.mailError(l, err)
	}
	n.setStation(s, func(st *StationState) {
		st.Connected, st.Err, st.Used, st.Quota = n.links[s.id] == l, nil, usage.Used, usage.Quota
	})
	next = min(usageEvery, n.keepPlace(ctx, s))
	return next, nil
}

// usage proves the token on a new connection, or asks again on one on which it was
// proven.
func (n *Node) usage(ctx context.Context, s *station, l *link) (mailbox.Usage, error) {
	ctx, cancel := context.WithTimeout(ctx, stationPatience)
	defer cancel()
	if n.isProven(s, l) {
		u, err := s.mail.Usage(ctx)
		if !errors.Is(err, mailbox.ErrRefused) {
			return u, err
		}
	}
	return n.prove(ctx, s, l)
}

func (n *Node) isProven(s *station, l *link) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return s.proven == l
}

// prove proves the token of a station on a link.
func (n *Node) prove(ctx context.Context, s *station, l *link) (mailbox.Usage, error) {
	select {
	case s.auth <- struct{}{}:
		defer s.auth.Unlock()
	case <-ctx.Done():
		return mailbox.Usage{}, ctx.Err()
	}
	n.mu.Lock()
	token := s.token
	n.mu.Unlock()
	u, err := s.mail.Auth(ctx, token)
	if err != nil {
		return u, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if s.token == token {
		s.proven = l
	}
	return u, nil
}

// setStation changes the state of an own station and tells the handler.
func (n *Node) setStation(s *station, change func(*StationState)) {
	n.mu.Lock()
	old := s.state
	change(&s.state)
	changed := s.own && !sameState(old, s.state)
	n.mu.Unlock()
	if changed && n.ctx.Err() == nil {
		n.h.StationChanged(s.key)
	}
}

func sameState(a, b StationState) bool {
	text := func(err error) string {
		if err == nil {
			return ""
		}
		return err.Error()
	}
	same := text(a.Err) == text(b.Err)
	a.Err, b.Err = nil, nil
	return same && a == b
}

// StationState tells how it stands with an own station.
func (n *Node) StationState(host HostKey) StationState {
	id, err := peerID(host)
	if err != nil {
		return StationState{Err: err}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.stations[id]
	if s == nil || !s.own {
		return StationState{Err: fmt.Errorf("%w: not an own station", ErrNotConnected)}
	}
	return s.state
}

// stationLost is called when the last connection with a machine ended.
func (n *Node) stationLost(id peer.ID) {
	n.mu.Lock()
	s := n.stations[id]
	if s == nil || n.links[id] != nil {
		n.mu.Unlock()
		return
	}
	s.proven, s.renew = nil, time.Time{}
	n.mu.Unlock()
	n.setStation(s, func(st *StationState) {
		if st.Connected {
			st.Connected, st.Reserved, st.Err = false, false, ErrNotConnected
		}
	})
	s.poke()
	s.mail.Close()
}

// wakeStations lets all own stations be tended at once.
func (n *Node) wakeStations() {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range n.stations {
		if s.own {
			s.poke()
		}
	}
}

// linked tells whether a machine is connected.
func (n *Node) linked(id peer.ID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.links[id] != nil
}

// stationLink returns the link with a station, dialling it if there is none.
func (n *Node) stationLink(ctx context.Context, s *station) (*link, error) {
	n.mu.Lock()
	addrs := s.addrs
	n.mu.Unlock()
	l, err := n.reach(ctx, s.id, addrs, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotConnected, err)
	}
	return l, nil
}

// borrow returns a station to be used until release is called.
func (n *Node) borrow(st Station) (s *station, release func(), err error) {
	id, err := peerID(st.Host)
	if err != nil {
		return nil, nil, err
	}
	if id == n.id {
		return nil, nil, ErrNotFound
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if s = n.stations[id]; s == nil {
		if !n.roomLocked() {
			return nil, nil, ErrBusy
		}
		s = n.newStation(id, st.Host)
		n.stations[id] = s
	}
	if !s.own {
		s.addrs, s.relay = parseAddrs(st.Addrs), s.relay || st.Relay
	}
	s.calls++
	return s, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		s.calls--
		s.used = time.Now()
	}, nil
}

// roomLocked makes room for one more station of somebody else: the one that was
// idle for longest goes.
func (n *Node) roomLocked() bool {
	count := 0
	var oldest *station
	for _, s := range n.stations {
		if s.own {
			continue
		}
		count++
		if s.calls == 0 && !n.carriesLocked(s.id) && (oldest == nil || s.used.Before(oldest.used)) {
			oldest = s
		}
	}
	if count < maxForeign {
		return true
	}
	if oldest == nil {
		return false
	}
	delete(n.stations, oldest.id) // its connection ends as a stranger's does
	return true
}

// dropIdleStations forgets other people's stations that were not used for a while,
// and closes their connections.
func (n *Node) dropIdleStations(now time.Time) {
	var idle []*link
	n.mu.Lock()
	for id, s := range n.stations {
		if s.own || s.calls > 0 || now.Sub(s.used) < stationIdle || n.carriesLocked(id) {
			continue
		}
		delete(n.stations, id)
		if l := n.links[id]; l != nil {
			idle = append(idle, l)
		}
	}
	n.mu.Unlock()
	for _, l := range idle {
		n.dropStranger(l)
	}
}

// carriesLocked tells whether a machine relays a connection of ours.
func (n *Node) carriesLocked(id peer.ID) bool {
	for _, l := range n.links {
		for c := range l.conns {
			if via, ok := relayOf(c.RemoteMultiaddr()); ok && via == id {
				return true
			}
		}
	}
	return false
}

// isStation tells whether a machine is a station in use.
func (n *Node) isStation(id peer.ID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stations[id] != nil
}

// isRelay tells whether connections may lead through a machine.
func (n *Node) isRelay(id peer.ID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.stations[id]
	return s != nil && s.relay
}

// wants tells whether there is a reason to dial a machine: nobody can make us dial
// others by what it says of itself.
func (n *Node) wants(id peer.ID) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l := n.links[id]; n.stations[id] != nil || n.sights[id] != nil || (l != nil && len(l.refs) > 0) {
		return true
	}
	return n.refLocked(id) != ""
}
