package rpc

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
)

// Client is a core.Client whose core runs in another process.
type Client struct {
	conn net.Conn
	out  *writer
	done chan struct{} // closed when the reader has ended

	mu      sync.Mutex
	next    uint32
	pending map[uint32]pending
	err     error // why the connection ended
}

var _ core.Client = (*Client)(nil)

// pending takes what arrives for one call. Both methods are called by the reader
// alone and never block.
type pending interface {
	take(f frame) (finished bool)
	fail(err error)
}

// NewClient greets the other side on conn and takes conn over. ctx bounds the
// greeting alone.
func NewClient(ctx context.Context, conn net.Conn) (*Client, error) {
	c := &Client{conn: conn, out: newWriter(conn), done: make(chan struct{}), pending: map[uint32]pending{}}
	r := bufio.NewReader(conn)
	if err := c.greet(ctx, r); err != nil {
		_ = conn.Close()
		return nil, err
	}
	go c.read(r)
	return c, nil
}

func (c *Client) greet(ctx context.Context, r *bufio.Reader) error {
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if err := c.out.writeJSON(0, kindHello, hello{version}); err != nil {
		return errors.Join(ErrClosed, ctx.Err(), err)
	}
	f, err := readFrame(r)
	if err != nil {
		return errors.Join(ErrClosed, ctx.Err(), err)
	}
	var h hello
	if f.kind != kindHello || json.Unmarshal(f.payload, &h) != nil || h.Version != version {
		return ErrVersion
	}
	return nil
}

// Close ends the connection and every call on it.
func (c *Client) Close() error {
	err := c.conn.Close()
	<-c.done
	return err
}

// Done is closed when the connection has ended, here or there.
func (c *Client) Done() <-chan struct{} { return c.done }

func (c *Client) read(r *bufio.Reader) {
	defer close(c.done)
	var err error
	for err == nil {
		var f frame
		if f, err = readFrame(r); err == nil {
			c.dispatch(f)
		}
	}
	_ = c.conn.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = fmt.Errorf("%w: %w", ErrClosed, err)
	for id, p := range c.pending {
		delete(c.pending, id)
		p.fail(c.err)
	}
}

func (c *Client) dispatch(f frame) {
	c.mu.Lock()
	p := c.pending[f.id]
	c.mu.Unlock()
	if p != nil && p.take(f) {
		c.forget(f.id)
	}
}

func (c *Client) forget(id uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, id)
}

// start sends a call; what arrives for it goes to p.
func (c *Client) start(method string, p pending, params ...any) (uint32, error) {
	req := call{Method: method, Params: make([]json.RawMessage, len(params))}
	for i, v := range params {
		raw, err := json.Marshal(v)
		if err != nil {
			return 0, fmt.Errorf("rpc: %s: %w", method, err)
		}
		req.Params[i] = raw
	}
	id, err := c.register(p)
	if err != nil {
		return 0, err
	}
	if err := c.out.writeJSON(id, kindCall, req); err != nil {
		c.forget(id)
		if errors.Is(err, ErrTooLarge) {
			return 0, err
		}
		return 0, fmt.Errorf("%w: %w", ErrClosed, err)
	}
	return id, nil
}

// register gives p a number that no call under way has.
func (c *Client) register(p pending) (uint32, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return 0, c.err
	}
	for used := true; used; _, used = c.pending[c.next] {
		c.next++
	}
	c.pending[c.next] = p
	return c.next, nil
}

// abandon tells the other side that nobody waits any longer. The answer that may
// still come is dropped.
func (c *Client) abandon(id uint32) {
	c.forget(id)
	_ = c.out.write(frame{id: id, kind: kindCancel})
}

// waiting is a call with one answer.
type waiting struct {
	parts  []byte
	answer chan []byte // 1
	failed chan error  // 1
}

func (w *waiting) take(f frame) bool {
	switch f.kind {
	case kindPart, kindAnswer:
		if len(w.parts)+len(f.payload) > MaxAnswer {
			w.fail(ErrTooLarge)
			return true
		}
		w.parts = append(w.parts, f.payload...)
		if f.kind == kindAnswer {
			w.answer <- w.parts
		}
		return f.kind == kindAnswer
	default:
		w.fail(frameError(f))
		return true
	}
}

func (w *waiting) fail(err error) { w.failed <- err }

// frameError is the error that a frame tells, or that it is.
func frameError(f frame) error {
	var we wireError
	if f.kind != kindError || json.Unmarshal(f.payload, &we) != nil {
		return fmt.Errorf("answer of kind %d: %w", f.kind, ErrBadCall)
	}
	return fromWire(we)
}

// ask makes a call and decodes its answer.
func ask[R any](ctx context.Context, c *Client, method string, params ...any) (R, error) {
	var result R
	if err := ctx.Err(); err != nil {
		return result, err
	}
	w := &waiting{answer: make(chan []byte, 1), failed: make(chan error, 1)}
	id, err := c.start(method, w, params...)
	if err != nil {
		return result, err
	}
	select {
	case payload := <-w.answer:
		if err := json.Unmarshal(payload, &result); err != nil {
			return result, fmt.Errorf("rpc: answer to %s: %w", method, err)
		}
		return result, nil
	case err := <-w.failed:
		return result, err
	case <-ctx.Done():
		c.abandon(id)
		return result, ctx.Err()
	}
}

func tell(ctx context.Context, c *Client, method string, params ...any) error {
	_, err := ask[any](ctx, c, method, params...)
	return err
}

// Subscribe implements core.Events.
func (c *Client) Subscribe(ctx context.Context) (core.Subscription, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := &subscription{client: c, ready: make(chan struct{})}
	s.sub = s.bus.Subscribe()
	s.life, s.end = context.WithCancelCause(context.Background())
	id, err := c.start(subscribe, s)
	if err != nil {
		return nil, err
	}
	s.id = id
	select {
	case <-s.ready:
		s.stop = context.AfterFunc(ctx, s.Close)
		return s, nil
	case <-s.life.Done():
		return nil, s.cause()
	case <-ctx.Done():
		s.Close()
		return nil, ctx.Err()
	}
}

// subscription coalesces on this side: the reader publishes into a bus of its
// own and never waits for the subscriber.
type subscription struct {
	client *Client
	id     uint32
	bus    event.Bus
	sub    *event.Subscription
	stop   func() bool

	life context.Context // ends when the stream does, with its cause
	end  context.CancelCauseFunc

	started sync.Once
	ready   chan struct{}
}

func (s *subscription) take(f frame) bool {
	if f.kind != kindEvents {
		s.end(frameError(f))
		return true
	}
	var events []event.Event
	if err := json.Unmarshal(f.payload, &events); err != nil {
		s.end(fmt.Errorf("rpc: events: %w", err))
		return true
	}
	s.bus.Publish(events...)
	s.started.Do(func() { close(s.ready) })
	return false
}

func (s *subscription) fail(err error) { s.end(err) }

// cause is why the stream ended.
func (s *subscription) cause() error { return context.Cause(s.life) }

// Next implements core.Subscription. What arrived before the stream ended is
// delivered first.
func (s *subscription) Next(ctx context.Context) ([]event.Event, error) {
	both, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(s.life, cancel) //nolint:contextcheck // the stream's life is not the caller's
	defer stop()
	events, err := s.sub.Next(both)
	if err == nil || ctx.Err() != nil {
		return events, err
	}
	return nil, s.cause()
}

// Close implements core.Subscription.
func (s *subscription) Close() {
	if s.stop != nil {
		s.stop()
	}
	if s.life.Err() == nil {
		s.client.abandon(s.id)
	}
	s.end(ErrClosed)
	s.sub.Close()
}

// RequestWindow asks the running instance to show its window. shown is false if
// it has none.
func (c *Client) RequestWindow(ctx context.Context) (shown bool, err error) {
	return ask[bool](ctx, c, requestWindow)
}

// The methods of core.Client.

func (c *Client) Whoami(ctx context.Context) (core.Profile, error) {
	return ask[core.Profile](ctx, c, "Whoami")
}

func (c *Client) Settings(ctx context.Context) (map[string]string, error) {
	return ask[map[string]string](ctx, c, "Settings")
}

func (c *Client) SetSetting(ctx context.Context, key, value string) error {
	return tell(ctx, c, "SetSetting", key, value)
}

func (c *Client) Network(ctx context.Context) (core.Network, error) {
	return ask[core.Network](ctx, c, "Network")
}

func (c *Client) Contacts(ctx context.Context) ([]chat.Contact, error) {
	return ask[[]chat.Contact](ctx, c, "Contacts")
}

func (c *Client) Contact(ctx context.Context, id chat.PersonID) (chat.Contact, error) {
	return ask[chat.Contact](ctx, c, "Contact", id)
}

func (c *Client) Rename(ctx context.Context, id chat.PersonID, alias string) error {
	return tell(ctx, c, "Rename", id, alias)
}

func (c *Client) Safety(ctx context.Context, id chat.PersonID) (core.Safety, error) {
	return ask[core.Safety](ctx, c, "Safety", id)
}

func (c *Client) Verify(ctx context.Context, id chat.PersonID) error {
	return tell(ctx, c, "Verify", id)
}

func (c *Client) SetBlocked(ctx context.Context, id chat.PersonID, blocked bool) error {
	return tell(ctx, c, "SetBlocked", id, blocked)
}

func (c *Client) Requests(ctx context.Context) ([]chat.Request, error) {
	return ask[[]chat.Request](ctx, c, "Requests")
}

func (c *Client) AnswerRequest(ctx context.Context, id chat.PersonID, accept bool) error {
	return tell(ctx, c, "AnswerRequest", id, accept)
}

func (c *Client) Conversations(ctx context.Context) ([]chat.Conversation, error) {
	return ask[[]chat.Conversation](ctx, c, "Conversations")
}

func (c *Client) Conversation(ctx context.Context, id chat.ConversationID) (chat.Conversation, error) {
	return ask[chat.Conversation](ctx, c, "Conversation", id)
}

func (c *Client) Messages(ctx context.Context, q chat.MessageQuery) ([]chat.Message, error) {
	return ask[[]chat.Message](ctx, c, "Messages", q)
}

func (c *Client) Message(ctx context.Context, id chat.MessageID) (chat.Message, error) {
	return ask[chat.Message](ctx, c, "Message", id)
}

func (c *Client) Send(ctx context.Context, conversation chat.ConversationID, out core.Outgoing) (chat.MessageID, error) {
	return ask[chat.MessageID](ctx, c, "Send", conversation, out)
}

func (c *Client) Resend(ctx context.Context, id chat.MessageID) error {
	return tell(ctx, c, "Resend", id)
}

func (c *Client) MarkRead(ctx context.Context, conversation chat.ConversationID, seq uint64) error {
	return tell(ctx, c, "MarkRead", conversation, seq)
}

func (c *Client) SaveDraft(ctx context.Context, conversation chat.ConversationID, text string) error {
	return tell(ctx, c, "SaveDraft", conversation, text)
}

func (c *Client) Delivery(ctx context.Context, id chat.MessageID) (core.Delivery, error) {
	return ask[core.Delivery](ctx, c, "Delivery", id)
}

// Search implements core.Searching.
func (c *Client) Search(ctx context.Context, q chat.SearchQuery) (chat.SearchPage, error) {
	return ask[chat.SearchPage](ctx, c, "Search", q)
}

func (c *Client) Invite(ctx context.Context, life time.Duration) (core.IssuedInvitation, error) {
	return ask[core.IssuedInvitation](ctx, c, "Invite", life)
}

func (c *Client) Issued(ctx context.Context) ([]core.IssuedInvitation, error) {
	return ask[[]core.IssuedInvitation](ctx, c, "Issued")
}

func (c *Client) Revoke(ctx context.Context, id string) error {
	return tell(ctx, c, "Revoke", id)
}

func (c *Client) Inspect(ctx context.Context, code string) (core.InvitationInfo, error) {
	return ask[core.InvitationInfo](ctx, c, "Inspect", code)
}

func (c *Client) Accept(ctx context.Context, code string, scanned bool) (core.Accepted, error) {
	return ask[core.Accepted](ctx, c, "Accept", code, scanned)
}

func (c *Client) Nearby(ctx context.Context) ([]core.Nearby, error) {
	return ask[[]core.Nearby](ctx, c, "Nearby")
}

func (c *Client) Pair(ctx context.Context, nearby string) (core.Pairing, error) {
	return ask[core.Pairing](ctx, c, "Pair", nearby)
}

func (c *Client) Pairings(ctx context.Context) ([]core.Pairing, error) {
	return ask[[]core.Pairing](ctx, c, "Pairings")
}

func (c *Client) Confirm(ctx context.Context, id string, same bool) error {
	return tell(ctx, c, "Confirm", id, same)
}

// Nodes implements core.Nodes.
func (c *Client) Nodes(ctx context.Context) ([]core.NodeInfo, error) {
	return ask[[]core.NodeInfo](ctx, c, "Nodes")
}

// AddNode implements core.Nodes.
func (c *Client) AddNode(ctx context.Context, link string) (core.NodeInfo, error) {
	return ask[core.NodeInfo](ctx, c, "AddNode", link)
}

// RemoveNode implements core.Nodes.
func (c *Client) RemoveNode(ctx context.Context, id string) error {
	return tell(ctx, c, "RemoveNode", id)
}

// Contacted implements core.Insight.
func (c *Client) Contacted(ctx context.Context) ([]core.Contacted, error) {
	return ask[[]core.Contacted](ctx, c, "Contacted")
}

// Diagnose implements core.Insight.
func (c *Client) Diagnose(ctx context.Context) ([]core.Check, error) {
	return ask[[]core.Check](ctx, c, "Diagnose")
}

// KeptMail implements core.Insight.
func (c *Client) KeptMail(ctx context.Context) (core.KeptMail, error) {
	return ask[core.KeptMail](ctx, c, "KeptMail")
}
