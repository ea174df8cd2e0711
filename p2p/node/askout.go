package node

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/autonatv2"
	"github.com/libp2p/go-libp2p/p2p/protocol/autonatv2/pb"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/util"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/kuvert-im/kuvert/p2p/wire"
)

// Whether others can open a connection with this machine is asked of own stations,
// by the client's side of AutoNAT v2 (libp2p/specs, autonat/autonat-v2.md): the
// station dials back from another host key. libp2p's own client asks one station
// once in two minutes and wants three answers: a person who waits for the answer has
// left by then.
const (
	// askOutAgain is after how long it is asked again though nothing changed,
	// askOutPause the least pause.
	askOutAgain = 30 * time.Minute
	askOutPause = 10 * time.Second
	// askOutPatience bounds one question: the station dials for 10 s at most.
	askOutPatience = 15 * time.Second
	// A station may want maxDialData bytes before it dials an address other than the
	// one it sees, so that nobody has it flood others; they go in parts.
	maxDialData  = 100_000
	dialDataPart = 4000
	// maxAskOut bounds a message of the protocol.
	maxAskOut = 8 << 10
)

var (
	errAskOut  = errors.New("node: no answer about the way in")
	errRefused = errors.New("node: the station does not dial back")
)

// asking is the question whether this machine can be reached. Guarded by Node.mu.
type asking struct {
	busy  bool
	at    time.Time
	about []ma.Multiaddr
	nonce uint64        // of the question under way
	back  chan struct{} // gets one when the dial came back
}

// askOutside asks an own station whether our addresses can be reached, if they
// changed or it was long ago.
func (n *Node) askOutside(now time.Time) {
	about := n.punchAddrs()
	n.mu.Lock()
	defer n.mu.Unlock()
	a := &n.asking
	var s *station
	for _, other := range n.stations {
		if other.own && other.state.Connected {
			s = other
		}
	}
	same := slices.EqualFunc(about, a.about, func(x, y ma.Multiaddr) bool { return x.Equal(y) })
	if s == nil || a.busy || now.Sub(a.at) < askOutPause || (same && now.Sub(a.at) < askOutAgain) {
		return
	}
	a.busy, a.at, a.about = true, now, about
	go n.spawn(func(ctx context.Context) { n.askAll(ctx, s.id, about) })
}

// askAll asks for each address, and notes the verdict.
func (n *Node) askAll(ctx context.Context, id peer.ID, about []ma.Multiaddr) {
	var open []netip.AddrPort
	no := 0
	for _, m := range about {
		yes, err := n.askOne(ctx, id, m)
		if err != nil {
			n.log.Debug("not known whether this machine can be reached", "error", err)
			continue
		}
		if at, ok := placeIn(m); yes && ok {
			open = append(open, at)
		} else {
			no++
		}
	}
	n.mu.Lock()
	n.asking.busy = false
	n.out.reachable, n.out.verdict = open, 0
	switch {
	case len(open) > 0:
		n.out.verdict = 1
	case no > 0:
		n.out.verdict = -1
	}
	n.mu.Unlock()
}

// askOne has a station dial one of our addresses and tells whether it came through.
func (n *Node) askOne(ctx context.Context, id peer.ID, m ma.Multiaddr) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, askOutPatience)
	defer cancel()
	nonce, back, err := n.expectDial()
	if err != nil {
		return false, err
	}
	s, err := n.open(ctx, id, autonatv2.DialProtocol)
	if err != nil {
		return false, err
	}
	defer s.Reset() //nolint:errcheck // of no more use
	if err := s.SetDeadline(time.Now().Add(askOutPatience)); err != nil {
		return false, fmt.Errorf("node: ask: %w", err)
	}
	said, err := converse(s, &pb.DialRequest{Addrs: [][]byte{m.Bytes()}, Nonce: nonce})
	if err != nil {
		return false, err
	}
	if said.GetStatus() != pb.DialResponse_OK || said.GetAddrIdx() != 0 {
		return false, fmt.Errorf("%w: %v", errRefused, said.GetStatus())
	}
	if said.GetDialStatus() != pb.DialStatus_OK {
		return false, nil
	}
	select {
	case <-back: // the station's word alone is not enough
		return true, nil
	case <-ctx.Done():
		return false, errAskOut
	}
}

// expectDial prepares for a dial that comes back with a nonce.
func (n *Node) expectDial() (nonce uint64, back <-chan struct{}, err error) {
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return 0, nil, fmt.Errorf("node: nonce: %w", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asking.nonce, n.asking.back = binary.BigEndian.Uint64(b[:])|1, make(chan struct{}, 1)
	return n.asking.nonce, n.asking.back, nil
}

// converse sends a request, and what the station wants before it dials, and returns
// the answer.
func converse(s network.Stream, q *pb.DialRequest) (*pb.DialResponse, error) {
	r, w := util.NewDelimitedReader(s, maxAskOut), util.NewDelimitedWriter(s)
	defer r.Close() //nolint:errcheck // only a buffer
	if err := w.WriteMsg(&pb.Message{Msg: &pb.Message_DialRequest{DialRequest: q}}); err != nil {
		return nil, fmt.Errorf("node: ask: %w", err)
	}
	var msg pb.Message
	if err := r.ReadMsg(&msg); err != nil {
		return nil, fmt.Errorf("node: ask: %w", err)
	}
	if want := msg.GetDialDataRequest(); want != nil {
		if want.GetNumBytes() > maxDialData {
			return nil, errAskOut
		}
		data := &pb.Message{Msg: &pb.Message_DialDataResponse{DialDataResponse: &pb.DialDataResponse{Data: make([]byte, dialDataPart)}}}
		for sent := uint64(0); sent < want.GetNumBytes(); sent += dialDataPart {
			if err := w.WriteMsg(data); err != nil {
				return nil, fmt.Errorf("node: ask: %w", err)
			}
		}
		msg.Reset()
		if err := r.ReadMsg(&msg); err != nil {
			return nil, fmt.Errorf("node: ask: %w", err)
		}
	}
	if msg.GetDialResponse() == nil {
		return nil, errAskOut
	}
	return msg.GetDialResponse(), nil
}

// serveDialBack takes a dial that came back.
func (n *Node) serveDialBack(_ context.Context, _ *link, s network.Stream) error {
	if err := s.SetDeadline(time.Now().Add(wire.Patience)); err != nil {
		return fmt.Errorf("node: dial back: %w", err)
	}
	r, w := util.NewDelimitedReader(s, maxAskOut), util.NewDelimitedWriter(s)
	defer r.Close() //nolint:errcheck // only a buffer
	var msg pb.DialBack
	if err := r.ReadMsg(&msg); err != nil {
		return fmt.Errorf("node: dial back: %w", err)
	}
	n.mu.Lock()
	expected := n.asking.nonce != 0 && n.asking.nonce == msg.GetNonce()
	back := n.asking.back
	if expected {
		n.asking.nonce = 0
	}
	n.mu.Unlock()
	if !expected {
		return errAskOut
	}
	back <- struct{}{}
	if err := w.WriteMsg(&pb.DialBackResponse{}); err != nil {
		return fmt.Errorf("node: dial back: %w", err)
	}
	return nil
}
