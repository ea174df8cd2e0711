package core

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/event"
	"github.com/kuvert-im/kuvert/crypto/identity"
	"github.com/kuvert-im/kuvert/crypto/session"
)

// Names of the profile's secrets in the store.
const (
	secretSelf = "self"      // crypto/session.Self
	secretHost = "host"      // 32-byte Ed25519 seed of the network endpoint
	secretPort = "host_port" // 2 bytes: the port this profile listens on
)

// NewProfile is what the first start asks for.
type NewProfile struct {
	Name     string // 1 to chat.MaxNameSize bytes
	Network  string // NetworkLAN or NetworkInternet
	Language string // "de", "en", or "" for the system's
}

// Create makes a profile in an empty store: identity, prekeys and the network
// endpoint's key. chat.ErrProfileExists leaves an existing one alone.
func Create(ctx context.Context, st Store, p NewProfile) error {
	if err := checkName(p.Name); err != nil {
		return err
	}
	if p.Network == "" {
		p.Network = NetworkInternet
	}
	settings := map[string]string{SettingName: p.Name, SettingNetwork: p.Network, SettingLanguage: p.Language}
	for k, v := range settings {
		if err := checkSetting(k, v); err != nil {
			return err
		}
	}
	self, err := session.NewSelf(rand.Reader, time.Now().UTC())
	if err != nil {
		return fmt.Errorf("core: new identity: %w", err)
	}
	blob, err := self.Marshal()
	if err != nil {
		return fmt.Errorf("core: new identity: %w", err)
	}
	seed := make([]byte, 32)
	_, _ = rand.Read(seed) // crypto/rand.Read never fails
	return st.Update(ctx, func(tx Tx) error {
		if _, err := tx.Secret(secretSelf); !errors.Is(err, chat.ErrNotFound) {
			return errors.Join(err, chat.ErrProfileExists)
		}
		for k, v := range settings {
			if err := tx.PutSetting(k, v); err != nil {
				return err
			}
		}
		return errors.Join(tx.PutSecret(secretSelf, blob), tx.PutSecret(secretHost, seed))
	})
}

// Endpoint returns what the transport of a profile needs before there is a
// Core: the seed of its Ed25519 host key, the port it used last (0: none yet)
// and whether it is confined to the local network. A host key that has served
// its time gives way to the next one. chat.ErrNoProfile if there is no profile.
func Endpoint(ctx context.Context, st Store) (seed [32]byte, port int, lanOnly bool, err error) {
	// If that fails, the disk is full or broken: the old key will do, and the
	// reading below finds what does not.
	_ = turnHostKey(ctx, st, time.Now())
	err = st.View(ctx, func(tx ReadTx) error {
		b, err := tx.Secret(secretHost)
		if errors.Is(err, chat.ErrNotFound) {
			return chat.ErrNoProfile
		}
		if err != nil || len(b) != len(seed) {
			return errors.Join(err, chat.ErrCorrupt)
		}
		copy(seed[:], b)
		if b, err := tx.Secret(secretPort); err == nil && len(b) == 2 {
			port = int(binary.BigEndian.Uint16(b))
		}
		set, err := tx.Settings()
		lanOnly = set[SettingNetwork] == NetworkLAN
		return err
	})
	return seed, port, lanOnly, err
}

// KeepPort remembers the port that the transport listens on, so that contacts
// find this computer there after a restart.
func (c *Core) KeepPort(ctx context.Context, port int) error {
	b := binary.BigEndian.AppendUint16(nil, uint16(port)) //nolint:gosec // a port has 16 bits
	return c.update(ctx, func(s *step) error { return s.PutSecret(secretPort, b) })
}

// Whoami implements Profiles.
func (c *Core) Whoami(ctx context.Context) (Profile, error) {
	return read(ctx, c, func(tx ReadTx) (Profile, error) {
		self, err := c.selfFrom(tx)
		if err != nil {
			return Profile{}, err
		}
		set, err := tx.Settings()
		return Profile{ID: chat.PersonID(self.ID()), Name: set[SettingName]}, err
	})
}

var settingDefaults = map[string]string{
	SettingName: "", SettingNetwork: NetworkInternet, SettingLanguage: "", SettingTheme: "",
	SettingVisible: "false", SettingNotify: "true", SettingNotifyContent: "false", SettingReadReceipts: "true",
	SettingKeepMail: "false", SettingTryAddrs: "", SettingFileLimit: "25", SettingFileQuota: "10240", SettingPhotoData: "true",
	SettingLockAfter: "",
}

// Settings implements Profiles.
func (c *Core) Settings(ctx context.Context) (map[string]string, error) {
	return read(ctx, c, settingsFrom)
}

func settingsFrom(tx ReadTx) (map[string]string, error) {
	stored, err := tx.Settings()
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(settingDefaults))
	for k, v := range settingDefaults {
		out[k] = v
		if s, ok := stored[k]; ok {
			out[k] = s
		}
	}
	return out, nil
}

func checkSetting(key, value string) error {
	allowed := map[string][]string{
		SettingNetwork:  {NetworkLAN, NetworkInternet},
		SettingLanguage: {"", "de", "en"},
		SettingTheme:    {"", "light", "dark"},

		SettingLockAfter: {"", "5", "15", "60"},
	}
	switch key {
	case SettingName:
		return checkName(value)
	case SettingTryAddrs:
		return checkTryAddrs(value)
	case SettingFileLimit, SettingFileQuota:
		return checkMiB(key, value)
	}
	def, known := settingDefaults[key]
	if !known {
		return fmt.Errorf("core: setting %q: %w", key, chat.ErrUnsupported)
	}
	if values, ok := allowed[key]; ok {
		for _, v := range values {
			if v == value {
				return nil
			}
		}
	} else if _, err := strconv.ParseBool(def); err == nil && (value == "true" || value == "false") {
		return nil
	}
	return fmt.Errorf("core: %q for setting %q: %w", value, key, chat.ErrUnsupported)
}

// checkMiB takes a number of MiB up to 64 TiB.
func checkMiB(key, value string) error {
	if n, err := strconv.ParseInt(value, 10, 32); err != nil || n < 0 || n > 64<<20 || strconv.FormatInt(n, 10) != value {
		return fmt.Errorf("core: %q for setting %q: %w", value, key, chat.ErrUnsupported)
	}
	return nil
}

// tryAddrs splits the setting of further networks.
func tryAddrs(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ';' || unicode.IsSpace(r) })
}

// checkTryAddrs refuses what is no address, no range, or too many. Only IPv4 can be
// searched: the ranges of IPv6 are too large, and one entry that is refused there
// would silence them all.
func checkTryAddrs(value string) error {
	count := 0
	for _, text := range tryAddrs(value) {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			var a netip.Addr
			if a, err = netip.ParseAddr(text); err == nil {
				p = netip.PrefixFrom(a, a.BitLen())
			}
		}
		if err != nil || !p.Addr().Is4() || p.Addr().IsUnspecified() || p.Addr().IsMulticast() {
			return fmt.Errorf("core: %q is no address and no range: %w", text, chat.ErrUnsupported)
		}
		if count += 1 << min(p.Addr().BitLen()-p.Bits(), 16); count > MaxTryAddrs {
			return fmt.Errorf("core: more than %d addresses to try: %w", MaxTryAddrs, chat.ErrTooLong)
		}
	}
	return nil
}

// checkName refuses names that a screen could not show honestly.
func checkName(name string) error {
	if strings.TrimSpace(name) == "" || len(name) > chat.MaxNameSize || !utf8.ValidString(name) {
		return chat.ErrBadName
	}
	for _, r := range name {
		if !unicode.IsGraphic(r) {
			return chat.ErrBadName
		}
	}
	return nil
}

// SetSetting implements Profiles.
func (c *Core) SetSetting(ctx context.Context, key, value string) error {
	if err := checkSetting(key, value); err != nil {
		return err
	}
	err := c.update(ctx, func(s *step) error {
		s.publish(event.Event{Kind: event.SettingsChanged})
		if err := s.PutSetting(key, value); err != nil {
			return err
		}
		if key == SettingName {
			return s.tellName()
		}
		return nil
	})
	if err != nil {
		return err
	}
	if key == SettingKeepMail {
		err = c.keepMail(ctx)
	}
	c.reachChanged()
	c.mail.changed()
	return errors.Join(err, c.applyNetworkSettings(ctx))
}

// tellName queues the new name for every contact.
func (s *step) tellName() error {
	contacts, err := s.Contacts()
	if err != nil {
		return err
	}
	for _, ct := range contacts {
		if ct.Blocked {
			continue
		}
		if err := s.queueStart(ct.ID); err != nil {
			return err
		}
	}
	return nil
}

// selfCache keeps the parsed form of the profile's own protocol state. Its key
// is the stored bytes themselves, so it can never be out of date.
type selfCache struct {
	mu   sync.Mutex
	blob []byte
	self *session.Self
}

func (c *Core) loadSelf(ctx context.Context) (*session.Self, error) {
	return read(ctx, c, c.selfFrom)
}

// selfFrom returns the profile's own state as tx sees it. It is shared: whoever
// changes it works on a copy (see changeSelf).
func (c *Core) selfFrom(tx ReadTx) (*session.Self, error) {
	blob, err := tx.Secret(secretSelf)
	if errors.Is(err, chat.ErrNotFound) {
		return nil, chat.ErrNoProfile
	}
	if err != nil {
		return nil, err
	}
	c.self.mu.Lock()
	defer c.self.mu.Unlock()
	if bytes.Equal(blob, c.self.blob) {
		return c.self.self, nil
	}
	self, err := session.ParseSelf(blob)
	if err != nil {
		return nil, fmt.Errorf("core: own keys: %w: %w", chat.ErrCorrupt, err)
	}
	c.self.blob, c.self.self = blob, self
	return self, nil
}

// changeSelf changes a copy of the profile's own state and stores it; the rest
// of the step sees the change.
func (s *step) changeSelf(fn func(*session.Self) error) error {
	blob, err := s.env.Self.Marshal()
	if err != nil {
		return err
	}
	self, err := session.ParseSelf(blob)
	if err != nil {
		return err
	}
	if err := fn(self); err != nil {
		return err
	}
	if blob, err = self.Marshal(); err != nil {
		return err
	}
	s.env.Self = self
	return s.PutSecret(secretSelf, blob)
}

func identityID(id chat.PersonID) identity.ID { return identity.ID(id) }
