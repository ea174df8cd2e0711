package model

func deriveRoot(rk, x id) (next, chain, header id) {
	return mix(rk, x, 1), mix(rk, x, 2), mix(rk, x, 3)
}

// result is how opening with one session ends.
type result int

const (
	opens result = iota
	notMine
	used
	beyond
	mismatch
)

func (r result) evidence() bool { return r == used || r == beyond || r == mismatch }

// next takes a message key off the sending chain.
func (s *session) next() (mk id, n int) {
	mk, n = mix(s.cks, 1), s.ns
	s.cks = mix(s.cks, 2)
	s.ns++
	return mk, n
}

// open is the receiving half of the Double Ratchet with encrypted headers.
func (s *session) open(e *envelope, now int, fresh func() id) result {
	for i, k := range s.skipped {
		if k.hk == e.hk && k.n == e.n {
			if k.mk != e.mk {
				return mismatch
			}
			s.skipped = append(s.skipped[:i:i], s.skipped[i+1:]...)
			return opens
		}
	}
	switch {
	case s.hkr != 0 && s.hkr == e.hk:
		return s.openInChain(e, now)
	case s.nhkr != 0 && s.nhkr == e.hk:
		return s.openNewChain(e, now, fresh)
	}
	return notMine
}

func (s *session) openInChain(e *envelope, now int) result {
	switch {
	case e.dh != s.dhr:
		return mismatch
	case e.n < s.nr:
		return used
	case e.n-s.nr > skipStep:
		return beyond
	}
	s.skipTo(e.n, now)
	return s.take(e)
}

func (s *session) openNewChain(e *envelope, now int, fresh func() id) result {
	left := 0
	if s.hkr != 0 {
		left = e.pn - s.nr
	}
	if left < 0 || left+e.n > skipStep {
		return beyond
	}
	if s.hkr != 0 {
		s.skipTo(e.pn, now)
	}
	s.pn, s.ns, s.nr = s.ns, 0, 0
	s.hks, s.hkr, s.dhr = s.nhks, s.nhkr, e.dh
	s.rk, s.ckr, s.nhkr = deriveRoot(s.rk, dh(s.dhs, s.dhr))
	s.dhs = fresh()
	s.rk, s.cks, s.nhks = deriveRoot(s.rk, dh(s.dhs, s.dhr))
	s.skipTo(e.n, now)
	return s.take(e)
}

func (s *session) skipTo(n, now int) {
	for s.nr < n {
		s.skipped = append(s.skipped, skippedKey{s.hkr, mix(s.ckr, 1), s.nr, now})
		s.ckr = mix(s.ckr, 2)
		s.nr++
	}
	if over := len(s.skipped) - skipTotal; over > 0 {
		s.skipped = s.skipped[over:]
	}
}

func (s *session) take(e *envelope) result {
	if mix(s.ckr, 1) != e.mk {
		return mismatch
	}
	s.ckr = mix(s.ckr, 2)
	s.nr++
	return opens
}
