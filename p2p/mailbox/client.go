package mailbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"github.com/kuvert-im/kuvert/p2p/wire"
)

const (
	readBuffer  = 16 << 10
	writeBuffer = 16 << 10
	// proveOver in bytes: before longer blobs the client shows its capability with
	// an empty PUT, so that the server has patience with a slow link.
	proveOver = 4 << 10
)

// A Client uses the mailbox of one machine. It opens a stream at the first use
// and keeps it; WatchMail opens its own. Safe for concurrent use.
type Client struct {
	open func(context.Context) (network.Stream, error)

	turn chan struct{} // holds one token; who has it owns what follows
	s    network.Stream
	r    *bufio.Reader
}

// NewClient returns a Client that opens its streams with open.
func NewClient(open func(context.Context) (network.Stream, error)) *Client {
	c := &Client{open: open, turn: make(chan struct{}, 1)}
	c.turn <- struct{}{}
	return c
}

// Close ends the kept stream, after what is under way. The Client may be used
// again.
func (c *Client) Close() {
	<-c.turn
	defer func() { c.turn <- struct{}{} }()
	if c.s != nil {
		_ = c.s.Close()
		c.s = nil
	}
}

// Auth proves an access token; MakeQueue, PublishBundle and Usage need that on
// each new connection. ErrRefused if the token is not valid.
func (c *Client) Auth(ctx context.Context, token [32]byte) (Usage, error) {
	return c.usage(ctx, request{op: opAuth, token: token})
}

// Usage tells how it stands with the token proven before.
func (c *Client) Usage(ctx context.Context) (Usage, error) {
	return c.usage(ctx, request{op: opUsage})
}

func (c *Client) usage(ctx context.Context, r request) (u Usage, err error) {
	_, err = c.do(ctx, []request{r}, func(body []byte) error {
		u, err = parseUsage(body)
		return err
	})
	return u, err
}

// MakeQueue creates a queue; making the same one again replaces its end. A zero
// until has no end.
func (c *Client) MakeQueue(ctx context.Context, q QueueIDs, until time.Time) error {
	return c.one(ctx, request{op: opMake, key: access{q.RecvID, q.RecvCap}, send: access{q.SendID, q.SendCap}, until: seconds(until)})
}

// DropQueue removes a queue and all that is in it.
func (c *Client) DropQueue(ctx context.Context, id [24]byte, by [32]byte) error {
	return c.one(ctx, request{op: opDrop, key: access{id, by}})
}

// PutMail stores blobs in order and returns how many were taken, counted from the
// first; fewer than all only with an error. Those behind them may have been
// stored, too: put them again.
func (c *Client) PutMail(ctx context.Context, id [24]byte, by [32]byte, blobs [][]byte) (taken int, err error) {
	reqs := make([]request, len(blobs))
	longest := 0
	for i, b := range blobs {
		if len(b) == 0 || len(b) > MaxBlob {
			return 0, ErrLimit
		}
		reqs[i] = request{op: opPut, key: access{id, by}, blob: b}
		longest = max(longest, len(b))
	}
	if err := c.prove(ctx, access{id, by}, longest); err != nil {
		return 0, err
	}
	return c.do(ctx, reqs, noBody)
}

// prove shows a capability before blobs that take long on a slow link.
func (c *Client) prove(ctx context.Context, key access, longest int) error {
	if longest <= proveOver {
		return nil
	}
	return c.one(ctx, request{op: opPut, key: key})
}

// PutSlot replaces the one blob of a queue that stands for a state.
func (c *Client) PutSlot(ctx context.Context, id [24]byte, by [32]byte, blob []byte) error {
	if err := c.prove(ctx, access{id, by}, len(blob)); err != nil {
		return err
	}
	return c.one(ctx, request{op: opSlot, key: access{id, by}, blob: blob})
}

// ListMail returns the next blobs after a place, oldest first, none at the end.
func (c *Client) ListMail(ctx context.Context, id [24]byte, by [32]byte, after uint64) (list []Blob, err error) {
	_, err = c.do(ctx, []request{{op: opList, key: access{id, by}, after: after}}, func(body []byte) error {
		list, err = parseList(body, after)
		return err
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// DeleteMail removes blobs; those that are not there are no error.
func (c *Client) DeleteMail(ctx context.Context, id [24]byte, by [32]byte, places []uint64) error {
	var reqs []request
	for len(places) > 0 {
		n := min(len(places), MaxDelete)
		reqs = append(reqs, request{op: opDelete, key: access{id, by}, places: places[:n]})
		places = places[n:]
	}
	_, err := c.do(ctx, reqs, noBody)
	return err
}

// PublishBundle leaves a blob at a place that whoever knows the id may read, until
// a time, or for as long as a blob lives.
func (c *Client) PublishBundle(ctx context.Context, id [24]byte, blob []byte, until time.Time) error {
	return c.one(ctx, request{op: opPublish, key: access{id: id}, blob: blob, until: seconds(until)})
}

// ReadBundle reads it. ErrNotFound if there is none.
func (c *Client) ReadBundle(ctx context.Context, id [24]byte) (blob []byte, err error) {
	_, err = c.do(ctx, []request{{op: opRead, key: access{id: id}}}, func(body []byte) error {
		if len(body) == 0 || len(body) > MaxPublish {
			return fmt.Errorf("%w: page of %d bytes", ErrAnswer, len(body))
		}
		blob = body
		return nil
	})
	return blob, err
}

func (c *Client) one(ctx context.Context, r request) error {
	_, err := c.do(ctx, []request{r}, noBody)
	return err
}

func noBody(body []byte) error {
	if len(body) > 0 {
		return fmt.Errorf("%w: %d bytes behind it", ErrAnswer, len(body))
	}
	return nil
}

// do sends requests in order and returns how many were done, counted from the
// first; fewer than all only with an error. take gets what each of those was
// answered with.
func (c *Client) do(ctx context.Context, reqs []request, take func(body []byte) error) (done int, err error) {
	select {
	case <-c.turn:
		defer func() { c.turn <- struct{}{} }()
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	kept := c.s != nil
	done, err = c.attempt(ctx, reqs, take)
	if err != nil && kept && c.s == nil && done == 0 && ctx.Err() == nil && !final(err) {
		// The kept stream may have died unnoticed, while nothing was sent on it.
		done, err = c.attempt(ctx, reqs, take)
	}
	return done, err
}

// final tells an error that asking again would not change from a broken stream.
func final(err error) bool {
	for _, e := range []error{ErrRefused, ErrQuota, ErrNotFound, ErrBusy, ErrFailed, ErrAnswer, ErrLimit} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

func (c *Client) ready(ctx context.Context) error {
	if c.s != nil {
		return nil
	}
	s, err := c.stream(ctx)
	if err != nil {
		return err
	}
	c.s, c.r = s, bufio.NewReaderSize(s, readBuffer)
	return nil
}

func (c *Client) stream(ctx context.Context) (network.Stream, error) {
	s, err := c.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("mailbox: open a stream: %w", err)
	}
	if err := s.Scope().SetService(Service); err != nil {
		_ = s.Reset()
		return nil, fmt.Errorf("mailbox: attach to service: %w", err)
	}
	return s, nil
}

// attempt sends all requests over one stream. The stream is kept if every request
// that was sent was answered.
func (c *Client) attempt(ctx context.Context, reqs []request, take func([]byte) error) (done int, err error) {
	if err := c.ready(ctx); err != nil {
		return 0, err
	}
	s := c.s
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	x := exchange{s: s, r: c.r, w: bufio.NewWriterSize(s, writeBuffer), reqs: reqs, take: take}
	err = x.run()
	if !stop() && err == nil {
		err = ctx.Err() // the stream was reset behind the last answer
	}
	if err != nil {
		_ = s.Reset()
		c.s, c.r = nil, nil
		return x.done, fmt.Errorf("mailbox: %w", err)
	}
	return x.done, x.refused
}

// exchange is one pipeline of requests over a stream.
type exchange struct {
	s    network.Stream
	r    *bufio.Reader
	w    *bufio.Writer
	reqs []request
	take func([]byte) error

	sent, answered int
	inFlight       int    // bytes of what is sent and not answered
	done           int    // done before anything else was answered
	refused        error  // the first answer that was not done
	buf            []byte // one request
}

// run keeps the window full until all is answered, or something was not done and
// what was sent by then is answered. Its error means that the stream is of no more
// use.
func (x *exchange) run() error {
	for x.answered < x.sent || x.refused == nil && x.sent < len(x.reqs) {
		if x.refused == nil {
			if err := x.fill(); err != nil {
				return err
			}
		}
		if err := x.receive(); err != nil {
			return err
		}
	}
	return nil
}

// fill sends as many requests as the window allows.
func (x *exchange) fill() error {
	for from := x.sent; x.sent < len(x.reqs) && x.sent-x.answered < Window; x.sent++ {
		n := size(&x.reqs[x.sent])
		if x.sent > x.answered && x.inFlight+n > WindowBytes {
			break
		}
		x.inFlight += n
		if x.sent == from {
			if err := x.s.SetWriteDeadline(time.Now().Add(AnswerPatience + transferTime(WindowBytes))); err != nil {
				return fmt.Errorf("set deadline: %w", err)
			}
		}
		if err := x.send(&x.reqs[x.sent]); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	if err := x.w.Flush(); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

func (x *exchange) send(r *request) error {
	b, err := appendRequest(x.buf[:0], r)
	if err != nil {
		return err
	}
	x.buf = b
	return wire.BufferFrame(x.w, b)
}

// receive takes the answer to the oldest request.
func (x *exchange) receive() error {
	r := &x.reqs[x.answered]
	if err := x.patience(x.inFlight); err != nil {
		return err
	}
	answer, err := wire.ReadFrame(x.r, answerLimit(r.op), x.patience)
	if err != nil {
		return fmt.Errorf("answer: %w", unexpected(err))
	}
	x.inFlight -= size(r)
	x.answered++
	return x.judge(answer[0], answer[1:])
}

// judge notes what an answer means for the pipeline.
func (x *exchange) judge(code byte, body []byte) error {
	err := answerError(code)
	switch {
	case errors.Is(err, ErrAnswer), errors.Is(err, ErrBusy):
		return err
	case err != nil:
		if len(body) > 0 {
			return fmt.Errorf("%w: refusal with content", ErrAnswer)
		}
		if x.refused == nil {
			x.refused = err
		}
		return nil
	case x.refused != nil:
		return nil // behind something that was not done
	}
	if err := x.take(body); err != nil {
		return err
	}
	x.done++
	return nil
}

// patience sets the deadline for the next answer, with n bytes on their way.
func (x *exchange) patience(n int) error {
	if err := x.s.SetReadDeadline(time.Now().Add(AnswerPatience + transferTime(n))); err != nil {
		return fmt.Errorf("set deadline: %w", err)
	}
	return nil
}

// size is about what a request weighs, in bytes.
func size(r *request) int { return opSize + accessSize + len(r.blob) + placeSize*len(r.places) }

// answerLimit is the longest answer to a request, in bytes.
func answerLimit(o op) int {
	switch o {
	case opList:
		return maxAnswer
	case opRead:
		return 1 + MaxPublish
	default:
		return 1 + usageSize
	}
}

// transferTime is how long n bytes may take on the slowest link that is served.
func transferTime(n int) time.Duration { return time.Duration(n) * time.Second / wire.MinRate }

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
