package mailbox

import (
	"bufio"
	"context"
	"fmt"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/kuvert-im/kuvert/p2p/wire"
)

// MaxWatched is how many queues WatchMail takes, over all its streams.
const MaxWatched = 8 * MaxWatch

// WatchMail calls arrived with the index of each queue that holds something, at
// once and whenever something new comes, until ctx or the connection ends; its
// error is never nil. A queue that does not exist is told once, too: listing it
// says so. A queue that is made anew is to be watched anew. arrived may be called
// from several goroutines and must not block. Only RecvID and RecvCap are used.
func (c *Client) WatchMail(ctx context.Context, queues []QueueIDs, arrived func(i int)) error {
	if len(queues) > MaxWatched {
		return ErrLimit
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	streams := 0
	ended := make(chan error)
	for from := 0; from < len(queues); from += MaxWatch {
		part := queues[from:min(from+MaxWatch, len(queues))]
		streams++
		go func() { ended <- c.watch(ctx, part, func(i int) { arrived(from + i) }) }()
	}
	for range streams {
		cancel(<-ended) // the first one says why, and ends the others
	}
	<-ctx.Done() // no queues: nothing to wait for but the end
	return context.Cause(ctx)
}

// watch serves one stream that watches.
func (c *Client) watch(ctx context.Context, queues []QueueIDs, arrived func(i int)) error {
	s, err := c.stream(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = s.Reset() }()
	defer context.AfterFunc(ctx, func() { _ = s.Reset() })()
	if err := askWatch(s, queues); err != nil {
		return fmt.Errorf("mailbox: watch: %w", err)
	}
	r := bufio.NewReader(s)
	for {
		answer, err := wire.ReadFrame(r, 1+indexSize*len(queues), nil)
		if err != nil {
			return fmt.Errorf("mailbox: watch: %w", unexpected(err))
		}
		if err := tell(answer, len(queues), arrived); err != nil {
			return fmt.Errorf("mailbox: watch: %w", err)
		}
		// The first answer comes at once; from then on it takes as long as it takes.
		if err := s.SetReadDeadline(time.Time{}); err != nil {
			return fmt.Errorf("mailbox: set deadline: %w", err)
		}
	}
}

func askWatch(s network.Stream, queues []QueueIDs) error {
	r := request{op: opWatch, keys: make([]access, len(queues))}
	for i, q := range queues {
		r.keys[i] = access{q.RecvID, q.RecvCap}
	}
	frame, err := appendRequest(nil, &r)
	if err != nil {
		return err
	}
	if err := s.SetDeadline(time.Now().Add(AnswerPatience + transferTime(len(frame)))); err != nil {
		return fmt.Errorf("set deadline: %w", err)
	}
	return wire.WriteFrame(s, frame, maxRequest)
}

// tell hands on what one answer names.
func tell(answer []byte, n int, arrived func(i int)) error {
	if err := answerError(answer[0]); err != nil {
		return err
	}
	list, err := parseIndexes(answer[1:], n)
	if err != nil {
		return err
	}
	for _, i := range list {
		arrived(i)
	}
	return nil
}
