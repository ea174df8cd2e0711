package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kuvert-im/kuvert/p2p/deliver"
)

// meet starts two people who know each other and waits until they have met.
func meet(t *testing.T) (alice, bob *person) {
	t.Helper()
	alice, bob = newPerson(t, "alice"), newPerson(t, "bob")
	befriend(alice, bob)
	alice.start()
	bob.start()
	alice.follow(bob)
	waitFor(t, "both are connected", func() bool { return alice.n.Connected("bob") && bob.n.Connected("alice") })
	return alice, bob
}

func TestTwoMachinesRecogniseEachOtherAndExchangeStatus(t *testing.T) {
	alice, bob := meet(t)
	alice.until("status of bob", func() bool { return slices.Contains(alice.statuses, "bob: status of bob for alice") })
	bob.until("status of alice", func() bool { return slices.Contains(bob.statuses, "alice: status of alice for bob") })
	if alice.saw()[0] != "recognised bob" || bob.saw()[0] != "recognised alice" {
		t.Errorf("first events: %q, %q", alice.saw(), bob.saw())
	}
}

func TestTenThousandFramesArriveInOrder(t *testing.T) {
	alice, bob := meet(t)
	const n = 10000
	frames := make([][]byte, n)
	for i := range frames {
		frames[i] = fmt.Appendf(nil, "frame %05d", i)
	}
	answers, err := alice.n.Deliver(t.Context(), "bob", frames)
	if err != nil || len(answers) != n {
		t.Fatalf("%d answers, %v", len(answers), err)
	}
	bob.mu.Lock()
	defer bob.mu.Unlock()
	if len(bob.frames) != n {
		t.Fatalf("%d frames arrived", len(bob.frames))
	}
	for i, f := range bob.frames {
		if want := fmt.Sprintf("alice:frame %05d", i); f != want {
			t.Fatalf("frame %d is %q", i, f)
		}
	}
	if b := slices.Max(bob.batches); b < 2 || b > 64 {
		t.Errorf("largest batch has %d frames", b)
	}
}

func TestStateTellsWhoWasDialled(t *testing.T) {
	alice, bob := meet(t)
	a, b := alice.n.State().Incoming, bob.n.State().Incoming
	if a == b {
		t.Errorf("of two machines one dialled the other: %v, %v", a, b)
	}
}

// Discovery is off: what the handler was told at the first meeting is enough to
// meet again after both were restarted, and after one of them moved to another
// port the other one's book leads there.
func TestRestartReconnectsByTheAddressBook(t *testing.T) {
	alice, bob := meet(t)
	for _, p := range []*person{alice, bob} {
		p.cfg.Port = p.n.State().Port
		p.stop()
	}
	if e := alice.saw(); e[len(e)-1] != "lost bob" {
		t.Errorf("last event: %q", e)
	}
	alice.start()
	bob.start()
	bob.n.Follow("alice", bob.hosts["alice"], nil) // bob was dialled the first time
	waitFor(t, "both are connected again", func() bool { return alice.n.Connected("bob") && bob.n.Connected("alice") })
	if a, b := alice.n.State(), bob.n.State(); a.PortTaken || b.PortTaken || a.Port != alice.cfg.Port {
		t.Errorf("ports: %+v, %+v", a, b)
	}
}

func TestFollowWaitsForAMachineThatIsOff(t *testing.T) {
	alice, bob := newPerson(t, "alice"), newPerson(t, "bob")
	befriend(alice, bob)
	alice.start()
	bob.start()
	hosts := map[HostKey][]string{bob.n.HostKey(): bob.n.Addrs()}
	bob.cfg.Port = bob.n.State().Port
	bob.stop()
	alice.n.Follow("bob", hosts, nil)
	bob.start()
	waitFor(t, "connected", func() bool { return alice.n.Connected("bob") })
}

func TestBothDialAtOnce(t *testing.T) {
	alice, bob := newPerson(t, "alice"), newPerson(t, "bob")
	befriend(alice, bob)
	alice.start()
	bob.start()
	alice.follow(bob)
	bob.follow(alice)
	waitFor(t, "connected", func() bool { return alice.n.Connected("bob") && bob.n.Connected("alice") })
	waitFor(t, "a spare connection is closed, if there was one", func() bool {
		return len(alice.n.host.Network().ConnsToPeer(bob.id())) == 1
	})
	for _, d := range []struct {
		p  *person
		to string
	}{{alice, "bob"}, {bob, "alice"}} {
		if a, err := d.p.n.Deliver(t.Context(), d.to, [][]byte{[]byte("x")}); err != nil || len(a) != 1 {
			t.Errorf("to %s: %v, %v", d.to, a, err)
		}
	}
}

func TestNobodyIsDeliveredToBeforeRecognition(t *testing.T) {
	alice := newPerson(t, "alice").start()
	if _, err := alice.n.Deliver(t.Context(), "bob", [][]byte{{1}}); !errors.Is(err, ErrNotConnected) {
		t.Errorf("deliver: %v", err)
	}
	if _, err := alice.n.FetchBundle(t.Context(), "bob"); !errors.Is(err, ErrNotConnected) {
		t.Errorf("bundle: %v", err)
	}
	if err := alice.n.SendStatus(t.Context(), "bob"); !errors.Is(err, ErrNotConnected) {
		t.Errorf("status: %v", err)
	}
}

// The listener may send as soon as it has answered the hello. Its frame must not
// come to the dialer as a stranger's, however long the dialer takes to note whom
// it met.
func TestFramesRightBehindTheHelloHaveAName(t *testing.T) {
	alice, bob := newPerson(t, "alice"), newPerson(t, "bob")
	befriend(alice, bob)
	alice.hold = make(chan struct{})
	alice.start()
	bob.start()
	alice.follow(bob)
	waitFor(t, "bob knows alice", func() bool { return bob.n.Connected("alice") })
	done := make(chan error, 1)
	go func() {
		_, err := bob.n.Deliver(t.Context(), "alice", [][]byte{[]byte("quick")})
		done <- err
	}()
	waitFor(t, "the frame is on its way", func() bool {
		return slices.ContainsFunc(alice.n.host.Network().ConnsToPeer(bob.id()), func(c network.Conn) bool {
			return slices.ContainsFunc(c.GetStreams(), func(s network.Stream) bool { return s.Protocol() == deliver.ID })
		})
	})
	time.Sleep(20 * time.Millisecond) // for a frame that would not wait
	close(alice.hold)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(alice.took(), []string{"bob:quick"}) {
		t.Fatalf("alice got %q", alice.took())
	}
}

func TestUnfollowClosesAndABlockedOneIsAStranger(t *testing.T) {
	alice, bob := meet(t)
	alice.mu.Lock()
	delete(alice.keys, "bob")
	alice.mu.Unlock()
	alice.n.Unfollow("bob")
	waitFor(t, "both are apart", func() bool { return !alice.n.Connected("bob") && !bob.n.Connected("alice") })
	bob.follow(alice) // bob tries again, and is nobody
	bob.n.mu.Lock()
	target := bob.n.targets["alice"]
	bob.n.mu.Unlock()
	waitFor(t, "bob gave up for now", func() bool {
		bob.n.mu.Lock()
		defer bob.n.mu.Unlock()
		return target.wait > 0
	})
	if alice.n.Connected("bob") || bob.n.Connected("alice") {
		t.Error("a blocked contact was recognised")
	}
	alice.until("no second recognition", func() bool {
		return slices.Equal(alice.events, []string{"recognised bob", "lost bob"})
	})
}

func TestRebindKeepsTheConnection(t *testing.T) {
	alice, bob := newPerson(t, "alice"), newPerson(t, "bob")
	key := [32]byte{7}
	alice.setKey("invite:07", key)
	bob.setKey("invite:07", key)
	alice.start()
	bob.start()
	bob.n.Follow("invite:07", map[HostKey][]string{alice.n.HostKey(): alice.n.Addrs()}, nil)
	waitFor(t, "guest and inviter met", func() bool { return alice.n.Connected("invite:07") && bob.n.Connected("invite:07") })
	befriend(alice, bob)
	bob.n.Rebind(alice.n.HostKey(), "invite:07", "alice")
	alice.n.Rebind(bob.n.HostKey(), "invite:07", "bob")
	if !alice.n.Connected("bob") || !bob.n.Connected("alice") || alice.n.Connected("invite:07") || bob.n.Connected("invite:07") {
		t.Fatal("the connection has not its new name")
	}
	// Whoever comes second gets the other one's status under the new name.
	alice.until("status", func() bool { return slices.Contains(alice.statuses, "bob: status of bob for alice") })
	bob.until("status", func() bool { return slices.Contains(bob.statuses, "alice: status of alice for bob") })
	if a, err := alice.n.Deliver(t.Context(), "bob", [][]byte{[]byte("x")}); err != nil || len(a) != 1 || !slices.Equal(bob.took(), []string{"alice:x"}) {
		t.Errorf("%v, %v, %q", a, err, bob.took())
	}
	bob.stop()
	alice.until("lost under the new name", func() bool { return alice.events[len(alice.events)-1] == "lost bob" })
	if e := alice.saw(); slices.Contains(e, "lost invite:07") || slices.Contains(e, "recognised bob") {
		t.Errorf("alice was told: %q", e)
	}
	// What was followed has the new name, too: bob's node starts again and alice,
	// who followed nobody, is found by bob alone.
	bob.n.mu.Lock()
	_, old := bob.n.targets["invite:07"]
	_, renamed := bob.n.targets["alice"]
	bob.n.mu.Unlock()
	if old || !renamed {
		t.Error("the target was not renamed")
	}
}

// A contact who scans another invitation of ours is both, and stays connected as
// both.
func TestTwoNamesForOneMachine(t *testing.T) {
	alice, bob := meet(t)
	key := [32]byte{7}
	alice.setKey("invite:07", key)
	bob.setKey("invite:07", key)
	bob.n.Follow("invite:07", map[HostKey][]string{alice.n.HostKey(): alice.n.Addrs()}, nil)
	waitFor(t, "both names", func() bool {
		return alice.n.Connected("invite:07") && bob.n.Connected("invite:07") && alice.n.Connected("bob") && bob.n.Connected("alice")
	})
	bob.stop()
	alice.until("both are lost", func() bool {
		return slices.Contains(alice.events, "lost bob") && slices.Contains(alice.events, "lost invite:07")
	})
}

func TestBundleAndStatusOnRequest(t *testing.T) {
	alice, bob := meet(t)
	b, err := alice.n.FetchBundle(t.Context(), "bob")
	if err != nil || string(b) != "bundle for alice" {
		t.Errorf("%q, %v", b, err)
	}
	count := func(p *person) int { p.mu.Lock(); defer p.mu.Unlock(); return len(p.statuses) }
	bob.until("the first status", func() bool { return len(bob.statuses) > 0 })
	before := count(bob)
	if err := alice.n.SendStatus(t.Context(), "bob"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a fresh status", func() bool { return count(bob) > before })
}

func TestAnswersOfTheHandlerComeBack(t *testing.T) {
	alice, bob := meet(t)
	bob.onFrames = func(_ string, frames [][]byte) []byte {
		var a []byte
		for _, f := range frames {
			a = append(a, f[0])
		}
		return a
	}
	answers, err := alice.n.Deliver(t.Context(), "bob", [][]byte{{0}, {1}, {2}, {3}, {4}})
	if err != nil || !slices.Equal(answers, []byte{0, 1, 2, 3, 4}) {
		t.Errorf("%v, %v", answers, err)
	}
}

func TestPortThatIsTakenIsReported(t *testing.T) {
	alice := newPerson(t, "alice").start()
	bob := newPerson(t, "bob")
	bob.cfg.Port = alice.n.State().Port
	bob.start()
	s := bob.n.State()
	if !s.PortTaken || s.Port == bob.cfg.Port || s.Port == 0 {
		t.Errorf("%+v", s)
	}
	befriend(alice, bob)
	bob.follow(alice)
	waitFor(t, "connected all the same", func() bool { return alice.n.Connected("bob") })
}

func TestVisiblePeoplePairByClick(t *testing.T) {
	alice, bob := newPerson(t, "alice"), newPerson(t, "bob")
	bob.paired = func(ctx context.Context, host HostKey, s PairStream) error {
		msg, err := s.Receive(ctx)
		if err != nil {
			return err
		}
		return s.Send(ctx, append([]byte("echo "), msg...))
	}
	alice.start()
	bob.start()
	alice.n.found(peer.AddrInfo{ID: bob.id(), Addrs: bob.n.multiaddrs()})
	if _, err := alice.n.PairDial(t.Context(), HostKey{1}); err == nil {
		t.Error("a machine that nobody saw was reached")
	}
	alice.n.Show("Alice")
	bob.n.Show("Bob")
	bob.n.found(peer.AddrInfo{ID: alice.id(), Addrs: alice.n.multiaddrs()})
	alice.until("bob is visible", func() bool { return alice.nearby[bob.n.HostKey()] == "Bob" })
	bob.until("alice is visible", func() bool { return bob.nearby[alice.n.HostKey()] == "Alice" })
	s, err := alice.n.PairDial(t.Context(), bob.n.HostKey())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), []byte("commitment")); err != nil {
		t.Fatal(err)
	}
	if msg, err := s.Receive(t.Context()); err != nil || string(msg) != "echo commitment" {
		t.Errorf("%q, %v", msg, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	bob.n.Show("")
	alice.until("bob hides", func() bool { return len(alice.nearby) == 0 })
	if s, err := alice.n.PairDial(t.Context(), bob.n.HostKey()); err == nil {
		if _, err := s.Receive(t.Context()); err == nil {
			t.Error("a hidden person took a pairing")
		}
	}
}

func TestRunFailsClearlyAndOnlyOnce(t *testing.T) {
	if _, err := New(Config{}); err == nil {
		t.Error("a node without a key")
	}
	alice := newPerson(t, "alice").start()
	if err := alice.n.Run(t.Context(), alice); err == nil {
		t.Error("it ran twice")
	}
}

// Nothing that is asked before Run panics or waits.
func TestBeforeRun(t *testing.T) {
	n, err := New(newPerson(t, "alice").cfg)
	if err != nil {
		t.Fatal(err)
	}
	n.Follow("bob", nil, nil)
	n.Unfollow("bob")
	n.Rebind(HostKey{}, "a", "b")
	n.Show("Alice")
	n.Restrict(true)
	if n.Connected("bob") || len(n.Addrs()) != 0 || n.HostKey() == (HostKey{}) {
		t.Error("it is up before Run")
	}
	if _, err := n.PairDial(t.Context(), HostKey{1}); !errors.Is(err, ErrNotConnected) {
		t.Errorf("pair: %v", err)
	}
	_ = n.State()
}
