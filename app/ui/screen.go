package ui

import (
	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// Screen is something that the main window shows in place of the conversation,
// under a header of its own with a title and a way back.
type Screen interface {
	Title() string
	Object() fyne.CanvasObject
	// Update is called on the UI thread when something changed that the core
	// knows; an empty slice means that everything may have.
	Update(events []event.Event)
	// Close is called on the UI thread when the screen is left.
	Close()
}

// Nav is how a screen leads elsewhere. Its methods must be called on the UI
// thread.
type Nav interface {
	// Back leaves the screen.
	Back()
	// ShowConversation opens the conversation with a person and puts the cursor
	// into its composer.
	ShowConversation(id chat.PersonID)
	ShowAddContact()
	ShowContact(id chat.PersonID)
	ShowSettings()
}

// Screens makes the screens that the main window opens. All are set.
type Screens struct {
	AddContact func(parts.Env, Nav) Screen
	Contact    func(parts.Env, Nav, chat.PersonID) Screen
	Settings   func(parts.Env, Nav) Screen
}
