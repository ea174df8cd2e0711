package core

import (
	"context"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
)

// Client is everything a screen, the command line or a script may ask of a
// running Kuvert. *Core implements it in the process that holds the profile,
// rpc.Client in every other. Errors wrap the sentinels of app/chat. All methods
// are safe for concurrent use.
type Client interface {
	Profiles
	Contacts
	Conversations
	Files
	Searching
	Invitations
	Pairings
	Nodes
	Insight
	Backups
	Rights
	Lifetimes
	Events
}

// Profiles is about this person and this installation.
type Profiles interface {
	Whoami(ctx context.Context) (Profile, error)
	// Settings returns every setting with its present value.
	Settings(ctx context.Context) (map[string]string, error)
	// SetSetting changes one; chat.ErrUnsupported for an unknown key or value.
	SetSetting(ctx context.Context, key, value string) error
	Network(ctx context.Context) (Network, error)
}

// Profile is who I am.
type Profile struct {
	ID   chat.PersonID `json:"id"`
	Name string        `json:"name"`
}

// The settings' keys. Values are text; booleans are "true" and "false".
const (
	SettingName          = "name"           // my own name, told to contacts
	SettingNetwork       = "network"        // NetworkLAN or NetworkInternet
	SettingLanguage      = "language"       // "de", "en", or "" for the system's
	SettingTheme         = "theme"          // "light", "dark", or "" for the system's
	SettingVisible       = "visible"        // bool: others in this network see my name
	SettingNotify        = "notify"         // bool: notifications
	SettingNotifyContent = "notify_content" // bool: with name and text
	SettingReadReceipts  = "read_receipts"  // bool: others see that I have read
	SettingKeepMail      = "keep_mail"      // bool: this computer keeps its contacts' mail
	// SettingFileLimit is up to which size files come by themselves, in MiB; 0: none.
	// SettingFileQuota is how much room files may take before they come only when
	// asked for, in MiB; 0: no bound.
	SettingFileLimit = "file_limit"
	SettingFileQuota = "file_quota"
	// SettingPhotoData: bool: photos are sent without what does not show (place,
	// time, camera).
	SettingPhotoData = "remove_photo_data"
	// SettingTryAddrs lists addresses and ranges of further networks of the office
	// where others are looked for, separated by spaces or commas.
	SettingTryAddrs = "try_addresses"
	// SettingLockAfter is after how many idle minutes the window locks: "5", "15",
	// "60", or "" for never. A profile without a passphrase never does.
	SettingLockAfter = "lock_after"
)

// Values of SettingNetwork.
const (
	NetworkLAN      = "lan"
	NetworkInternet = "internet"
)

// Network is what the app knows about its own reachability.
type Network struct {
	Mode    string   `json:"mode"`    // NetworkLAN or NetworkInternet
	Online  bool     `json:"online"`  // this computer has a usable network
	Port    int      `json:"port"`    // the port others reach this computer at
	Addrs   []string `json:"addrs"`   // own addresses as IP:port
	Trouble string   `json:"trouble"` // "", or one of the Trouble values
	Waiting int      `json:"waiting"` // messages not yet taken over by the other side
}

// Values of Network.Trouble.
const (
	TroubleDiskFull  = "disk_full"
	TroubleDatabase  = "database"
	TroubleNoNetwork = "no_network"
	TroublePort      = "port_taken"   // the usual port was taken; another is in use
	TroubleMulticast = "no_multicast" // others in this network may not be found by themselves
)

// Contacts is about people.
type Contacts interface {
	Contacts(ctx context.Context) ([]chat.Contact, error)
	Contact(ctx context.Context, id chat.PersonID) (chat.Contact, error)
	// Rename gives a contact a name of my own; "" returns to theirs.
	Rename(ctx context.Context, id chat.PersonID, alias string) error
	Safety(ctx context.Context, id chat.PersonID) (Safety, error)
	// Verify records that this person compared the safety numbers.
	Verify(ctx context.Context, id chat.PersonID) error
	// Block and Unblock: a blocked person's messages are refused, and nothing
	// shows them that they are.
	SetBlocked(ctx context.Context, id chat.PersonID, blocked bool) error
	Requests(ctx context.Context) ([]chat.Request, error)
	AnswerRequest(ctx context.Context, id chat.PersonID, accept bool) error
}

// Safety is what two people compare.
type Safety struct {
	Number   string `json:"number"` // 60 digits in 12 groups of 5, the same on both sides
	Verified bool   `json:"verified"`
}

// Conversations is about messages.
type Conversations interface {
	Conversations(ctx context.Context) ([]chat.Conversation, error)
	Conversation(ctx context.Context, id chat.ConversationID) (chat.Conversation, error)
	Messages(ctx context.Context, q chat.MessageQuery) ([]chat.Message, error)
	Message(ctx context.Context, id chat.MessageID) (chat.Message, error)
	// Send commits the message durably and returns its id; its way is told by
	// events. The conversation's draft is cleared in the same transaction. Files are
	// encrypted to disk before that, which takes its time: Sealing tells how far it
	// is, and a draft that is not the message's text stays. Ending ctx gives the
	// message up.
	Send(ctx context.Context, conversation chat.ConversationID, out Outgoing) (chat.MessageID, error)
	// Resend tries a failed message again.
	Resend(ctx context.Context, id chat.MessageID) error
	// MarkRead marks everything up to and including seq as read.
	MarkRead(ctx context.Context, conversation chat.ConversationID, seq uint64) error
	SaveDraft(ctx context.Context, conversation chat.ConversationID, text string) error
	// Delivery tells where an own message is and why it is not further.
	Delivery(ctx context.Context, id chat.MessageID) (Delivery, error)
}

// Outgoing is a message before it is sent.
type Outgoing struct {
	Text    string         `json:"text"` // to chat.MaxTextSize, valid UTF-8; empty only with files
	ReplyTo chat.MessageID `json:"reply_to"`
	Files   []string       `json:"files"` // absolute paths, at most chat.MaxFiles
}

// Delivery is the truth about one own message.
type Delivery struct {
	Recipient chat.PersonID `json:"recipient"`
	Name      string        `json:"name"` // the recipient's
	State     chat.State    `json:"state"`
	Where     Where         `json:"where"`
	Holder    string        `json:"holder"`  // whose computer holds it, with WhereMailbox; "": a node
	HeldAt    time.Time     `json:"held_at"` // since when it is there
	Why       Why           `json:"why"`     // why it is not delivered yet; "" once it is
	SentAt    time.Time     `json:"sent_at"`
	NextTry   time.Time     `json:"next_try"` // zero: as soon as the other side is seen
	Attempts  int           `json:"attempts"`
}

// Where is a message at the moment.
type Where string

// The places of a message.
const (
	WhereHere    Where = "here"    // on this computer alone
	WhereMailbox Where = "mailbox" // also in a mailbox, waiting for the recipient
	WhereDevice  Where = "device"  // on the recipient's computer
	WhereRead    Where = "read"    // and was shown there
)

// Why says what a message waits for. The screens translate it.
type Why string

// The reasons.
const (
	WhyNone        Why = ""
	WhyNotFound    Why = "not_found"    // the other computer is not seen in any network now
	WhyNoNetwork   Why = "no_network"   // this computer has no network
	WhyNotAccepted Why = "not_accepted" // the invitation or request is not answered yet
	WhyRenewing    Why = "renewing"     // keys are being renewed
	WhyUnconfirmed Why = "unconfirmed"  // handed over, the acknowledgement is on its way
	WhyBlocked     Why = "blocked"      // I blocked this contact
	WhyRefused     Why = "refused"      // the other side refused it
	WhyDiskFull    Why = "disk_full"    // here
	WhyOtherBusy   Why = "other_busy"   // the other side asks to wait
	WhyExpiredKeys Why = "expired_keys" // the contact's keys are too old; they must come online once
	WhyOffline     Why = "offline"      // in a mailbox until the other computer is switched on
	WhyMailboxFull Why = "mailbox_full" // the other computer is off and its mailbox is full
	WhyMailboxAway Why = "mailbox_away" // the other computer is off and its mailbox cannot be reached
	WhyTwoHere     Why = "two_here"     // my profile runs on two computers, and the contact has not confirmed that
	WhyTwoThere    Why = "two_there"    // the contact's profile does, and I have not confirmed it (Verify)
)

// Invitations is about bringing people in.
type Invitations interface {
	// Invite issues a personal invitation that is good for life (0: 7 days).
	Invite(ctx context.Context, life time.Duration) (IssuedInvitation, error)
	// Issued lists the open invitations, newest first.
	Issued(ctx context.Context) ([]IssuedInvitation, error)
	Revoke(ctx context.Context, id string) error
	// Inspect says what a code is without accepting it. code is a KUVERT: link in
	// any case and with white space, or the content of a .kuvert file.
	Inspect(ctx context.Context, code string) (InvitationInfo, error)
	// Accept takes an invitation: the inviter is a contact at once (pending until
	// they answer), messages may be sent and wait. scanned is true only if the
	// code came from a live camera.
	Accept(ctx context.Context, code string, scanned bool) (Accepted, error)
}

// IssuedInvitation is one of my own.
type IssuedInvitation struct {
	ID        string    `json:"id"`
	Code      string    `json:"invitation"` // KUVERT:…, for the QR code and the link
	File      []byte    `json:"file"`       // content of the .kuvert file
	ExpiresAt time.Time `json:"expires_at"`
}

// InvitationInfo is what a code says by itself.
type InvitationInfo struct {
	From      chat.PersonID `json:"from"`
	ExpiresAt time.Time     `json:"expires_at"`
}

// Accepted is the answer to Accept.
type Accepted struct {
	Contact  chat.PersonID `json:"contact"`
	Verified bool          `json:"verified"`
}

// Pairings is about two people in one network connecting without a code, and
// about comparing six digits.
type Pairings interface {
	// Nearby lists the people who chose to be visible in this network and are no
	// contacts.
	Nearby(ctx context.Context) ([]Nearby, error)
	// Pair asks the person behind a Nearby entry to connect.
	Pair(ctx context.Context, nearby string) (Pairing, error)
	// Pairings lists the comparisons that wait for this person.
	Pairings(ctx context.Context) ([]Pairing, error)
	// Confirm answers one: the digits are the same, or not. Not the same ends the
	// connection, and nothing of it stays.
	Confirm(ctx context.Context, id string, same bool) error
}

// Nearby is a visible person.
type Nearby struct {
	ID   string `json:"id"`
	Name string `json:"name"` // as they call themselves: not verified
}

// Pairing is a comparison of six digits under way.
type Pairing struct {
	ID      string        `json:"id"`
	Contact chat.PersonID `json:"contact"`
	Name    string        `json:"name"`
	Digits  string        `json:"digits"` // "" while the other side has not answered
	// Incoming is true if the other side asked.
	Incoming bool `json:"incoming"`
	// Invitation is true if the digits follow from an answered invitation: the
	// contact exists already and Confirm(false) blocks it.
	Invitation bool         `json:"invitation"`
	State      PairingState `json:"state"`
}

// PairingState is how far a pairing has come.
type PairingState string

// The states of a pairing.
const (
	PairingWaiting  PairingState = "waiting"  // for the other side's answer
	PairingCompare  PairingState = "compare"  // digits are on both screens
	PairingDone     PairingState = "done"     // confirmed here: verified
	PairingRejected PairingState = "rejected" // refused here or there
	PairingFailed   PairingState = "failed"   // connection lost, or timed out
)

// Nodes is about the always-on machines this person uses.
type Nodes interface {
	// Nodes lists them, those of colleagues too.
	Nodes(ctx context.Context) ([]NodeInfo, error)
	// AddNode takes a node's access link, in any case and with white space.
	// chat.ErrNodeLink if it is none, chat.ErrInvitationVersion if a newer one.
	AddNode(ctx context.Context, link string) (NodeInfo, error)
	// RemoveNode stops using one. Contacts are told, what waits there is lost to
	// this side, and what they sent comes again by another way.
	RemoveNode(ctx context.Context, id string) error
}

// NodeInfo is one node and how it stands with it.
type NodeInfo struct {
	ID    string   `json:"id"`    // its host key, hexadecimal
	Addrs []string `json:"addrs"` // IP:port
	// Keeper is the contact whose computer it is, KeeperName their name; zero for
	// a node of one's own.
	Keeper     chat.PersonID `json:"keeper"`
	KeeperName string        `json:"keeper_name"`
	State      NodeStanding  `json:"state"`
	Relay      bool          `json:"relay"` // it carries connections for this computer now
	Used       int64         `json:"used"`  // bytes
	Quota      int64         `json:"quota"` // bytes; 0: not known
	AddedAt    time.Time     `json:"added_at"`
}

// NodeStanding is how it stands with a node.
type NodeStanding string

// The standings.
const (
	NodeConnected   NodeStanding = "connected"
	NodeConnecting  NodeStanding = "connecting"
	NodeUnreachable NodeStanding = "unreachable"
	NodeRefused     NodeStanding = "refused" // its access link is not valid any more
	NodeOutside     NodeStanding = "outside" // LAN-only mode, and it is not in this network
	NodeFull        NodeStanding = "full"
)

// Insight lets people see for themselves what this computer does in the network,
// and what is wrong with it.
type Insight interface {
	// Contacted lists each machine contacted in the last 24 hours, newest first.
	Contacted(ctx context.Context) ([]Contacted, error)
	// Diagnose looks at everything delivery depends on. It takes some seconds.
	Diagnose(ctx context.Context) ([]Check, error)
	// KeptMail is what this computer keeps for others, see SettingKeepMail.
	KeptMail(ctx context.Context) (KeptMail, error)
}

// Contacted is a machine that was contacted.
type Contacted struct {
	Kind  string        `json:"kind"` // see ContactedKinds
	Who   chat.PersonID `json:"who"`  // zero if nobody known
	Name  string        `json:"name"` // theirs
	Host  string        `json:"host"` // hexadecimal host key, "" if not known
	Addr  string        `json:"addr"` // IP:port
	First time.Time     `json:"first"`
	Last  time.Time     `json:"last"`
	Count int           `json:"count"`
}

// ContactedKinds are the texts of a Contacted's kind. For each the translations
// say why it was contacted ("contacted.KIND.why") and what it could learn
// ("contacted.KIND.learns").
var ContactedKinds = map[chat.ContactKind]string{
	chat.ContactPerson: "person", chat.ContactInvite: "invite", chat.ContactNode: "node",
	chat.ContactTheirs: "theirs", chat.ContactSearch: "search", chat.ContactStranger: "stranger",
	chat.ContactRouter: "router",
}

// Check is one finding of Diagnose. The translations hold a sentence for each:
// "doctor.CHECK.CODE" says what was found, "doctor.CHECK.CODE.advice" what to do
// (missing if nothing), with Params to fill in. None of it is secret.
type Check struct {
	Check  string            `json:"check"` // one of Checks
	Level  Level             `json:"level"`
	Code   string            `json:"code"`
	Params map[string]string `json:"params"`
}

// Level is how grave a finding is.
type Level string

// The levels.
const (
	LevelOK   Level = "ok"
	LevelNote Level = "note" // works, but could be better
	LevelBad  Level = "bad"  // something does not work
)

// Checks are the names of what Diagnose looks at, in its order, with the codes of
// each.
var Checks = []struct {
	Name  string
	Codes []string
}{
	{"interfaces", []string{"ok", "none"}},                                             // params: addrs
	{"port", []string{"ok", "taken"}},                                                  // port
	{"multicast", []string{"ok", "none"}},                                              //
	{"firewall", []string{"ok", "silent", "unknown"}},                                  // port
	{"outside", []string{"lan_only", "reachable", "mapped", "unreachable", "unknown"}}, // addr
	{"nat", []string{"lan_only", "none", "cone", "symmetric", "unknown"}},              //
	{"relay", []string{"lan_only", "ok", "no_node", "no"}},                             //
	{"mailbox", []string{"ok", "none", "unreachable", "refused", "full", "outside"}},   // node
	{"clock", []string{"ok", "wrong", "unknown"}},                                      // minutes
	{"disk", []string{"ok", "low", "full"}},                                            // free
	{"database", []string{"ok", "damaged"}},                                            //
	{"waiting", []string{"ok", "some"}},                                                // count
}

// KeptMail is what this computer keeps for others.
type KeptMail struct {
	On     bool  `json:"on"`
	People int   `json:"people"` // who may leave mail here
	Blobs  int   `json:"blobs"`  // what waits
	Bytes  int64 `json:"bytes"`
}

// Events is about what changes.
type Events interface {
	// Subscribe starts a subscription that ends with ctx or Close.
	Subscribe(ctx context.Context) (Subscription, error)
}

// Subscription delivers coalesced events; see app/event.
type Subscription interface {
	Next(ctx context.Context) ([]event.Event, error)
	Close()
}
