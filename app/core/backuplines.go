package core

import (
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
)

// The kinds of lines in a backup, in the order in which they stand in it
// (docs/backup-format.md). What is before kindMessages is small and counts as it is
// in the last file of a chain; messages, states and files are of all of them.
const (
	kindProfile       = "profile"
	kindContacts      = "contacts"
	kindConversations = "conversations"
	kindNodes         = "nodes"
	kindQueues        = "queues"
	kindInvitations   = "invitations"
	kindJoinings      = "joinings"
	kindOutbox        = "outbox"
	kindDeleted       = "deleted"
	kindMessages      = "messages"
	kindStates        = "states"
)

// hexBytes is a byte string as text.
type hexBytes []byte

// MarshalText implements encoding.TextMarshaler.
func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// into copies to an array of fixed size; nothing stands for zeros.
func (h hexBytes) into(dst []byte) error {
	if len(h) != len(dst) && len(h) != 0 {
		return fmt.Errorf("core: %d bytes instead of %d: %w", len(h), len(dst), chat.ErrBackupDamaged)
	}
	copy(dst, h)
	return nil
}

// trimmed is nil for zeros.
func trimmed(b []byte) hexBytes {
	for _, v := range b {
		if v != 0 {
			return b
		}
	}
	return nil
}

type profileLine struct {
	Self     []byte            `json:"self"` // crypto/session, Self.MarshalBackup
	Settings map[string]string `json:"settings"`
}

type contactLine struct {
	chat.Contact
	Peer  []byte     `json:"peer,omitempty"` // crypto/session, Peer.ForBackup
	Hosts []hostLine `json:"hosts,omitempty"`
}

type hostLine struct {
	Key    hexBytes  `json:"key"`
	Addrs  []string  `json:"addrs"`
	SeenAt time.Time `json:"seen_at"`
}

type conversationLine struct {
	ID      chat.ConversationID `json:"id"`
	Contact chat.PersonID       `json:"contact"`
	ReadSeq uint64              `json:"read_seq"`
	Draft   string              `json:"draft,omitempty"`
	LastAt  time.Time           `json:"last_at"`
	// LastPlace is the highest place there was, of deleted messages too.
	LastPlace uint64    `json:"last_place"`
	Timer     timerLine `json:"timer,omitzero"`
}

// deletedLine names a message that this person deleted, or that disappeared: it is
// not to come back, neither from an earlier part nor from its sender.
type deletedLine struct {
	ID chat.MessageID `json:"id"`
}

// timerLine is the life that new messages of a conversation get, see chat.Timer.
type timerLine struct {
	Seconds int64         `json:"seconds"`
	Version uint64        `json:"version"`
	By      chat.PersonID `json:"by"`
}

type nodeLine struct {
	Host    hexBytes      `json:"host"`
	Addrs   []string      `json:"addrs"`
	Token   hexBytes      `json:"token"`
	Relay   bool          `json:"relay"`
	Keeper  chat.PersonID `json:"keeper"`
	AddedAt time.Time     `json:"added_at"`
}

func nodeLineOf(n chat.Node) nodeLine {
	return nodeLine{n.Host[:], n.Addrs, n.Token[:], n.Relay, n.Keeper, n.AddedAt}
}

func (l nodeLine) node() (chat.Node, error) {
	n := chat.Node{Addrs: l.Addrs, Relay: l.Relay, Keeper: l.Keeper, AddedAt: l.AddedAt}
	return n, errors.Join(l.Host.into(n.Host[:]), l.Token.into(n.Token[:]))
}

type queueLine struct {
	Contact chat.PersonID `json:"contact"`
	Invite  hexBytes      `json:"invite,omitempty"`
	Out     bool          `json:"out"`
	Mine    bool          `json:"mine"`
	RecvID  hexBytes      `json:"recv_id,omitempty"`
	RecvCap hexBytes      `json:"recv_cap,omitempty"`
	SendID  hexBytes      `json:"send_id,omitempty"`
	SendCap hexBytes      `json:"send_cap,omitempty"`
	Key     hexBytes      `json:"key"`
	Host    hexBytes      `json:"host"`
	Addrs   []string      `json:"addrs"`
	Relay   bool          `json:"relay"`
	MadeAt  time.Time     `json:"made_at"`
	Until   time.Time     `json:"until"`
}

func queueLineOf(q chat.Queue) queueLine {
	return queueLine{
		Contact: q.Contact, Invite: trimmed(q.Invite[:]), Out: q.Out, Mine: q.Mine,
		RecvID: trimmed(q.RecvID[:]), RecvCap: trimmed(q.RecvCap[:]), SendID: trimmed(q.SendID[:]), SendCap: trimmed(q.SendCap[:]),
		Key: q.Key[:], Host: q.Host[:], Addrs: q.Addrs, Relay: q.Relay, MadeAt: q.MadeAt, Until: q.Until,
	}
}

// queue leaves out what was last left in the queue's slot: it is left there anew.
func (l queueLine) queue() (chat.Queue, error) {
	q := chat.Queue{Contact: l.Contact, Out: l.Out, Mine: l.Mine, Addrs: l.Addrs, Relay: l.Relay, MadeAt: l.MadeAt, Until: l.Until}
	return q, errors.Join(
		l.Invite.into(q.Invite[:]), l.RecvID.into(q.RecvID[:]), l.RecvCap.into(q.RecvCap[:]), l.SendID.into(q.SendID[:]),
		l.SendCap.into(q.SendCap[:]), l.Key.into(q.Key[:]), l.Host.into(q.Host[:]))
}

// invitationLine is an invitation without its keys: nobody can answer it any more,
// but the record of who came by it stays.
type invitationLine struct {
	ID        hexBytes      `json:"id"`
	CreatedAt time.Time     `json:"created_at"`
	ExpiresAt time.Time     `json:"expires_at"`
	UsedBy    chat.PersonID `json:"used_by"`
	UsedAt    time.Time     `json:"used_at"`
}

func (l invitationLine) invitation() (chat.Invitation, error) {
	i := chat.Invitation{CreatedAt: l.CreatedAt, ExpiresAt: l.ExpiresAt, UsedBy: l.UsedBy, UsedAt: l.UsedAt, Revoked: true}
	return i, l.ID.into(i.ID[:])
}

type joiningLine struct {
	ID        hexBytes      `json:"id"`
	Contact   chat.PersonID `json:"contact"`
	Code      string        `json:"code"`
	StartedAt time.Time     `json:"started_at"`
}

func (l joiningLine) joining() (chat.Joining, error) {
	j := chat.Joining{Contact: l.Contact, Code: l.Code, StartedAt: l.StartedAt}
	return j, l.ID.into(j.ID[:])
}

// outboxLine is what waits for a person, without its seal.
type outboxLine struct {
	Contact   chat.PersonID  `json:"contact"`
	Message   chat.MessageID `json:"message"`
	Type      uint8          `json:"type"`
	Payload   []byte         `json:"payload"`
	CreatedAt time.Time      `json:"created_at"`
}

// messageLine is a message. Of an own message the time of receiving is missing, of a
// line of kindStates all but id, state and unread.
type messageLine struct {
	ID           chat.MessageID      `json:"id"`
	Conversation chat.ConversationID `json:"conversation,omitzero"`
	Sender       chat.PersonID       `json:"sender,omitzero"`
	Kind         chat.Kind           `json:"kind,omitempty"`
	Text         string              `json:"text,omitempty"`
	SentAt       time.Time           `json:"sent_at,omitzero"`
	ReceivedAt   time.Time           `json:"received_at,omitzero"`
	State        chat.State          `json:"state"`
	ReplyTo      chat.MessageID      `json:"reply_to,omitzero"`
	Seq          uint64              `json:"seq,omitempty"`
	Unread       bool                `json:"unread,omitempty"`
	Files        []fileLine          `json:"files,omitempty"`
}

func messageLineOf(m chat.StoredMessage) messageLine {
	return messageLine{
		ID: m.ID, Conversation: m.Conversation, Sender: m.Sender, Kind: m.Kind, Text: m.Text, SentAt: m.SentAt,
		ReceivedAt: m.ReceivedAt, State: m.State, ReplyTo: m.ReplyTo, Seq: m.Seq, Unread: m.Unread,
	}
}

func (l *messageLine) message() chat.StoredMessage {
	m := chat.StoredMessage{Unread: l.Unread, Message: chat.Message{
		ID: l.ID, Conversation: l.Conversation, Sender: l.Sender, Kind: l.Kind, Text: l.Text, SentAt: l.SentAt,
		ReceivedAt: l.ReceivedAt, State: l.State, ReplyTo: l.ReplyTo, Seq: l.Seq,
	}}
	for _, f := range l.Files {
		m.Attachments = append(m.Attachments, f.Attachment)
	}
	return m
}

type fileLine struct {
	chat.Attachment
	Place    int      `json:"place"`
	ID       hexBytes `json:"id"`
	Identity string   `json:"identity"`
	Sealed   int64    `json:"sealed"`
	Manifest hexBytes `json:"manifest"`
	Picture  []byte   `json:"picture,omitempty"`
}

func fileLineOf(f chat.File) fileLine {
	return fileLine{f.Attachment, f.Place, f.ID[:], f.Identity, f.Sealed, f.Manifest[:], f.Picture}
}

// file is a file of a message. One that was here is offered until its content was
// found in the backup, too.
func (l *fileLine) file(of chat.MessageID) (chat.File, error) {
	f := chat.File{Attachment: l.Attachment, Message: of, Place: l.Place, Identity: l.Identity, Sealed: l.Sealed, Picture: l.Picture}
	if f.State == chat.FileHere {
		f.State = chat.FileOffered
	}
	return f, errors.Join(l.ID.into(f.ID[:]), l.Manifest.into(f.Manifest[:]))
}
