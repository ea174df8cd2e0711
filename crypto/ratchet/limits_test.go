package ratchet

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"filippo.io/age"
)

// same fails unless both states store the same bytes.
func same(t testing.TB, got, want *State) {
	t.Helper()
	a, err := got.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	b, err := want.Marshal()
	if err != nil || !bytes.Equal(a, b) {
		t.Fatalf("the state changed (%v)", err)
	}
}

// catcher takes the stanzas age would give an identity.
type catcher struct{ stanzas []*age.Stanza }

func (c *catcher) Unwrap(s []*age.Stanza) ([]byte, error) {
	c.stanzas = s
	return nil, age.ErrIncorrectIdentity
}

func stanzasOf(t testing.TB, blob []byte) []*age.Stanza {
	t.Helper()
	var c catcher
	if _, err := age.Decrypt(bytes.NewReader(blob), &c); len(c.stanzas) == 0 {
		t.Fatal(err)
	}
	return c.stanzas
}

// refuse checks that the blob is refused with want and leaves no trace, even if
// the identity works on the state itself.
func refuse(t testing.TB, s *State, blob []byte, want error) {
	t.Helper()
	before := s.Clone()
	_, err := s.Identity(start, rand.Reader).Unwrap(stanzasOf(t, blob))
	if !errors.Is(err, want) {
		t.Fatalf("refused with %v, want %v", err, want)
	}
	same(t, s, before)
}

// lose seals n messages that never arrive.
func lose(t testing.TB, s *State, n int) {
	t.Helper()
	for range n {
		if _, err := s.Recipient(start, rand.Reader).Wrap(make([]byte, 16)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSkipLimitInChain(t *testing.T) {
	for _, begun := range []bool{false, true} {
		alice, bob := pair(t)
		if begun {
			mustOpen(t, &bob, start, seal(t, alice, start, "first"), "first")
		}
		lose(t, alice, MaxSkipStep)
		near := seal(t, alice, start, "after a thousand")
		refuse(t, bob.Clone(), seal(t, alice, start, "after a thousand and one"), ErrBeyond)
		mustOpen(t, &bob, start, near, "after a thousand")
		if bob.SkippedCount() != MaxSkipStep {
			t.Fatalf("%d skipped keys", bob.SkippedCount())
		}
	}
}

// The limit counts the end of the old chain and the beginning of the new one
// together.
func TestSkipLimitAcrossChains(t *testing.T) {
	for _, over := range []int{0, 1} {
		alice, bob := pair(t)
		mustOpen(t, &bob, start, seal(t, alice, start, "first"), "first")
		answer := seal(t, bob, start, "answer")
		lose(t, alice, 600+over)
		mustOpen(t, &alice, start, answer, "answer")
		lose(t, alice, 400)
		blob := seal(t, alice, start, "new chain")
		if over > 0 {
			refuse(t, bob, blob, ErrBeyond)
			continue
		}
		mustOpen(t, &bob, start, blob, "new chain")
		if bob.SkippedCount() != MaxSkipStep {
			t.Fatalf("%d skipped keys", bob.SkippedCount())
		}
	}
}

// A message is never refused because too many keys are kept: the oldest goes.
func TestSkipFlood(t *testing.T) {
	alice, bob := pair(t)
	oldest := seal(t, alice, start, "the oldest")
	var newest []byte
	for i := range 5 {
		lose(t, alice, MaxSkipStep-2)
		newest = seal(t, alice, start, fmt.Sprint("newest ", i))
		mustOpen(t, &bob, start, seal(t, alice, start, "x"), "x")
		if n := bob.SkippedCount(); n > MaxSkipTotal {
			t.Fatalf("%d skipped keys in round %d", n, i)
		}
	}
	stored, err := bob.Marshal()
	if err != nil || len(stored) > MaxStateSize {
		t.Fatalf("%d bytes: %v", len(stored), err)
	}
	refuse(t, bob, oldest, ErrUsed)
	mustOpen(t, &bob, start, newest, "newest 4")
}

// Many chains with one key left each: the worst that a state can grow to.
func TestSkipFloodOfChains(t *testing.T) {
	if testing.Short() {
		t.Skip("2,100 ratchet steps")
	}
	alice, bob := pair(t)
	for range MaxSkipTotal + 100 {
		lose(t, alice, 1)
		mustOpen(t, &bob, start, seal(t, alice, start, "ping"), "ping")
		mustOpen(t, &alice, start, seal(t, bob, start, "pong"), "pong")
	}
	if n := bob.SkippedCount(); n != MaxSkipTotal || len(bob.old) > MaxSkipTotal {
		t.Fatalf("%d skipped keys on %d chains", n, len(bob.old))
	}
	stored, err := bob.Marshal()
	if err != nil || len(stored) > MaxStateSize {
		t.Fatalf("%d bytes: %v", len(stored), err)
	}
	if _, err := Parse(stored); err != nil {
		t.Fatal(err)
	}
}

// forge seals a header that alice's own code would not make, with a body that
// does not matter.
func forge(t testing.TB, hk *key, h header) []*age.Stanza {
	t.Helper()
	sealed, err := h.seal(hk, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return []*age.Stanza{{Type: StanzaType, Args: []string{b64.EncodeToString(sealed)}, Body: make([]byte, bodySize)}}
}

func TestForgedNumbers(t *testing.T) {
	alice, bob := pair(t)
	mustOpen(t, &bob, start, seal(t, alice, start, "a"), "a")
	second := seal(t, alice, start, "b")
	mustOpen(t, &bob, start, second, "b")
	mustOpen(t, &alice, start, seal(t, bob, start, "c"), "c")
	current, next := bob.recv.hk, bob.nhkr
	known := *headerOf(t, bob, second)
	fresh := key(newKey(t).PublicKey().Bytes())
	number := func(h header, n uint32) header { h.n = n; return h }
	for name, tc := range map[string]struct {
		hk   *key
		h    header
		want error
	}{
		"last number":                     {&current, number(known, lastNumber), ErrBeyond},
		"last number but one":             {&current, number(known, lastNumber-1), ErrBeyond},
		"number wraps into range":         {&current, number(known, 0), ErrUsed},
		"other ratchet key":               {&current, header{dh: fresh, n: 2}, ErrMismatch},
		"other chain length":              {&current, header{dh: known.dh, pn: known.pn + 1, n: 2}, ErrMismatch},
		"offer in the middle":             {&current, header{dh: known.dh, pn: known.pn, n: 2, ek: make([]byte, ekSize)}, ErrMismatch},
		"new chain, last number":          {&next, header{dh: fresh, pn: 2, n: lastNumber}, ErrBeyond},
		"new chain, last chain length":    {&next, header{dh: fresh, pn: lastNumber, n: 0}, ErrBeyond},
		"new chain, both at the last":     {&next, header{dh: fresh, pn: lastNumber, n: lastNumber}, ErrBeyond},
		"new chain, sum wraps in 32 bits": {&next, header{dh: fresh, pn: lastNumber - 1, n: 4}, ErrBeyond},
		"new chain, old one too short":    {&next, header{dh: fresh, pn: 1, n: 0}, ErrMismatch},
		"new chain, key of low order":     {&next, header{dh: key{}, pn: 2, n: 0}, ErrTampered},
		"new chain, answer unasked":       {&next, header{dh: fresh, pn: 2, ct: make([]byte, ctSize)}, ErrMismatch},
	} {
		t.Run(name, func(t *testing.T) {
			before := bob.Clone()
			if _, err := bob.Identity(start, rand.Reader).Unwrap(forge(t, tc.hk, tc.h)); !errors.Is(err, tc.want) {
				t.Fatalf("%v, want %v", err, tc.want)
			}
			same(t, bob, before)
		})
	}
}

func TestNumberNeverWraps(t *testing.T) {
	alice, bob := pair(t)
	mustOpen(t, &bob, start, seal(t, alice, start, "a"), "a")
	alice.send.n, bob.recv.n = lastNumber-1, lastNumber-1
	blob := seal(t, alice, start, "the last")
	beyond := *headerOf(t, bob, blob)
	beyond.n = lastNumber
	if _, err := bob.Identity(start, rand.Reader).Unwrap(forge(t, &bob.recv.hk, beyond)); !errors.Is(err, ErrBeyond) {
		t.Fatalf("a number after which none fits: %v", err)
	}
	mustOpen(t, &bob, start, blob, "the last")
	before := alice.Clone()
	if _, err := encrypt(alice.Recipient(start, rand.Reader), nil); !errors.Is(err, ErrExhausted) || alice.CanSend() {
		t.Fatalf("a chain went on after its last number: %v", err)
	}
	same(t, alice, before)
	mustOpen(t, &alice, start, seal(t, bob, start, "answer"), "answer")
	mustOpen(t, &bob, start, seal(t, alice, start, "a new chain"), "a new chain")
}

func TestPrune(t *testing.T) {
	alice, bob := pair(t)
	early := seal(t, alice, start, "early")
	mustOpen(t, &bob, start, seal(t, alice, start, "x"), "x")
	mustOpen(t, &alice, start, seal(t, bob, start, "y"), "y")
	later := start.Add(20 * 24 * time.Hour)
	late := seal(t, alice, later, "late")
	mustOpen(t, &bob, later, seal(t, alice, later, "z"), "z")

	bob.Prune(start.Add(SkippedLife))
	if bob.SkippedCount() != 2 {
		t.Fatalf("%d skipped keys after 30 days", bob.SkippedCount())
	}
	if at, ok := bob.OldestSkipped(); !ok || start.Sub(at) >= time.Minute || at.After(start) {
		t.Fatalf("oldest skipped key of %v, %v", at, ok)
	}
	past := bob.Clone()
	past.Prune(start.Add(-10 * 365 * 24 * time.Hour)) // the clock was wrong; a key's life starts now
	if past.SkippedCount() != 2 {
		t.Fatal("keys from the future were dropped")
	}
	past.Prune(start.Add(-10*365*24*time.Hour + SkippedLife + time.Minute))
	if past.SkippedCount() != 0 {
		t.Fatal("keys from the future live for ever")
	}
	bob.Prune(start.Add(SkippedLife + time.Minute))
	if bob.SkippedCount() != 1 || len(bob.old) != 0 {
		t.Fatalf("%d skipped keys, %d old chains after 30 days", bob.SkippedCount(), len(bob.old))
	}
	refuse(t, bob, early, ErrNotMine)
	mustOpen(t, &bob, later, late, "late")
}

func TestDropOldestSkipped(t *testing.T) {
	alice, bob := pair(t)
	var lost [][]byte
	for range 3 {
		for range 3 {
			lost = append(lost, seal(t, alice, start, "lost"))
		}
		mustOpen(t, &bob, start, seal(t, alice, start, "x"), "x")
		mustOpen(t, &alice, start, seal(t, bob, start, "y"), "y")
	}
	for n := range len(lost) + 2 {
		c := bob.Clone()
		c.DropOldestSkipped(n)
		if want := max(len(lost)-n, 0); c.SkippedCount() != want {
			t.Fatalf("%d skipped keys after dropping %d", c.SkippedCount(), n)
		}
		for i, blob := range lost {
			if _, err := open(&c, start, blob); (err == nil) != (i >= n) {
				t.Fatalf("message %d after dropping %d: %v", i, n, err)
			}
		}
	}
	if bob.SkippedCount() != len(lost) {
		t.Fatal("dropping keys of a clone changed the state")
	}
}

// What shows that the peer was put back to an older copy of its state.
func TestEvidenceOfRollback(t *testing.T) {
	alice, bob := pair(t)
	talk(t, &alice, &bob, start, 2)
	old := alice.Clone() // before the next chain's second message
	for _, text := range []string{"1", "2", "3"} {
		mustOpen(t, &bob, start, seal(t, alice, start, text), text)
	}
	again := seal(t, old, start, "sealed again")
	refuse(t, bob, again, ErrUsed)

	// Put back further, to before its present ratchet key was drawn.
	alice, bob = pair(t)
	mustOpen(t, &bob, start, seal(t, alice, start, "from alice"), "from alice")
	bobSays := seal(t, bob, start, "from bob")
	old = alice.Clone()
	mustOpen(t, &alice, start, bobSays, "from bob")
	mustOpen(t, &bob, start, seal(t, alice, start, "a"), "a")
	mustOpen(t, &old, start, bobSays, "from bob")
	refuse(t, bob, seal(t, old, start, "under the same header key"), ErrMismatch)

	for _, err := range []error{ErrUsed, ErrMismatch, ErrBeyond} {
		if !IsEvidence(fmt.Errorf("wrapped: %w", err)) {
			t.Errorf("%v is no evidence", err)
		}
	}
	for _, err := range []error{nil, ErrNotMine, ErrTampered, ErrSpent} {
		if IsEvidence(err) {
			t.Errorf("%v is evidence", err)
		}
	}
}

// A message key derived twice, by a state that was put back, must not encrypt two
// file keys alike: the wrap key depends on the header's random nonce.
func TestRollbackReusesNoWrapKey(t *testing.T) {
	alice, _ := pair(t)
	old := alice.Clone()
	one, two := bytes.Repeat([]byte{1}, fileKeySize), bytes.Repeat([]byte{2}, fileKeySize)
	a, err := alice.Recipient(start, rand.Reader).Wrap(one)
	if err != nil {
		t.Fatal(err)
	}
	b, err := old.Recipient(start, rand.Reader).Wrap(two)
	if err != nil {
		t.Fatal(err)
	}
	if alice.send.ck != old.send.ck {
		t.Fatal("the two did not use the same message key: the test shows nothing")
	}
	// One key and the nonce zero twice would make the ciphertexts differ exactly
	// where the file keys do.
	differ := func(x, y []byte) (d []byte) {
		for i := range fileKeySize {
			d = append(d, x[i]^y[i])
		}
		return d
	}
	if slices.Equal(differ(a[0].Body, b[0].Body), differ(one, two)) {
		t.Fatal("the same key stream wrapped two file keys")
	}
}

// Shapes of the stanza that no honest peer makes.
func TestStanzaShapes(t *testing.T) {
	alice, bob := pair(t)
	good := stanzasOf(t, seal(t, alice, start, "x"))[0]
	with := func(change func(*age.Stanza)) []*age.Stanza {
		s := &age.Stanza{Type: good.Type, Args: slices.Clone(good.Args), Body: bytes.Clone(good.Body)}
		change(s)
		return []*age.Stanza{s}
	}
	arg := good.Args[0]
	for name, tc := range map[string]struct {
		stanzas []*age.Stanza
		want    error
	}{
		"none":             {nil, ErrNotMine},
		"foreign":          {with(func(s *age.Stanza) { s.Type = "X25519" }), ErrNotMine},
		"foreign beside":   {append(with(func(s *age.Stanza) { s.Type = "X25519" }), good), ErrTampered},
		"twice":            {[]*age.Stanza{good, good}, ErrTampered},
		"no argument":      {with(func(s *age.Stanza) { s.Args = nil }), ErrTampered},
		"two arguments":    {with(func(s *age.Stanza) { s.Args = []string{arg, arg} }), ErrTampered},
		"empty argument":   {with(func(s *age.Stanza) { s.Args[0] = "" }), ErrTampered},
		"long argument":    {with(func(s *age.Stanza) { s.Args[0] = string(bytes.Repeat([]byte("A"), 1<<20)) }), ErrTampered},
		"no base64":        {with(func(s *age.Stanza) { s.Args[0] = "!" + arg[1:] }), ErrTampered},
		"padded base64":    {with(func(s *age.Stanza) { s.Args[0] += "=" }), ErrTampered},
		"line break":       {with(func(s *age.Stanza) { s.Args[0] = arg[:8] + "\n" + arg[8:] }), ErrTampered},
		"stray bits":       {with(func(s *age.Stanza) { s.Args[0] = arg[:len(arg)-1] + string(arg[len(arg)-1]+1) }), ErrTampered},
		"header too short": {with(func(s *age.Stanza) { s.Args[0] = b64.EncodeToString(make([]byte, 79)) }), ErrTampered},
		"header too long":  {with(func(s *age.Stanza) { s.Args[0] = b64.EncodeToString(make([]byte, 81)) }), ErrTampered},
		"other header":     {with(func(s *age.Stanza) { s.Args[0] = b64.EncodeToString(make([]byte, 80)) }), ErrNotMine},
		"body too short":   {with(func(s *age.Stanza) { s.Body = s.Body[1:] }), ErrTampered},
		"body too long":    {with(func(s *age.Stanza) { s.Body = append(s.Body, 0) }), ErrTampered},
		"body altered":     {with(func(s *age.Stanza) { s.Body[0] ^= 1 }), ErrTampered},
	} {
		t.Run(name, func(t *testing.T) {
			before := bob.Clone()
			if _, err := bob.Identity(start, rand.Reader).Unwrap(tc.stanzas); !errors.Is(err, tc.want) {
				t.Fatalf("%v, want %v", err, tc.want)
			}
			same(t, bob, before)
		})
	}
	if !errors.Is(ErrNotMine, age.ErrIncorrectIdentity) || errors.Is(ErrTampered, age.ErrIncorrectIdentity) {
		t.Fatal("only a foreign envelope lets age try another identity")
	}
}

// The recipient seals one file, alone in it.
func TestRecipientIsAlone(t *testing.T) {
	alice, _ := pair(t)
	r := alice.Recipient(start, rand.Reader)
	if _, err := encrypt(r, nil); err != nil {
		t.Fatal(err)
	}
	before := alice.Clone()
	if _, err := encrypt(r, nil); !errors.Is(err, ErrSpent) {
		t.Fatalf("one recipient sealed two files: %v", err)
	}
	same(t, alice, before)
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for _, rs := range [][]age.Recipient{
		{alice.Recipient(start, rand.Reader), other.Recipient()},
		{alice.Recipient(start, rand.Reader), alice.Recipient(start, rand.Reader)},
	} {
		if _, err := age.Encrypt(new(bytes.Buffer), rs...); err == nil {
			t.Fatal("shared a file with another recipient")
		}
	}
}

func TestRandomnessFails(t *testing.T) {
	alice, bob := pair(t)
	late := start.Add(KEMEveryTime)
	for _, n := range []int{0, 63, 64, 87} {
		before := alice.Clone()
		if _, err := alice.Recipient(late, bytes.NewReader(make([]byte, n))).Wrap(make([]byte, 16)); err == nil {
			t.Fatalf("sealed with %d bytes of randomness", n)
		}
		same(t, alice, before)
	}
	first := seal(t, alice, start, "x")
	before := bob.Clone()
	if _, err := bob.Identity(start, bytes.NewReader(make([]byte, 31))).Unwrap(stanzasOf(t, first)); err == nil {
		t.Fatal("made a ratchet step with 31 bytes of randomness")
	}
	same(t, bob, before)
	mustOpen(t, &bob, start, first, "x")
}
