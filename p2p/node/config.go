package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"log/slog"
	"net/netip"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kuvert-im/kuvert/p2p/transfer"
)

// HostKey is a machine's Ed25519 public key: its name in the network.
type HostKey = [ed25519.PublicKeySize]byte

// Errors a caller decides on.
var (
	// ErrNotConnected says that nobody who was recognised as the ref is connected.
	ErrNotConnected = errors.New("node: not connected")
	// ErrNotFound says that no address of a machine is known.
	ErrNotFound = errors.New("node: no address known")
	// ErrBusy says that a limit is reached for now.
	ErrBusy = errors.New("node: too many at once")
)

// Config is what a Node needs.
type Config struct {
	// HostKey is the persisted key of this machine.
	HostKey ed25519.PrivateKey
	// Port is the persisted port for UDP and TCP. 0 takes a free one; so does a
	// port that is taken, and State says so.
	Port int
	// LANOnly starts in LAN-only mode; Restrict changes it later.
	LANOnly bool
	// Loopback listens, announces and looks on this machine alone.
	Loopback bool
	// NoMDNS and NoBroadcast switch the two ways of discovery off.
	NoMDNS, NoBroadcast bool
	// NoRouter never asks the router to open a port. In LAN-only mode nobody does.
	NoRouter bool
	// OpenMail opens the store for the mail of others, at the first KeepMail; nil
	// means that this machine keeps none.
	OpenMail func(context.Context) (MailStore, error)
	// Active tells whether a conversation is open on the screen: then a dead link
	// is looked for sooner. nil means never.
	Active func() bool
	// Logger takes what goes wrong; nil discards it.
	Logger *slog.Logger
	// Limits replaces limits that tests reach too soon; nil means DefaultLimits.
	Limits *Limits
	// Underlay replaces the machine's network; nil means the real one.
	Underlay *Underlay
}

// Underlay is a network to run on other than the machine's own.
type Underlay struct {
	// Listen are the multiaddrs to listen on.
	Listen []ma.Multiaddr
	// Options are added to the host's; they bring the transports.
	Options []libp2p.Option
	// Interfaces returns the addresses of the interfaces that are up.
	Interfaces func() ([]netip.Addr, error)
	// Discovery finds machines; nil finds none.
	Discovery Discovery
}

// Discovery finds machines nearby.
type Discovery interface {
	// Run announces this machine and reports others until ctx ends. found may be
	// called concurrently and for the same machine again and again.
	Run(ctx context.Context, found func(peer.AddrInfo)) error
	// Restart is called after the machine's addresses changed.
	Restart()
	// Multicast tells whether multicast works.
	Multicast() bool
}

// State is a snapshot of the network.
type State struct {
	Online      bool // some interface other than loopback is up, or a contact is connected
	Port        int
	PortTaken   bool // the configured port was taken
	NoMulticast bool
	Incoming    bool // another machine has opened a connection to this one since the start
	Reachable   int8 // from outside: 1 yes, -1 no, 0 not known
	// NAT is the kind of address translation before this machine, as far as known:
	// "", "none", "cone" (can be punched through) or "symmetric" (cannot).
	NAT     string
	Outside []string // the addresses as others outside see them, IP:port
	Mapped  bool     // the router opened a port for this machine
}

// Traffic says why a machine was contacted.
type Traffic int8

// The kinds of traffic; their values are those of the domain.
const (
	TrafficPerson   Traffic = 1 // a followed or recognised ref's machine
	TrafficInvite   Traffic = 2
	TrafficStation  Traffic = 3 // an own station
	TrafficTheirs   Traffic = 4 // somebody else's station
	TrafficSearch   Traffic = 5 // everybody in this network
	TrafficStranger Traffic = 6 // looked at because it announced itself, or came by itself
	TrafficRouter   Traffic = 7 // asked to open a port
)

// PairStream is an open stream of the pairing protocol: messages of at most
// pair.MaxMessage bytes either way.
type PairStream interface {
	Send(ctx context.Context, msg []byte) error
	Receive(ctx context.Context) ([]byte, error)
	Close() error
}

// Handler is what a Node needs of whom it works for. Its methods may be called
// concurrently and must return within their context's deadline.
type Handler interface {
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
	// answer each. ref is "" for a machine that was not recognised.
	Frames(ctx context.Context, ref string, host HostKey, frames [][]byte) []byte
	// Bundle returns the bundle to give to a ref.
	Bundle(ctx context.Context, ref string) ([]byte, error)
	// GiveFile opens a sealed file that a ref asks for. transfer.ErrBusy asks it to
	// come again; with any other error it is told that there is no such file.
	GiveFile(ctx context.Context, ref string, id [32]byte) (transfer.Source, error)
	// Nearby is told of visible machines that come ("name") and go ("").
	Nearby(host HostKey, name string)
	// PairAccepted serves an incoming pairing stream until it returns.
	PairAccepted(ctx context.Context, host HostKey, s PairStream) error
	// NetworkChanged is told when State may have changed.
	NetworkChanged()
	// StationChanged is told when StationState may have changed.
	StationChanged(host HostKey)
	// Traffic is told of every machine that packets were sent to or taken from, also
	// of attempts that failed; the same one at most once a minute. host is zero if it
	// is not known, addr is IP:port. It must not block.
	Traffic(kind Traffic, ref string, host HostKey, addr string)
}

// answerBusy is the answer to a frame that is over a limit.
const answerBusy byte = 3
