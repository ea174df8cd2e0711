package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kuvert-im/kuvert/p2p/mailbox"
)

// mailErrors are those that a station told us; all others are of the connection.
var mailErrors = []error{
	mailbox.ErrRefused, mailbox.ErrQuota, mailbox.ErrNotFound, mailbox.ErrBusy,
	mailbox.ErrFailed, mailbox.ErrAnswer, mailbox.ErrLimit,
}

// mailError gives an error of the connection ErrNotConnected, and looks whether the
// connection is dead.
func (n *Node) mailError(l *link, err error) error {
	if err == nil || slices.ContainsFunc(mailErrors, func(known error) bool { return errors.Is(err, known) }) {
		return err
	}
	n.checkLink(l, checkPatience)
	return fmt.Errorf("%w: %w", ErrNotConnected, err)
}

// use calls f with the mailbox of a station, which is dialled if it is not
// connected. With prove the token is proven first, and again if the station has
// forgotten it.
func (n *Node) use(ctx context.Context, st Station, prove bool, f func(*mailbox.Client) error) error {
	if !n.isUp() {
		return ErrNotConnected
	}
	s, release, err := n.borrow(st)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNotConnected, err)
	}
	defer release()
	l, err := n.dialStation(ctx, s)
	if err != nil {
		return err
	}
	if !prove {
		return n.mailError(l, f(s.mail))
	}
	fresh := !n.isProven(s, l)
	if fresh {
		if _, err := n.prove(ctx, s, l); err != nil {
			return n.mailError(l, err)
		}
	}
	err = f(s.mail)
	if errors.Is(err, mailbox.ErrRefused) && !fresh {
		if _, err := n.prove(ctx, s, l); err != nil {
			return n.mailError(l, err)
		}
		err = f(s.mail)
	}
	return n.mailError(l, err)
}

// dialStation returns the link with a station; only a few are dialled at once.
func (n *Node) dialStation(ctx context.Context, s *station) (*link, error) {
	if !n.linked(s.id) {
		select {
		case n.stationDials <- struct{}{}:
			defer func() { <-n.stationDials }()
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ErrNotConnected, ctx.Err())
		}
	}
	return n.stationLink(ctx, s)
}

// The methods that follow are the mailbox protocol with a station, as package
// mailbox describes it. Errors wrap ErrNotConnected or an error of that package.

// MakeQueue creates a queue on an own station's token; making the same one again
// changes nothing but until. A zero until has no end.
func (n *Node) MakeQueue(ctx context.Context, st Station, q mailbox.QueueIDs, until time.Time) error {
	return n.use(ctx, st, true, func(c *mailbox.Client) error { return c.MakeQueue(ctx, q, until) })
}

// DropQueue removes a queue and all that is in it.
func (n *Node) DropQueue(ctx context.Context, st Station, id [24]byte, access [32]byte) error {
	return n.use(ctx, st, false, func(c *mailbox.Client) error { return c.DropQueue(ctx, id, access) })
}

// PutMail stores blobs in order and returns how many were taken.
func (n *Node) PutMail(ctx context.Context, st Station, id [24]byte, access [32]byte, blobs [][]byte) (taken int, err error) {
	err = n.use(ctx, st, false, func(c *mailbox.Client) error {
		taken, err = c.PutMail(ctx, id, access, blobs)
		return err
	})
	return taken, err
}

// PutSlot replaces the one blob of a queue that stands for a state.
func (n *Node) PutSlot(ctx context.Context, st Station, id [24]byte, access [32]byte, blob []byte) error {
	return n.use(ctx, st, false, func(c *mailbox.Client) error { return c.PutSlot(ctx, id, access, blob) })
}

// ListMail returns the next blobs after a place, oldest first, none at the end.
func (n *Node) ListMail(ctx context.Context, st Station, id [24]byte, access [32]byte, after uint64) (blobs []mailbox.Blob, err error) {
	err = n.use(ctx, st, false, func(c *mailbox.Client) error {
		blobs, err = c.ListMail(ctx, id, access, after)
		return err
	})
	return blobs, err
}

// DeleteMail removes blobs.
func (n *Node) DeleteMail(ctx context.Context, st Station, id [24]byte, access [32]byte, places []uint64) error {
	return n.use(ctx, st, false, func(c *mailbox.Client) error { return c.DeleteMail(ctx, id, access, places) })
}

// WatchMail calls arrived with the index of each queue that holds something, at
// once and whenever something new comes, until ctx or the connection ends. arrived
// must not block.
func (n *Node) WatchMail(ctx context.Context, st Station, queues []mailbox.QueueIDs, arrived func(i int)) error {
	return n.use(ctx, st, false, func(c *mailbox.Client) error { return c.WatchMail(ctx, queues, arrived) })
}

// PublishBundle leaves a blob, on an own station's token, at a place that whoever
// knows the id may read.
func (n *Node) PublishBundle(ctx context.Context, st Station, id [24]byte, blob []byte, until time.Time) error {
	return n.use(ctx, st, true, func(c *mailbox.Client) error { return c.PublishBundle(ctx, id, blob, until) })
}

// ReadBundle reads it. mailbox.ErrNotFound if there is none.
func (n *Node) ReadBundle(ctx context.Context, st Station, id [24]byte) (blob []byte, err error) {
	err = n.use(ctx, st, false, func(c *mailbox.Client) error {
		blob, err = c.ReadBundle(ctx, id)
		return err
	})
	return blob, err
}
