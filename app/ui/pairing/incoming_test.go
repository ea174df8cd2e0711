package pairing

import (
	"context"
	"errors"
	"testing"

	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/parts"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
)

func incoming(t *testing.T, all ...core.Pairing) (*uitest.Client, parts.Env, *Incoming) {
	c := uitest.New("Sabine")
	c.Compares = all
	env := uitest.Env(t, c, "de", 680, 400)
	env.Window.SetContent(parts.Body("unten"))
	return c, env, NewIncoming(env)
}

// TestIncomingOpensByItself, once, and one after the other.
func TestIncomingOpensByItself(t *testing.T) {
	_, env, in := incoming(t,
		core.Pairing{ID: "own", Name: "Own", Digits: "111111", State: core.PairingCompare},
		core.Pairing{ID: "invited", Name: "Invited", Digits: "222222", Incoming: true, Invitation: true, State: core.PairingCompare},
		core.Pairing{ID: "over", Name: "Over", Digits: "333333", Incoming: true, State: core.PairingRejected},
		core.Pairing{ID: "one", Name: "One", Digits: "444444", Incoming: true, State: core.PairingCompare},
		core.Pairing{ID: "two", Name: "Two", Digits: "555555", Incoming: true, State: core.PairingCompare},
	)
	in.Changed([]event.Event{{Kind: event.NearbyChanged}})
	if len(env.Window.Canvas().Overlays().List()) != 0 {
		t.Error("another event opens it")
	}
	in.Changed(changed)
	for _, digits := range []string{"444 444", "555 555"} {
		if !uitest.Says(env.Window, digits) {
			t.Errorf("does not say %s but %q", digits, uitest.Texts(env.Window))
		}
		uitest.Press(t, env.Window, "Später")
	}
	in.Changed(changed)
	if n := len(env.Window.Canvas().Overlays().List()); n != 0 {
		t.Error("what was closed opens again")
	}
}

// TestIncomingFollows: what happens on the other side shows in the open dialog.
func TestIncomingFollows(t *testing.T) {
	c, env, in := incoming(t, core.Pairing{ID: "one", Name: "One", Digits: "444444", Incoming: true, State: core.PairingCompare})
	in.Changed(changed)
	c.Change(func(c *uitest.Client) { c.Compares[0].State = core.PairingFailed })
	in.Changed(changed)
	if !uitest.Says(env.Window, "Verbindung abgebrochen") {
		t.Errorf("says %q", uitest.Texts(env.Window))
	}
}

// TestWatch: what is there at the start and what comes later both open, and the
// watching ends with its context.
func TestWatch(t *testing.T) {
	c, env, in := incoming(t, core.Pairing{ID: "one", Name: "One", Digits: "444444", Incoming: true, State: core.PairingCompare})
	ctx, cancel := context.WithCancel(t.Context())
	shows := make(chan func())
	ended := make(chan error, 1)
	go func() {
		ended <- in.Watch(ctx, func(f func()) {
			select {
			case shows <- f:
			case <-ctx.Done():
			}
		})
	}()
	(<-shows)()
	uitest.Press(t, env.Window, "Später")
	c.Change(func(c *uitest.Client) {
		c.Compares = append(c.Compares, core.Pairing{ID: "two", Name: "Two", Digits: "555555", Incoming: true, State: core.PairingCompare})
	}, changed...)
	(<-shows)()
	if !uitest.Says(env.Window, "555 555") {
		t.Errorf("says %q", uitest.Texts(env.Window))
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("ended with %v", err)
	}
}
