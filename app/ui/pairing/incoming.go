package pairing

import (
	"context"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// Incoming opens the dialog by itself when somebody in this network asks to
// compare digits, wherever this person is in the app: both have the digits on
// their screens then. Each opens once; whoever closes it finds it again under
// "add a contact". Its methods belong to the UI thread.
type Incoming struct {
	env    parts.Env
	seen   map[string]bool
	dialog *Dialog
}

// NewIncoming waits for what Changed tells.
func NewIncoming(env parts.Env) *Incoming { return &Incoming{env: env, seen: map[string]bool{}} }

// Watch tells Changed of everything that happens, on the UI thread by show, until
// ctx ends or the events break off.
func (i *Incoming) Watch(ctx context.Context, show func(func())) error {
	sub, err := i.env.Client.Subscribe(ctx)
	if err != nil {
		return err
	}
	defer sub.Close()
	show(i.load)
	for {
		events, err := sub.Next(ctx)
		if err != nil {
			return err
		}
		show(func() { i.Changed(events) })
	}
}

// Changed is called with what happened in the core.
func (i *Incoming) Changed(events []event.Event) {
	if i.dialog != nil && !i.dialog.Closed() {
		i.dialog.Changed(events)
		return
	}
	for _, e := range events {
		if e.Kind == event.PairingChanged {
			i.load()
			return
		}
	}
}

func (i *Incoming) load() {
	if i.dialog != nil && !i.dialog.Closed() {
		i.dialog.load()
		return
	}
	i.env.Work(func(ctx context.Context) func() {
		all, err := i.env.Client.Pairings(ctx)
		if err != nil {
			return nil // the next event asks again
		}
		return func() { i.open(all) }
	})
}

func (i *Incoming) open(all []core.Pairing) {
	if i.dialog != nil && !i.dialog.Closed() {
		return
	}
	for _, p := range all {
		if p.Incoming && !p.Invitation && p.State == core.PairingCompare && !i.seen[p.ID] {
			i.seen[p.ID] = true
			i.dialog = Show(i.env, p)
			i.dialog.OnClosed = i.load // another one may wait
			return
		}
	}
}
