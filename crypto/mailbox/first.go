package mailbox

import (
	"io"
	"log/slog"

	"github.com/kuvert-im/kuvert/crypto/canon"
	"github.com/kuvert-im/kuvert/crypto/invite"
)

// FirstContact is what inviter and guest both derive from an invitation's secret,
// so that neither has to be up when the other is. The inviter makes both queues
// at the node that the invitation's second hint names, and leaves the bundle
// there.
//
// Whoever read the code knows all that is derived: they can put mail into
// ToInviter, and read and delete in ToGuest. They cannot delete the guest's
// letters to the inviter, nor answer in the inviter's place; and they cannot read
// either side's envelopes.
type FirstContact struct {
	ToInviter Queue // derived: SendID, SendCap, Key; the rest is the inviter's alone
	ToGuest   Queue // derived: RecvID, RecvCap, Key; the rest is the inviter's alone

	BundleID  [24]byte // under which the node keeps the invitation's bundle
	BundleKey [32]byte // under which it is sealed, as KindBundle
}

// Derive returns what both sides know. The guest puts into ToInviter and lists
// ToGuest; the fields that only the inviter has are zero.
func Derive(secret invite.Secret) (f FirstContact) {
	for _, d := range []struct {
		name string
		dst  []byte
	}{
		{"inviter send-id", f.ToInviter.SendID[:]},
		{"inviter send-cap", f.ToInviter.SendCap[:]},
		{"inviter key", f.ToInviter.Key[:]},
		{"guest recv-id", f.ToGuest.RecvID[:]},
		{"guest recv-cap", f.ToGuest.RecvCap[:]},
		{"guest key", f.ToGuest.Key[:]},
		{"bundle-id", f.BundleID[:]},
		{"bundle-key", f.BundleKey[:]},
	} {
		copy(d.dst, canon.KDF(secret[:], nil, "mbx", [][]byte{[]byte(d.name)}, len(d.dst)))
	}
	return f
}

// Complete draws from rand what only the inviter may know: how to list and delete
// in ToInviter, and how to put into ToGuest. The inviter does it once and stores
// the two queues.
func (f *FirstContact) Complete(rand io.Reader) error {
	return draw(rand, f.ToInviter.RecvID[:], f.ToInviter.RecvCap[:], f.ToGuest.SendID[:], f.ToGuest.SendCap[:])
}

// LogValue keeps names and secrets out of logs.
func (FirstContact) LogValue() slog.Value { return slog.StringValue("[first contact]") }

// String keeps names and secrets out of formatted text.
func (FirstContact) String() string { return "[first contact]" }

// GoString keeps names and secrets out of formatted text.
func (FirstContact) GoString() string { return "[first contact]" }
