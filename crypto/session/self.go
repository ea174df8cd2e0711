package session

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/kuvert-im/kuvert/crypto/identity"
	"github.com/kuvert-im/kuvert/crypto/invite"
	"github.com/kuvert-im/kuvert/crypto/prekey"
)

// ErrLife says that an invitation would outlive the prekeys in its bundle.
var ErrLife = errors.New("session: invitation would outlive its keys")

// Self is one's own side of the protocol: the identity, this installation and
// its prekeys.
type Self struct {
	private *identity.Private
	inst    identity.Inst
	prev    identity.Inst   // the installation before, zero for the first
	own     []identity.Inst // every installation there ever was, the present one last
	counter uint64          // highest given to a bundle
	prekeys []signedPrekey  // oldest first; the last one is published
}

// signedPrekey is a signed prekey with the one bundle that publishes it.
type signedPrekey struct {
	pair    *prekey.Pair
	since   time.Time // its age counts from here
	bundle  []byte
	hash    [32]byte
	counter uint64
	expiry  time.Time
}

// NewSelf makes a new identity with its first installation.
func NewSelf(rand io.Reader, now time.Time) (*Self, error) {
	private, err := identity.Generate(rand)
	if err != nil {
		return nil, err
	}
	s := &Self{private: private}
	if err := s.NewInstallation(rand, now, 0); err != nil {
		return nil, err
	}
	return s, nil
}

// NewInstallation makes this installation a new one, as after a restore or when
// it turned out to be an older copy of itself: a new inst, a bundle counter above
// the one reported, and new prekeys in place of all that there were. Sessions of
// the former installation are tainted from now on, and invitations issued by it
// can no longer be answered: their private keys go, too.
func (s *Self) NewInstallation(rand io.Reader, now time.Time, counterAbove uint64) error {
	var inst identity.Inst
	if _, err := io.ReadFull(rand, inst[:]); err != nil {
		return fmt.Errorf("session: draw installation id: %w", err)
	}
	s.prev, s.inst = s.inst, inst
	s.own = append(s.own, inst)
	if len(s.own) > maxOwnInsts {
		s.own = s.own[1:]
	}
	if counterAbove <= maxCounter {
		s.counter = max(s.counter, counterAbove)
	}
	s.prekeys = nil
	return s.publish(rand, now)
}

// ID returns who this is.
func (s *Self) ID() identity.ID { return s.private.ID() }

// Public returns the public half of the identity.
func (s *Self) Public() identity.Public { return s.private.Public() }

// Inst returns the present installation.
func (s *Self) Inst() identity.Inst { return s.inst }

// Bundle returns the signed bundle that is published now.
func (s *Self) Bundle() []byte { return slices.Clone(s.current().bundle) }

// Clone returns an independent copy.
func (s *Self) Clone() *Self {
	c := *s
	c.own = slices.Clone(s.own)
	c.prekeys = slices.Clone(s.prekeys) // a prekey never changes
	return &c
}

// LogValue keeps keys and identity out of logs.
func (*Self) LogValue() slog.Value { return slog.StringValue("[own keys]") }

func (s *Self) current() *signedPrekey { return &s.prekeys[len(s.prekeys)-1] }

// wasMine reports whether an installation was ever this person's own.
func (s *Self) wasMine(inst identity.Inst) bool { return slices.Contains(s.own, inst) }

// issued reports whether a bundle that somebody holds of the present installation
// can be one of ours.
func (s *Self) issued(counter uint64, hash [32]byte) bool {
	for i := range s.prekeys {
		if k := &s.prekeys[i]; k.counter == counter {
			return k.hash == hash
		}
	}
	return counter <= s.counter
}

func (s *Self) nextCounter(now time.Time) uint64 {
	s.counter = max(s.counter+1, uint64(max(now.UnixMilli(), 0))) //nolint:gosec // not negative
	return s.counter
}

// publish makes a signed prekey and the bundle that names it.
func (s *Self) publish(rand io.Reader, now time.Time) error {
	pair, err := prekey.Generate(rand, now)
	if err != nil {
		return err
	}
	k := signedPrekey{pair: pair, since: milli(now), counter: s.nextCounter(now), expiry: milli(now.Add(prekey.Published))}
	k.bundle, err = prekey.Sign(s.private, s.template(&k))
	if err != nil {
		return err
	}
	k.hash = prekey.HashBundle(k.bundle)
	s.prekeys = append(s.prekeys, k)
	return nil
}

func (s *Self) template(k *signedPrekey) prekey.Bundle {
	return prekey.Bundle{
		Inst: s.inst, Prev: s.prev, Signed: k.pair.Public(), Insts: []identity.Inst{s.inst},
		Expiry: k.expiry, Counter: k.counter,
	}
}

func milli(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()) }

// Rotate does what time asks for: a new signed prekey after 30 days, and the end
// of those older than 90. It reports whether anything changed; a new bundle is
// then to be sent to each contact if it differs from the one before.
func (s *Self) Rotate(rand io.Reader, now time.Time) (changed bool, err error) {
	if now.Before(s.current().since) { // a clock that went back must not keep a key for ever
		for i := range s.prekeys {
			k := &s.prekeys[i]
			k.since = earlier(k.since, milli(now))
		}
		changed = true
	}
	old := len(s.prekeys)
	last := s.current().pair
	s.prekeys = slices.DeleteFunc(s.prekeys, func(k signedPrekey) bool {
		return k.pair != last && now.Sub(k.since) >= prekey.Kept
	})
	k := s.current()
	if now.Sub(k.since) < prekey.Renew && k.expiry.Sub(now) <= prekey.Published+24*time.Hour {
		return changed || len(s.prekeys) != old, nil
	}
	return true, s.replace(rand, now)
}

// replace publishes a new prekey; the one before goes at once if it is too old.
func (s *Self) replace(rand io.Reader, now time.Time) error {
	if now.Sub(s.current().since) >= prekey.Kept {
		s.prekeys = nil
	}
	if len(s.prekeys) == maxPrekeys {
		s.prekeys = slices.Delete(s.prekeys, 0, 1)
	}
	return s.publish(rand, now)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Issued is a personal invitation as it was made.
type Issued struct {
	Code   invite.Code
	Bundle []byte // immutable: the code pins its hash
	// Keys are the invitation's secret and one-time prekeys, opaque to the caller.
	// Delete them at Opened.InvitationDone, and 30 days after Expiry at the latest.
	Keys []byte
	// Hints name the prekeys a guest's handshake may refer to, the one-time pair's
	// first. [OpenHandshake] asks by the first.
	Hints [2][8]byte
}

// Invite makes a personal invitation, with a bundle and a one-time prekey of its
// own.
func (s *Self) Invite(rand io.Reader, now, expires time.Time, hints []invite.Hint) (Issued, error) {
	if s.current().expiry.Before(expires) {
		if err := s.replace(rand, now); err != nil {
			return Issued{}, err
		}
	}
	if s.current().expiry.Before(expires) {
		return Issued{}, ErrLife
	}
	secret, err := invite.NewSecret(rand)
	if err != nil {
		return Issued{}, err
	}
	pair, err := prekey.Generate(rand, now)
	if err != nil {
		return Issued{}, err
	}
	return s.invitation(secret, pair, now, expires, hints)
}

func (s *Self) invitation(secret invite.Secret, pair *prekey.Pair, now, expires time.Time, hints []invite.Hint) (Issued, error) {
	k := s.current()
	b := s.template(k)
	public := pair.Public()
	b.OneTime, b.Counter = &public, s.nextCounter(now)
	bundle, err := prekey.Sign(s.private, b)
	if err != nil {
		return Issued{}, err
	}
	code := invite.Code{From: s.ID(), Auth: secret, BundleHash: prekey.HashBundle(bundle), Expiry: expires, Hints: hints}
	if _, err := code.Text(); err != nil {
		return Issued{}, err
	}
	return Issued{
		Code: code, Bundle: bundle, Keys: marshalInvitation(secret, pair),
		Hints: [2][8]byte{pair.Hint(), k.pair.Hint()},
	}, nil
}

const invitationVersion = 1

func marshalInvitation(secret invite.Secret, pair *prekey.Pair) []byte {
	return append(append([]byte{invitationVersion}, secret[:]...), pair.Marshal()...)
}

func parseInvitation(b []byte) (secret invite.Secret, pair *prekey.Pair, err error) {
	if len(b) < 1+len(secret) || b[0] != invitationVersion {
		return secret, nil, fmt.Errorf("%w: invitation keys", ErrBadState)
	}
	pair, err = prekey.ParsePair(b[1+len(secret):])
	if err != nil {
		return secret, nil, fmt.Errorf("%w: %w", ErrBadState, err)
	}
	return invite.Secret(b[1:]), pair, nil
}

const selfVersion = 1

// Marshal returns the state as bytes for storage. They hold secret keys.
func (s *Self) Marshal() ([]byte, error) {
	w := &writer{}
	w.u8(selfVersion)
	w.bytes(s.private.Marshal())
	w.raw(s.prev[:])
	w.u64(s.counter)
	w.u16(len(s.own))
	for _, inst := range s.own {
		w.raw(inst[:])
	}
	w.u16(len(s.prekeys))
	for i := range s.prekeys {
		k := &s.prekeys[i]
		w.bytes(k.pair.Marshal())
		w.time(k.since)
		w.bytes(k.bundle)
		w.u64(k.counter)
		w.time(k.expiry)
	}
	return w.b, nil
}

// ParseSelf reads what Marshal wrote. The error wraps [ErrBadState].
func ParseSelf(b []byte) (*Self, error) {
	r := &reader{b: slices.Clone(b)}
	if len(b) > MaxSelfSize || r.u8() != selfVersion {
		return nil, fmt.Errorf("%w: size or version", ErrBadState)
	}
	private, err := identity.ParsePrivate(r.bytes())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBadState, err)
	}
	s := &Self{private: private}
	r.read(s.prev[:])
	s.counter = r.u64()
	s.own = make([]identity.Inst, r.count(16))
	for i := range s.own {
		r.read(s.own[i][:])
	}
	if err := s.parsePrekeys(r); err != nil {
		return nil, err
	}
	if len(s.own) == 0 || len(s.prekeys) == 0 || s.counter > 2*maxCounter {
		return nil, fmt.Errorf("%w: own keys", ErrBadState)
	}
	s.inst = s.own[len(s.own)-1]
	return s, r.end("own keys")
}

func (s *Self) parsePrekeys(r *reader) error {
	s.prekeys = make([]signedPrekey, r.count(8))
	if len(s.prekeys) > maxPrekeys {
		return fmt.Errorf("%w: prekeys", ErrBadState)
	}
	for i := range s.prekeys {
		k := &s.prekeys[i]
		pair, err := prekey.ParsePair(r.bytes())
		if err != nil {
			return fmt.Errorf("%w: %w", ErrBadState, err)
		}
		k.pair, k.since, k.bundle = pair, r.time(), r.bytes()
		k.counter, k.expiry = r.u64(), r.time()
		k.hash = prekey.HashBundle(k.bundle)
	}
	return nil
}
