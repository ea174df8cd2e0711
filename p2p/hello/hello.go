// Package hello is /kuvert/hello/1: how two machines find out, first thing on a
// connection, which of the people each of them knows the other one is, without
// telling it to anybody else (docs/protocol/network.md, section Hello).
//
// Both sides send a nonce. The dialer answers with a token for the one contact it
// expects, or with one for each of its contacts, filled up with random ones so
// that their number shows nothing. The listener answers with one token, or with
// random bytes. It promises: no clock is used; who knows no key learns nothing
// from a run; a blocked contact, who is in no key set, cannot be told from a
// stranger.
package hello

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"

	"github.com/kuvert-im/kuvert/p2p/wire"
)

// ID names the protocol, Service its share of the resource manager.
const (
	ID      protocol.ID = "/kuvert/hello/1"
	Service string      = "kuvert.hello"
)

// Sizes and limits, in bytes unless said otherwise.
const (
	NonceSize = 16
	TokenSize = 16

	// Padding is the multiple to which an unaddressed hello is filled up: one
	// machine in an office has fewer contacts than this, so nearly all look alike.
	Padding = 256
	// MaxTokens bounds what a listener reads: 128 KiB. A dialer with more contacts
	// sends a random choice of them each time.
	MaxTokens = 32 * Padding
	// memory is what a listener holds besides the tokens.
	memory = 4 << 10

	// Patience is how long a whole hello may take.
	Patience = wire.Patience
)

// ErrUnknown says that the other side is nobody we know, or knows nobody of us.
var ErrUnknown = errors.New("hello: not recognised")

// Keys are the recognition keys by the name of whom they belong to.
type Keys map[string][32]byte

// The two roles. Their tokens differ, so that one cannot be sent back as the other.
const (
	roleDialer   = "dialer"
	roleListener = "listener"
)

// run is one hello: what the tokens are bound to.
type run struct {
	dialer, listener peer.ID
	nonceD, nonceL   [NonceSize]byte
}

// token is HMAC(key, "hello" | role | dialer | listener | nonce_d | nonce_l)[:16],
// each part with its length in front.
func (r *run) token(key [32]byte, role string) (t [TokenSize]byte) {
	m := hmac.New(sha256.New, key[:])
	for _, part := range [][]byte{
		[]byte("kuvert/v1 hello"), []byte(role), []byte(r.dialer), []byte(r.listener), r.nonceD[:], r.nonceL[:],
	} {
		m.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
		m.Write(part)
	}
	copy(t[:], m.Sum(nil))
	return t
}

// Dial runs a hello on a stream that this side opened. expect names the contact
// that should be there; "" asks for any of keys. It returns the name of whom it
// met, or ErrUnknown.
func Dial(ctx context.Context, s network.Stream, keys Keys, expect string) (string, error) {
	stop, err := guard(ctx, s)
	if err != nil {
		return "", err
	}
	defer stop()
	r := &run{dialer: s.Conn().LocalPeer(), listener: s.Conn().RemotePeer()}
	rand.Read(r.nonceD[:])
	if _, err := s.Write(r.nonceD[:]); err != nil {
		return "", fmt.Errorf("hello: send nonce: %w", err)
	}
	if _, err := io.ReadFull(s, r.nonceL[:]); err != nil {
		return "", fmt.Errorf("hello: receive nonce: %w", err)
	}
	offered, tokens, err := r.offer(keys, expect)
	if err != nil {
		return "", err
	}
	if _, err := s.Write(tokens); err != nil {
		return "", fmt.Errorf("hello: send tokens: %w", err)
	}
	return r.answered(s, offered)
}

// offer returns the keys that take part and the tokens as they are sent.
func (r *run) offer(keys Keys, expect string) (Keys, []byte, error) {
	if expect != "" {
		key, ok := keys[expect]
		if !ok {
			return nil, nil, fmt.Errorf("hello: no key for whom to expect: %w", ErrUnknown)
		}
		t := r.token(key, roleDialer)
		return Keys{expect: key}, append(binary.BigEndian.AppendUint32(nil, 1), t[:]...), nil
	}
	offered := choose(keys)
	n := max(1, (len(offered)+Padding-1)/Padding) * Padding
	tokens := make([]byte, 4+n*TokenSize)
	binary.BigEndian.PutUint32(tokens, uint32(n))
	rand.Read(tokens[4:])
	places := mrand.Perm(n) //nolint:gosec // the runtime's ChaCha8; a place is no secret
	for _, key := range offered {
		t := r.token(key, roleDialer)
		copy(tokens[4+places[0]*TokenSize:], t[:])
		places = places[1:]
	}
	return offered, tokens, nil
}

// choose returns at most MaxTokens of the keys, at random.
func choose(keys Keys) Keys {
	if len(keys) <= MaxTokens {
		return keys
	}
	out := make(Keys, MaxTokens)
	for name, key := range keys { // Go's order of maps is random enough: it only decides who waits
		if len(out) == MaxTokens {
			break
		}
		out[name] = key
	}
	return out
}

// answered reads the listener's token and finds whose it is.
func (r *run) answered(s io.Reader, offered Keys) (string, error) {
	var got [TokenSize]byte
	if _, err := io.ReadFull(s, got[:]); err != nil {
		return "", fmt.Errorf("hello: receive answer: %w", err)
	}
	found := ""
	for name, key := range offered {
		want := r.token(key, roleListener)
		if hmac.Equal(want[:], got[:]) {
			found = name
		}
	}
	if found == "" {
		return "", ErrUnknown
	}
	return found, nil
}

// Serve answers a hello. met is called with the name of whom was recognised,
// before the answer goes out; if it fails, the answer is a stranger's. It
// returns the name, "" if a stranger was answered.
func Serve(ctx context.Context, s network.Stream, keys Keys, met func(name string) error) (string, error) {
	if err := wire.Open(s, Service, memory, Patience); err != nil {
		return "", err
	}
	stop, err := guard(ctx, s)
	if err != nil {
		return "", err
	}
	defer stop()
	r := &run{dialer: s.Conn().RemotePeer(), listener: s.Conn().LocalPeer()}
	rand.Read(r.nonceL[:])
	if _, err := io.ReadFull(s, r.nonceD[:]); err != nil {
		return "", fmt.Errorf("hello: receive nonce: %w", err)
	}
	if _, err := s.Write(r.nonceL[:]); err != nil {
		return "", fmt.Errorf("hello: send nonce: %w", err)
	}
	tokens, err := readTokens(s)
	if err != nil {
		return "", err
	}
	name := r.find(tokens, keys)
	if name != "" && met(name) != nil {
		name = ""
	}
	return name, r.answer(s, name, keys)
}

func readTokens(s network.Stream) (map[[TokenSize]byte]struct{}, error) {
	var head [4]byte
	if _, err := io.ReadFull(s, head[:]); err != nil {
		return nil, fmt.Errorf("hello: receive count: %w", err)
	}
	n := binary.BigEndian.Uint32(head[:])
	if n == 0 || n > MaxTokens || (n > 1 && n%Padding != 0) {
		return nil, fmt.Errorf("hello: %d tokens: %w", n, wire.ErrTooLarge)
	}
	// A token takes its 16 bytes twice and a place in the table.
	if err := s.Scope().ReserveMemory(int(n)*3*TokenSize, network.ReservationPriorityMedium); err != nil {
		return nil, fmt.Errorf("hello: reserve tokens: %w", err)
	}
	raw := make([]byte, n*TokenSize)
	if _, err := io.ReadFull(s, raw); err != nil {
		return nil, fmt.Errorf("hello: receive tokens: %w", err)
	}
	set := make(map[[TokenSize]byte]struct{}, n)
	for t := range slices.Chunk(raw, TokenSize) {
		set[[TokenSize]byte(t)] = struct{}{}
	}
	return set, nil
}

// find returns whose token is among those sent. All keys are tried, so that the
// time does not depend on who it was. If several fit, the least name wins: both
// sides come to the same choice.
func (r *run) find(tokens map[[TokenSize]byte]struct{}, keys Keys) string {
	found := ""
	for name, key := range keys {
		_, ok := tokens[r.token(key, roleDialer)]
		if ok && (found == "" || name < found) {
			found = name
		}
	}
	return found
}

func (r *run) answer(s io.Writer, name string, keys Keys) error {
	var t [TokenSize]byte
	rand.Read(t[:])
	if name != "" {
		t = r.token(keys[name], roleListener)
	}
	if _, err := s.Write(t[:]); err != nil {
		return fmt.Errorf("hello: send answer: %w", err)
	}
	return nil
}

// guard sets the deadline and ends the stream when ctx ends.
func guard(ctx context.Context, s network.Stream) (stop func() bool, err error) {
	if err := s.SetDeadline(time.Now().Add(Patience)); err != nil {
		return nil, fmt.Errorf("hello: set deadline: %w", err)
	}
	return context.AfterFunc(ctx, func() { _ = s.Reset() }), nil
}
