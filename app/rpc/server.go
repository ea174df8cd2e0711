package rpc

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/kuvert-im/kuvert/app/core"
)

// helloTimeout is how long a new connection may stay silent.
const helloTimeout = 10 * time.Second

// Server serves a core to other processes of this user.
type Server struct {
	Client core.Client
	Log    *slog.Logger
	// RequestWindow is called when another start asks this one to come to the
	// front; nil where there is no window.
	RequestWindow func()
}

// Serve answers connections on l until ctx ends, closes l and returns when every
// call has ended. The error is nil if ctx ended it.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	slots := make(chan struct{}, MaxConns)
	for {
		conn, err := l.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("rpc: accept: %w", err)
		}
		select {
		case slots <- struct{}{}:
		default:
			s.Log.Warn("local socket: too many connections")
			_ = conn.Close()
			continue
		}
		wg.Go(func() {
			defer func() { <-slots }()
			s.serve(ctx, conn)
		})
	}
}

// session is one connection.
type session struct {
	server *Server
	out    *writer
	wg     sync.WaitGroup

	mu    sync.Mutex
	calls map[uint32]context.CancelFunc
}

func (s *Server) serve(ctx context.Context, conn net.Conn) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	c := &session{server: s, out: newWriter(conn), calls: map[uint32]context.CancelFunc{}}
	defer c.wg.Wait()
	defer cancel()
	err := c.run(ctx, conn)
	if ctx.Err() == nil && !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
		s.Log.Warn("local socket: connection refused", "cause", err.Error())
	}
}

// run serves the connection until it ends, and tells why.
func (c *session) run(ctx context.Context, conn net.Conn) error {
	r := bufio.NewReader(conn)
	_ = conn.SetReadDeadline(time.Now().Add(helloTimeout))
	if err := c.greet(r); err != nil {
		return err
	}
	_ = conn.SetReadDeadline(time.Time{})
	for {
		f, err := readFrame(r)
		if err != nil {
			return err
		}
		if err := c.handle(ctx, f); err != nil {
			return err
		}
	}
}

// greet answers with our version even to another one, so that the other side can
// say what is wrong.
func (c *session) greet(r *bufio.Reader) error {
	f, err := readFrame(r)
	if err != nil {
		return err
	}
	var h hello
	if f.kind != kindHello || json.Unmarshal(f.payload, &h) != nil {
		return fmt.Errorf("no hello: %w", ErrBadCall)
	}
	if err := c.out.writeJSON(0, kindHello, hello{version}); err != nil {
		return err
	}
	if h.Version != version {
		return fmt.Errorf("version %d: %w", h.Version, ErrVersion)
	}
	return nil
}

func (c *session) handle(ctx context.Context, f frame) error {
	switch f.kind {
	case kindCancel:
		c.cancel(f.id)
		return nil
	case kindCall:
		return c.start(ctx, f)
	default:
		return fmt.Errorf("frame of kind %d: %w", f.kind, ErrBadCall)
	}
}

func (c *session) cancel(id uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cancel, ok := c.calls[id]; ok {
		cancel()
	}
}

// start runs a call in a goroutine of its own; the session waits for it.
func (c *session) start(ctx context.Context, f frame) error {
	var req call
	if err := json.Unmarshal(f.payload, &req); err != nil {
		return fmt.Errorf("%w: %w", ErrBadCall, err)
	}
	ctx, cancel := context.WithCancel(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, twice := c.calls[f.id]; twice {
		cancel()
		return fmt.Errorf("call number is in use: %w", ErrBadCall)
	}
	if len(c.calls) >= MaxCalls {
		cancel()
		return c.out.writeJSON(f.id, kindError, toWire(ErrBusy))
	}
	c.calls[f.id] = cancel
	c.wg.Go(func() {
		defer cancel()
		c.answer(ctx, f.id, req)
	})
	return nil
}

func (c *session) finish(id uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.calls, id)
}

// answer makes the call and sends what came of it. A failed write needs no
// report: the connection's reader notices the same.
func (c *session) answer(ctx context.Context, id uint32, req call) {
	result, err := c.invoke(ctx, id, req)
	var payload []byte
	if err == nil {
		payload, err = json.Marshal(result)
	}
	if err == nil && len(payload) > MaxAnswer {
		err = fmt.Errorf("answer of %d bytes: %w", len(payload), ErrTooLarge)
	}
	c.finish(id)
	if err != nil {
		_ = c.out.writeJSON(id, kindError, toWire(err))
		return
	}
	for len(payload) > MaxFrame {
		if c.out.write(frame{id: id, kind: kindPart, payload: payload[:MaxFrame]}) != nil {
			return
		}
		payload = payload[MaxFrame:]
	}
	_ = c.out.write(frame{id: id, kind: kindAnswer, payload: payload})
}

// invoke calls the method. A panic in one call must not end a running messenger:
// it is logged with its stack, and the caller is told.
func (c *session) invoke(ctx context.Context, id uint32, req call) (result any, err error) {
	defer func() {
		if p := recover(); p != nil {
			c.server.Log.Error("local socket: panic in a call", "method", req.Method, "stack", string(debug.Stack()))
			err = errors.New("internal error; the log says more")
		}
	}()
	switch req.Method {
	case subscribe:
		return nil, c.stream(ctx, id)
	case requestWindow:
		if c.server.RequestWindow != nil {
			c.server.RequestWindow()
		}
		return c.server.RequestWindow != nil, nil
	}
	m, ok := methods[req.Method]
	if !ok {
		return nil, fmt.Errorf("method %q: %w", req.Method, ErrBadCall)
	}
	return m(ctx, c.server.Client, req.Params)
}

// stream sends events until the subscription ends. A write that waits for a slow
// reader makes the core's own subscription coalesce. The empty batch at the
// beginning tells the caller that nothing is missed from now on.
func (c *session) stream(ctx context.Context, id uint32) error {
	sub, err := c.server.Client.Subscribe(ctx)
	if err != nil {
		return err
	}
	defer sub.Close()
	if err := c.out.writeJSON(id, kindEvents, []struct{}{}); err != nil {
		return err
	}
	for {
		events, err := sub.Next(ctx)
		if err != nil {
			return err
		}
		if err := c.out.writeJSON(id, kindEvents, events); err != nil {
			return err
		}
	}
}
