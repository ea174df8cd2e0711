package core

import (
	"context"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

// noTransport is the network of a profile that was opened without one.
type noTransport struct{}

func (noTransport) Run(ctx context.Context, _ TransportHandler) error {
	<-ctx.Done()
	return nil
}
func (noTransport) HostKey() HostKey                            { return HostKey{} }
func (noTransport) Addrs() []string                             { return nil }
func (noTransport) Follow(string, map[HostKey][]string, []Node) {}
func (noTransport) Unfollow(string)                             {}
func (noTransport) Rebind(HostKey, string, string)              {}
func (noTransport) SendStatus(context.Context, string) error    { return chat.ErrUnreachable }
func (noTransport) Connected(string) bool                       { return false }
func (noTransport) Restrict(bool)                               {}
func (noTransport) Show(string)                                 {}
func (noTransport) State() TransportState                       { return TransportState{} }

func (noTransport) Deliver(context.Context, string, [][]byte) ([]byte, error) {
	return nil, chat.ErrUnreachable
}

func (noTransport) FetchBundle(context.Context, string) ([]byte, error) {
	return nil, chat.ErrUnreachable
}

func (noTransport) PairDial(context.Context, HostKey) (PairStream, error) {
	return nil, chat.ErrUnreachable
}

func (noTransport) Relayed(string) bool                        { return false }
func (noTransport) TryAddrs([]string) error                    { return nil }
func (noTransport) UseNodes([]Node)                            {}
func (noTransport) NodeState(HostKey) NodeState                { return NodeState{Err: chat.ErrUnreachable} }
func (noTransport) KeepMail(context.Context, [][32]byte) error { return nil }

func (noTransport) MailKept(context.Context) (MailKept, error) {
	return MailKept{}, chat.ErrUnreachable
}

func (noTransport) MakeQueue(context.Context, Node, QueueIDs, time.Time) error {
	return chat.ErrUnreachable
}

func (noTransport) DropQueue(context.Context, Node, [24]byte, [32]byte) error {
	return chat.ErrUnreachable
}

func (noTransport) PutMail(context.Context, Node, [24]byte, [32]byte, [][]byte) (int, error) {
	return 0, chat.ErrUnreachable
}

func (noTransport) PutSlot(context.Context, Node, [24]byte, [32]byte, []byte) error {
	return chat.ErrUnreachable
}

func (noTransport) ListMail(context.Context, Node, [24]byte, [32]byte, uint64) ([]MailBlob, error) {
	return nil, chat.ErrUnreachable
}

func (noTransport) DeleteMail(context.Context, Node, [24]byte, [32]byte, []uint64) error {
	return chat.ErrUnreachable
}

func (noTransport) WatchMail(context.Context, Node, []QueueIDs, func(int)) error {
	return chat.ErrUnreachable
}

func (noTransport) PublishBundle(context.Context, Node, [24]byte, []byte, time.Time) error {
	return chat.ErrUnreachable
}

func (noTransport) ReadBundle(context.Context, Node, [24]byte) ([]byte, error) {
	return nil, chat.ErrUnreachable
}

func (noTransport) FetchFile(context.Context, string, chat.FileID, int64, int, func() FileWant, func(FileWant, int64, []byte) error) error {
	return chat.ErrUnreachable
}
