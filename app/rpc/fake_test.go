package rpc

import (
	"context"
	"math/rand/v2"
	"reflect"
	"sync"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
)

// fakeCore records each call and answers it with a value filled at random, or
// with an error.
type fakeCore struct {
	bus event.Bus

	mu     sync.Mutex
	rng    *rand.Rand
	method string
	args   []any
	answer any
	err    error
	hook   func(ctx context.Context) error // replaces err
	fixed  any                             // replaces the random answer
}

var _ core.Client = (*fakeCore)(nil)

func newFake() *fakeCore { return &fakeCore{rng: rand.New(rand.NewPCG(1, 2))} }

func (f *fakeCore) note(ctx context.Context, method string, args ...any) error {
	f.mu.Lock()
	f.method, f.args, f.answer = method, args, nil
	err, hook := f.err, f.hook
	f.mu.Unlock()
	if hook != nil {
		return hook(ctx)
	}
	return err
}

func reply[R any](f *fakeCore, ctx context.Context, method string, args ...any) (R, error) {
	var r R
	if err := f.note(ctx, method, args...); err != nil {
		return r, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if fixed, ok := f.fixed.(R); ok {
		return fixed, nil
	}
	fill(f.rng, reflect.ValueOf(&r).Elem())
	f.answer = r
	return r, nil
}

// fill sets every field that travels, however deep, to a random value that is
// not zero.
func fill(rng *rand.Rand, v reflect.Value) {
	switch v.Interface().(type) {
	case time.Time:
		v.Set(reflect.ValueOf(time.UnixMilli(1 + rng.Int64N(4e12)).UTC()))
		return
	case chat.State:
		v.Set(reflect.ValueOf(chat.State(1 + rng.IntN(6))))
		return
	case chat.FileState:
		v.Set(reflect.ValueOf(chat.FileState(1 + rng.IntN(7))))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int64:
		v.SetInt(1 + rng.Int64N(100))
	case reflect.Uint8, reflect.Uint64:
		v.SetUint(1 + rng.Uint64N(200))
	case reflect.String:
		v.SetString([]string{"Grüße", "<b>&\"\\\x00\u2028", "🙂"}[rng.IntN(3)])
	case reflect.Array:
		for i := range v.Len() {
			fill(rng, v.Index(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range 3 {
			fill(rng, v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, val := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(rng, key)
		fill(rng, val)
		v.SetMapIndex(key, val)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(rng, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("json") != "-" {
				fill(rng, v.Field(i))
			}
		}
	default:
		panic("fill: " + v.Type().String())
	}
}

func (f *fakeCore) Whoami(ctx context.Context) (core.Profile, error) {
	return reply[core.Profile](f, ctx, "Whoami")
}

func (f *fakeCore) Settings(ctx context.Context) (map[string]string, error) {
	return reply[map[string]string](f, ctx, "Settings")
}

func (f *fakeCore) SetSetting(ctx context.Context, k, v string) error {
	return f.note(ctx, "SetSetting", k, v)
}

func (f *fakeCore) Network(ctx context.Context) (core.Network, error) {
	return reply[core.Network](f, ctx, "Network")
}

func (f *fakeCore) Contacts(ctx context.Context) ([]chat.Contact, error) {
	return reply[[]chat.Contact](f, ctx, "Contacts")
}

func (f *fakeCore) Contact(ctx context.Context, id chat.PersonID) (chat.Contact, error) {
	return reply[chat.Contact](f, ctx, "Contact", id)
}

func (f *fakeCore) Rename(ctx context.Context, id chat.PersonID, alias string) error {
	return f.note(ctx, "Rename", id, alias)
}

func (f *fakeCore) Safety(ctx context.Context, id chat.PersonID) (core.Safety, error) {
	return reply[core.Safety](f, ctx, "Safety", id)
}

func (f *fakeCore) Verify(ctx context.Context, id chat.PersonID) error {
	return f.note(ctx, "Verify", id)
}

func (f *fakeCore) SetBlocked(ctx context.Context, id chat.PersonID, b bool) error {
	return f.note(ctx, "SetBlocked", id, b)
}

func (f *fakeCore) Requests(ctx context.Context) ([]chat.Request, error) {
	return reply[[]chat.Request](f, ctx, "Requests")
}

func (f *fakeCore) AnswerRequest(ctx context.Context, id chat.PersonID, ok bool) error {
	return f.note(ctx, "AnswerRequest", id, ok)
}

func (f *fakeCore) Conversations(ctx context.Context) ([]chat.Conversation, error) {
	return reply[[]chat.Conversation](f, ctx, "Conversations")
}

func (f *fakeCore) Conversation(ctx context.Context, id chat.ConversationID) (chat.Conversation, error) {
	return reply[chat.Conversation](f, ctx, "Conversation", id)
}

func (f *fakeCore) Messages(ctx context.Context, q chat.MessageQuery) ([]chat.Message, error) {
	return reply[[]chat.Message](f, ctx, "Messages", q)
}

func (f *fakeCore) Message(ctx context.Context, id chat.MessageID) (chat.Message, error) {
	return reply[chat.Message](f, ctx, "Message", id)
}

func (f *fakeCore) Send(ctx context.Context, id chat.ConversationID, out core.Outgoing) (chat.MessageID, error) {
	return reply[chat.MessageID](f, ctx, "Send", id, out)
}

func (f *fakeCore) Resend(ctx context.Context, id chat.MessageID) error {
	return f.note(ctx, "Resend", id)
}

func (f *fakeCore) MarkRead(ctx context.Context, id chat.ConversationID, seq uint64) error {
	return f.note(ctx, "MarkRead", id, seq)
}

func (f *fakeCore) SaveDraft(ctx context.Context, id chat.ConversationID, text string) error {
	return f.note(ctx, "SaveDraft", id, text)
}

func (f *fakeCore) Delivery(ctx context.Context, id chat.MessageID) (core.Delivery, error) {
	return reply[core.Delivery](f, ctx, "Delivery", id)
}

func (f *fakeCore) Search(ctx context.Context, q chat.SearchQuery) (chat.SearchPage, error) {
	return reply[chat.SearchPage](f, ctx, "Search", q)
}

func (f *fakeCore) Invite(ctx context.Context, life time.Duration) (core.IssuedInvitation, error) {
	return reply[core.IssuedInvitation](f, ctx, "Invite", life)
}

func (f *fakeCore) Issued(ctx context.Context) ([]core.IssuedInvitation, error) {
	return reply[[]core.IssuedInvitation](f, ctx, "Issued")
}

func (f *fakeCore) Revoke(ctx context.Context, id string) error { return f.note(ctx, "Revoke", id) }

func (f *fakeCore) Inspect(ctx context.Context, code string) (core.InvitationInfo, error) {
	return reply[core.InvitationInfo](f, ctx, "Inspect", code)
}

func (f *fakeCore) Accept(ctx context.Context, code string, scanned bool) (core.Accepted, error) {
	return reply[core.Accepted](f, ctx, "Accept", code, scanned)
}

func (f *fakeCore) Nearby(ctx context.Context) ([]core.Nearby, error) {
	return reply[[]core.Nearby](f, ctx, "Nearby")
}

func (f *fakeCore) Pair(ctx context.Context, nearby string) (core.Pairing, error) {
	return reply[core.Pairing](f, ctx, "Pair", nearby)
}

func (f *fakeCore) Pairings(ctx context.Context) ([]core.Pairing, error) {
	return reply[[]core.Pairing](f, ctx, "Pairings")
}

func (f *fakeCore) Confirm(ctx context.Context, id string, same bool) error {
	return f.note(ctx, "Confirm", id, same)
}

func (f *fakeCore) Subscribe(ctx context.Context) (core.Subscription, error) {
	if err := f.note(ctx, "Subscribe"); err != nil {
		return nil, err
	}
	return f.bus.Subscribe(), nil
}

func (f *fakeCore) Nodes(ctx context.Context) ([]core.NodeInfo, error) {
	return reply[[]core.NodeInfo](f, ctx, "Nodes")
}

func (f *fakeCore) AddNode(ctx context.Context, link string) (core.NodeInfo, error) {
	return reply[core.NodeInfo](f, ctx, "AddNode", link)
}

func (f *fakeCore) RemoveNode(ctx context.Context, id string) error {
	return f.note(ctx, "RemoveNode", id)
}

func (f *fakeCore) Contacted(ctx context.Context) ([]core.Contacted, error) {
	return reply[[]core.Contacted](f, ctx, "Contacted")
}

func (f *fakeCore) Diagnose(ctx context.Context) ([]core.Check, error) {
	return reply[[]core.Check](f, ctx, "Diagnose")
}

func (f *fakeCore) KeptMail(ctx context.Context) (core.KeptMail, error) {
	return reply[core.KeptMail](f, ctx, "KeptMail")
}
