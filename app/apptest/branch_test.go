package apptest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/apptest"
	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

// branches are the two computers of alice, each of which holds her profile, and bob.
type branches struct {
	w                *apptest.World
	old, new, bob    *apptest.Person
	fromOld, fromNew []chat.MessageID
	fromBob          []chat.MessageID
}

// on puts those on the network that are named, and takes the others off it.
func (b *branches) on(who ...*apptest.Person) {
	for _, p := range []*apptest.Person{b.old, b.new, b.bob} {
		if !slices.Contains(who, p) {
			p.GoesOffline()
		}
	}
	for _, p := range who {
		p.ComesOnline()
	}
}

func (b *branches) send(p *apptest.Person) {
	switch text := fmt.Sprint(p.Name, " ", len(b.fromOld), len(b.fromNew), len(b.fromBob)); p {
	case b.old:
		b.fromOld = append(b.fromOld, p.Sends(b.bob, text))
	case b.new:
		b.fromNew = append(b.fromNew, p.Sends(b.bob, text))
	default:
		b.fromBob = append(b.fromBob, p.Sends(b.old, text))
	}
}

// meets lets one of the two computers be on with bob alone, who asks alice and
// says that it is she, until nothing waits any more.
func (b *branches) meets(p *apptest.Person) {
	b.on(p, b.bob)
	if err := b.bob.Core.Verify(context.Background(), b.old.Me()); err != nil {
		b.w.T.Fatal(err)
	}
	b.w.Advance(25 * time.Hour) // the limit of handshakes
}

func has(p *apptest.Person, id chat.MessageID) bool {
	m, err := p.Core.Message(context.Background(), id)
	return err == nil && m.State == chat.Received
}

// check holds everybody to what must be true at any time.
func (b *branches) check(end bool) {
	t := b.w.T
	t.Helper()
	for _, p := range []*apptest.Person{b.old, b.new, b.bob} {
		other := b.bob
		if p == b.bob {
			other = b.old
		}
		texts := p.Texts(other)
		slices.Sort(texts)
		if once := slices.Compact(slices.Clone(texts)); len(once) != len(texts) {
			t.Errorf("%s has something twice: %q", p.Name, texts)
		}
	}
	for _, x := range []struct {
		from *apptest.Person
		ids  []chat.MessageID
	}{{b.old, b.fromOld}, {b.new, b.fromNew}} {
		for i, id := range x.ids {
			s := x.from.State(id)
			if s == chat.Delivered && !has(b.bob, id) || s == chat.Failed || end && s != chat.Delivered {
				t.Errorf("message %d of %s's computer (new: %v): %s, bob has it: %v", i, x.from.Name, x.from == b.new, s, has(b.bob, id))
			}
		}
	}
	for i, id := range b.fromBob {
		s := b.bob.State(id)
		if s == chat.Delivered && !has(b.old, id) && !has(b.new, id) || s == chat.Failed || end && s != chat.Delivered {
			t.Errorf("bob's message %d: %s, old has it: %v, new has it: %v", i, s, has(b.old, id), has(b.new, id))
		}
	}
}

// besides lets alice restore a backup on another computer while the old one is off,
// and bob write nothing yet.
func besides(t *testing.T, fn func(b *branches)) {
	t.Helper()
	two(t, func(w *apptest.World, alice, bob *apptest.Person) {
		bob.Receives(alice.Sends(bob, "vorher"))
		settle(w)
		path := alice.BacksUp("alice.age")
		alice.GoesOffline()
		fn(&branches{w: w, old: alice, new: w.Restores(alice, path), bob: bob})
	})
}

// inTurn lets both of alice's computers send twice, in turn. The first change is the
// announced one, the second a line in bob's conversation, the third alarms him: from
// then on his app takes nothing of either, and says so.
func (b *branches) inTurn() {
	for range 2 {
		for _, p := range []*apptest.Person{b.new, b.old} {
			b.on(p, b.bob)
			b.send(p)
			b.w.Advance(20 * time.Minute)
			b.check(false)
		}
	}
}

func (b *branches) why(p *apptest.Person, id chat.MessageID) core.Why {
	b.w.T.Helper()
	d, err := p.Core.Delivery(context.Background(), id)
	if err != nil {
		b.w.T.Fatal(err)
	}
	return d.Why
}

func (b *branches) waits(p *apptest.Person, id chat.MessageID, why core.Why) {
	b.w.T.Helper()
	if s, w := p.State(id), b.why(p, id); s != chat.Queued || w != why {
		b.w.T.Errorf("what waits is %s, because %q, want %q", s, w, why)
	}
}

func (b *branches) told(p, of *apptest.Person, want ...chat.Notice) {
	b.w.T.Helper()
	lines := p.Notices(of)
	for _, n := range want {
		if !slices.Contains(lines, n) {
			b.w.T.Errorf("%s was not told %q: %q", p.Name, n, lines)
		}
	}
	if len(lines) > 12 {
		b.w.T.Errorf("%s got %d lines: %q", p.Name, len(lines), lines)
	}
}

// The restored backup beside the old computer, which somebody switches on again: all
// that either sends arrives, or waits and says why; and before the old one ends its
// user knows.
func TestRestoredBesideTheOldOne(t *testing.T) {
	besides(t, func(b *branches) {
		b.inTurn()
		for i, s := range []chat.State{chat.Delivered, chat.Queued} {
			if got := []chat.State{b.new.State(b.fromNew[i]), b.old.State(b.fromOld[i])}; got[0] != s || got[1] != s {
				b.w.T.Errorf("round %d: new, old are %v, want %s", i, got, s)
			}
		}
		b.waits(b.old, b.fromOld[1], core.WhyTwoHere)
		b.told(b.bob, b.old, chat.NoticeBranch)
		b.told(b.old, b.bob, chat.NoticeTwoHere, chat.NoticeRefused)
		b.told(b.new, b.bob, chat.NoticeTwoHere, chat.NoticeRefused)
		b.w.Section("bob writes, and is told why it waits")
		b.on(b.new, b.bob)
		b.send(b.bob)
		b.w.Advance(10 * time.Minute)
		b.waits(b.bob, b.fromBob[0], core.WhyTwoThere)
		b.w.Section("the old one ends, and bob has asked alice")
		b.old.Quits()
		b.meets(b.new)
		b.new.Sees(b.fromNew[1], chat.Delivered)
		b.bob.Receives(b.fromNew...)
		b.new.Receives(b.fromBob...)
		b.bob.Receives(b.new.Sends(b.bob, "danach"))
		b.new.Receives(b.bob.Sends(b.new, "gut"))
		if has(b.bob, b.fromOld[1]) {
			b.w.T.Error("what never left the old computer arrived")
		}
		b.w.Section("it is switched on once more")
		b.old.Starts()
		b.on(b.old, b.bob)
		b.w.Advance(time.Minute)
		if s := b.old.State(b.fromOld[1]); s != chat.Queued {
			b.w.T.Errorf("before bob says that he knows: %s", s)
		}
		b.meets(b.old)
		b.bob.Receives(b.fromOld...)
		b.check(true)
	})
}

// What bob writes while both computers are used arrives at the one that goes on, once,
// unless the other one has it and said so.
func TestWrittenToTwoComputers(t *testing.T) {
	besides(t, func(b *branches) {
		for range 3 {
			for _, p := range []*apptest.Person{b.old, b.new} {
				b.on(p)
				b.send(b.bob) // nobody is there
				b.on(b.bob)
				b.send(b.bob)
				b.on(p, b.bob)
				b.send(b.bob)
				b.w.Advance(20 * time.Minute)
				b.check(false)
			}
		}
		b.w.Section("the old one is switched off")
		b.meets(b.new)
		b.check(true)
		last := b.fromBob[len(b.fromBob)-1]
		b.new.Receives(last)
		if has(b.old, last) {
			b.w.T.Error("what waited went to the computer that ended")
		}
	})
}

// In whatever order the three are on, and whoever writes: nothing is lost, doubled or
// said to be delivered that is not.
func TestTwoComputersInAnyOrder(t *testing.T) {
	for seed := range uint64(fewer(4, 2)) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			two(t, func(w *apptest.World, alice, bob *apptest.Person) {
				rng := rand.New(rand.NewPCG(seed, 11)) //nolint:gosec // a test's schedule
				b := &branches{w: w, old: alice, bob: bob}
				bob.Receives(alice.Sends(bob, "vorher"))
				if rng.IntN(2) == 0 {
					bob.GoesOffline()
				}
				b.send(alice)
				settle(w)
				path := alice.BacksUp("alice.age")
				b.send(alice)
				b.send(bob)
				alice.GoesOffline()
				b.new = w.Restores(alice, path)
				all := []*apptest.Person{b.old, b.new, b.bob}
				for range 8 {
					var on []*apptest.Person
					for _, p := range all {
						if rng.IntN(3) > 0 {
							on = append(on, p)
						}
					}
					b.on(on...)
					for range 1 + rng.IntN(3) {
						b.send(all[rng.IntN(3)])
						w.Advance(time.Duration(rng.Int64N(int64(15 * time.Minute))))
					}
					if rng.IntN(6) == 0 {
						if err := bob.Core.Verify(context.Background(), alice.Me()); err != nil {
							t.Fatal(err)
						}
					}
					b.check(false)
				}
				w.Section("the end")
				for range 2 {
					b.meets(b.old)
					b.meets(b.new)
				}
				b.check(true)
				if n := len(w.Net.Carried()); n > 4000 {
					t.Errorf("%d frames", n)
				}
			})
		})
	}
}
