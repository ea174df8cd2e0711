package invite

import (
	"fmt"
	"log/slog"
	"strings"
)

const (
	// NodeScheme starts the text of every access link.
	NodeScheme = "KUVERT-NODE:"

	// MaxNodeAddrsLen bounds the addresses of an access link, in bytes.
	MaxNodeAddrsLen = 64
	// MaxNodeLen bounds an access link, in bytes.
	MaxNodeLen = nodeFixedLen + MaxNodeAddrsLen
	// MaxNodeTextLen bounds its text, in characters.
	MaxNodeTextLen = len(NodeScheme) + (MaxNodeLen*8+4)/5

	nodeFixedLen = 1 + 32 + 32
	nodeVersion  = 1
	nodeRelay    = 0x10 // flag: the node carries connections, too
)

// NodeLink lets a person use a node: where it is, how to know it, and the token
// that lets them in. Whoever has the link may use the node on this token's quota.
type NodeLink struct {
	Host  [32]byte // Ed25519, authenticates the node on the network; not zero
	Token [32]byte // not zero
	Relay bool     // the node carries connections as well as mail
	Addrs []Addr   // at most MaxNodeAddrsLen bytes: see FitNodeAddrs
}

// FitNodeAddrs returns as many addresses as fit into an access link, in their
// order: what is invalid, given twice or too much is left out.
func FitNodeAddrs(all []Addr) []Addr {
	fitted, _ := fitAddrs(all, MaxNodeAddrsLen)
	return fitted
}

// Marshal returns the link's bytes. The error is [ErrMalformed].
func (l NodeLink) Marshal() ([]byte, error) {
	if l.Host == [32]byte{} || l.Token == [32]byte{} {
		return nil, fmt.Errorf("%w: host key or token is missing", ErrMalformed)
	}
	first := byte(nodeVersion)
	if l.Relay {
		first |= nodeRelay
	}
	out := append(append([]byte{first}, l.Host[:]...), l.Token[:]...)
	out, err := appendAddrs(out, l.Addrs)
	if err != nil {
		return nil, err
	}
	if len(out) > MaxNodeLen {
		return nil, fmt.Errorf("%w: addresses over %d bytes", ErrMalformed, MaxNodeAddrsLen)
	}
	return out, nil
}

// Text returns the link as upper-case text, which QR codes pack tightly.
func (l NodeLink) Text() (string, error) {
	b, err := l.Marshal()
	if err != nil {
		return "", err
	}
	return NodeScheme + text32.EncodeToString(b), nil
}

// String is [NodeLink.Text] of a link that was parsed or checked before; it is
// empty for one that cannot be written.
func (l NodeLink) String() string {
	text, err := l.Text()
	if err != nil {
		return ""
	}
	return text
}

// LogValue keeps the token out of logs.
func (NodeLink) LogValue() slog.Value { return slog.StringValue("[node link]") }

// GoString keeps the token out of formatted text.
func (NodeLink) GoString() string { return "[node link]" }

// IsNodeLink reports whether text starts like an access link, so that whatever
// somebody pasted can be handed to the right reader.
func IsNodeLink(text string) bool {
	return len(text) <= maxInput && strings.HasPrefix(normal(text), NodeScheme)
}

// ParseNodeLink reads an access link as tolerantly as [Parse] reads an
// invitation. The errors are [ErrMalformed] and [ErrVersion].
func ParseNodeLink(text string) (NodeLink, error) {
	raw, err := decodeText(NodeScheme, text)
	if err != nil {
		return NodeLink{}, err
	}
	return UnmarshalNodeLink(raw)
}

// UnmarshalNodeLink reads the bytes of an access link.
func UnmarshalNodeLink(raw []byte) (NodeLink, error) {
	if len(raw) == 0 || len(raw) > MaxNodeLen {
		return NodeLink{}, fmt.Errorf("%w: length", ErrMalformed)
	}
	if raw[0]&^nodeRelay != nodeVersion {
		return NodeLink{}, ErrVersion
	}
	if len(raw) < nodeFixedLen {
		return NodeLink{}, fmt.Errorf("%w: cut short", ErrMalformed)
	}
	l := NodeLink{Relay: raw[0]&nodeRelay != 0, Host: [32]byte(raw[1:33]), Token: [32]byte(raw[33:65])}
	if l.Host == [32]byte{} || l.Token == [32]byte{} {
		return NodeLink{}, fmt.Errorf("%w: host key or token is missing", ErrMalformed)
	}
	for b := raw[nodeFixedLen:]; len(b) > 0; {
		var err error
		if l.Addrs, b, err = parseAddr(l.Addrs, b); err != nil {
			return NodeLink{}, err
		}
	}
	return l, nil
}
