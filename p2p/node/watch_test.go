package node

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

func TestSleepIsNoticed(t *testing.T) {
	for name, c := range map[string]struct {
		mono, wall time.Duration
		want       bool
	}{
		"an ordinary tick":                    {watchEvery, watchEvery, false},
		"a busy machine":                      {3 * watchEvery, 3 * watchEvery, false},
		"the clock is set by a second":        {watchEvery, watchEvery + time.Second, false},
		"asleep, the monotonic clock went on": {8 * time.Hour, 8 * time.Hour, true},
		"asleep, the monotonic clock stood":   {watchEvery, 8 * time.Hour, true},
		"the clock is set back":               {watchEvery, -10 * 365 * 24 * time.Hour, true},
	} {
		if got := slept(c.mono, c.wall); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// fakeConn is a connection with a direction, an age and streams.
type fakeConn struct {
	network.Conn
	stat    network.ConnStats
	streams int
	closed  atomic.Bool
}

// NewStream never succeeds: the connection is dead.
func (c *fakeConn) NewStream(ctx context.Context) (network.Stream, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
func (c *fakeConn) Close() error                 { c.closed.Store(true); return nil }
func (c *fakeConn) IsClosed() bool               { return c.closed.Load() }
func (c *fakeConn) RemotePeer() peer.ID          { return "bob" }
func (c *fakeConn) LocalMultiaddr() ma.Multiaddr { return c.RemoteMultiaddr() }

func (c *fakeConn) Stat() network.ConnStats { return c.stat }
func (c *fakeConn) RemoteMultiaddr() ma.Multiaddr {
	return ma.StringCast("/ip4/10.0.0.1/tcp/1")
}
func (c *fakeConn) GetStreams() []network.Stream { return make([]network.Stream, c.streams) }

func TestOfTwoConnectionsOneSideClosesTheUnused(t *testing.T) {
	conn := func(dir network.Direction, age time.Duration, streams int) *fakeConn {
		c := &fakeConn{streams: streams}
		c.stat.Direction, c.stat.Opened = dir, time.Now().Add(-age)
		return c
	}
	in, out := network.DirInbound, network.DirOutbound
	for name, c := range map[string]struct {
		self  peer.ID
		conns []*fakeConn
		want  int // index of what is closed, -1 for none
	}{
		"a single one stays":              {"a", []*fakeConn{conn(out, time.Hour, 0)}, -1},
		"unused and ours":                 {"a", []*fakeConn{conn(out, time.Hour, 2), conn(out, time.Hour, 0)}, 1},
		"both are used":                   {"a", []*fakeConn{conn(out, time.Hour, 1), conn(out, time.Hour, 1)}, -1},
		"too young":                       {"a", []*fakeConn{conn(out, time.Hour, 1), conn(out, time.Second, 0)}, -1},
		"one each way, the lower closes":  {"a", []*fakeConn{conn(in, time.Hour, 1), conn(out, time.Hour, 0)}, 1},
		"one each way, the higher waits":  {"z", []*fakeConn{conn(in, time.Hour, 1), conn(out, time.Hour, 0)}, -1},
		"both are theirs":                 {"a", []*fakeConn{conn(in, time.Hour, 0), conn(in, time.Hour, 0)}, -1},
		"the higher closes its own spare": {"z", []*fakeConn{conn(out, time.Hour, 1), conn(out, time.Hour, 0)}, 1},
	} {
		l := &link{id: "m", conns: map[network.Conn]*pulse{}}
		for _, fc := range c.conns {
			l.conns[fc] = &pulse{}
		}
		n := &Node{id: c.self}
		got := n.spare(l, time.Now())
		if (c.want < 0) != (got == nil) || (got != nil && got != network.Conn(c.conns[c.want])) {
			t.Errorf("%s: closes %v", name, got)
		}
	}
}

func TestBackoffIsBoundedAndEventsCutItShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := &target{}
		for range 20 {
			target.last = time.Now()
			target.failed(0)
			d := time.Until(target.next)
			if d < redialMin*3/4 || d > redialMax*5/4 {
				t.Fatalf("next try in %v", d)
			}
		}
		if d := time.Until(target.next); d < redialMax*3/4 {
			t.Errorf("after 20 failures the next try is in %v", d)
		}
		target.soon(0)
		if d := time.Until(target.next); d != redialMin {
			t.Errorf("after an event the next try is in %v", d)
		}
		time.Sleep(redialMin)
		target.soon(0)
		if d := time.Until(target.next); d > 0 {
			t.Errorf("a while later the next try is in %v", d)
		}
		target.last = time.Now()
		target.failed(unknownWait)
		if d := time.Until(target.next); d < unknownWait*3/4 {
			t.Errorf("somebody who does not know us is tried again in %v", d)
		}
	})
}

// Somebody who connects again may have lost the old connection: it is closed before
// anybody waits for an answer on it.
func TestDeadConnectionBesideAFreshOneIsClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, err := New(Config{HostKey: newPerson(t, "alice").cfg.HostKey})
		if err != nil {
			t.Fatal(err)
		}
		n.running, n.ctx = true, t.Context()
		n.ifaces.addrs = []netip.Addr{netip.MustParseAddr("10.0.0.1")}
		dead, fresh := &fakeConn{}, &fakeConn{}
		l := &link{id: "bob", conns: map[network.Conn]*pulse{dead: {}, fresh: {}}}
		n.beside(l, fresh, l.conns[fresh], map[network.Conn]*pulse{dead: l.conns[dead]})
		time.Sleep(besidePatience + time.Millisecond)
		if !dead.closed.Load() || fresh.closed.Load() {
			t.Errorf("closed: the dead one %v, the fresh one %v", dead.closed.Load(), fresh.closed.Load())
		}
		n.wg.Wait()
	})
}
