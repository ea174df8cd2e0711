package rpc

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
)

// patience bounds what must happen at once; it is no measure.
const patience = 30 * time.Second

type world struct {
	core   *fakeCore
	addr   string
	stop   func()       // ends the server
	server <-chan error // what Serve returned
}

func newWorld(t *testing.T) *world {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	w := &world{core: newFake(), addr: l.Addr().String(), stop: cancel}
	done := make(chan error, 1)
	w.server = done
	s := &Server{Client: w.core, Log: slog.New(slog.DiscardHandler)}
	ended := make(chan struct{})
	go func() { defer close(ended); done <- s.Serve(ctx, l) }()
	t.Cleanup(func() { cancel(); <-ended })
	return w
}

func (w *world) raw(t *testing.T) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", w.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn
}

func (w *world) client(t *testing.T) *Client {
	t.Helper()
	conn := w.raw(t)
	_ = conn.SetDeadline(time.Time{})
	c, err := NewClient(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// TestEveryMethod calls every method of core.Client through the socket with
// random parameters, and compares what arrives there and here. A method that is
// added to core.Client and forgotten here fails it.
func TestEveryMethod(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	iface := reflect.TypeFor[core.Client]()
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range iface.NumMethod() {
		name := iface.Method(i).Name
		if name == subscribe {
			continue
		}
		if _, ok := methods[name]; !ok {
			t.Errorf("%s is missing in methods", name)
			continue
		}
		m := reflect.ValueOf(c).MethodByName(name)
		in := []reflect.Value{reflect.ValueOf(t.Context())}
		var args []any
		for j := 1; j < m.Type().NumIn(); j++ {
			v := reflect.New(m.Type().In(j)).Elem()
			fill(rng, v)
			in, args = append(in, v), append(args, v.Interface())
		}
		out := m.Call(in)
		if err, _ := out[len(out)-1].Interface().(error); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if w.core.method != name || !reflect.DeepEqual(w.core.args, args) {
			t.Errorf("%s%v arrived as %s%v", name, args, w.core.method, w.core.args)
		}
		if len(out) == 2 && !reflect.DeepEqual(out[0].Interface(), w.core.answer) {
			t.Errorf("%s answered %v, received %v", name, w.core.answer, out[0])
		}
	}
	if want := iface.NumMethod() - 1; len(methods) != want {
		t.Errorf("%d methods in the table, %d in core.Client", len(methods), want)
	}
}

func TestErrorsKeepTheirIdentity(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	for code, sentinel := range sentinels {
		w.core.err = fmt.Errorf("core: contact: %w", sentinel)
		_, err := c.Contacts(t.Context())
		if !errors.Is(err, sentinel) || err.Error() != w.core.err.Error() {
			t.Errorf("%s: %v became %v", code, w.core.err, err)
		}
		for other, s := range sentinels {
			if other != code && errors.Is(err, s) {
				t.Errorf("%s became %s as well", code, other)
			}
		}
	}
	w.core.err = errors.Join(chat.ErrCorrupt, chat.ErrNotFound)
	err := c.Verify(t.Context(), chat.PersonID{1})
	if !errors.Is(err, chat.ErrCorrupt) || !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("two sentinels became %v", err)
	}
}

// TestEverySentinel reads app/chat, so that a new error cannot be forgotten.
func TestEverySentinel(t *testing.T) {
	have := map[string]bool{}
	for _, s := range sentinels {
		have[s.Error()] = true
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("..", "chat", "chat.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || !strings.HasPrefix(v.Names[0].Name, "Err") {
			return true
		}
		found++
		text := v.Values[0].(*ast.CallExpr).Args[0].(*ast.BasicLit).Value
		if !have[strings.Trim(text, `"`)] {
			t.Errorf("chat.%s has no code", v.Names[0].Name)
		}
		return true
	})
	if found < 20 {
		t.Fatalf("only %d errors found", found)
	}
}

func TestCancelReachesTheCore(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	entered, left := make(chan struct{}), make(chan struct{})
	w.core.hook = func(ctx context.Context) error {
		close(entered)
		<-ctx.Done()
		close(left)
		return ctx.Err()
	}
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-entered; cancel() }()
	if _, err := c.Contacts(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled call: %v", err)
	}
	<-left
	w.core.mu.Lock()
	w.core.hook = nil
	w.core.mu.Unlock()
	if _, err := c.Contacts(t.Context()); err != nil {
		t.Fatalf("after a cancelled call: %v", err)
	}
}

func TestManyCallsAtATime(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	gate := make(chan struct{})
	started := make(chan struct{}, 2*MaxCalls)
	w.core.hook = func(context.Context) error { started <- struct{}{}; <-gate; return nil }
	results := make(chan error, MaxCalls)
	for range MaxCalls {
		go func() { _, err := c.Whoami(t.Context()); results <- err }()
	}
	for range MaxCalls {
		<-started
	}
	if _, err := c.Whoami(t.Context()); !errors.Is(err, ErrBusy) {
		t.Errorf("one call too many: %v", err)
	}
	close(gate)
	for range MaxCalls {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
}

func TestLongAnswer(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	page := make([]chat.Message, 200)
	for i := range page {
		page[i] = chat.Message{ID: chat.MessageID{byte(i)}, State: chat.Received, Text: strings.Repeat("ü", chat.MaxTextSize/2)}
	}
	w.core.fixed = page
	got, err := c.Messages(t.Context(), chat.MessageQuery{Limit: 200})
	if err != nil || !reflect.DeepEqual(got, page) {
		t.Fatalf("%d messages, %v", len(got), err)
	}
	w.core.fixed = []chat.Message{{State: chat.Received, Text: strings.Repeat("x", MaxAnswer)}}
	if _, err := c.Messages(t.Context(), chat.MessageQuery{}); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("an endless answer: %v", err)
	}
	if err := c.SaveDraft(t.Context(), chat.ConversationID{}, strings.Repeat("x", MaxFrame)); !errors.Is(err, ErrTooLarge) {
		t.Fatalf("an endless call: %v", err)
	}
	if _, err := c.Whoami(t.Context()); err != nil {
		t.Fatalf("after that: %v", err)
	}
}

func publish(b *event.Bus, n int) {
	for i := range n {
		e := event.Event{Kind: event.MessageChanged}
		binary.BigEndian.PutUint64(e.Message[:], uint64(i))
		b.Publish(e)
	}
}

// TestSlowSubscriber lets a subscriber look away while a hundred thousand events
// happen, a thousand of them distinct.
func TestSlowSubscriber(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	sub, err := c.Subscribe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	for range 100 {
		publish(&w.core.bus, 1000)
		if _, err := c.Whoami(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.core.bus.Publish(event.Event{Kind: event.NetworkChanged})
	seen, total := map[event.Event]bool{}, 0
	for !seen[event.Event{Kind: event.NetworkChanged}] {
		events, err := sub.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		total += len(events)
		for _, e := range events {
			seen[e] = true
		}
	}
	if len(seen) != 1001 {
		t.Errorf("%d distinct events of 1001", len(seen))
	}
	if total > 20_000 {
		t.Errorf("%d events were not coalesced", total)
	}
}

// TestStoppedSubscriber never reads its socket: the core and other connections
// must not wait for it.
func TestStoppedSubscriber(t *testing.T) {
	w := newWorld(t)
	conn := w.raw(t)
	out := newWriter(conn)
	must(t, out.writeJSON(0, kindHello, hello{version}))
	must(t, out.writeJSON(1, kindCall, call{Method: subscribe}))
	r := bufio.NewReader(conn)
	for range 2 { // hello, and the sign that the subscription stands
		if _, err := readFrame(r); err != nil {
			t.Fatal(err)
		}
	}
	c := w.client(t)
	for range 50 {
		publish(&w.core.bus, 5000)
		if _, err := c.Whoami(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	w.stop()
	if err := <-w.server; err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSubscriptionEnds(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	ctx, cancel := context.WithCancel(t.Context())
	sub, err := c.Subscribe(ctx)
	must(t, err)
	publish(&w.core.bus, 1)
	if events, err := sub.Next(t.Context()); err != nil || len(events) != 1 {
		t.Fatalf("%v, %v", events, err)
	}
	short, stop := context.WithCancel(t.Context())
	stop()
	if _, err := sub.Next(short); !errors.Is(err, context.Canceled) {
		t.Fatalf("Next with an ended context: %v", err)
	}
	cancel()
	if _, err := sub.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Fatalf("Next after the subscription's context ended: %v", err)
	}
	sub.Close()
	w.core.err = chat.ErrNoProfile
	if _, err := c.Subscribe(t.Context()); !errors.Is(err, chat.ErrNoProfile) {
		t.Fatalf("refused subscription: %v", err)
	}
}

func TestServerEnds(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	sub, err := c.Subscribe(t.Context())
	must(t, err)
	entered := make(chan struct{})
	w.core.hook = func(ctx context.Context) error { close(entered); <-ctx.Done(); return ctx.Err() }
	result := make(chan error, 1)
	go func() { _, err := c.Whoami(t.Context()); result <- err }()
	<-entered
	w.stop()
	if err := <-w.server; err != nil {
		t.Fatalf("Serve: %v", err)
	}
	if err := <-result; !errors.Is(err, ErrClosed) && !errors.Is(err, context.Canceled) {
		t.Errorf("call under way: %v", err)
	}
	<-c.Done()
	for err == nil {
		_, err = sub.Next(t.Context())
	}
	if !errors.Is(err, ErrClosed) && !errors.Is(err, context.Canceled) {
		t.Errorf("subscription: %v", err)
	}
	if _, err := c.Whoami(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("later call: %v", err)
	}
}

func TestPanicIsContained(t *testing.T) {
	w := newWorld(t)
	c := w.client(t)
	w.core.hook = func(context.Context) error { panic("boom") }
	if _, err := c.Whoami(t.Context()); err == nil || strings.Contains(err.Error(), "boom") {
		t.Fatalf("panic became %v", err)
	}
	w.core.hook = nil
	if _, err := c.Whoami(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func encodeFrame(id uint32, k kind, payload string) string {
	var b strings.Builder
	_ = newWriter(&b).write(frame{id: id, kind: k, payload: []byte(payload)})
	return b.String()
}

var greeting = encodeFrame(0, kindHello, `{"version":1}`)

// TestHostile sends what no client of ours sends. Each connection must end, or
// be told of an error, and an honest client must still be served.
func TestHostile(t *testing.T) {
	w := newWorld(t)
	honest := w.client(t)
	for name, c := range map[string]struct {
		bytes string
		wants kind // of the frame that comes back; 0: none but the greeting
	}{
		"nothing":              {"", 0},
		"http":                 {"GET / HTTP/1.1\r\n\r\n", 0},
		"endless length":       {greeting + "\xff\xff\xff\xff\x00\x00\x00\x01\x02", 0},
		"endless first length": {"\xff\xff\xff\xff\x00\x00\x00\x00\x01", 0},
		"half a frame":         {greeting + "\x00\x00\x00\x09\x00\x00\x00\x01\x02{", 0},
		"no json":              {greeting + encodeFrame(1, kindCall, "hello"), 0},
		"an answer":            {greeting + encodeFrame(1, kindAnswer, "{}"), 0},
		"kind 0":               {greeting + encodeFrame(1, 0, "{}"), 0},
		"other version":        {encodeFrame(0, kindHello, `{"version":99}`), 0},
		"unknown method":       {greeting + encodeFrame(1, kindCall, `{"method":"Delete"}`), kindError},
		"no parameters":        {greeting + encodeFrame(1, kindCall, `{"method":"Contact"}`), kindError},
		"too many parameters":  {greeting + encodeFrame(1, kindCall, `{"method":"Whoami","params":[1]}`), kindError},
		"wrong parameter":      {greeting + encodeFrame(1, kindCall, `{"method":"Contact","params":[{"a":1}]}`), kindError},
		"bad id":               {greeting + encodeFrame(1, kindCall, `{"method":"Contact","params":["zz"]}`), kindError},
		"unknown field":        {greeting + encodeFrame(1, kindCall, `{"method":"Messages","params":[{"x":1}]}`), kindError},
		"cancel of nothing":    {greeting + encodeFrame(7, kindCancel, "") + encodeFrame(1, kindCall, `{"method":"x"}`), kindError},
	} {
		conn := w.raw(t)
		_, err := io.WriteString(conn, c.bytes)
		must(t, err)
		if c.wants == 0 {
			must(t, conn.(*net.UnixConn).CloseWrite())
		}
		var last kind
		for r := bufio.NewReader(conn); last == 0; {
			f, err := readFrame(r)
			if err != nil {
				break
			}
			if f.kind != kindHello {
				last = f.kind
			}
		}
		if last != c.wants {
			t.Errorf("%s: last frame back is of kind %d, not %d", name, last, c.wants)
		}
		if _, err := honest.Whoami(t.Context()); err != nil {
			t.Fatalf("%s: honest client: %v", name, err)
		}
	}
}

func TestTwoCallsOfOneNumber(t *testing.T) {
	w := newWorld(t)
	entered := make(chan struct{}, 2)
	w.core.hook = func(ctx context.Context) error { entered <- struct{}{}; <-ctx.Done(); return ctx.Err() }
	conn := w.raw(t)
	_, err := io.WriteString(conn, greeting+encodeFrame(1, kindCall, `{"method":"Whoami"}`))
	must(t, err)
	<-entered
	_, err = io.WriteString(conn, encodeFrame(1, kindCall, `{"method":"Whoami"}`))
	must(t, err)
	if _, err := io.ReadAll(conn); err != nil { // ends: the connection was closed
		t.Fatal(err)
	}
}

func TestTooManyConnections(t *testing.T) {
	w := newWorld(t)
	for range MaxConns {
		w.client(t)
	}
	if _, err := NewClient(t.Context(), w.raw(t)); err == nil {
		t.Error("one connection too many was served")
	}
}

// TestImpostor greets from a server that is none.
func TestImpostor(t *testing.T) {
	for name, c := range map[string]struct {
		answer string
		want   error
	}{
		"silence and end": {"", ErrClosed},
		"other version":   {encodeFrame(0, kindHello, `{"version":2}`), ErrVersion},
		"http":            {"HTTP/1.1 400 Bad Request\r\n\r\n", ErrClosed},
	} {
		here, there := net.Pipe()
		go func() {
			defer there.Close()
			_, _ = readFrame(bufio.NewReader(there))
			_, _ = io.WriteString(there, c.answer)
		}()
		if _, err := NewClient(t.Context(), here); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	here, there := net.Pipe()
	defer there.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := NewClient(ctx, here); !errors.Is(err, context.Canceled) {
		t.Errorf("greeting without an answer: %v", err)
	}
}

func TestRequestWindow(t *testing.T) {
	w := newWorld(t)
	if shown, err := w.client(t).RequestWindow(t.Context()); shown || err != nil {
		t.Errorf("without a window: %v, %v", shown, err)
	}
}

func FuzzServer(f *testing.F) {
	f.Add([]byte(greeting + encodeFrame(1, kindCall, `{"method":"Contact","params":["zz"]}`)))
	f.Add([]byte(greeting + encodeFrame(1, kindCall, `{"method":"Subscribe"}`) + encodeFrame(1, kindCancel, "")))
	f.Add([]byte("\xff\xff\xff\xff\x00\x00\x00\x01\x02"))
	s := &Server{Client: newFake(), Log: slog.New(slog.DiscardHandler)}
	f.Fuzz(func(t *testing.T, in []byte) {
		here, there := net.Pipe()
		ended := make(chan struct{})
		go func() { defer close(ended); s.serve(t.Context(), there) }()
		go func() { _, _ = io.Copy(io.Discard, here) }()
		_, _ = here.Write(in)
		_ = here.Close()
		<-ended
	})
}

func TestWireErrorFromElsewhere(t *testing.T) {
	err := frameError(frame{kind: kindError, payload: []byte(`{"message":"m","codes":["not_found","of the future"]}`)})
	if !errors.Is(err, chat.ErrNotFound) || err.Error() != "m" {
		t.Errorf("%v", err)
	}
	if err := frameError(frame{kind: kindError, payload: []byte(`nonsense`)}); !errors.Is(err, ErrBadCall) {
		t.Errorf("%v", err)
	}
	raw, _ := json.Marshal(toWire(os.ErrExist))
	if string(raw) != `{"message":"file already exists","codes":null}` {
		t.Errorf("%s", raw)
	}
}
