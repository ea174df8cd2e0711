package node

import (
	"fmt"
	"slices"
	"testing"
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
	if alice.events[0] != "recognised bob" || bob.events[0] != "recognised alice" {
		t.Errorf("first events: %q, %q", alice.events, bob.events)
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
