package core

import (
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/crypto/session"
)

func TestBackoff(t *testing.T) {
	last := time.Duration(0)
	for n := -1; n < 100; n++ {
		d := backoff(n)
		if d < backoffFirst || d > backoffMost || d < last {
			t.Fatalf("after %d attempts %v, before it %v", n, d, last)
		}
		last = d
	}
	if backoff(1) != backoffFirst || backoff(2) != 2*backoffFirst || last != backoffMost {
		t.Errorf("%v, %v … %v", backoff(1), backoff(2), last)
	}
	// Two that are connected for a minute have exchanged everything.
	if backoffMost+deliverTime > time.Minute {
		t.Errorf("%v is too long a wait", backoffMost)
	}
}

func TestTaken(t *testing.T) {
	for _, c := range []struct {
		answers []byte
		want    int
	}{
		{nil, 0},
		{[]byte{AnswerCommitted, AnswerDuplicate, AnswerCommitted}, 3},
		{[]byte{AnswerCommitted, AnswerBusy, AnswerCommitted}, 1},
		{[]byte{AnswerCannotOpen}, 0},
		{[]byte{AnswerDuplicate, AnswerRefused}, 1},
		{[]byte{AnswerCommitted, 77}, 1}, // an answer of a later version
	} {
		if got := taken(c.answers); got != c.want {
			t.Errorf("%v: %d, want %d", c.answers, got, c.want)
		}
	}
}

func TestPatienceGrowsWithTheBatch(t *testing.T) {
	if d := patience(nil); d != deliverTime {
		t.Errorf("%v for nothing", d)
	}
	batch := make([][]byte, laneBatch)
	for i := range batch {
		batch[i] = make([]byte, 64<<10)
	}
	// At a kilobyte a second the largest batch takes more than an hour.
	if d := patience(batch); d < laneBatch*64*time.Second {
		t.Errorf("%v for %d frames of 64 KiB", d, laneBatch)
	}
}

func TestNeedsSeal(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		it   chat.OutboxItem
		want bool
	}{
		"unsealed": {chat.OutboxItem{}, true},
		"fresh":    {chat.OutboxItem{Inner: []byte{1}, SealedAt: now}, false},
		"old":      {chat.OutboxItem{Inner: []byte{1}, SealedAt: now.Add(-session.ResealAfter - time.Second)}, true},
		"ahead":    {chat.OutboxItem{Inner: []byte{1}, SealedAt: now.AddDate(10, 0, 0)}, false},
	} {
		if got := needsSeal(c.it, now); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// A lane that was begun anew sends at once what it held back, and keeps neither
// its place nor an acknowledgement's.
func TestLaneBeginsAnew(t *testing.T) {
	c := &Core{net: noTransport{}}
	l := &lane{core: c, wakeup: make(chan struct{}, 1), cursor: 7, ack: true, ref: "a"}
	l.setback()
	l.setback()
	if turn := l.nextTurn(); !turn.held || !turn.ack || turn.cursor != 7 || turn.ref != "a" {
		t.Errorf("%+v", turn)
	}
	if turn := l.nextTurn(); turn.ack {
		t.Error("the acknowledgement goes twice")
	}
	l.keepAck()
	l.begin("b")
	if turn := l.nextTurn(); turn.held || !turn.ack || turn.cursor != 0 || turn.ref != "b" {
		t.Errorf("begun anew: %+v", turn)
	}
	if l.setbacks != 0 {
		t.Errorf("%d setbacks", l.setbacks)
	}
	w := len(l.wakeup)
	if w != 1 {
		t.Errorf("woken %d times", w)
	}
	l.begin("")
	if turn := l.nextTurn(); turn.ref != "b" {
		t.Errorf("the connection's name is lost: %+v", turn)
	}
}

// A place noted after the lane was begun anew counts for nothing.
func TestLaneMoved(t *testing.T) {
	l := &lane{core: &Core{net: noTransport{}}, wakeup: make(chan struct{}, 1), resend: resendMost, setbacks: 3}
	l.moved(nil)
	if l.setbacks != 3 {
		t.Error("nothing went through, but the setbacks are forgotten")
	}
	l.moved([]chat.OutboxItem{{ID: 4, SentAt: time.Unix(1, 0)}})
	if l.cursor != 4 || l.setbacks != 0 || l.resend != resendMost {
		t.Errorf("%+v", l.cursor)
	}
	l.moved([]chat.OutboxItem{{ID: 5}})
	if l.cursor != 5 || l.resend != resendFirst {
		t.Errorf("cursor %d, resend %v", l.cursor, l.resend)
	}
	l.begin("")
	l.moved([]chat.OutboxItem{{ID: 9}})
	if l.cursor != 0 {
		t.Errorf("cursor %d after a new beginning", l.cursor)
	}
}

// A second connection with somebody makes their lane start over on it.
func TestLaneTakesANewConnection(t *testing.T) {
	c := &Core{net: noTransport{}}
	c.lanes.init(c)
	c.lanes.start(t.Context())
	bob := chat.PersonID{1}
	l := &lane{core: c, wakeup: make(chan struct{}, 1), cursor: 7, ref: "a"}
	c.lanes.open[bob] = l
	c.lanes.enter(bob, "b", false)
	if turn := l.nextTurn(); turn.ref != "b" || turn.cursor != 0 || len(l.wakeup) != 1 {
		t.Errorf("%+v", turn)
	}
	c.lanes.rewind(bob)
	if turn := l.nextTurn(); turn.ref != "b" || turn.cursor != 0 {
		t.Errorf("%+v", turn)
	}
}
