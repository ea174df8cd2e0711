package apptest

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
)

// hourOf counts the frames and the transactions of an hour.
func hourOf(w *World, p *Person) (frames, transactions int) {
	f, n := len(w.Net.Carried()), p.Transactions()
	w.Advance(time.Hour)
	return len(w.Net.Carried()) - f, p.Transactions() - n
}

// Two who have nothing to say say nothing.
func TestQuietHour(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		for range 10 {
			alice.Sends(bob, "a")
			bob.Sends(alice, "b")
		}
		w.Advance(10 * time.Minute)
		for _, p := range []*Person{alice, bob} {
			if f, n := hourOf(w, p); f != 0 || n > 3 {
				t.Errorf("%s: %d frames and %d transactions in a quiet hour", p.Name, f, n)
			}
		}
	})
}

// stubborn answers every frame alike and takes none.
type stubborn struct {
	*mallory
	answer byte
}

func (s *stubborn) Frames(_ context.Context, _ string, _ core.HostKey, frames [][]byte) []byte {
	answers := make([]byte, len(frames))
	for i := range answers {
		answers[i] = s.answer
	}
	return answers
}

// Whatever the other side answers, and however long: nobody spins, nothing is
// shown as delivered.
func TestStubbornAnswers(t *testing.T) {
	for _, answer := range []byte{core.AnswerCommitted, core.AnswerDuplicate, core.AnswerCannotOpen, core.AnswerBusy, core.AnswerRefused, 77} {
		t.Run(fmt.Sprint(answer), func(t *testing.T) {
			attack(t, func(w *World, alice *Person, m *mallory) {
				m.introduces()
				w.Advance(time.Minute)
				m.link.handler = &stubborn{m, answer}
				var ids []chat.MessageID
				for i := range 5 {
					id, err := alice.Core.Send(context.Background(), m.conversation(), core.Outgoing{Text: fmt.Sprint(i)})
					w.check(err)
					ids = append(ids, id)
				}
				for range 3 {
					if f, n := hourOf(w, alice); f > 1500 || n > 1500 {
						t.Errorf("%d frames and %d transactions in an hour", f, n)
					}
				}
				for _, id := range ids {
					if s := alice.State(id); s == chat.Delivered || s == chat.Read {
						t.Errorf("state %s", s)
					}
				}
			})
		})
	}
}

// A connection on which nothing arrives, and a disk on which nothing can be
// written, are tried again and again, but not without a pause.
func TestNothingWorks(t *testing.T) {
	for _, what := range []string{"network", "own disk", "their disk"} {
		t.Run(what, func(t *testing.T) {
			Run(t, func(w *World) {
				alice, bob := w.Person("alice"), w.Person("bob")
				w.Pair(alice, bob)
				m := alice.Sends(bob, "a")
				switch what {
				case "network":
					alice.link.FailDeliveries(1 << 30)
				case "own disk":
					bob.GoesOffline()
					m = alice.Sends(bob, "b")
					alice.DiskIsFull(true)
					bob.ComesOnline()
				case "their disk":
					bob.DiskIsFull(true)
				}
				for i := range 5 {
					_, _ = alice.Core.Send(context.Background(), alice.With(bob), core.Outgoing{Text: fmt.Sprint(i)})
				}
				for _, p := range []*Person{alice, bob} {
					if f, n := hourOf(w, p); f > 1500 || n > 1500 {
						t.Errorf("%s: %d frames and %d transactions in an hour", p.Name, f, n)
					}
				}
				alice.DiskIsFull(false)
				bob.DiskIsFull(false)
				alice.link.FailDeliveries(0)
				w.Advance(time.Minute)
				if s := alice.State(m); s != chat.Delivered {
					t.Errorf("a minute after all is well: %s", s)
				}
			})
		})
	}
}

// A profile that was copied and runs on two machines: both sides are told, nobody
// spins, and what was written on either is not lost.
func TestClonedProfile(t *testing.T) {
	Run(t, func(w *World) {
		alice, bob := w.Person("alice"), w.Person("bob")
		w.Pair(alice, bob)
		bob.Receives(alice.Sends(bob, "vorher"))
		w.Advance(time.Minute)
		w.check(bob.Core.Verify(context.Background(), alice.Me()))
		twin := w.twin(alice)
		var sent []chat.MessageID
		for i := range 4 {
			for _, p := range []*Person{alice, twin} {
				other := alice
				if p == alice {
					other = twin
				}
				other.GoesOffline()
				p.ComesOnline()
				sent = append(sent, p.Sends(bob, fmt.Sprintf("%s %d", p.Name, i)))
				w.Advance(20 * time.Minute)
			}
		}
		frames, n := hourOf(w, bob)
		if frames > 500 || n > 500 {
			t.Errorf("%d frames and %d transactions in an hour", frames, n)
		}
		told := false
		for _, l := range bob.Notices(alice) {
			told = told || l == chat.NoticeBranch || l == chat.NoticeSessionRenewed
		}
		if !told {
			t.Errorf("bob's lines: %q", bob.Notices(alice))
		}
		if l := bob.Notices(alice); len(l) > 20 {
			t.Errorf("bob got %d lines", len(l))
		}
		if ct, err := bob.Core.Contact(context.Background(), alice.Me()); err != nil || ct.Verified {
			t.Errorf("still verified: %+v, %v", ct, err)
		}
		w.Section("one of the two ends, and bob has asked alice")
		twin.Quits()
		alice.ComesOnline()
		w.check(bob.Core.Verify(context.Background(), alice.Me()))
		w.Advance(25 * time.Hour) // the limit of handshakes
		for i, id := range sent {
			if i%2 == 0 && alice.State(id) != chat.Delivered {
				t.Errorf("alice's message %d: %s", i/2, alice.State(id))
			}
		}
		bob.Receives(alice.Sends(bob, "danach"))
		alice.Receives(bob.Sends(alice, "gut"))
	})
}

// twin is a copy of somebody's profile on another machine.
func (w *World) twin(p *Person) *Person {
	w.T.Helper()
	t := &Person{Name: p.Name + "2", w: w, path: p.path + "2"}
	copyProfile(w, p, t)
	t.open()
	w.people = append(w.people, t)
	t.start()
	return t
}

func copyProfile(w *World, from, to *Person) {
	w.T.Helper()
	w.check(os.WriteFile(to.path, from.Snapshot(), 0o600))
}
