package core

import (
	"context"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

// Clock tells the time; tests advance it.
type Clock interface{ Now() time.Time }

// Store is the durable store. storage/sqlite implements it.
type Store interface {
	// Update runs fn in one transaction and returns after it is durable. If fn
	// fails, nothing of it is stored. Several waiting updates may share one
	// commit, each with a savepoint of its own. fn must use only tx and must not
	// wait for anything.
	Update(ctx context.Context, fn func(Tx) error) error
	// View runs fn on a consistent snapshot.
	View(ctx context.Context, fn func(ReadTx) error) error
	// Scrub returns once nothing that was deleted can be found in any file of the
	// store; an error if that is not possible now.
	Scrub(ctx context.Context) error
	// Verify reads everything; chat.ErrCorrupt if it is not as it was written. It
	// keeps nobody waiting.
	Verify(ctx context.Context) error
}

// ReadTx reads. A missing thing is chat.ErrNotFound.
type ReadTx interface {
	BackupReads
	RightsReads
	LifeReads

	Settings() (map[string]string, error)
	Secret(name string) ([]byte, error)

	Contact(id chat.PersonID) (chat.Contact, error)
	Contacts() ([]chat.Contact, error)
	Peer(id chat.PersonID) ([]byte, error)
	Hosts(id chat.PersonID) ([]chat.Host, error) // newest first
	Requests() ([]chat.Request, error)           // oldest first

	Conversation(id chat.ConversationID) (chat.Conversation, error)
	Conversations() ([]chat.Conversation, error) // newest LastAt first
	Message(id chat.MessageID) (chat.Message, error)
	Messages(q chat.MessageQuery) ([]chat.Message, error)
	// Search answers within some milliseconds, see chat.SearchPage.
	Search(q chat.SearchQuery) (chat.SearchPage, error)

	// Outbox returns up to limit items of one person with ID > after, oldest first.
	Outbox(person chat.PersonID, after int64, limit int) ([]chat.OutboxItem, error)
	// OutboxPeople returns everybody for whom something waits.
	OutboxPeople() ([]chat.PersonID, error)
	// OutboxItem finds the item of a message; a message has at most one.
	OutboxItem(id chat.MessageID) (chat.OutboxItem, error)
	OutboxCount() (waiting int, err error) // messages (KindText) with no SentAt

	Seen(hash [32]byte) (seen, asks bool, err error)

	Invitation(id [16]byte) (chat.Invitation, error)
	Invitations() ([]chat.Invitation, error) // newest first, used and revoked ones too
	Joinings() ([]chat.Joining, error)

	// Nodes are the always-on machines this person uses, the oldest first.
	Nodes() ([]chat.Node, error)
	// Queues are a person's mailbox queues in both directions, the zero id's
	// those of open invitations; AllQueues everybody's. Oldest first.
	Queues(person chat.PersonID) ([]chat.Queue, error)
	AllQueues() ([]chat.Queue, error)
	// Files are a message's, by their place; FilesOf all that messages say of one
	// sealed file.
	Files(message chat.MessageID) ([]chat.File, error)
	FilesOf(id chat.FileID) ([]chat.File, error)
	// WaitingFiles are those to be fetched in the conversation with a person,
	// FilesBefore those that are here of messages before a time; oldest first.
	WaitingFiles(with chat.PersonID, limit int) ([]chat.File, error)
	FilesBefore(before time.Time, limit int) ([]chat.File, error)
	// FileShared reports whether a file belongs to the conversation with a person.
	FileShared(id chat.FileID, with chat.PersonID) (bool, error)
	// FileIDs are all that are to be kept.
	FileIDs() ([]chat.FileID, error)

	// Contacted are the machines last contacted at or after a time, newest first.
	Contacted(since time.Time) ([]chat.Contacted, error)
}

// Tx reads and writes.
type Tx interface {
	ReadTx
	BackupWrites
	RightsWrites
	LifeWrites

	PutSetting(key, value string) error
	PutSecret(name string, value []byte) error
	DeleteSecret(name string) error

	PutContact(c chat.Contact) error      // inserts or replaces; Online is not stored
	DeleteContact(id chat.PersonID) error // with peer, hosts, outbox, joining, queues, kept nodes; not the conversation
	PutPeer(id chat.PersonID, state []byte) error
	PutHost(h chat.Host) error // by (contact, host key); keeps the newest 8 of a contact
	PutRequest(r chat.Request) error
	DeleteRequest(id chat.PersonID) error

	// PutConversation creates the conversation if it is missing.
	PutConversation(id chat.ConversationID, contact chat.PersonID, at time.Time) error
	// InsertMessage stores a message and updates its conversation's counters. A
	// message id that is known is left alone and reported as false.
	InsertMessage(m chat.Message) (inserted bool, err error)
	// PutFile inserts or replaces a file of a message by its place.
	PutFile(f chat.File) error
	// RaiseState moves own messages forward; it never moves one back, except
	// from Failed to Queued. It returns those that changed.
	RaiseState(ids []chat.MessageID, s chat.State) (changed []chat.MessageID, err error)
	// MarkRead moves the conversation's read mark and returns the messages of
	// others that became read by it, oldest first.
	MarkRead(id chat.ConversationID, seq uint64) ([]chat.MessageID, error)
	SetDraft(id chat.ConversationID, text string) error

	AddOutbox(item chat.OutboxItem) (id int64, err error)
	// PutOutbox replaces the seal and the way of an item by its ID.
	PutOutbox(item chat.OutboxItem) error
	// UnsealOutbox drops the seals of everything that waits for a person, so that
	// it is sealed anew.
	UnsealOutbox(person chat.PersonID) error
	// DeleteOutbox removes the items of these messages for a person and returns
	// those that were there.
	DeleteOutbox(person chat.PersonID, ids []chat.MessageID) ([]chat.MessageID, error)

	PutSeen(hash [32]byte, person chat.PersonID, at time.Time, asks bool) error
	// PruneSeen forgets the hashes from before a time, except the newest keep of
	// each person.
	PruneSeen(before time.Time, keep int) error

	PutInvitation(i chat.Invitation) error // inserts or replaces
	DeleteInvitation(id [16]byte) error
	PutJoining(j chat.Joining) error
	DeleteJoining(id [16]byte) error

	PutNode(n chat.Node) error // inserts or replaces by Host
	DeleteNode(host [32]byte) error
	// PutQueue inserts (ID 0) or replaces a queue by its ID and returns the ID.
	PutQueue(q chat.Queue) (id int64, err error)
	DeleteQueue(id int64) error
	// PutContacted adds to what is known of the same (Kind, Person, Host, Addr):
	// the first time stays, the last one and the count are raised.
	PutContacted(c chat.Contacted) error
	// PruneContacted forgets those last contacted before a time, and the oldest of
	// a kind of which there are thousands.
	PruneContacted(before time.Time) error
}

// HostKey is the Ed25519 public key of a machine's network endpoint: the
// transport's name for a machine, never a person's identity.
type HostKey = [32]byte

// Transport is the network as the core sees it: opaque frames between machines.
// p2p/node implements it. A ref names whom a connection is with once the hello
// has recognised it: a person (chat.PersonID text) or an open invitation
// ("invite:" and its id in hexadecimal).
type Transport interface {
	// Run serves until ctx ends. h is set before anything is accepted.
	Run(ctx context.Context, h TransportHandler) error
	// HostKey is this machine's own.
	HostKey() HostKey
	// Addrs are this machine's own addresses, as multiaddr text without the host
	// key, most useful first.
	Addrs() []string
	// Follow keeps trying to be connected with a ref at these machines (any
	// number, also none: then only a discovered or incoming connection counts),
	// and replaces what was followed for that ref. Unfollow stops.
	// via are nodes through which these machines may also be reached, with Relay.
	Follow(ref string, hosts map[HostKey][]string, via []Node)
	Unfollow(ref string)
	// Rebind gives a live connection and what is followed another name: the
	// guest of an invitation became a contact. Recognition by the new ref is then
	// taken as done, and a status is exchanged under it.
	Rebind(host HostKey, from, to string)
	// Deliver sends frames to a recognised, connected ref, in order, and returns
	// an answer for each that was answered. answers may be shorter than frames if
	// the connection broke; err is then not nil. ErrNotConnected if there is none.
	Deliver(ctx context.Context, ref string, frames [][]byte) (answers []byte, err error)
	// FetchBundle asks a recognised, connected ref for its bundle.
	FetchBundle(ctx context.Context, ref string) ([]byte, error)
	// SendStatus hands a fresh status to a connected ref.
	SendStatus(ctx context.Context, ref string) error
	Connected(ref string) bool
	// Relayed tells whether all connections with a ref lead through a relay.
	Relayed(ref string) bool

	// Restrict switches LAN-only mode on or off while running.
	Restrict(lanOnly bool)
	// Show makes this person's name visible in the network, "" hides it.
	Show(name string)
	// PairDial opens the pairing protocol with a visible machine.
	PairDial(ctx context.Context, host HostKey) (PairStream, error)
	// State is what the transport knows of the network.
	State() TransportState
	// TryAddrs replaces the addresses where others are looked for besides the own
	// network: IP addresses or ranges like 192.168.3.0/24, at most MaxTryAddrs
	// addresses in all; an error for anything else. Machines found there are
	// treated as those found by multicast.
	TryAddrs(list []string) error

	// UseNodes replaces the own nodes. The transport stays connected with each,
	// proves its access token, and in Internet mode keeps a place at its relay.
	UseNodes(nodes []Node)
	// NodeState tells how it stands with an own node.
	NodeState(host HostKey) NodeState
	// KeepMail makes this machine a mailbox for those who hold one of the access
	// tokens, each with a quota of its own, or ends that (none). Stored mail stays.
	KeepMail(ctx context.Context, tokens [][32]byte) error
	// MailKept tells what this machine keeps.
	MailKept(ctx context.Context) (MailKept, error)
	Mailboxes
	Transfers
}

// MaxTryAddrs bounds the addresses of Transport.TryAddrs.
const MaxTryAddrs = 1024

// TransportState is a snapshot of the network.
type TransportState struct {
	Online      bool // some interface other than loopback is up, or a contact is connected
	Port        int
	PortTaken   bool // the configured port was taken
	NoMulticast bool
	Incoming    bool // another machine has opened a connection to this one since the start
	// Reachable tells whether machines outside can open a connection to this one.
	Reachable Tristate
	// NAT is the kind of address translation before this machine, as far as known:
	// "", "none", "cone" (can be punched through) or "symmetric" (cannot).
	NAT string
	// Outside are the addresses as others outside see them, IP:port.
	Outside []string
	// Mapped tells whether the router opened a port for this machine.
	Mapped bool
}

// Tristate is yes, no or not known.
type Tristate int8

// The values of a Tristate.
const (
	Unknown Tristate = 0
	Yes     Tristate = 1
	No      Tristate = -1
)

// Node is an always-on machine as the transport needs it.
type Node struct {
	Host  HostKey
	Addrs []string // multiaddr text without the host key
	// Token is the access token of an own node; zero: somebody else's, at which
	// only queues are used that others made.
	Token [32]byte
	Relay bool // it carries connections, too
}

// NodeState is how it stands with an own node.
type NodeState struct {
	Connected bool
	Reserved  bool  // it relays for this machine now
	Err       error // why not connected: wraps chat.ErrUnreachable or chat.ErrRefused (token)
	Used      int64 // bytes that count against the token's quota
	Quota     int64
}

// MailKept is what this machine keeps for others.
type MailKept struct {
	Queues, Blobs int
	Bytes         int64
}

// Mailboxes is the mailbox protocol (docs/protocol/mailbox.md). Each call dials
// the node if it is not connected. Errors wrap chat.ErrUnreachable (try again),
// chat.ErrRefused (wrong token or capability), chat.ErrQuota or chat.ErrNotFound
// (no such queue: it is to be made anew, or is over).
type Mailboxes interface {
	// MakeQueue creates a queue on the node's token; making the same one again
	// changes nothing but until. A zero until has no end.
	MakeQueue(ctx context.Context, n Node, q QueueIDs, until time.Time) error
	DropQueue(ctx context.Context, n Node, recvID [24]byte, recvCap [32]byte) error
	// PutMail stores blobs durably, in order, and returns how many were taken: a
	// blob that is there already counts as taken.
	PutMail(ctx context.Context, n Node, sendID [24]byte, sendCap [32]byte, blobs [][]byte) (taken int, err error)
	// PutSlot replaces the one blob of a queue that stands for a state.
	PutSlot(ctx context.Context, n Node, sendID [24]byte, sendCap [32]byte, blob []byte) error
	// ListMail returns the next blobs after a place, oldest first, none at the
	// end. The slot comes as any other blob, at a new place each time it changed.
	ListMail(ctx context.Context, n Node, recvID [24]byte, recvCap [32]byte, after uint64) ([]MailBlob, error)
	DeleteMail(ctx context.Context, n Node, recvID [24]byte, recvCap [32]byte, places []uint64) error
	// WatchMail calls arrived with the index of each queue that holds something,
	// at once and whenever something new comes, until ctx or the connection ends.
	// arrived must not block.
	WatchMail(ctx context.Context, n Node, queues []QueueIDs, arrived func(i int)) error
	// PublishBundle leaves a blob at a place that whoever knows the id may read.
	PublishBundle(ctx context.Context, n Node, id [24]byte, blob []byte, until time.Time) error
	ReadBundle(ctx context.Context, n Node, id [24]byte) ([]byte, error)
}

// QueueIDs name a queue to both sides and let them in.
type QueueIDs struct {
	RecvID  [24]byte
	RecvCap [32]byte
	SendID  [24]byte
	SendCap [32]byte
}

// MailBlob is one blob of a queue; places ascend.
type MailBlob struct {
	Place uint64
	Blob  []byte
}

// Limits of the mailbox protocol.
const (
	MaxBlob     = 160 << 10 // bytes of one blob
	MaxMailPage = 256       // blobs of one ListMail
	MaxPublish  = 4 << 10   // bytes of a published bundle
)

// MaxPairMessage bounds a message of the pairing protocol, in bytes.
const MaxPairMessage = 64 << 10

// PairStream is an open stream of the pairing protocol: messages of at most
// MaxPairMessage bytes either way.
type PairStream interface {
	Send(ctx context.Context, msg []byte) error
	Receive(ctx context.Context) ([]byte, error)
	Close() error
}

// TransportHandler is what the transport needs of the core. Its methods may be
// called concurrently and must return within their context's deadline.
type TransportHandler interface {
	// HelloKeys returns the recognition key of each contact that is not blocked,
	// of each open invitation and of each invitation being accepted, by ref.
	HelloKeys(ctx context.Context) (map[string][32]byte, error)
	// Recognised is told of a connection after its hello and before anything is
	// delivered on it; Lost when the last connection with a ref ends.
	Recognised(ctx context.Context, ref string, host HostKey, addrs []string)
	Lost(ref string)
	// Status returns the status to tell a ref, nil for none; OnStatus takes theirs.
	Status(ctx context.Context, ref string) ([]byte, error)
	OnStatus(ctx context.Context, ref string, status []byte) error
	// Frames takes frames that arrived in order, commits them and returns one
	// answer each. ref is "" for a machine that was not recognised. Never answer 0
	// or 1 before the commit.
	Frames(ctx context.Context, ref string, host HostKey, frames [][]byte) []byte
	// Bundle returns the bundle to give to a ref.
	Bundle(ctx context.Context, ref string) ([]byte, error)
	// GiveFile opens a sealed file for a ref that asks for it; the transport closes
	// it. chat.ErrUnreachable asks the other side to come again, any other error
	// tells it that there is no such file.
	GiveFile(ctx context.Context, ref string, id chat.FileID) (HeldFile, error)
	// Visible is told of machines that show a name in the network ("name") and
	// stop doing so or go (""). Those of contacts are reported too.
	Visible(host HostKey, name string)
	// PairAccepted serves an incoming pairing stream until it returns.
	PairAccepted(ctx context.Context, host HostKey, s PairStream) error
	// NetworkChanged is told when State may have changed.
	NetworkChanged()
	// NodeChanged is told when NodeState of an own node may have changed.
	NodeChanged(host HostKey)
	// Traffic is told of every machine that packets were sent to or taken from, also
	// of attempts that failed; the same one at most once a minute.
	Traffic(kind chat.ContactKind, ref string, host HostKey, addr string)
}

// Answers to a frame, as the deliver protocol carries them.
const (
	AnswerCommitted  byte = 0
	AnswerDuplicate  byte = 1
	AnswerCannotOpen byte = 2
	AnswerBusy       byte = 3
	AnswerRefused    byte = 4
)
