package netport

import (
	"context"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/p2p/mailbox"
	"github.com/kuvert-im/kuvert/p2p/node"
)

func stations(nodes []core.Node) []node.Station {
	out := make([]node.Station, len(nodes))
	for i, n := range nodes {
		out[i] = node.Station(n)
	}
	return out
}

// UseNodes implements core.Transport.
func (t *Transport) UseNodes(nodes []core.Node) { t.UseStations(stations(nodes)) }

// NodeState implements core.Transport.
func (t *Transport) NodeState(host core.HostKey) core.NodeState {
	s := core.NodeState(t.StationState(host))
	s.Err = networkError(s.Err)
	return s
}

// MailKept implements core.Transport.
func (t *Transport) MailKept(ctx context.Context) (core.MailKept, error) {
	k, err := t.Node.MailKept(ctx)
	return core.MailKept(k), networkError(err)
}

// MakeQueue implements core.Mailboxes.
func (t *Transport) MakeQueue(ctx context.Context, n core.Node, q core.QueueIDs, until time.Time) error {
	return networkError(t.Node.MakeQueue(ctx, node.Station(n), mailbox.QueueIDs(q), until))
}

// DropQueue implements core.Mailboxes.
func (t *Transport) DropQueue(ctx context.Context, n core.Node, id [24]byte, access [32]byte) error {
	return networkError(t.Node.DropQueue(ctx, node.Station(n), id, access))
}

// PutMail implements core.Mailboxes.
func (t *Transport) PutMail(ctx context.Context, n core.Node, id [24]byte, access [32]byte, blobs [][]byte) (int, error) {
	taken, err := t.Node.PutMail(ctx, node.Station(n), id, access, blobs)
	return taken, networkError(err)
}

// PutSlot implements core.Mailboxes.
func (t *Transport) PutSlot(ctx context.Context, n core.Node, id [24]byte, access [32]byte, blob []byte) error {
	return networkError(t.Node.PutSlot(ctx, node.Station(n), id, access, blob))
}

// ListMail implements core.Mailboxes.
func (t *Transport) ListMail(ctx context.Context, n core.Node, id [24]byte, access [32]byte, after uint64) ([]core.MailBlob, error) {
	blobs, err := t.Node.ListMail(ctx, node.Station(n), id, access, after)
	out := make([]core.MailBlob, len(blobs))
	for i, b := range blobs {
		out[i] = core.MailBlob(b)
	}
	return out, networkError(err)
}

// DeleteMail implements core.Mailboxes.
func (t *Transport) DeleteMail(ctx context.Context, n core.Node, id [24]byte, access [32]byte, places []uint64) error {
	return networkError(t.Node.DeleteMail(ctx, node.Station(n), id, access, places))
}

// WatchMail implements core.Mailboxes.
func (t *Transport) WatchMail(ctx context.Context, n core.Node, queues []core.QueueIDs, arrived func(int)) error {
	ids := make([]mailbox.QueueIDs, len(queues))
	for i, q := range queues {
		ids[i] = mailbox.QueueIDs(q)
	}
	return networkError(t.Node.WatchMail(ctx, node.Station(n), ids, arrived))
}

// PublishBundle implements core.Mailboxes.
func (t *Transport) PublishBundle(ctx context.Context, n core.Node, id [24]byte, blob []byte, until time.Time) error {
	return networkError(t.Node.PublishBundle(ctx, node.Station(n), id, blob, until))
}

// ReadBundle implements core.Mailboxes.
func (t *Transport) ReadBundle(ctx context.Context, n core.Node, id [24]byte) ([]byte, error) {
	b, err := t.Node.ReadBundle(ctx, node.Station(n), id)
	return b, networkError(err)
}

// StationChanged implements node.Handler.
func (h *handler) StationChanged(host node.HostKey) { h.NodeChanged(host) }

// Traffic implements node.Handler.
func (h *handler) Traffic(kind node.Traffic, ref string, host node.HostKey, addr string) {
	h.TransportHandler.Traffic(chat.ContactKind(kind), ref, host, addr)
}
