package mailbox

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/kuvert-im/kuvert/p2p/wire"
)

const (
	// batchBuffer in bytes is what a stream reads ahead: the PUTs that are whole in
	// it share one commit.
	batchBuffer = 32 << 10
	// streamMemory is what a stream holds besides its requests, in bytes.
	streamMemory = batchBuffer + 8<<10
	// maxUnproven in bytes is the longest request of somebody who has shown neither a
	// valid token nor a valid capability (see proveOver) that is taken like any other;
	// all longer ones together may hold one unprovenShare-th of Limits.Memory.
	maxUnproven   = 2 * proveOver
	unprovenShare = 4
	// storePatience is how long the store may take for one request.
	storePatience = 20 * time.Second
	// lengthSize is the size of the length in front of each frame.
	lengthSize = 4
)

var (
	// errMemory: all streams together hold as much as they may.
	errMemory = errors.New("mailbox: no memory left")
	// errOver: the client has ended the stream, or wants nothing any more.
	errOver = errors.New("mailbox: stream is over")
)

// session is one stream at the server. One goroutine has it.
type session struct {
	server   *Server
	stream   network.Stream
	peer     peer.ID
	addr     netip.Addr
	r        *bufio.Reader
	held     int  // bytes reserved for what is under way
	unproven int  // of these, as a stranger: see reserveRequest
	proven   bool // a token or a capability fitted
	over     bool // too many did not: the stream ends
}

// serve reads a request, or PUTs that arrived together, answers, and goes on.
func (c *session) serve(ctx context.Context) error {
	for !c.over {
		first, err := c.next()
		switch {
		case errors.Is(err, errOver):
			return nil
		case errors.Is(err, errMemory):
			return c.write(frameOf(AnswerBusy))
		case err != nil:
			return err
		}
		if first.op == opWatch {
			return c.watch(ctx, first.keys)
		}
		answers, err := c.handle(ctx, first)
		if err != nil {
			return err
		}
		if err := c.write(answers); err != nil {
			return err
		}
		c.release()
	}
	return nil
}

func (c *session) handle(ctx context.Context, first request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	if first.op != opPut {
		return c.answer(ctx, &first), nil
	}
	blobs, err := c.batch(first)
	if err != nil {
		return nil, err
	}
	return c.put(ctx, first.key, blobs), nil
}

// next waits for a request and reads it. errOver if none comes any more, errMemory
// if there is no room for it.
func (c *session) next() (request, error) {
	if c.r.Buffered() == 0 {
		if err := c.stream.SetReadDeadline(time.Now().Add(c.server.limits.Idle)); err != nil {
			return request{}, fmt.Errorf("mailbox: set deadline: %w", err)
		}
		if _, err := c.r.Peek(1); errors.Is(err, io.EOF) || isTimeout(err) {
			return request{}, errOver
		} else if err != nil {
			return request{}, fmt.Errorf("mailbox: wait for a request: %w", err)
		}
	}
	if err := c.patience(0); err != nil {
		return request{}, err
	}
	frame, err := wire.ReadFrame(c.r, maxRequest, c.reserveRequest)
	if err != nil {
		return request{}, fmt.Errorf("mailbox: request: %w", unexpected(err))
	}
	return parseRequest(frame)
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// patience sets the deadline for the rest of a request of n bytes.
func (c *session) patience(n int) error {
	d := c.server.limits.Request
	if c.proven {
		d += transferTime(n)
	}
	if err := c.stream.SetReadDeadline(time.Now().Add(d)); err != nil {
		return fmt.Errorf("mailbox: set deadline: %w", err)
	}
	return nil
}

// reserveRequest is reserve for a request. The long ones of strangers share a part
// of the memory: with some that never end they must not hold up everybody else's.
func (c *session) reserveRequest(n int) error {
	_, granted := c.server.grants.of(c.peer)
	if n <= maxUnproven || c.proven || granted {
		return c.reserve(n)
	}
	if c.server.unproven.Add(int64(n)) > c.server.limits.Memory/unprovenShare {
		c.server.unproven.Add(int64(-n))
		return errMemory
	}
	c.unproven += n
	return c.reserve(n)
}

// reserve asks for memory before it is allocated.
func (c *session) reserve(n int) error {
	if err := c.patience(n); err != nil {
		return err
	}
	if c.server.memory.Add(int64(n)) > c.server.limits.Memory {
		c.server.memory.Add(int64(-n))
		return errMemory
	}
	if err := c.stream.Scope().ReserveMemory(n, network.ReservationPriorityMedium); err != nil {
		c.server.memory.Add(int64(-n))
		return errMemory
	}
	c.held += n
	return nil
}

// release gives back what was reserved.
func (c *session) release() {
	c.stream.Scope().ReleaseMemory(c.held)
	c.server.memory.Add(int64(-c.held))
	c.server.unproven.Add(int64(-c.unproven))
	c.held, c.unproven = 0, 0
}

// batch returns the blobs of a PUT and of those behind it into the same queue that
// have arrived whole: one commit covers them.
func (c *session) batch(first request) ([][]byte, error) {
	blobs := [][]byte{first.blob}
	if len(first.blob) == 0 {
		return nil, nil
	}
	for len(blobs) < Window && c.morePuts(first.key) {
		r, err := c.next()
		if errors.Is(err, errMemory) {
			c.over = true // its bytes are still to come, and nobody will read them
			break
		}
		if err != nil {
			return nil, err
		}
		blobs = append(blobs, r.blob)
	}
	return blobs, nil
}

// morePuts tells whether a whole PUT with content into the same queue was read
// ahead.
func (c *session) morePuts(key access) bool {
	const head = lengthSize + opSize + accessSize
	if c.r.Buffered() <= head {
		return false
	}
	b, err := c.r.Peek(head)
	if err != nil {
		return false
	}
	n := binary.BigEndian.Uint32(b)
	want := append([]byte{byte(opPut)}, key.id[:]...)
	want = append(want, key.by[:]...)
	return n > opSize+accessSize && n <= maxRequest && c.r.Buffered() >= lengthSize+int(n) && string(b[lengthSize:]) == string(want)
}

// put stores blobs and answers each.
func (c *session) put(ctx context.Context, key access, blobs [][]byte) []byte {
	queue, taken, fresh, err := c.server.store.Put(ctx, key.id, key.by, blobs)
	if fresh {
		c.server.watches.wake(queue)
	}
	if len(blobs) == 0 {
		return frameOf(c.code(err))
	}
	var answers []byte
	for range min(taken, len(blobs)) {
		answers = append(answers, frameOf(AnswerDone)...)
	}
	if taken > 0 {
		c.proven = true
	}
	if taken < len(blobs) {
		refusal := frameOf(c.refusal(err))
		for range len(blobs) - taken {
			answers = append(answers, refusal...)
		}
	}
	return answers
}

// refusal is code for what was not done, even should the store not say why.
func (c *session) refusal(err error) byte {
	if err == nil {
		return AnswerFailed
	}
	return c.code(err)
}

// answer does any other request but a WATCH.
func (c *session) answer(ctx context.Context, r *request) []byte {
	store, k := c.server.store, r.key
	switch r.op {
	case opAuth:
		return c.auth(ctx, r.token)
	case opUsage, opMake, opPublish:
		return c.authorised(ctx, r)
	case opDrop:
		return frameOf(c.code(store.Drop(ctx, k.id, k.by)))
	case opSlot:
		queue, fresh, err := store.Slot(ctx, k.id, k.by, r.blob)
		if fresh {
			c.server.watches.wake(queue)
		}
		return frameOf(c.code(err))
	case opList:
		return c.list(ctx, r)
	case opDelete:
		return frameOf(c.code(store.Delete(ctx, k.id, k.by, r.places)))
	case opRead:
		blob, err := store.Read(ctx, k.id)
		return frameOf(c.code(err), blob...)
	default:
		return frameOf(AnswerFailed)
	}
}

func (c *session) auth(ctx context.Context, token [32]byte) []byte {
	account, err := c.server.store.Auth(ctx, token)
	if code := c.code(err); code != AnswerDone {
		return frameOf(code)
	}
	c.server.grants.put(c.stream.Conn(), account)
	return c.usage(ctx, account)
}

// authorised does what takes a proven token.
func (c *session) authorised(ctx context.Context, r *request) []byte {
	account, ok := c.server.grants.use(c.stream.Conn())
	if !ok {
		return frameOf(c.code(errNotProven))
	}
	store := c.server.store
	switch r.op {
	case opMake:
		return frameOf(c.code(store.Make(ctx, account, r.key.id, r.key.by, r.send.id, r.send.by, timeOf(r.until))))
	case opPublish:
		return frameOf(c.code(store.Publish(ctx, account, r.key.id, r.blob, timeOf(r.until))))
	default:
		return c.usage(ctx, account)
	}
}

func (c *session) usage(ctx context.Context, account int64) []byte {
	used, quota, err := c.server.store.Usage(ctx, account)
	if code := c.code(err); code != AnswerDone {
		if code == AnswerRefused {
			c.server.grants.drop(c.peer)
		}
		return frameOf(code)
	}
	return frameOf(AnswerDone, appendUsage(nil, Usage{used, quota, c.server.relay.Load()})...)
}

// list reads a page; few streams do so at once, since a page is long.
func (c *session) list(ctx context.Context, r *request) []byte {
	select {
	case c.server.lists <- struct{}{}:
		defer func() { <-c.server.lists }()
	case <-ctx.Done():
		return frameOf(AnswerFailed)
	}
	places, blobs, err := c.server.store.List(ctx, r.key.id, r.key.by, r.after, MaxPage, MaxPageBytes-entryHead*MaxPage)
	if code := c.code(err); code != AnswerDone {
		return frameOf(code)
	}
	n := lengthSize + 1
	for _, b := range blobs {
		n += entryHead + len(b)
	}
	if c.reserve(n) != nil {
		c.over = true
		return frameOf(AnswerBusy)
	}
	answer := append(make([]byte, 0, n), 0, 0, 0, 0, AnswerDone)
	for i := range blobs {
		answer = appendEntry(answer, places[i], blobs[i])
	}
	binary.BigEndian.PutUint32(answer, uint32(len(answer)-lengthSize))
	return answer
}

// denied is an error of a store that says what to answer.
type denied interface {
	error
	Answer() byte
}

// notProven: no token was proven on this connection.
type notProven struct{}

func (notProven) Error() string { return "mailbox: no token was proven" }
func (notProven) Answer() byte  { return AnswerRefused }

var errNotProven error = notProven{}

// code is the answer to what became of a request. It counts what did not fit.
func (c *session) code(err error) byte {
	if err == nil {
		c.proven = true
		return AnswerDone
	}
	var d denied
	if !errors.As(err, &d) {
		return AnswerFailed
	}
	code := d.Answer()
	if code == AnswerRefused || code == AnswerNotFound {
		c.failed()
	}
	return code
}

// failed counts a token, capability or id that did not fit.
func (c *session) failed() {
	if _, granted := c.server.grants.of(c.peer); granted {
		return
	}
	if !c.server.failures.Allow(c.addr) {
		c.over = true
	}
}

// frameOf is an answer with its length in front.
func frameOf(code byte, body ...byte) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, lengthSize+1+len(body)), uint32(1+len(body)))
	return append(append(b, code), body...)
}

// write sends answers.
func (c *session) write(answers []byte) error {
	if err := c.stream.SetWriteDeadline(time.Now().Add(wire.Patience + transferTime(len(answers)))); err != nil {
		return fmt.Errorf("mailbox: set deadline: %w", err)
	}
	if _, err := c.stream.Write(answers); err != nil {
		return fmt.Errorf("mailbox: answer: %w", err)
	}
	return nil
}
