package pairing

import "fmt"

const kindDecision kind = 6 // on the wire, like those in pairing.go

// Decision is what one of the two people said about the digits. Both sides send
// theirs once, after the reveal, in any order; each makes the contact only after
// it has said and heard that they are equal.
type Decision struct{ Same bool }

// wireDecision is a decision.
type wireDecision struct {
	Kind kind `cbor:"1,keyasint"`
	Same bool `cbor:"2,keyasint"`
}

// Encode returns the message's bytes.
func (d Decision) Encode() ([]byte, error) {
	return encode(wireDecision{kindDecision, d.Same}, MaxSmall)
}

// DecodeDecision reads a decision.
func DecodeDecision(b []byte) (Decision, error) {
	var w wireDecision
	if err := decode(b, &w, MaxSmall); err != nil {
		return Decision{}, fmt.Errorf("decision: %w", err)
	}
	if w.Kind != kindDecision {
		return Decision{}, wrongKind(w.Kind)
	}
	return Decision{w.Same}, nil
}
