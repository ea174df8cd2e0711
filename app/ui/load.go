package ui

import (
	"context"
	"errors"
	"slices"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
)

// change is what the pump found out, for the screen to take over.
type change struct {
	all      bool // contacts and conversations replace what was there
	me       *core.Profile
	settings map[string]string
	network  *core.Network
	backup   *core.BackupStatus
	contacts []chat.Contact
	gone     []chat.PersonID // are no contacts any more
	convs    []chat.Conversation
	waiting  *waiting // who waits for this person
	view     *view
	added    []chat.ConversationID // got new messages
	events   []event.Event
	window   bool // another start asks for the window
	err      error
}

// loader asks the core. It belongs to the pump's lane of questions.
type loader struct {
	client core.Client
	me     chat.PersonID
	open   *timeline // of the conversation on screen, nil for none
}

// many is how many changed conversations or contacts are asked for one by one.
const many = 20

// load finds out what the screen must know after events; nil asks for everything.
func (l *loader) load(ctx context.Context, events []event.Event) change {
	c := change{events: events}
	n := need(events)
	steps := []func(context.Context, *change, needs) error{
		l.loadMe, l.loadSettings, l.loadNetwork, l.loadBackup, l.loadContacts, l.loadConversations, l.loadWaiting, l.loadTimeline,
	}
	for _, step := range steps {
		if err := step(ctx, &c, n); err != nil {
			c.err = errors.Join(c.err, err)
		}
	}
	return c
}

// needs is what events put out of date.
type needs struct {
	all                                     bool
	settings, network, waiting, allContacts bool
	backup                                  bool
	contacts                                []chat.PersonID
	convs                                   []chat.ConversationID
	added                                   []chat.ConversationID
	events                                  []event.Event
	window                                  bool
}

func need(events []event.Event) needs {
	n := needs{all: len(events) == 0, events: events}
	for _, e := range events {
		n.one(e)
	}
	return n
}

func (n *needs) one(e event.Event) {
	switch e.Kind {
	case event.MessageAdded:
		n.convs = appendNew(n.convs, e.Conversation)
		n.added = appendNew(n.added, e.Conversation)
		n.network = true
	case event.MessageChanged:
		n.convs = appendNew(n.convs, e.Conversation)
		n.network = true
	case event.ConversationChanged:
		n.convs = appendNew(n.convs, e.Conversation)
	case event.ContactChanged:
		if e.Contact.IsZero() {
			n.allContacts = true
			return
		}
		n.contacts = appendNew(n.contacts, e.Contact)
	case event.NetworkChanged, event.TroubleChanged, event.NodeChanged:
		n.network = true
	case event.RequestChanged, event.PairingChanged:
		n.waiting = true
	case event.SettingsChanged:
		n.settings, n.network = true, true
	case event.WindowRequested:
		n.window = true
	case event.BackupChanged:
		n.backup = true
	case event.InvitationChanged, event.NearbyChanged, event.FileChanged: // a file's state is a message's
	}
}

func appendNew[T comparable](s []T, v T) []T {
	var zero T
	if v == zero || slices.Contains(s, v) {
		return s
	}
	return append(s, v)
}

func (l *loader) loadMe(ctx context.Context, c *change, n needs) error {
	c.window = n.window
	if !n.all && !n.settings {
		return nil
	}
	me, err := l.client.Whoami(ctx)
	if err != nil {
		return err
	}
	c.me, l.me = &me, me.ID
	return nil
}

func (l *loader) loadSettings(ctx context.Context, c *change, n needs) (err error) {
	if n.all || n.settings {
		c.settings, err = l.client.Settings(ctx)
	}
	return err
}

func (l *loader) loadNetwork(ctx context.Context, c *change, n needs) error {
	if !n.all && !n.network {
		return nil
	}
	net, err := l.client.Network(ctx)
	if err == nil {
		c.network = &net
	}
	return err
}

func (l *loader) loadBackup(ctx context.Context, c *change, n needs) error {
	if !n.all && !n.backup {
		return nil
	}
	st, err := l.client.BackupStatus(ctx)
	if err == nil {
		c.backup = &st
	}
	return err
}

func (l *loader) loadContacts(ctx context.Context, c *change, n needs) (err error) {
	if n.all || n.allContacts || len(n.contacts) > many {
		c.all = n.all
		c.contacts, err = l.client.Contacts(ctx)
		return err
	}
	for _, id := range n.contacts {
		p, err := l.client.Contact(ctx, id)
		if errors.Is(err, chat.ErrNotFound) {
			c.gone = append(c.gone, id)
			continue
		}
		if err != nil {
			return err
		}
		c.contacts = append(c.contacts, p)
	}
	return nil
}

func (l *loader) loadConversations(ctx context.Context, c *change, n needs) (err error) {
	c.added = n.added
	if n.all || len(n.convs) > many {
		c.convs, err = l.client.Conversations(ctx)
		return err
	}
	for _, id := range n.convs {
		v, err := l.client.Conversation(ctx, id)
		if errors.Is(err, chat.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		c.convs = append(c.convs, v)
	}
	return nil
}

func (l *loader) loadWaiting(ctx context.Context, c *change, n needs) error {
	if !n.all && !n.waiting {
		return nil
	}
	requests, err := l.client.Requests(ctx)
	if err != nil {
		return err
	}
	pairings, err := l.client.Pairings(ctx)
	if err != nil {
		return err
	}
	w := waiting{asking: len(requests)}
	for _, p := range pairings {
		switch {
		case p.Invitation:
			w.comparing++
		case p.Incoming && (p.State == core.PairingCompare || p.State == core.PairingWaiting):
			w.asking++
		case p.State == core.PairingCompare:
			w.joining++
		}
	}
	c.waiting = &w
	return nil
}

// waiting says who waits for this person.
type waiting struct {
	asking    int // to become a contact
	joining   int // people this person asked, for the six digits to be compared
	comparing int // new contacts, for the six digits to be compared
}

func (l *loader) loadTimeline(ctx context.Context, c *change, n needs) error {
	if l.open == nil {
		return nil
	}
	changed, err := l.open.changed(ctx, n.events)
	if err == nil && changed {
		c.view = l.open.view()
	}
	return err
}
