package session

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"
	"time"
)

// restored puts a party back from a backup of its present state.
func (w *world) restored(i int) {
	s, err := RestoreSelf(w.rng, w.clock(i), w.self[i].MarshalBackup())
	w.must(err)
	w.put(i, w.peer(i).ForBackup())
	w.putSelf(i, s)
	w.disk[i].seen = map[[32]byte]bool{} // a backup does not hold it
	w.unseal(i)
}

func TestBackupHoldsNoPrivatePrekey(t *testing.T) {
	now := time.Now()
	s := newSelf(t, now)
	old := s.Inst()
	inv, err := s.Invite(rand.Reader, now, now.Add(24*time.Hour), nil)
	if err != nil {
		t.Fatal(err)
	}
	b := s.MarshalBackup()
	for i := range s.prekeys {
		pair := s.prekeys[i].pair.Marshal()
		for off := 0; off+24 <= len(pair); off += 8 {
			if bytes.Contains(b, pair[off:off+24]) {
				t.Fatal("a piece of a prekey pair is in the backup")
			}
		}
	}
	r, err := RestoreSelf(rand.Reader, now, b)
	if err != nil {
		t.Fatal(err)
	}
	if r.ID() != s.ID() || r.Public() != s.Public() {
		t.Error("another identity")
	}
	if r.Inst() == old || r.prev != old || !r.wasMine(old) {
		t.Error("not a new installation after the one of the backup")
	}
	if r.current().counter <= s.counter {
		t.Errorf("counter %d, want above %d", r.current().counter, s.counter)
	}
	if _, err := r.keysFor(inv.Hints[1], func([8]byte) (Invitation, bool) { return Invitation{}, false }); !errors.Is(err, ErrCannotOpen) {
		t.Errorf("prekey of before the backup: %v, want %v", err, ErrCannotOpen)
	}
}

func TestBackupOfSelfDamaged(t *testing.T) {
	now := time.Now()
	b := newSelf(t, now).MarshalBackup()
	for _, bad := range [][]byte{nil, {1}, b[:len(b)-1], append(bytes.Clone(b), 0), append([]byte{9}, b[1:]...), b[:len(b)-18]} {
		if _, err := RestoreSelf(rand.Reader, now, bad); !errors.Is(err, ErrBadState) {
			t.Errorf("%d bytes: %v, want %v", len(bad), err, ErrBadState)
		}
	}
}

func TestBackupOfPeerHoldsNoSession(t *testing.T) {
	w := newWorld([32]byte{4}, 2, "")
	p := w.peer(0)
	b := p.ForBackup()
	if len(b.sessions) != 0 || b.active != [16]byte{} || len(b.lastAck.Inner) != 0 {
		t.Error("a session is left")
	}
	if b.highestHS != p.highestHS || b.acceptedHS != p.acceptedHS || len(b.known) != len(p.known) || b.inst != p.inst || b.kpair != p.kpair {
		t.Error("what pins the person is missing")
	}
	raw, err := b.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range p.sessions {
		st := s.raw
		for off := 0; off+32 <= len(st); off += 16 {
			if piece := st[off : off+32]; bytes.Contains(raw, piece) && !bytes.Equal(piece, make([]byte, 32)) {
				t.Fatal("a piece of a ratchet's state is in the backup")
			}
		}
	}
	if len(p.sessions) == 0 {
		t.Fatal("the test has no session to look for")
	}
}
