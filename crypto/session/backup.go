package session

import (
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/kuvert-im/kuvert/crypto/identity"
)

// What a backup holds of the protocol's state (docs/protocol/sessions.md, "From a
// backup"): who the people are and what was known of them, and nothing that opens
// or seals an envelope. Private prekeys and ratchet states stay behind: they would
// open later what was already read, and two machines that go on from the same one
// would seal with the same keys.

const selfBackupVersion = 1

// MarshalBackup returns what a backup holds of oneself: the identity, every
// installation there ever was and the bundle counter. There are no prekeys in it.
// The bytes hold the identity's secret keys.
func (s *Self) MarshalBackup() []byte {
	w := &writer{}
	w.u8(selfBackupVersion)
	w.bytes(s.private.Marshal())
	w.u64(s.counter)
	w.insts(s.own)
	return w.b
}

// RestoreSelf reads what MarshalBackup wrote and makes it a new installation, which
// names the one of the backup as its predecessor. The error wraps [ErrBadState].
func RestoreSelf(rand io.Reader, now time.Time, b []byte) (*Self, error) {
	r := &reader{b: slices.Clone(b)}
	if len(b) > MaxSelfSize || r.u8() != selfBackupVersion {
		return nil, fmt.Errorf("%w: size or version", ErrBadState)
	}
	private, err := identity.ParsePrivate(r.bytes())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadState, err)
	}
	s := &Self{private: private, counter: r.u64(), own: r.insts()}
	if err := r.end("own keys"); err != nil {
		return nil, err
	}
	if len(s.own) == 0 || len(s.own) > maxOwnInsts || s.counter > 2*maxCounter {
		return nil, fmt.Errorf("%w: own keys", ErrBadState)
	}
	s.inst = s.own[len(s.own)-1]
	return s, s.NewInstallation(rand, now, 0)
}

// ForBackup returns what a backup holds of a person: keys, installations, bundles,
// the ids of all sessions there ever were and the highest handshake number, but no
// session. A handshake is called for as soon as it is used again.
func (p *Peer) ForBackup() *Peer {
	c := p.Clone()
	c.Taint()
	c.sessions, c.due = nil, false
	return c
}
