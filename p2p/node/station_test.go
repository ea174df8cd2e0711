package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	relaysvc "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kuvert-im/kuvert/p2p/mailbox"
	"github.com/kuvert-im/kuvert/p2p/wire"
)

// depot is an always-on machine: a bare host with a relay and a mailbox.
type depot struct {
	h     host.Host
	store *memory
	token [32]byte
}

func newDepot(t *testing.T, opts ...libp2p.Option) *depot {
	t.Helper()
	d := &depot{store: &memory{pages: map[[24]byte][]byte{}}, token: [32]byte{7}}
	d.store.tokens = map[[32]byte]int64{d.token: 0}
	d.h = newBare(t, append(opts, listenLoopback)...)
	if _, err := relaysvc.New(d.h, relaysvc.WithInfiniteLimits()); err != nil {
		t.Fatal(err)
	}
	server := mailbox.NewServer(d.store, mailbox.DefaultLimits())
	d.h.SetStreamHandler(mailbox.ID, func(s network.Stream) { wire.Close(s, server.Serve(t.Context(), s)) })
	return d
}

func (d *depot) addrs() (out []string) {
	for _, a := range d.h.Addrs() {
		if direct(a) {
			out = append(out, a.String())
		}
	}
	return out
}

func (d *depot) own() Station {
	st := d.theirs()
	st.Token = d.token
	return st
}

func (d *depot) theirs() Station {
	key, _ := keyOf(d.h.ID())
	return Station{Host: key, Addrs: d.addrs(), Relay: true}
}

// uses lets a person use a station and waits until it is reserved.
func (p *person) uses(d *depot) {
	p.t.Helper()
	p.n.UseStations([]Station{d.own()})
	waitFor(p.t, p.name+" has a place at the station", func() bool {
		s := p.n.StationState(d.own().Host)
		return s.Connected && s.Reserved
	})
}

// behind returns alice and bob, who know each other, and a station at which bob has
// a place.
func behind(t *testing.T) (alice, bob *person, d *depot) {
	t.Helper()
	d = newDepot(t)
	alice, bob = newPerson(t, "alice"), newPerson(t, "bob")
	befriend(alice, bob)
	alice.start()
	bob.start()
	bob.uses(d)
	return alice, bob, d
}

func (p *person) followThrough(o *person, addrs []string, via ...Station) {
	p.n.Follow(o.name, map[HostKey][]string{o.n.HostKey(): addrs}, via)
}

func TestOwnStationIsKeptConnected(t *testing.T) {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d := newDepot(t, libp2p.Identity(key))
	alice := newPerson(t, "alice").start()
	alice.uses(d)
	st := alice.n.StationState(d.own().Host)
	if st.Err != nil || st.Quota != 1000 {
		t.Errorf("state: %+v", st)
	}
	if c := alice.contacts(d.own().Host); len(c) == 0 || c[0].kind != TrafficStation || c[0].addr == "" || c[0].ref != "" {
		t.Errorf("traffic: %+v", c)
	}
	where := listenAt(d)
	_ = d.h.Close()
	waitFor(t, "the end is noticed", func() bool { return !alice.n.StationState(d.own().Host).Connected })
	if st := alice.n.StationState(d.own().Host); st.Reserved || !errors.Is(st.Err, ErrNotConnected) {
		t.Errorf("state without a connection: %+v", st)
	}
	again := newDepot(t, libp2p.Identity(key), libp2p.NoListenAddrs)
	if err := again.h.Network().Listen(where...); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "it is back", func() bool { st := alice.n.StationState(d.own().Host); return st.Connected && st.Reserved })
	alice.n.UseStations(nil)
	waitFor(t, "it is left", func() bool { return !alice.n.linked(d.h.ID()) })
}

// listenAt returns where a station listens.
func listenAt(d *depot) []ma.Multiaddr {
	return ma.FilterAddrs(slices.Clone(d.h.Network().ListenAddresses()), direct)
}

// Mail calls dial a station on demand, and its connection ends when it is not used.
func TestSomebodyElsesStationIsDialledOnDemand(t *testing.T) {
	d := newDepot(t)
	d.store.queues = []*memQueue{{ids: queue}}
	alice := newPerson(t, "alice").start()
	st := d.theirs()
	if n, err := alice.n.PutMail(t.Context(), st, queue.SendID, queue.SendCap, [][]byte{{1}}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if c := alice.contacts(st.Host); len(c) == 0 || c[0].kind != TrafficTheirs {
		t.Errorf("traffic: %+v", c)
	}
	alice.n.dropIdleStrangers(time.Now().Add(time.Hour))
	alice.n.dropIdleStations(time.Now())
	if !alice.n.linked(d.h.ID()) {
		t.Error("a connection in use was closed")
	}
	if _, err := alice.n.ReadBundle(t.Context(), st, [24]byte{1}); !errors.Is(err, mailbox.ErrNotFound) || errors.Is(err, ErrNotConnected) {
		t.Errorf("a page that is not there: %v", err)
	}
	alice.n.dropIdleStations(time.Now().Add(2 * stationIdle))
	waitFor(t, "it is closed", func() bool { return !alice.n.linked(d.h.ID()) })
	_ = d.h.Close()
	if _, err := alice.n.ListMail(t.Context(), st, queue.RecvID, queue.RecvCap, 0); !errors.Is(err, ErrNotConnected) {
		t.Errorf("a station that is gone: %v", err)
	}
	if d.store.shown() != 0 {
		t.Error("a token was shown to somebody else's station")
	}
}

// WatchMail ends with the connection, so that the caller can begin anew.
func TestWatchEndsWithTheConnection(t *testing.T) {
	d := newDepot(t)
	d.store.queues = []*memQueue{{ids: queue}}
	alice := newPerson(t, "alice").start()
	arrived, done := make(chan int, 8), make(chan error, 1)
	go func() {
		done <- alice.n.WatchMail(t.Context(), d.theirs(), []mailbox.QueueIDs{queue}, func(i int) { arrived <- i })
	}()
	waitFor(t, "the watch is on", func() bool { return alice.n.linked(d.h.ID()) })
	bob := newPerson(t, "bob").start()
	waitFor(t, "mail is told", func() bool {
		_, err := bob.n.PutMail(t.Context(), d.theirs(), queue.SendID, queue.SendCap, [][]byte{{1}})
		return err == nil && len(arrived) > 0
	})
	alice.n.closePeer(d.h.ID())
	if err := <-done; !errors.Is(err, ErrNotConnected) {
		t.Errorf("the watch ended with %v", err)
	}
}

func TestTwoBehindARelayMeet(t *testing.T) {
	alice, bob, d := behind(t)
	alice.followThrough(bob, nil, d.theirs())
	waitFor(t, "they are connected", func() bool { return alice.n.Connected("bob") && bob.n.Connected("alice") })
	if !alice.n.Relayed("bob") || !bob.n.Relayed("alice") {
		t.Error("not through the relay")
	}
	for from, to := range map[*person]string{alice: "bob", bob: "alice"} {
		if a, err := from.n.Deliver(t.Context(), to, [][]byte{[]byte("over the relay")}); len(a) != 1 || err != nil {
			t.Errorf("%s: %v, %v", from.name, a, err)
		}
	}
	if _, err := alice.n.FetchBundle(t.Context(), "bob"); err != nil {
		t.Error(err)
	}
	alice.n.dropIdleStations(time.Now().Add(time.Hour))
	if !alice.n.Connected("bob") {
		t.Error("the relay was closed under a connection")
	}
}

// Once there is a direct way the traffic moves to it, and what leads through the
// relay is closed.
func TestTrafficMovesFromTheRelay(t *testing.T) {
	alice, bob, d := behind(t)
	alice.followThrough(bob, nil, d.theirs())
	waitFor(t, "they are connected", func() bool { return alice.n.Relayed("bob") && bob.n.Relayed("alice") })
	stop := make(chan struct{})
	sent := make(chan int)
	go func() {
		n := 0
		for {
			select {
			case <-stop:
				sent <- n
				return
			default:
			}
			if a, err := alice.n.Deliver(t.Context(), "bob", [][]byte{fmt.Appendf(nil, "%d", n)}); err == nil && len(a) == 1 {
				n++
			}
		}
	}()
	alice.followThrough(bob, bob.n.Addrs(), d.theirs())
	waitFor(t, "a direct connection", func() bool { return !alice.n.Relayed("bob") && !bob.n.Relayed("alice") })
	for _, p := range []*person{alice, bob} {
		other := map[*person]peer.ID{alice: bob.id(), bob: alice.id()}[p]
		waitFor(t, p.name+" has left the relay", func() bool {
			return !slices.ContainsFunc(p.n.host.Network().ConnsToPeer(other), relayed)
		})
	}
	close(stop)
	n := <-sent
	if _, err := alice.n.Deliver(t.Context(), "bob", [][]byte{[]byte("last")}); err != nil || !alice.n.Connected("bob") {
		t.Error(err)
	}
	if events := alice.saw(); slices.Contains(events, "lost bob") {
		t.Errorf("events: %q", events)
	}
	if got := len(bob.took()); got < n {
		t.Errorf("%d frames were answered, %d arrived", n, got)
	}
}

// A direct address wins, and the relay is not even asked.
func TestDirectComesBeforeTheRelay(t *testing.T) {
	alice, bob, d := behind(t)
	alice.followThrough(bob, bob.n.Addrs(), d.theirs())
	waitFor(t, "they are connected", func() bool { return alice.n.Connected("bob") })
	if alice.n.Relayed("bob") || alice.n.linked(d.h.ID()) {
		t.Error("the relay was used")
	}
}

func TestRankDials(t *testing.T) {
	circuit := circuitVia(bare(t).ID())
	six, four := ma.StringCast("/ip6/2a00::1/udp/1/quic-v1"), ma.StringCast("/ip4/5.5.5.5/udp/1/quic-v1")
	ranked := rankDials([]ma.Multiaddr{circuit, four, six})
	if !ranked[0].Addr.Equal(six) || ranked[0].Delay != 0 || ranked[1].Delay == 0 || !ranked[2].Addr.Equal(circuit) || ranked[2].Delay != relayHead {
		t.Errorf("ranked: %v", ranked)
	}
	lan := multiaddrs("ip4", "192.168.1.2", 7) // QUIC, TCP
	ranked = rankDials(append([]ma.Multiaddr{four}, lan...))
	if !ranked[0].Addr.Equal(lan[1]) || ranked[0].Delay != 0 || ranked[1].Delay < nearHead || ranked[2].Delay < nearHead {
		t.Errorf("in the own network: %v", ranked)
	}
	if only := rankDials([]ma.Multiaddr{circuit}); only[0].Delay != 0 {
		t.Errorf("alone: %v", only)
	}
}

// Addresses behind relays that nobody gave us are never dialled, whatever form they
// have: neither the relay nor who is behind it.
func TestUnknownRelaysAreNotDialled(t *testing.T) {
	alice, bob, d := behind(t)
	var fed []string
	for _, a := range d.addrs() {
		fed = append(fed, a+"/p2p/"+d.h.ID().String()+"/p2p-circuit")
	}
	fed = append(fed, circuitVia(d.h.ID()).String())
	alice.followThrough(bob, fed)
	for _, a := range fed { // as if identify had told them
		alice.n.host.Peerstore().AddAddr(bob.id(), ma.StringCast(a), time.Hour)
	}
	ctx := network.WithAllowLimitedConn(t.Context(), "test")
	if _, err := alice.n.host.Network().DialPeer(ctx, bob.id()); err == nil {
		t.Error("it was dialled")
	}
	if len(d.h.Network().ConnsToPeer(alice.id())) != 0 || len(alice.contacts(d.own().Host)) != 0 {
		t.Error("the relay was dialled")
	}
	// With the relay known, the form that names its address is still refused.
	alice.n.UseStations([]Station{d.own()})
	if alice.n.gate.InterceptAddrDial(bob.id(), ma.StringCast("/ip4/9.9.9.9/tcp/1"+fed[len(fed)-1])) {
		t.Error("an address of somebody's choice for a known relay was let through")
	}
}

func TestLANOnlyUsesNoRelayAndNoStationOutside(t *testing.T) {
	alice, bob, d := behind(t)
	alice.n.Restrict(true)
	alice.n.UseStations([]Station{d.own(), {Host: HostKey{3}, Addrs: []string{"/ip4/8.8.8.8/tcp/1", "/ip4/192.168.1.1/tcp/1/p2p/" + d.h.ID().String() + "/p2p-circuit"}, Relay: true}})
	alice.followThrough(bob, nil, d.theirs())
	waitFor(t, "the station in this network is used", func() bool { return alice.n.StationState(d.own().Host).Connected })
	time.Sleep(2 * redialMin)
	if alice.n.Connected("bob") || alice.n.StationState(d.own().Host).Reserved {
		t.Error("the relay was used")
	}
	if st := alice.n.StationState(HostKey{3}); !errors.Is(st.Err, ErrNotConnected) {
		t.Errorf("a station outside: %+v", st)
	}
	for _, c := range alice.traffic {
		if strings.Contains(c.addr, "8.8.8.8") {
			t.Errorf("it was dialled: %+v", c)
		}
	}
	alice.n.Restrict(false)
	waitFor(t, "bob is reached", func() bool { return alice.n.Relayed("bob") })
	waitFor(t, "a place is taken", func() bool { return alice.n.StationState(d.own().Host).Reserved })
	alice.n.Restrict(true)
	waitFor(t, "the relayed connection is closed", func() bool { return !alice.n.Connected("bob") })
	waitFor(t, "the place is given up", func() bool { return !alice.n.StationState(d.own().Host).Reserved })
}

// Somebody else at the station's address is not shown the token.
func TestImpostorIsNotShownTheToken(t *testing.T) {
	d, impostor := newDepot(t), newDepot(t)
	st := d.own()
	st.Addrs = impostor.addrs()
	alice := newPerson(t, "alice").start()
	alice.n.UseStations([]Station{st})
	alice.until("it was tried", func() bool {
		return slices.ContainsFunc(alice.traffic, func(c contacted) bool { return c.host == st.Host })
	})
	time.Sleep(200 * time.Millisecond)
	if s := alice.n.StationState(st.Host); s.Connected || impostor.store.shown() != 0 {
		t.Errorf("state %+v, the token was shown %d times", s, impostor.store.shown())
	}
}

func TestStationThatRefuses(t *testing.T) {
	d := newDepot(t)
	st := d.own()
	st.Token = [32]byte{1}
	alice := newPerson(t, "alice").start()
	alice.n.UseStations([]Station{st})
	waitFor(t, "the refusal is told", func() bool { return errors.Is(alice.n.StationState(st.Host).Err, mailbox.ErrRefused) })
	time.Sleep(4 * redialMin)
	if n := d.store.shown(); n > 4 {
		t.Errorf("the token was shown %d times in %v", n, 4*redialMin)
	}
	if err := alice.n.MakeQueue(t.Context(), st, queue, time.Time{}); !errors.Is(err, mailbox.ErrRefused) {
		t.Errorf("make: %v", err)
	}
}

// A station that never answers, and one that drops each connection, hold up nobody
// else.
func TestStationsThatMisbehaveHoldUpNobody(t *testing.T) {
	good, stalls, drops := newDepot(t), newDepot(t), newDepot(t)
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	stalls.h.SetStreamHandler(mailbox.ID, func(network.Stream) { <-release })
	var dropped atomic.Int32
	drops.h.SetStreamHandler(mailbox.ID, func(s network.Stream) { dropped.Add(1); _ = s.Conn().Close() })
	alice, bob := meet(t)
	alice.n.UseStations([]Station{stalls.own(), drops.own(), good.own()})
	waitFor(t, "the good one is connected", func() bool { return alice.n.StationState(good.own().Host).Connected })
	if _, err := alice.n.Deliver(t.Context(), "bob", [][]byte{{1}}); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	if err := alice.n.MakeQueue(ctx, stalls.own(), queue, time.Time{}); !errors.Is(err, ErrNotConnected) || time.Since(began) > 2*time.Second {
		t.Errorf("a call that stalls ended after %v with %v", time.Since(began), err)
	}
	waitFor(t, "the one that drops is given up", func() bool {
		s := alice.n.StationState(drops.own().Host)
		return !s.Connected && errors.Is(s.Err, ErrNotConnected)
	})
	if dropped.Load() > 20 {
		t.Errorf("it was dialled %d times", dropped.Load())
	}
	began = time.Now()
	alice.stop()
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("the end took %v", d)
	}
	_ = bob
}

func TestStationsAreBounded(t *testing.T) {
	alice := newPerson(t, "alice").start()
	many := make([]Station, 3*maxOwn)
	for i := range many {
		many[i].Host = HostKey{byte(i + 1), 1}
	}
	alice.n.UseStations(many)
	var keep []func()
	for i := range 2 * maxForeign {
		if _, release, err := alice.n.borrow(Station{Host: HostKey{byte(i), 2}}); err == nil {
			keep = append(keep, release)
		}
	}
	alice.n.mu.Lock()
	all := len(alice.n.stations)
	alice.n.mu.Unlock()
	if all > maxOwn+maxForeign || len(keep) != maxForeign {
		t.Errorf("%d stations, %d of them borrowed", all, len(keep))
	}
	keep[0]()
	if _, _, err := alice.n.borrow(Station{Host: HostKey{1, 3}}); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestTrafficIsToldOnceAMinute(t *testing.T) {
	tr := &traffic{told: map[contacted]time.Time{}}
	c, now := contacted{kind: TrafficPerson, ref: "bob", addr: "10.0.0.1:1"}, time.Now()
	if !tr.fresh(c, now) || tr.fresh(c, now.Add(59*time.Second)) || !tr.fresh(c, now.Add(trafficAgain)) {
		t.Error("not once a minute")
	}
	for i := range 2 * maxTraffic {
		tr.fresh(contacted{kind: TrafficStranger, addr: fmt.Sprint(i)}, now)
	}
	if len(tr.told) > maxTraffic {
		t.Errorf("the table holds %d", len(tr.told))
	}
	if !tr.fresh(contacted{kind: TrafficStation}, now) {
		t.Error("a flood of strangers hides the rest")
	}
}

// A stranger that came by itself is told when it has gone; somebody recognised under
// the ref.
func TestTrafficOfWhoComes(t *testing.T) {
	alice, bob := newPerson(t, "alice"), newPerson(t, "bob")
	befriend(alice, bob)
	alice.start()
	bob.start()
	bob.follow(alice)
	want := contacted{TrafficPerson, "bob", bob.n.HostKey(), "127.0.0.1"}
	waitFor(t, "bob is told", func() bool { return slices.Contains(alice.contacts(bob.n.HostKey()), want) })
	if c := bob.contacts(alice.n.HostKey()); c[0].kind != TrafficPerson || c[0].ref != "alice" || c[0].addr == "127.0.0.1" {
		t.Errorf("bob dialled %+v", c)
	}
	eve := bare(t)
	if err := eve.Connect(t.Context(), alice.info("tcp")); err != nil {
		t.Fatal(err)
	}
	_ = eve.Close()
	key, _ := keyOf(eve.ID())
	waitFor(t, "eve is told", func() bool {
		return slices.Contains(alice.contacts(key), contacted{TrafficStranger, "", key, "127.0.0.1"})
	})
}

func TestKindOfNAT(t *testing.T) {
	addr := netip.MustParseAddr
	own := []netip.Addr{addr("192.168.1.10"), addr("6.6.6.6")}
	v := func(by, at string) view { return view{by: addr(by), addr: netip.MustParseAddrPort(at), udp: true} }
	for name, c := range map[string]struct {
		views []view
		want  string
	}{
		"nobody sees us":           {nil, ""},
		"our own address":          {[]view{v("5.5.5.5", "6.6.6.6:4242")}, natNone},
		"one, our own port":        {[]view{v("5.5.5.5", "7.7.7.7:4242")}, natCone},
		"one, another port":        {[]view{v("5.5.5.5", "7.7.7.7:999")}, ""},
		"two, the same port":       {[]view{v("5.5.5.5", "7.7.7.7:999"), v("5.5.5.6", "7.7.7.7:999")}, natCone},
		"two, different ports":     {[]view{v("5.5.5.5", "7.7.7.7:998"), v("5.5.5.6", "7.7.7.7:999")}, natSymmetric},
		"one twice, other ports":   {[]view{v("5.5.5.5", "7.7.7.7:998"), v("5.5.5.5", "7.7.7.7:999")}, ""},
		"TCP says nothing of QUIC": {[]view{{by: addr("5.5.5.5"), addr: netip.MustParseAddrPort("7.7.7.7:4242")}}, ""},
	} {
		if got := natOf(c.views, own, 4242); got != c.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// What a stranger says of our address is not believed, and it learns none.
func TestStrangersHaveNoPartInHolePunching(t *testing.T) {
	alice, bob := meet(t)
	eve := bare(t)
	if err := eve.Connect(t.Context(), alice.info("quic")); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "eve is connected", func() bool { return alice.n.linked(eve.ID()) })
	alice.n.sawUs(alice.n.host.Network().ConnsToPeer(eve.ID())[0], ma.StringCast("/ip4/9.9.9.9/udp/1/quic-v1"))
	if got := alice.n.punchAddrs(); slices.ContainsFunc(got, func(m ma.Multiaddr) bool { return strings.Contains(m.String(), "9.9.9.9") }) {
		t.Errorf("a stranger made us believe %v", got)
	}
	alice.n.sawUs(alice.n.host.Network().ConnsToPeer(bob.id())[0], ma.StringCast("/ip4/7.7.7.7/tcp/1"))
	addrs := []ma.Multiaddr{ma.StringCast("/ip4/7.7.7.7/udp/1/quic-v1"), ma.StringCast("/ip4/10.0.0.1/udp/1/quic-v1"), ma.StringCast("/ip4/7.7.7.7/tcp/1")}
	f := punchFilter{alice.n}
	if len(f.FilterLocal(eve.ID(), addrs)) != 0 || len(f.FilterRemote(eve.ID(), addrs)) != 0 {
		t.Error("a stranger takes part")
	}
	if got := f.FilterRemote(bob.id(), addrs); len(got) != 1 || !got[0].Equal(addrs[0]) {
		t.Errorf("of bob's addresses: %v", got)
	}
}

// Nobody can have us dial machines that we have no reason to dial.
func TestOnlyWhoIsWantedIsDialled(t *testing.T) {
	alice, bob := meet(t)
	if !alice.n.gate.InterceptPeerDial(bob.id()) || alice.n.gate.InterceptPeerDial(bare(t).ID()) {
		t.Error("the wrong one")
	}
}
