// Package event carries what happened from the core to whoever shows it.
//
// Events carry ids, not data: an event says that something is out of date, and
// the subscriber asks again. That is why they may be coalesced: a subscriber
// that is slow gets each distinct event once, in the order in which each first
// occurred since it last looked, and never loses one. The bus never blocks a
// publisher.
package event

import (
	"context"
	"sync"

	"github.com/kuvert-im/kuvert/app/chat"
)

// Kind is what changed.
type Kind string

// The kinds of event. A subscriber ignores those it does not know.
const (
	MessageAdded        Kind = "message_added"
	MessageChanged      Kind = "message_changed"
	ConversationChanged Kind = "conversation_changed" // counters, draft, title
	ContactChanged      Kind = "contact_changed"
	RequestChanged      Kind = "request_changed"
	InvitationChanged   Kind = "invitation_changed"
	PairingChanged      Kind = "pairing_changed"
	NearbyChanged       Kind = "nearby_changed"
	NetworkChanged      Kind = "network_changed"
	SettingsChanged     Kind = "settings_changed"
	NodeChanged         Kind = "node_changed"     // nodes, or how it stands with one
	TroubleChanged      Kind = "trouble_changed"  // disk full, database damaged …
	BackupChanged       Kind = "backup_changed"   // a backup began or ended, or how it stands with backups
	FileChanged         Kind = "file_changed"     // a file of a message, or how far it has come
	WindowRequested     Kind = "window_requested" // a second start asks this one to come to the front
)

// Event names what changed.
type Event struct {
	Kind         Kind                `json:"event"`
	Conversation chat.ConversationID `json:"conversation"`
	Message      chat.MessageID      `json:"id"`
	Contact      chat.PersonID       `json:"contact"`
}

// Bus hands events to subscribers. The zero value is ready; safe for concurrent
// use.
type Bus struct {
	mu   sync.Mutex
	subs map[*Subscription]struct{}
}

// Publish hands events to every subscriber. It never blocks.
func (b *Bus) Publish(events ...Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for s := range b.subs {
		s.add(events)
	}
}

// Subscribe starts a subscription; the caller must Close it.
func (b *Bus) Subscribe() *Subscription {
	s := &Subscription{bus: b, wake: make(chan struct{}, 1), has: map[Event]struct{}{}}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.subs == nil {
		b.subs = map[*Subscription]struct{}{}
	}
	b.subs[s] = struct{}{}
	return s
}

// Subscription is one subscriber's view of the bus.
type Subscription struct {
	bus  *Bus
	wake chan struct{}

	mu      sync.Mutex
	pending []Event
	has     map[Event]struct{}
}

func (s *Subscription) add(events []Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		if _, dup := s.has[e]; dup {
			continue
		}
		s.has[e] = struct{}{}
		s.pending = append(s.pending, e)
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Next waits for events and returns all that are pending, each once. The only
// error is ctx's.
func (s *Subscription) Next(ctx context.Context) ([]Event, error) {
	for {
		s.mu.Lock()
		if out := s.pending; len(out) > 0 {
			s.pending = nil
			clear(s.has)
			s.mu.Unlock()
			return out, nil
		}
		s.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-s.wake:
		}
	}
}

// Close ends the subscription.
func (s *Subscription) Close() {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	delete(s.bus.subs, s)
}
