package node

import (
	"context"
	"errors"
	"time"

	"github.com/kuvert-im/kuvert/p2p/mailbox"
)

// Station is an always-on machine: what `kuvertd node` runs, or a colleague's
// computer that keeps mail.
type Station struct {
	Host  HostKey
	Addrs []string // multiaddr text without the host key
	// Token is the access token of an own one; zero: somebody else's.
	Token [32]byte
	Relay bool // it carries connections, too
}

// StationState is how it stands with an own station.
type StationState struct {
	Connected bool
	Reserved  bool  // it relays for this machine now
	Err       error // why not connected
	Used      int64 // bytes that count against the token's quota
	Quota     int64
}

// errNoStations: not there yet.
var errNoStations = errors.New("node: no stations")

// Relayed tells whether all connections with a ref lead through a relay.
func (n *Node) Relayed(string) bool { return false }

// TryAddrs replaces the addresses where others are looked for.
func (n *Node) TryAddrs([]string) error { return nil }

// UseStations replaces the own stations.
func (n *Node) UseStations([]Station) {}

// StationState tells how it stands with an own station.
func (n *Node) StationState(HostKey) StationState { return StationState{Err: errNoStations} }

// KeepMail makes this machine a mailbox for the holders of the tokens.
func (n *Node) KeepMail(context.Context, [][32]byte) error { return nil }

// MailKept tells what this machine keeps.
func (n *Node) MailKept(context.Context) (mailbox.Kept, error) { return mailbox.Kept{}, nil }

// MakeQueue creates a queue on the station's token.
func (n *Node) MakeQueue(context.Context, Station, mailbox.QueueIDs, time.Time) error {
	return errNoStations
}

// DropQueue removes a queue.
func (n *Node) DropQueue(context.Context, Station, [24]byte, [32]byte) error { return errNoStations }

// PutMail stores blobs and returns how many were taken.
func (n *Node) PutMail(context.Context, Station, [24]byte, [32]byte, [][]byte) (int, error) {
	return 0, errNoStations
}

// PutSlot replaces the slot of a queue.
func (n *Node) PutSlot(context.Context, Station, [24]byte, [32]byte, []byte) error {
	return errNoStations
}

// ListMail returns the next blobs after a place.
func (n *Node) ListMail(context.Context, Station, [24]byte, [32]byte, uint64) ([]mailbox.Blob, error) {
	return nil, errNoStations
}

// DeleteMail removes blobs.
func (n *Node) DeleteMail(context.Context, Station, [24]byte, [32]byte, []uint64) error {
	return errNoStations
}

// WatchMail tells of queues that hold something.
func (n *Node) WatchMail(context.Context, Station, []mailbox.QueueIDs, func(i int)) error {
	return errNoStations
}

// PublishBundle leaves a blob to be read by its id.
func (n *Node) PublishBundle(context.Context, Station, [24]byte, []byte, time.Time) error {
	return errNoStations
}

// ReadBundle reads it.
func (n *Node) ReadBundle(context.Context, Station, [24]byte) ([]byte, error) {
	return nil, errNoStations
}
