package vault

import (
	"fmt"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// Limits of what one try of a passphrase may cost. The floor is the second choice
// that RFC 9106 recommends; the ceiling is what a file from a hostile hand can make
// this machine spend: a gigabyte for the time that 8 GiB of work take.
const (
	MinPasses = 3
	MaxPasses = 64
	MinMemory = 64 << 10 // KiB
	MaxMemory = 1 << 20  // KiB
	MinLanes  = 1
	MaxLanes  = 16
	// MaxWork bounds Passes × Memory, in KiB.
	MaxWork = 8 << 20
)

// What Choose aims at.
const (
	// Target is how long one try should take on this machine.
	Target = 750 * time.Millisecond
	// lanes may be computed at the same time.
	lanes = 4
	// enoughMemory in KiB is what we ask of a machine at most; beyond it a fast one
	// makes more passes. Other programs want memory too.
	enoughMemory = 256 << 10
	// memoryStep rounds it, in KiB.
	memoryStep = 1 << 10
)

// Cost is what Argon2id is made to spend on one try.
type Cost struct {
	Passes uint32 `cbor:"1,keyasint"`
	Memory uint32 `cbor:"2,keyasint"` // KiB
	Lanes  uint8  `cbor:"3,keyasint"`
}

// String is "3 × 64 MiB × 4".
func (c Cost) String() string {
	return fmt.Sprintf("%d × %d MiB × %d", c.Passes, c.Memory>>10, c.Lanes)
}

func (c Cost) check() error {
	if c.Passes < MinPasses || c.Passes > MaxPasses || c.Memory < MinMemory || c.Memory > MaxMemory ||
		c.Lanes < MinLanes || c.Lanes > MaxLanes || uint64(c.Passes)*uint64(c.Memory) > MaxWork {
		return fmt.Errorf("%w: cost %d, %d KiB, %d", ErrMalformed, c.Passes, c.Memory, c.Lanes)
	}
	return nil
}

// stretch is Argon2id.
func (c Cost) stretch(secret, salt []byte) []byte {
	return argon2.IDKey(secret, salt, c.Passes, c.Memory, c.Lanes, KeySize)
}

// Measure spends one try and says how long it took.
func Measure(c Cost) time.Duration {
	start := time.Now()
	clear(c.stretch(nil, make([]byte, saltSize)))
	return time.Since(start)
}

// Choose returns the cost that takes about Target on this machine, and never less
// than the floor. measure is Measure, or a test's.
func Choose(measure func(Cost) time.Duration) Cost {
	c := Cost{Passes: MinPasses, Memory: MinMemory, Lanes: lanes}
	// The first try pays for fresh memory; a busy machine makes either longer.
	took := max(min(measure(c), measure(c)), time.Millisecond)
	work := min(uint64(Target)*MinPasses*MinMemory/uint64(took), MaxWork)
	memory := min(max(work/MinPasses, MinMemory), enoughMemory)
	c.Memory = uint32(memory / memoryStep * memoryStep)
	c.Passes = uint32(min(max(work/uint64(c.Memory), MinPasses), MaxPasses))
	return c
}

// normal gives a passphrase one form, since keyboards of different systems write
// the same letters differently.
func normal(passphrase string) string { return norm.NFC.String(passphrase) }
