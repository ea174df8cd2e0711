// Package chat is the domain: people, conversations, messages, their states and
// the errors a caller decides on. It imports the standard library alone, so that
// the core, the stores and the screens can share it.
package chat

import (
	"errors"
	"fmt"
	"time"
)

// Limits of what a person writes, in bytes of UTF-8. A message body over
// MaxTextSize belongs into an attachment (docs/protocol, payload).
const (
	MaxTextSize = 64 << 10
	MaxNameSize = 128
)

// Errors a caller decides on. Their texts are for logs; the words a person reads
// are in the translations.
var (
	ErrBadID               = errors.New("not an id")
	ErrNotFound            = errors.New("not found")
	ErrAmbiguous           = errors.New("more than one fits")
	ErrEmpty               = errors.New("nothing to send")
	ErrTooLong             = errors.New("text is too long")
	ErrBadName             = errors.New("name is empty, too long or holds control characters")
	ErrBlocked             = errors.New("contact is blocked")
	ErrProfileBusy         = errors.New("profile is in use by another process")
	ErrNoProfile           = errors.New("there is no profile yet")
	ErrProfileExists       = errors.New("a profile exists already")
	ErrNewerSchema         = errors.New("profile was written by a newer version")
	ErrCorrupt             = errors.New("profile's database is damaged")
	ErrDiskFull            = errors.New("disk is full")
	ErrDisk                = errors.New("disk does not read or write as it should")
	ErrReadOnly            = errors.New("profile folder cannot be read or written")
	ErrPortTaken           = errors.New("port is in use by another program")
	ErrInvitationMalformed = errors.New("not an invitation")
	ErrInvitationExpired   = errors.New("invitation has expired")
	ErrInvitationUsed      = errors.New("invitation was used already")
	ErrInvitationOwn       = errors.New("invitation is your own")
	ErrInvitationVersion   = errors.New("invitation is of a newer version")
	ErrAlreadyContact      = errors.New("already a contact")
	ErrNoQRCode            = errors.New("no QR code in the picture")
	ErrUnsupported         = errors.New("setting or value is not known")
	ErrUnreachable         = errors.New("other side cannot be reached")
	ErrRefused             = errors.New("other side refused")
	ErrQuota               = errors.New("mailbox is full")
	ErrNodeLink            = errors.New("not a node's access link")
	ErrLocked              = errors.New("profile asks for its passphrase")
	ErrWrongPassphrase     = errors.New("passphrase or key does not open the profile")
	ErrPassphraseShort     = errors.New("passphrase is too short or too long")
	ErrPassphraseNeeded    = errors.New("profile needs a passphrase")
	ErrSheetMistyped       = errors.New("not a key of an emergency sheet")
	ErrNoKeyring           = errors.New("system's keyring cannot be used")
	ErrKeyringEmpty        = errors.New("system's keyring does not know the profile")
	ErrKeyFile             = errors.New("key file cannot be used")
	ErrVault               = errors.New("file of the profile's keys is missing or damaged")
)

// State is how far a message has come. The values are stored; never change them.
type State int8

// The states, in the order in which a message passes through them. Failed only
// follows a refusal, a block or a limit, never age.
const (
	Queued    State = 1 // waits on this computer
	Sent      State = 2 // the other machine or a mailbox has committed it
	Delivered State = 3 // the recipient's own acknowledgement came back
	Read      State = 4
	Failed    State = 5
	Received  State = 6 // somebody else's message
)

var stateNames = map[State]string{
	Queued: "queued", Sent: "sent", Delivered: "delivered",
	Read: "read", Failed: "failed", Received: "received",
}

// String returns the state's name as the command line prints it.
func (s State) String() string {
	if n, ok := stateNames[s]; ok {
		return n
	}
	return fmt.Sprintf("state(%d)", int8(s))
}

// MarshalText implements encoding.TextMarshaler.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *State) UnmarshalText(b []byte) error {
	for k, n := range stateNames {
		if n == string(b) {
			*s = k
			return nil
		}
	}
	return fmt.Errorf("chat: state %q: %w", b, ErrUnsupported)
}

// Kind tells a person's message from a line the app itself writes into a
// conversation. The values are stored; never change them.
type Kind int8

// The kinds of message.
const (
	KindText   Kind = 1
	KindNotice Kind = 2
)

// Notice says what a KindNotice line tells; its Text holds this value.
type Notice string

// The notices. The screens translate them.
const (
	NoticeConnected      Notice = "connected"       // the first session with this person stands
	NoticeSessionRenewed Notice = "session_renewed" // keys were renewed (restore, new installation, repair)
	NoticeVerified       Notice = "verified"
	NoticeInviteReused   Notice = "invite_reused"  // somebody else answered the used invitation
	NoticeInviteRefused  Notice = "invite_refused" // the inviter did not take it: used by somebody else, or withdrawn
	NoticeBranch         Notice = "branch"         // a second installation appeared that was not announced
	NoticeTwoHere        Notice = "two_here"       // the own profile runs on another computer as well, or was put back
	NoticeRefused        Notice = "two_refused"    // therefore their app takes nothing from this computer for now
)

// Contact is a known identity.
type Contact struct {
	ID PersonID `json:"id"`
	// Name is what the screens show: the name I gave, else the name they gave.
	Name string `json:"name"`
	// GivenName is the name the contact gave themselves.
	GivenName string `json:"given_name"`
	// Alias is the name I gave, or empty.
	Alias    string    `json:"alias"`
	Verified bool      `json:"verified"`
	Blocked  bool      `json:"blocked"`
	Pending  bool      `json:"pending"` // I accepted an invitation that was not answered yet
	Online   bool      `json:"online"`  // not stored: filled in by the core
	Relayed  bool      `json:"relayed"` // the same: connected, but through a relay alone
	AddedAt  time.Time `json:"added_at"`
	LastSeen time.Time `json:"last_seen"`
}

// Message is one message or notice of a conversation.
type Message struct {
	ID           MessageID      `json:"id"`
	Conversation ConversationID `json:"conversation"`
	Sender       PersonID       `json:"sender"`
	Kind         Kind           `json:"kind"`
	Text         string         `json:"text"`
	SentAt       time.Time      `json:"sent_at"`
	ReceivedAt   time.Time      `json:"received_at"`
	State        State          `json:"state"`
	ReplyTo      MessageID      `json:"reply_to"`
	// Seq is the message's place: one more than the highest its sender knew. A
	// conversation's order is (Seq, ID), the same on every side and without a
	// clock.
	Seq uint64 `json:"seq"`
	// Attachments are the message's files.
	Attachments []Attachment `json:"attachments"`
	// Life is how long the message stays, 0: for ever. ExpiresAt is when it goes:
	// Life after it was sent, on the other side after it was read there.
	Life      time.Duration `json:"life"`
	ExpiresAt time.Time     `json:"expires_at"`
}

// Conversation is where messages are, with the counters that the list shows.
type Conversation struct {
	ID      ConversationID `json:"id"`
	Contact PersonID       `json:"contact"`
	Unread  int            `json:"unread"`
	Draft   string         `json:"draft"`
	// Last is the newest message, nil in an empty conversation.
	Last *Message `json:"last"`
	// ReadSeq is the place up to which this person has read.
	ReadSeq uint64 `json:"read_seq"`
	// LastAt is when something last happened here; the list is ordered by it.
	LastAt time.Time `json:"last_at"`
	// Timer is how long new messages live, 0: for ever.
	Timer time.Duration `json:"timer"`
}

// Position is a place in a conversation's order.
type Position struct {
	Seq uint64    `json:"seq"`
	ID  MessageID `json:"id"`
}

// MessageQuery asks for a page of a conversation, oldest first.
type MessageQuery struct {
	Conversation ConversationID `json:"conversation"`
	// Before and After bound the page (exclusive); nil is open. With Before, or
	// with neither, the page is the newest Limit messages; with After alone, the
	// oldest.
	Before *Position `json:"before,omitempty"`
	After  *Position `json:"after,omitempty"`
	Limit  int       `json:"limit"` // 0 means DefaultPage; at most MaxPage
	// TextOnly leaves the app's own notices out.
	TextOnly bool `json:"text_only"`
}

// Sizes of a page of messages.
const (
	DefaultPage = 50
	MaxPage     = 1000
)

// OutboxItem is one payload on its way to one person. It stays until the
// recipient's own acknowledgement.
type OutboxItem struct {
	ID      int64
	Contact PersonID
	Message MessageID // the payload's id; of a KindText message or of a control payload
	Type    uint8     // payload type (crypto/envelope)
	Payload []byte    // the unsealed payload: sealing anew starts from it
	// The seal. Inner is nil while unsealed.
	Session  [16]byte
	Ctr      uint64
	Number   uint64
	Inner    []byte
	SealedAt time.Time
	// The way.
	CreatedAt time.Time
	SentAt    time.Time // when the other machine said that it committed it
	Attempts  int
	NextAt    time.Time // zero: at the next opportunity
	// MailedAt is when a mailbox took the present seal, MailedTo the node that did.
	MailedAt time.Time
	MailedTo [32]byte
}

// Invitation is one I issued.
type Invitation struct {
	ID        [16]byte
	Code      string // KUVERT:…
	Keys      []byte // its secret and one-time prekeys, serialised by crypto/session
	Bundle    []byte
	Hints     [2]string // of its prekeys (first: one-time), for finding them by a handshake's hint
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedBy    PersonID // zero: open
	UsedAt    time.Time
	Revoked   bool
}

// Joining is an invitation of somebody else that I accepted and that is not
// answered yet.
type Joining struct {
	ID        [16]byte
	Contact   PersonID
	Code      string
	StartedAt time.Time
}

// Host is one machine of a contact, as last seen.
type Host struct {
	Contact PersonID
	HostKey [32]byte
	Addrs   []string // multiaddr text, most useful first
	SeenAt  time.Time
}

// Request is a stranger's wish to become a contact.
type Request struct {
	ID         PersonID  `json:"id"`
	Name       string    `json:"name"`
	ReceivedAt time.Time `json:"received_at"`
	Frame      []byte    `json:"-"` // the sealed handshake, opened again on acceptance
}

// Node is an always-on machine that this person uses: it keeps mail and may relay.
type Node struct {
	Host  [32]byte // its host key, which never changes
	Addrs []string // multiaddr text without the host key
	Token [32]byte // access token
	Relay bool
	// Keeper is the contact whose computer it is; zero: a node of one's own.
	Keeper  PersonID
	AddedAt time.Time
}

// Queue is one mailbox queue: one contact, one direction, one node.
type Queue struct {
	ID      int64
	Contact PersonID // zero while nobody has answered the invitation
	Invite  [16]byte // the invitation whose first-contact queue it is; zero: none
	// Out: this side puts into it; else this side fetches from it.
	Out bool
	// Mine: made by this side, on its access token. Only then are all four of the
	// following known.
	Mine    bool
	RecvID  [24]byte
	RecvCap [32]byte
	SendID  [24]byte
	SendCap [32]byte
	Key     [32]byte // Kq, seals the blobs

	Host  [32]byte // the node's
	Addrs []string // the node's
	Relay bool     // the node carries connections, too
	// MadeAt is when the node had it; zero: still to be made (if Mine).
	MadeAt time.Time
	Until  time.Time // when it closes; zero: no end
	// SlotAt and SlotHash tell when which state was last left in its slot.
	SlotAt   time.Time
	SlotHash [32]byte
}

// ContactKind says why a machine was contacted. The values are stored.
type ContactKind int8

// The kinds.
const (
	ContactPerson   ContactKind = 1 // a contact's computer
	ContactInvite   ContactKind = 2 // of somebody whose invitation is being answered, or who answers one
	ContactNode     ContactKind = 3 // an own node
	ContactTheirs   ContactKind = 4 // a contact's node: mail is left or fetched there
	ContactSearch   ContactKind = 5 // everybody in this network: the search for others
	ContactStranger ContactKind = 6 // a computer that nobody known uses: looked at, or came by itself
	ContactRouter   ContactKind = 7 // the router, asked to open a port
)

// Contacted is one machine that was contacted, and when.
type Contacted struct {
	Kind   ContactKind
	Person PersonID // zero if nobody is known
	Host   [32]byte // zero if not known
	Addr   string   // IP:port
	First  time.Time
	Last   time.Time
	Count  int
}
