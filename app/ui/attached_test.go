package ui

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/uitest"
)

// TestFilesOfAMessage: a message names its files honestly, and its menu fetches,
// stops and saves them.
func TestFilesOfAMessage(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	if err := os.Mkdir(filepath.Join(home, "Downloads"), 0o700); err != nil {
		t.Fatal(err)
	}
	x := open(t, setup{}).talk(elli)
	m := x.u.conv.view.msgs[0]
	x.c.Change(func(k *uitest.Client) {
		msg := &k.Msgs[x.conv(elli)][0]
		msg.Text = ""
		for i, s := range []chat.FileState{chat.FileHere, chat.FileOffered, chat.FileWaiting, chat.FileDamaged} {
			a := chat.Attachment{Name: "Plan\u202efdp.exe", Size: 1_200_000, State: s}
			msg.Attachments = append(msg.Attachments, a)
			k.Infos[uitest.FileKey{Message: m.ID, Place: i}] = core.FileInfo{File: a}
		}
	}, event.Event{Kind: event.MessageChanged, Conversation: x.conv(elli), Message: m.ID})
	x.pump.run()
	said := strings.Join(uitest.Texts(x.w), " ")
	for _, want := range []string{"Datei: Plan\uFFFDfdp.exe (1,2 MB)", "noch nicht geholt", "wird geholt", "nicht die angekündigte Datei"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said: %q", want, said)
		}
	}
	if strings.Contains(said, "\u202e") {
		t.Error("a mark turns the name around")
	}
	for _, item := range x.u.conv.menuItems(x.u.conv.history.Items()[1]) {
		if strings.Contains(item.Label, "fdp.exe") {
			item.Action()
		}
	}
	x.pump.run()
	calls := strings.Join(x.c.Called(), "\n")
	for _, want := range []string{"SaveFile " + m.ID.String() + " 0 ", "FetchFile " + m.ID.String() + " 1", "PauseFile " + m.ID.String() + " 2", "FetchFile " + m.ID.String() + " 3"} {
		if !strings.Contains(calls, want) {
			t.Errorf("no %s in\n%s", want, calls)
		}
	}
	if !strings.Contains(calls, "Plan_fdp.exe") {
		t.Errorf("saved elsewhere:\n%s", calls)
	}
}
