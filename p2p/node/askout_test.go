package node

import (
	"context"
	"errors"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/autonatv2"
	"github.com/libp2p/go-libp2p/p2p/protocol/autonatv2/pb"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/util"
	ma "github.com/multiformats/go-multiaddr"
)

// answers lets a station answer the question whether somebody can be reached: it
// wants data first, dials back with a nonce and says how it went.
func (d *depot) answers(t *testing.T, want uint64, nonce func(uint64) uint64, status pb.DialStatus) {
	d.h.SetStreamHandler(autonatv2.DialProtocol, func(s network.Stream) {
		defer s.Close() //nolint:errcheck // a test
		r, w := util.NewDelimitedReader(s, maxAskOut), util.NewDelimitedWriter(s)
		var msg pb.Message
		if r.ReadMsg(&msg) != nil {
			return
		}
		q := msg.GetDialRequest()
		if want > 0 {
			_ = w.WriteMsg(&pb.Message{Msg: &pb.Message_DialDataRequest{DialDataRequest: &pb.DialDataRequest{NumBytes: want}}})
			for got := uint64(0); got < want; got += uint64(len(msg.GetDialDataResponse().GetData())) {
				msg.Reset()
				if r.ReadMsg(&msg) != nil {
					return
				}
			}
		}
		if n := nonce(q.GetNonce()); n != 0 {
			dialBack(t.Context(), t, s.Conn().RemotePeer(), q.GetAddrs()[0], n)
		}
		_ = w.WriteMsg(&pb.Message{Msg: &pb.Message_DialResponse{DialResponse: &pb.DialResponse{Status: pb.DialResponse_OK, DialStatus: status}}})
	})
}

func dialBack(ctx context.Context, t *testing.T, id peer.ID, addr []byte, nonce uint64) {
	h := bare(t)
	m, err := ma.NewMultiaddrBytes(addr)
	if err != nil || h.Connect(ctx, peer.AddrInfo{ID: id, Addrs: []ma.Multiaddr{m}}) != nil {
		return
	}
	s, err := h.NewStream(ctx, id, autonatv2.DialBackProtocol)
	if err != nil {
		return
	}
	_ = util.NewDelimitedWriter(s).WriteMsg(&pb.DialBack{Nonce: nonce})
	var said pb.DialBackResponse
	_ = util.NewDelimitedReader(s, maxAskOut).ReadMsg(&said)
	_ = s.Close()
}

// A machine can be reached if the dial really came back; the station's word alone,
// a wrong nonce or too many wishes do not make it so.
func TestReachabilityIsAskedOfTheStation(t *testing.T) {
	same := func(n uint64) uint64 { return n }
	for name, c := range map[string]struct {
		want   uint64
		nonce  func(uint64) uint64
		status pb.DialStatus
		yes    bool
		err    error
	}{
		"it came back":              {0, same, pb.DialStatus_OK, true, nil},
		"it came back for data":     {2 * dialDataPart, same, pb.DialStatus_OK, true, nil},
		"it could not be dialled":   {0, func(uint64) uint64 { return 0 }, pb.DialStatus_E_DIAL_ERROR, false, nil},
		"it wants too much":         {maxDialData + 1, same, pb.DialStatus_OK, false, errAskOut},
		"another nonce came back":   {0, func(n uint64) uint64 { return n + 1 }, pb.DialStatus_OK, false, errAskOut},
		"nothing came, it is a lie": {0, func(uint64) uint64 { return 0 }, pb.DialStatus_OK, false, errAskOut},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDepot(t)
			alice := newPerson(t, "alice").start()
			alice.uses(d)
			d.answers(t, c.want, c.nonce, c.status)
			ctx, cancel := context.WithTimeout(t.Context(), askOutPatience/10)
			defer cancel()
			yes, err := alice.n.askOne(ctx, d.h.ID(), ma.StringCast(alice.n.Addrs()[0]))
			if yes != c.yes || !errors.Is(err, c.err) {
				t.Errorf("%v, %v", yes, err)
			}
		})
	}
}

// A desktop does not dial around for others.
func TestNobodyIsAnsweredWhoAsksUsToDial(t *testing.T) {
	alice := newPerson(t, "alice").start()
	eve := bare(t)
	if err := eve.Connect(t.Context(), alice.info("quic")); err != nil {
		t.Fatal(err)
	}
	if _, err := eve.NewStream(t.Context(), alice.id(), autonatv2.DialProtocol); err == nil {
		t.Error("a stream was opened")
	}
}
