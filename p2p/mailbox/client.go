package mailbox

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// A Client uses the mailbox of one machine. It opens a stream at the first use
// and keeps it; WatchMail opens its own. Safe for concurrent use.
type Client struct {
	open func(context.Context) (network.Stream, error)
}

// NewClient returns a Client that opens its streams with open.
func NewClient(open func(context.Context) (network.Stream, error)) *Client {
	return &Client{open: open}
}

// Close ends the kept stream. The Client may be used again.
func (c *Client) Close() {}

// Auth proves an access token; MakeQueue, PublishBundle and Usage need that on
// each new connection. ErrRefused if the token is not valid.
func (c *Client) Auth(ctx context.Context, token [32]byte) (Usage, error) { return Usage{}, ErrFailed }

// Usage tells how it stands with the token proven before.
func (c *Client) Usage(ctx context.Context) (Usage, error) { return Usage{}, ErrFailed }

// MakeQueue creates a queue; making the same one again replaces its end. A zero
// until has no end.
func (c *Client) MakeQueue(ctx context.Context, q QueueIDs, until time.Time) error { return ErrFailed }

// DropQueue removes a queue and all that is in it.
func (c *Client) DropQueue(ctx context.Context, id [24]byte, access [32]byte) error { return ErrFailed }

// PutMail stores blobs in order and returns how many were taken, counted from the
// first; fewer than all only with an error.
func (c *Client) PutMail(ctx context.Context, id [24]byte, access [32]byte, blobs [][]byte) (taken int, err error) {
	return 0, ErrFailed
}

// PutSlot replaces the one blob of a queue that stands for a state.
func (c *Client) PutSlot(ctx context.Context, id [24]byte, access [32]byte, blob []byte) error {
	return ErrFailed
}

// ListMail returns the next blobs after a place, oldest first, none at the end.
func (c *Client) ListMail(ctx context.Context, id [24]byte, access [32]byte, after uint64) ([]Blob, error) {
	return nil, ErrFailed
}

// DeleteMail removes blobs; those that are not there are no error.
func (c *Client) DeleteMail(ctx context.Context, id [24]byte, access [32]byte, places []uint64) error {
	return ErrFailed
}

// WatchMail calls arrived with the index of each queue that holds something, at
// once and whenever something new comes, until ctx or the connection ends. A queue
// that does not exist is told once, too: listing it says so. arrived must not
// block. Only RecvID and RecvCap are used.
func (c *Client) WatchMail(ctx context.Context, queues []QueueIDs, arrived func(i int)) error {
	return ErrFailed
}

// PublishBundle leaves a blob at a place that whoever knows the id may read.
func (c *Client) PublishBundle(ctx context.Context, id [24]byte, blob []byte, until time.Time) error {
	return ErrFailed
}

// ReadBundle reads it. ErrNotFound if there is none.
func (c *Client) ReadBundle(ctx context.Context, id [24]byte) ([]byte, error) { return nil, ErrFailed }
