package notify

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"

	"github.com/kuvert-im/kuvert/app/chat"
)

// daemon stands for the desktop's.
type daemon struct {
	next   uint32
	shown  []string // "replaces title body"
	closed []uint32
	err    error
}

func newBus(d *daemon, open func(chat.PersonID)) *bus {
	b := &bus{cfg: Config{Open: open, Log: slog.New(slog.DiscardHandler)}, jobs: make(chan func(), backlog), shown: map[uint32]chat.PersonID{}}
	b.notify = func(replaces uint32, title, body string) (uint32, error) {
		if d.err != nil {
			return 0, d.err
		}
		d.shown = append(d.shown, strings.Join([]string{string(rune('0' + replaces)), title, body}, "|"))
		if replaces != 0 {
			return replaces, nil
		}
		d.next++
		return d.next, nil
	}
	b.close = func(id uint32) { d.closed = append(d.closed, id) }
	return b
}

// do runs what the bus's goroutine would.
func do(b *bus) {
	for len(b.jobs) > 0 {
		(<-b.jobs)()
	}
}

var anna, ben = chat.PersonID{1}, chat.PersonID{2}

func TestReplaces(t *testing.T) {
	d := &daemon{}
	b := newBus(d, nil)
	b.Show(Note{Person: anna, Title: "Kuvert", Body: "eins"})
	b.Show(Note{Person: anna, Title: "Kuvert", Body: "zwei"})
	b.Show(Note{Person: ben, Title: "Kuvert", Body: "drei"})
	do(b)
	if want := []string{"0|Kuvert|eins", "1|Kuvert|zwei", "0|Kuvert|drei"}; !slices.Equal(d.shown, want) {
		t.Errorf("%q", d.shown)
	}
	b.Clear()
	do(b)
	slices.Sort(d.closed)
	if !slices.Equal(d.closed, []uint32{1, 2}) || len(b.shown) != 0 {
		t.Errorf("closed %v", d.closed)
	}
}

// TestMarkup: what somebody wrote is not markup, and not endless.
func TestMarkup(t *testing.T) {
	d := &daemon{}
	b := newBus(d, nil)
	b.markup = true
	b.Show(Note{Body: `<a href="http://x">&</a>`})
	b.Show(Note{Person: anna, Body: strings.Repeat("ä", 5000)})
	do(b)
	if strings.ContainsAny(d.shown[0], "<>\"") {
		t.Errorf("markup gets through: %q", d.shown[0])
	}
	if n := len([]rune(d.shown[1])); n > maxBody+10 {
		t.Errorf("%d characters", n)
	}
}

func TestPressed(t *testing.T) {
	var opened []chat.PersonID
	b := newBus(&daemon{}, func(id chat.PersonID) { opened = append(opened, id) })
	b.Show(Note{Person: anna})
	do(b)
	for _, s := range []*dbus.Signal{
		{Name: busName + ".ActionInvoked"},
		{Name: busName + ".ActionInvoked", Body: []any{"1", "default"}},
		{Name: busName + ".ActionInvoked", Body: []any{uint32(77), "default"}}, // another program's
		{Name: busName + ".ActionInvoked", Body: []any{uint32(1), "default"}},
		{Name: busName + ".NotificationClosed", Body: []any{uint32(1), uint32(2)}},
		{Name: busName + ".ActionInvoked", Body: []any{uint32(1), "default"}},
	} {
		b.signal(s)
	}
	if !slices.Equal(opened, []chat.PersonID{anna}) {
		t.Errorf("opened %v", opened)
	}
}

// TestNeverBlocks: a daemon that is stuck or fails holds nobody up.
func TestNeverBlocks(t *testing.T) {
	b := newBus(&daemon{err: errors.New("no")}, nil)
	for range 10 * backlog {
		b.Show(Note{Person: anna})
	}
	do(b)
	if len(b.shown) != 0 {
		t.Error("what was not shown counts as shown")
	}
}

// TestWithoutBus: a computer without a session bus has no notifications, and no
// trouble.
func TestWithoutBus(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
	n := New(Config{Log: slog.New(slog.DiscardHandler)})
	n.Show(Note{})
	n.Clear()
	n.Close()
	if trayPresent() {
		t.Error("there is a tray without a bus")
	}
}
