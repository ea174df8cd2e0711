package ratchet

import (
	"math"
	"slices"
	"time"

	"github.com/kuvert-im/kuvert/crypto/internal/kdf"
)

// lastNumber is never used as a message number, so that the next expected
// number always fits.
const lastNumber = math.MaxUint32

// skippedKey is the message key of an envelope not seen yet.
type skippedKey struct {
	n  uint32
	at uint32 // when it was derived, in minutes since 1970
	mk key
}

// skipChain is what is kept of a chain of the peer: enough to recognise its
// headers and the keys of the envelopes not seen yet, by ascending number.
type skipChain struct {
	hk   key
	tag  key
	keys []skippedKey
}

// moveTo copies the keys behind those in dst, keeps the copy and returns dst.
func (c *skipChain) moveTo(dst []skippedKey) []skippedKey {
	n := len(dst)
	dst = append(dst, c.keys...)
	c.keys = slices.Clip(dst[n:])
	return dst
}

// take removes and returns the key of message n.
func (c *skipChain) take(n uint32) (key, bool) {
	i, ok := slices.BinarySearchFunc(c.keys, n, func(k skippedKey, n uint32) int {
		return int(int64(k.n) - int64(n))
	})
	if !ok {
		return key{}, false
	}
	mk := c.keys[i].mk
	c.keys = slices.Delete(c.keys, i, i+1)
	return mk, true
}

// skipTo derives and keeps the keys of the messages before n. The caller has
// checked the limit.
func (c *recvChain) skipTo(n uint32, at uint32) {
	if n <= c.n {
		return
	}
	c.keys = slices.Grow(c.keys, int(n-c.n))
	for ; c.n < n; c.n++ {
		k := skippedKey{n: c.n, at: at}
		c.ck, k.mk = kdf.Chain(c.ck)
		c.keys = append(c.keys, k)
	}
}

// SkippedCount is the number of message keys kept for envelopes not seen yet.
func (s *State) SkippedCount() int {
	n := 0
	for i := range s.old {
		n += len(s.old[i].keys)
	}
	if s.recv != nil {
		n += len(s.recv.keys)
	}
	return n
}

// OldestSkipped is the time, to the minute, at which the oldest skipped key was
// derived; false if there is none.
func (s *State) OldestSkipped() (time.Time, bool) {
	if len(s.old) > 0 {
		return fromMinutes(s.old[0].keys[0].at), true
	}
	if s.recv != nil && len(s.recv.keys) > 0 {
		return fromMinutes(s.recv.keys[0].at), true
	}
	return time.Time{}, false
}

// DropOldestSkipped forgets the n oldest skipped keys. Their envelopes can no
// longer be opened.
func (s *State) DropOldestSkipped(n int) {
	for n > 0 && len(s.old) > 0 {
		k := min(n, len(s.old[0].keys))
		s.old[0].keys = slices.Delete(s.old[0].keys, 0, k)
		if len(s.old[0].keys) == 0 {
			s.old = slices.Delete(s.old, 0, 1)
		}
		n -= k
	}
	if s.recv != nil && n > 0 {
		s.recv.keys = slices.Delete(s.recv.keys, 0, min(n, len(s.recv.keys)))
	}
}

// Prune forgets the skipped keys older than SkippedLife. A key from the future,
// left by a clock that went back, starts its life again now.
func (s *State) Prune(now time.Time) {
	at := minutes(now)
	for i := range s.old {
		s.old[i].prune(at)
	}
	if s.recv != nil {
		s.recv.prune(at)
	}
	s.dropEmpty()
}

func (c *skipChain) prune(now uint32) {
	const life = uint32(SkippedLife / time.Minute)
	c.keys = slices.DeleteFunc(c.keys, func(k skippedKey) bool { return k.at < now && now-k.at > life })
	for i := range c.keys {
		c.keys[i].at = min(c.keys[i].at, now)
	}
}

// dropEmpty forgets the earlier chains of which nothing is awaited any more.
func (s *State) dropEmpty() {
	s.old = slices.DeleteFunc(s.old, func(c skipChain) bool { return len(c.keys) == 0 })
}

// minutes is t as minutes since 1970, held to what 32 bits can say.
func minutes(t time.Time) uint32 {
	return uint32(min(max(t.Unix()/60, 0), math.MaxUint32))
}

func fromMinutes(m uint32) time.Time { return time.Unix(int64(m)*60, 0).UTC() }
