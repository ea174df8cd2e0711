package session

import (
	"fmt"
	"slices"
	"time"

	"github.com/kuvert-im/kuvert/crypto/identity"
	"github.com/kuvert-im/kuvert/crypto/prekey"
)

// heldBundle is a bundle of the peer with what is asked of it again and again.
type heldBundle struct {
	raw       []byte // nil: none
	inst      identity.Inst
	prev      identity.Inst
	counter   uint64
	hash      [32]byte
	hint      [8]byte // of the prekey that a handshake goes to
	expiry    time.Time
	fetchedAt time.Time // when the person itself last handed it over
}

// seenBundle is the newest bundle seen of an installation.
type seenBundle struct {
	inst    identity.Inst
	counter uint64
	hash    [8]byte
}

func parseBundle(raw []byte) (prekey.Bundle, error) {
	b, err := prekey.ParseBundle(raw)
	if err != nil {
		return b, fmt.Errorf("session: %w", err)
	}
	if b.Counter > 2*maxCounter {
		return b, fmt.Errorf("session: %w: counter", prekey.ErrMalformed)
	}
	return b, nil
}

func hold(raw []byte, b *prekey.Bundle) heldBundle {
	return heldBundle{
		raw: slices.Clone(raw), inst: b.Inst, prev: b.Prev, counter: b.Counter,
		hash: prekey.HashBundle(raw), hint: b.Outer().Hint(), expiry: b.Expiry,
	}
}

// usable reports whether a handshake may start with the bundle.
func (h *heldBundle) usable(now time.Time) bool {
	return h.raw != nil && (now.Before(h.expiry) || h.fresh(now))
}

// fresh reports whether the person handed the bundle over just now.
func (h *heldBundle) fresh(now time.Time) bool {
	age := now.Sub(h.fetchedAt)
	return !h.fetchedAt.IsZero() && age >= 0 && age < FetchedLife
}

// LearnBundle takes in a bundle of the person. fetched says that they handed it
// over themselves just now, on a connection that recognised them: it is then
// usable for an hour whatever the clock says. A bundle with one-time keys belongs
// to an invitation and is used for nothing else; that it is the one the
// invitation names is for the caller to check. ErrOldBundle if the installation
// has issued a newer one, or another with the same counter.
func (p *Peer) LearnBundle(env Env, raw []byte, fetched bool) error {
	b, err := parseBundle(raw)
	if err != nil {
		return err
	}
	if err := p.belongs(b.Identity); err != nil {
		return err
	}
	if b.OneTime == nil {
		if err := p.record(raw, &b); err != nil {
			return err
		}
	}
	p.public = b.Identity
	p.kpair, err = p.Kpair(env)
	if err != nil {
		return fmt.Errorf("session: %w", err)
	}
	p.keep(env, raw, &b, fetched)
	return nil
}

// belongs holds keys to what is known of the person.
func (p *Peer) belongs(public identity.Public) error {
	known, ok := p.Public()
	if public.ID != p.id || ok && public.DH != known.DH {
		return ErrForeign
	}
	return nil
}

// record holds the counter to the highest one seen of that installation.
func (p *Peer) record(raw []byte, b *prekey.Bundle) error {
	next := seenBundle{b.Inst, b.Counter, short(prekey.HashBundle(raw))}
	i := slices.IndexFunc(p.seen, func(s seenBundle) bool { return s.inst == b.Inst })
	if i < 0 {
		p.seen = append(p.seen, next)
		if len(p.seen) > maxInsts {
			p.seen = p.seen[1:]
		}
		return nil
	}
	old := &p.seen[i]
	if b.Counter < old.counter || b.Counter == old.counter && next.hash != old.hash {
		return ErrOldBundle
	}
	*old = next
	return nil
}

func (p *Peer) keep(env Env, raw []byte, b *prekey.Bundle, fetched bool) {
	dst := &p.regular
	if b.OneTime != nil {
		dst = &p.invited
	}
	if fetched || p.supersedes(b) {
		fetchedAt := dst.fetchedAt
		same := slices.Equal(dst.raw, raw)
		*dst = hold(raw, b)
		if same {
			dst.fetchedAt = fetchedAt
		}
	}
	if fetched {
		dst.fetchedAt = env.Now
		p.refetch = false
	}
}

// supersedes reports whether a bundle that came some other way than from the
// person itself takes the place of the one held: it is newer, or it is of the
// installation accepted last and the one held is not.
func (p *Peer) supersedes(b *prekey.Bundle) bool {
	cur := &p.regular
	return b.OneTime != nil || cur.raw == nil || b.Counter > cur.counter || b.Inst == p.inst && cur.inst != p.inst
}

// offered returns the bundle with which a handshake would start.
func (p *Peer) offered() *heldBundle {
	if p.invite != nil {
		return &p.invited
	}
	return &p.regular
}

// meet notes with which installation of the peer a session stands now, and
// reports whether it was not announced: neither the successor of the one before
// nor in the list that the person signed. A second one within BranchAlarm is
// ErrBranch.
func (p *Peer) meet(env Env, inst, prev identity.Inst) (branch bool, err error) {
	if inst == p.inst {
		return false, nil
	}
	known := p.inst != identity.Inst{}
	announced := !known || prev == p.inst && !slices.Contains(p.former, inst) || p.listed(inst)
	if !announced {
		if since := env.Now.Sub(p.branchAt); !p.branchAt.IsZero() && since.Abs() < BranchAlarm {
			return true, ErrBranch
		}
		p.branchAt = env.Now
	}
	if known {
		p.former = append(slices.DeleteFunc(p.former, func(f identity.Inst) bool { return f == p.inst }), p.inst)
		if len(p.former) > maxInsts {
			p.former = p.former[1:]
		}
	}
	p.inst = inst
	return !announced, nil
}

// listed reports whether the bundle of the installation accepted last names
// another one beside it.
func (p *Peer) listed(inst identity.Inst) bool {
	if p.regular.raw == nil || p.regular.inst != p.inst {
		return false
	}
	b, err := parseBundle(p.regular.raw)
	return err == nil && slices.Contains(b.Insts, inst)
}
