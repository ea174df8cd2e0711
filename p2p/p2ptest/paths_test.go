package p2ptest_test

import (
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/p2p/p2ptest"
)

// Packets that somebody on the way flips bits of, or cuts off: what arrives is what
// was sent, and the rest is as if it were lost.
func TestDamagedPacketsChangeNothing(t *testing.T) {
	world(t, func(t *testing.T, net *p2ptest.Network, alice, bob *person) {
		net.SetDamage(0.15)
		alice.start(false)
		bob.start(false)
		alice.follow(bob)
		alice.within(2*time.Minute, "meet", func() bool { return alice.sees("bob") && bob.sees("alice") })
		frames, want := numbered(5000)
		alice.deliverAll("bob", frames)
		if !slices.Equal(bob.took(), want) {
			t.Errorf("%d frames arrived, not %d in order", len(bob.took()), len(want))
		}
		if s := net.Stats(); s.Damaged < 20 {
			t.Errorf("the network was too good: %+v", s)
		}
	})
}

// The link goes down and up a hundred times: soon after the last time the two talk
// again, and nothing is left of the attempts.
func TestFlappingInterface(t *testing.T) {
	world(t, func(t *testing.T, _ *p2ptest.Network, alice, bob *person) {
		met(alice, bob)
		before := runtime.NumGoroutine()
		for i := range 100 {
			alice.m.Unplug()
			if i%10 == 9 {
				time.Sleep(time.Minute) // long enough to lose the connection
			}
			time.Sleep(200 * time.Millisecond)
			alice.m.Plug()
			time.Sleep(300 * time.Millisecond)
		}
		frames, want := numbered(20)
		begin := time.Now()
		alice.deliverAll("bob", frames)
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("the frames arrived %v after the last change", took)
		}
		if !slices.Equal(bob.took(), want) {
			t.Errorf("%q arrived", bob.took())
		}
		time.Sleep(2 * time.Minute)
		if n := runtime.NumGoroutine(); n > before+50 {
			t.Errorf("%d goroutines, %d before", n, before)
		}
	})
}
