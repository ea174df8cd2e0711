package core

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/crypto/session"
)

// erasureLog is a log of five entries about three people, and who signed it.
func erasureLog(t *testing.T) (ErasureLog, *session.Self) {
	t.Helper()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	self, err := session.NewSelf(rand.Reader, at)
	if err != nil {
		t.Fatal(err)
	}
	l := ErasureLog{Signer: chat.PersonID(self.ID()), Key: make([]byte, 32)}
	head := erasureHead{Last: make([]byte, sha256.Size)}
	for i, kind := range []string{"contact", "request", "contact", "conversation", "contact"} {
		reason := []ErasureReason{ErasedByChoice, ErasedOnRequest}[i%2]
		l.Entries = append(l.Entries, head.add(self, ErasureEntry{
			At: at.Add(time.Duration(i) * time.Hour), Kind: kind, Reason: reason, Subject: ErasureSubject(l.Key, chat.PersonID{byte(i % 3)}),
		}))
	}
	return l, self
}

func flip(b hexBytes) hexBytes {
	b = slices.Clone(b)
	b[len(b)/2] ^= 1
	return b
}

// TestVerifyErasures: whatever is done to a log but cutting its end off is seen.
func TestVerifyErasures(t *testing.T) {
	whole, self := erasureLog(t)
	if err := VerifyErasures(whole); err != nil {
		t.Fatalf("an untouched log: %v", err)
	}
	if err := VerifyErasures(ErasureLog{Signer: whole.Signer}); err != nil {
		t.Errorf("an empty log: %v", err)
	}
	other, err := session.NewSelf(rand.Reader, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	entry := func(i int, f func(*ErasureEntry)) func(*ErasureLog) {
		return func(l *ErasureLog) { f(&l.Entries[i]) }
	}
	// chained is what somebody without the identity's key can put right.
	chained := func(l *ErasureLog) {
		previous := make([]byte, sha256.Size)
		for i := range l.Entries {
			l.Entries[i].Number, l.Entries[i].Previous = int64(i)+1, previous
			previous = l.Entries[i].Hash()
		}
	}
	without := func(i int) func(*ErasureLog) {
		return func(l *ErasureLog) { l.Entries = slices.Delete(l.Entries, i, i+1) }
	}
	swapped := func(l *ErasureLog) { l.Entries[1], l.Entries[2] = l.Entries[2], l.Entries[1] }
	for what, spoil := range map[string]func(*ErasureLog){
		"first removed":              without(0),
		"middle removed":             without(2),
		"last but one removed":       without(3),
		"removed and chained":        func(l *ErasureLog) { without(2)(l); chained(l) },
		"swapped":                    swapped,
		"swapped and chained":        func(l *ErasureLog) { swapped(l); chained(l) },
		"swapped but for numbers":    func(l *ErasureLog) { swapped(l); l.Entries[1].Number, l.Entries[2].Number = 2, 3 },
		"reversed":                   func(l *ErasureLog) { slices.Reverse(l.Entries) },
		"repeated":                   func(l *ErasureLog) { l.Entries = slices.Insert(l.Entries, 2, l.Entries[1]) },
		"number":                     entry(4, func(e *ErasureEntry) { e.Number++ }),
		"time":                       entry(1, func(e *ErasureEntry) { e.At = e.At.Add(time.Millisecond) }),
		"kind":                       entry(1, func(e *ErasureEntry) { e.Kind = "contact" }),
		"reason":                     entry(1, func(e *ErasureEntry) { e.Reason = ErasedByChoice }),
		"kind and reason moved":      entry(1, func(e *ErasureEntry) { e.Kind, e.Reason = "requestr", "equest_of_person" }),
		"subject":                    entry(1, func(e *ErasureEntry) { e.Subject = flip(e.Subject) }),
		"previous":                   entry(2, func(e *ErasureEntry) { e.Previous = flip(e.Previous) }),
		"previous of the first":      entry(0, func(e *ErasureEntry) { e.Previous = flip(e.Previous) }),
		"previous gone":              entry(2, func(e *ErasureEntry) { e.Previous = nil }),
		"signature":                  entry(4, func(e *ErasureEntry) { e.Signature = flip(e.Signature) }),
		"signature cut":              entry(4, func(e *ErasureEntry) { e.Signature = e.Signature[:63] }),
		"signature gone":             entry(4, func(e *ErasureEntry) { e.Signature = nil }),
		"signature of another entry": entry(4, func(e *ErasureEntry) { e.Signature = whole.Entries[3].Signature }),
		"signer":                     func(l *ErasureLog) { l.Signer = chat.PersonID(other.ID()) },
		"signed by somebody else": func(l *ErasureLog) {
			head := erasureHead{Count: 4, Last: l.Entries[3].Hash()}
			l.Entries[4] = head.add(other, l.Entries[4])
		},
	} {
		l := ErasureLog{Signer: whole.Signer, Key: whole.Key, Entries: slices.Clone(whole.Entries)}
		spoil(&l)
		if err := VerifyErasures(l); !errors.Is(err, ErrErasureLog) || !strings.Contains(err.Error(), "entry ") {
			t.Errorf("%s: %v", what, err)
		}
	}
	// The signature covers the chain, not the number alone: an entry that its owner
	// signs in a place of its own fits nowhere else.
	l := ErasureLog{Signer: whole.Signer, Entries: slices.Clone(whole.Entries)}
	head := erasureHead{Count: 4, Last: make([]byte, sha256.Size)}
	l.Entries[4] = head.add(self, l.Entries[4])
	if err := VerifyErasures(l); !errors.Is(err, ErrErasureLog) {
		t.Errorf("a chain that begins anew: %v", err)
	}
	// Nor may an entry be exchanged for one that its owner signed in the same place of
	// another history, such as one before a restored backup.
	l.Entries = slices.Clone(whole.Entries)
	head = erasureHead{Count: 2, Last: l.Entries[1].Hash()}
	l.Entries[2] = head.add(self, l.Entries[0])
	chained(&l)
	if err := VerifyErasures(l); !errors.Is(err, ErrErasureLog) {
		t.Errorf("an entry of another history: %v", err)
	}
	// What cannot be seen, and docs/gdpr.md says so.
	if err := VerifyErasures(ErasureLog{Signer: whole.Signer, Entries: whole.Entries[:4]}); err != nil {
		t.Errorf("entries cut off at the end: %v", err)
	}
}

func TestErasuresOf(t *testing.T) {
	l, _ := erasureLog(t)
	for i, want := range []int{2, 2, 1, 0} {
		if got := len(l.Of(chat.PersonID{byte(i)})); got != want {
			t.Errorf("person %d: %d entries, want %d", i, got, want)
		}
	}
}
