package core

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/crypto/session"
)

// The deletion log lies among the secrets: its head, and each entry by its number.
// Backups do not hold it.
const (
	secretErasures = "erasures" // JSON of erasureHead
	secretErasure  = "erasure." // and the number, eight digits; JSON of ErasureEntry
)

// maxErasures bounds the deletion log that is read at once: one a day for decades.
const maxErasures = 20_000

// ErrErasureLog: an entry of a deletion log was changed, left out or put in.
var ErrErasureLog = errors.New("core: deletion log is not what was signed")

// ErasureEntry is one line of the deletion log: what kind of thing was erased when
// and why, and of whom, as a keyed hash of their id alone.
type ErasureEntry struct {
	Number  int64         `json:"number"` // from 1
	At      time.Time     `json:"at"`     // UTC, whole milliseconds
	Kind    string        `json:"kind"`   // contact, request or conversation
	Reason  ErasureReason `json:"reason"`
	Subject hexBytes      `json:"subject"` // HMAC-SHA-256 of the person's id under the log's key
	// Previous is the SHA-256 of the entry before, 32 zeros for the first one.
	Previous hexBytes `json:"previous"`
	// Signature is Ed25519 of the identity over the rest, under the label "erasure".
	Signature hexBytes `json:"signature"`
}

// ErasureLog is the deletion log with what it takes to check it.
type ErasureLog struct {
	Signer  chat.PersonID  `json:"signer"`
	Key     hexBytes       `json:"key"` // of the entries' subjects
	Entries []ErasureEntry `json:"entries"`
}

type erasureHead struct {
	Key   hexBytes `json:"key"`
	Count int64    `json:"count"`
	Last  hexBytes `json:"last"` // hash of the newest entry
}

// parts are what is signed.
func (e ErasureEntry) parts() [][]byte {
	var number, at [8]byte
	binary.BigEndian.PutUint64(number[:], uint64(e.Number))
	binary.BigEndian.PutUint64(at[:], uint64(e.At.UnixMilli()))
	return [][]byte{number[:], at[:], []byte(e.Kind), []byte(e.Reason), e.Subject, e.Previous}
}

// Hash is what the next entry names as its previous one.
func (e ErasureEntry) Hash() []byte {
	h := sha256.New()
	for _, p := range append(e.parts(), e.Signature) {
		var n [8]byte
		binary.BigEndian.PutUint64(n[:], uint64(len(p)))
		h.Write(n[:])
		h.Write(p)
	}
	return h.Sum(nil)
}

// ErasureSubject is how a deletion log with this key names a person.
func ErasureSubject(key []byte, id chat.PersonID) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(id[:])
	return mac.Sum(nil)
}

// VerifyErasures checks numbers, chain and signatures of a deletion log:
// ErrErasureLog if anything was changed, left out before the last entry or put in.
// That entries were cut off at the end shows only beside an earlier copy.
func VerifyErasures(l ErasureLog) error {
	previous := make([]byte, sha256.Size)
	for i, e := range l.Entries {
		if e.Number != int64(i)+1 || !hmac.Equal(e.Previous, previous) || len(e.Signature) != 64 ||
			!session.VerifyErasure(identityID(l.Signer), [64]byte(e.Signature), e.parts()...) {
			return fmt.Errorf("entry %d: %w", i+1, ErrErasureLog)
		}
		previous = e.Hash()
	}
	return nil
}

// Of returns the entries about a person.
func (l ErasureLog) Of(id chat.PersonID) (out []ErasureEntry) {
	subject := ErasureSubject(l.Key, id)
	for _, e := range l.Entries {
		if hmac.Equal(e.Subject, subject) {
			out = append(out, e)
		}
	}
	return out
}

func erasureHeadFrom(tx ReadTx) (h erasureHead, err error) {
	b, err := tx.Secret(secretErasures)
	if errors.Is(err, chat.ErrNotFound) {
		return erasureHead{Last: make([]byte, sha256.Size)}, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &h)
	}
	return h, err
}

func erasureName(number int64) string { return fmt.Sprintf("%s%08d", secretErasure, number) }

// add numbers, chains and signs the next entry.
func (h *erasureHead) add(self *session.Self, e ErasureEntry) ErasureEntry {
	e.Number, e.Previous = h.Count+1, h.Last
	sig := self.SignErasure(e.parts()...)
	e.Signature = sig[:]
	h.Count, h.Last = e.Number, e.Hash()
	return e
}

// logErasure appends an entry to the deletion log.
func (s *step) logErasure(kind string, reason ErasureReason, id chat.PersonID) (ErasureEntry, error) {
	head, err := erasureHeadFrom(s)
	if err != nil {
		return ErasureEntry{}, err
	}
	if head.Key == nil {
		head.Key = make([]byte, 32)
		_, _ = rand.Read(head.Key) // crypto/rand.Read never fails
	}
	e := head.add(s.env.Self, ErasureEntry{At: s.env.Now, Kind: kind, Reason: reason, Subject: ErasureSubject(head.Key, id)})
	for name, v := range map[string]any{secretErasures: head, erasureName(e.Number): e} {
		b, err := json.Marshal(v)
		if err != nil {
			return e, err
		}
		if err := s.PutSecret(name, b); err != nil {
			return e, err
		}
	}
	return e, nil
}

// ErasureLog implements Rights.
func (c *Core) ErasureLog(ctx context.Context) (ErasureLog, error) {
	return read(ctx, c, func(tx ReadTx) (ErasureLog, error) {
		l := ErasureLog{Entries: []ErasureEntry{}}
		self, err := c.selfFrom(tx)
		if err != nil {
			return l, err
		}
		l.Signer = chat.PersonID(self.ID())
		head, err := erasureHeadFrom(tx)
		if err != nil {
			return l, err
		}
		l.Key = head.Key
		if head.Count > maxErasures {
			return l, fmt.Errorf("core: deletion log of %d entries: %w", head.Count, chat.ErrTooLong)
		}
		for n := int64(1); n <= head.Count; n++ {
			var e ErasureEntry
			b, err := tx.Secret(erasureName(n))
			if err == nil {
				err = json.Unmarshal(b, &e)
			}
			if err != nil {
				return l, fmt.Errorf("core: entry %d of the deletion log: %w", n, err)
			}
			l.Entries = append(l.Entries, e)
		}
		return l, nil
	})
}
