package envelope

import "fmt"

// TimerBody sets how long new messages of the conversation live, for both sides.
type TimerBody struct {
	Life    uint32 // seconds, 0: for ever
	Version uint64 // from 1; one more than the highest its sender knew
}

type wireTimer struct {
	Life    uint32 `cbor:"1,keyasint"`
	Version uint64 `cbor:"2,keyasint"`
}

// Encode returns the canonical encoding of b.
func (b TimerBody) Encode() ([]byte, error) {
	if err := b.check(); err != nil {
		return nil, err
	}
	return encodeBody(wireTimer(b))
}

// DecodeTimer reads a TimerBody.
func DecodeTimer(raw []byte) (b TimerBody, err error) {
	var w wireTimer
	if err := decodeBody(raw, &w); err != nil {
		return b, err
	}
	b = TimerBody(w)
	return b, b.check()
}

func (b TimerBody) check() error {
	if b.Version == 0 {
		return fmt.Errorf("%w: version of a timer", ErrMalformed)
	}
	return nil
}
