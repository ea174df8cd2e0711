package ui

import (
	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// Screen is something that the main window shows in place of the conversation or
// beside it, under a header with its title and a way back. Its methods are called
// on the UI thread. It may also have the methods of shower, hider, focuser and
// dropper.
type Screen interface {
	Title() string
	Object() fyne.CanvasObject
	// Changed is called with what happened in the core.
	Changed(events []event.Event)
}

type (
	// shower is told each time the screen comes to the front.
	shower interface{ Show() }
	// hider is told when the screen is left.
	hider interface{ Hide() }
	// focuser puts the keyboard where the screen wants it.
	focuser interface{ Focus() }
	// dropper takes what is dragged into the window.
	dropper interface{ Dropped(items []fyne.URI) }
	// revealer scrolls to one of its sections.
	revealer interface{ Reveal(section string) }
	// offered takes in an invitation that was met on another screen.
	offered interface{ Offer(code string) }
	// mailboxed takes in the access link of a mailbox that was met on another one.
	mailboxed interface{ OfferMailbox(link string) }
)

// Screens makes the screens that the main window opens. What they lead to is in
// the window's own methods: ShowConversation, ShowAddContact, ShowContact,
// ShowSettings, ShowDoctor, ShowContacted, ShowRights, ShowMailbox, ShowInvitation, Back.
type Screens struct {
	AddContact func(parts.Env) Screen
	Contact    func(parts.Env, chat.PersonID) Screen
	Settings   func(parts.Env) Screen
	Doctor     func(parts.Env) Screen
	Contacted  func(parts.Env) Screen
	Rights     func(parts.Env) Screen
	// Moved is what covers the window of a profile that has moved to another computer,
	// until read; nil shows nothing.
	Moved func(e parts.Env, status core.BackupStatus, read func()) MovedScreen
}

// MovedScreen is what Screens.Moved makes.
type MovedScreen interface {
	Object() fyne.CanvasObject
	Focus()
	Changed(events []event.Event)
	SetStatus(status core.BackupStatus)
}
