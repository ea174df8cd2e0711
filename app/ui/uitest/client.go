// Package uitest is for the tests of the screens alone: a core.Client that lives
// in memory and does what the real one promises, as far as a screen can see it.
package uitest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/event"
)

var _ core.Client = (*Client)(nil)

// Now is the time at which the tests' world stands still: Monday, 24 November
// 2025, 09:41 local time.
var Now = time.Date(2025, 11, 24, 9, 41, 0, 0, time.Local)

// Client is the fake. Fill its fields before the screen opens; after that use
// Change, which locks and publishes.
type Client struct {
	mu  sync.Mutex
	bus event.Bus

	Me       core.Profile
	Values   map[string]string
	Net      core.Network
	People   []chat.Contact
	Strange  []chat.Request
	Numbers  map[chat.PersonID]string
	Convs    []chat.Conversation
	Msgs     map[chat.ConversationID][]chat.Message
	Ways     map[chat.MessageID]core.Delivery
	Open     []core.IssuedInvitation
	Around   []core.Nearby
	Stations []core.NodeInfo
	Machines []core.Contacted
	Findings []core.Check
	Kept     core.KeptMail
	Compares []core.Pairing
	files
	Backups
	Rights
	// Codes says what an invitation's text leads to.
	Codes map[string]chat.Contact
	// Fail makes a method return an error: key is the method's name.
	Fail map[string]error
	// Calls lists what was changed, as "Method argument …", in order.
	Calls []string

	issued int
	asked  map[string]int // how often a method was called
}

// New returns a client for a person with a name and the settings' defaults.
func New(name string) *Client {
	return &Client{
		Me: core.Profile{ID: Person(name), Name: name},
		Values: map[string]string{
			core.SettingName: name, core.SettingNetwork: core.NetworkLAN, core.SettingLanguage: "", core.SettingTheme: "",
			core.SettingVisible: "false", core.SettingNotify: "true", core.SettingNotifyContent: "false", core.SettingReadReceipts: "true",
			core.SettingKeepMail: "false", core.SettingTryAddrs: "",
			core.SettingFileLimit: "25", core.SettingFileQuota: "10240", core.SettingPhotoData: "true", core.SettingLockAfter: "",
		},
		Net:     core.Network{Mode: core.NetworkLAN, Online: true, Port: 47821},
		Numbers: map[chat.PersonID]string{},
		Msgs:    map[chat.ConversationID][]chat.Message{},
		Ways:    map[chat.MessageID]core.Delivery{},
		Codes:   map[string]chat.Contact{},
		Fail:    map[string]error{},
		files:   files{Infos: map[FileKey]core.FileInfo{}, Pictures: map[FileKey][]byte{}, Views: map[FileKey][]byte{}},
	}
}

// Person is the same id for the same name, and another one for another.
func Person(name string) chat.PersonID {
	var id chat.PersonID
	for i := range id {
		id[i] = byte(i) + 1
		if len(name) > 0 {
			id[i] ^= name[i%len(name)] * byte(i+1)
		}
	}
	return id
}

// Contact is a contact with a name, added two weeks ago, seen just now.
func Contact(name string) chat.Contact {
	return chat.Contact{
		ID: Person(name), Name: name, GivenName: name,
		AddedAt: Now.Add(-14 * 24 * time.Hour), LastSeen: Now.Add(-3 * time.Minute),
	}
}

// Change runs f on the client under its lock and then publishes events.
func (c *Client) Change(f func(*Client), events ...event.Event) {
	c.mu.Lock()
	f(c)
	c.mu.Unlock()
	c.bus.Publish(events...)
}

// Called returns a copy of Calls.
func (c *Client) Called() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.Calls)
}

// Asked is how often a method was called.
func (c *Client) Asked(method string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked[method]
}

// do runs f under the lock unless the method is to fail.
func (c *Client) do(ctx context.Context, method string, f func() error, args ...any) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if c.asked == nil {
		c.asked = map[string]int{}
	}
	c.asked[method]++
	if args != nil {
		c.Calls = append(c.Calls, strings.TrimSpace(method+" "+fmt.Sprintln(args...)))
	}
	if err := c.Fail[method]; err != nil {
		return fmt.Errorf("uitest: %w", err)
	}
	return f()
}

// Whoami implements core.Profiles.
func (c *Client) Whoami(ctx context.Context) (p core.Profile, err error) {
	err = c.do(ctx, "Whoami", func() error { p = c.Me; return nil })
	return p, err
}

// Settings implements core.Profiles.
func (c *Client) Settings(ctx context.Context) (out map[string]string, err error) {
	out = map[string]string{}
	err = c.do(ctx, "Settings", func() error {
		for k, v := range c.Values {
			out[k] = v
		}
		return nil
	})
	return out, err
}

// SetSetting implements core.Profiles.
func (c *Client) SetSetting(ctx context.Context, key, value string) error {
	err := c.do(ctx, "SetSetting", func() error {
		if _, ok := c.Values[key]; !ok {
			return chat.ErrUnsupported
		}
		if key == core.SettingName {
			if strings.TrimSpace(value) == "" || len(value) > chat.MaxNameSize {
				return chat.ErrBadName
			}
			c.Me.Name = value
		}
		c.Values[key] = value
		return nil
	}, key, value)
	if err == nil {
		c.bus.Publish(event.Event{Kind: event.SettingsChanged})
	}
	return err
}

// Network implements core.Profiles.
func (c *Client) Network(ctx context.Context) (n core.Network, err error) {
	err = c.do(ctx, "Network", func() error { n = c.Net; return nil })
	return n, err
}

// Contacts implements core.Contacts.
func (c *Client) Contacts(ctx context.Context) (out []chat.Contact, err error) {
	err = c.do(ctx, "Contacts", func() error { out = slices.Clone(c.People); return nil })
	return out, err
}

func (c *Client) person(id chat.PersonID) (*chat.Contact, error) {
	i := slices.IndexFunc(c.People, func(p chat.Contact) bool { return p.ID == id })
	if i < 0 {
		return nil, chat.ErrNotFound
	}
	return &c.People[i], nil
}

// Contact implements core.Contacts.
func (c *Client) Contact(ctx context.Context, id chat.PersonID) (out chat.Contact, err error) {
	err = c.do(ctx, "Contact", func() error {
		p, err := c.person(id)
		if err == nil {
			out = *p
		}
		return err
	})
	return out, err
}

// edit changes one contact and publishes it.
func (c *Client) edit(ctx context.Context, method string, id chat.PersonID, f func(*chat.Contact), args ...any) error {
	err := c.do(ctx, method, func() error {
		p, err := c.person(id)
		if err == nil {
			f(p)
		}
		return err
	}, args...)
	if err == nil {
		c.bus.Publish(event.Event{Kind: event.ContactChanged, Contact: id})
	}
	return err
}

// Rename implements core.Contacts.
func (c *Client) Rename(ctx context.Context, id chat.PersonID, alias string) error {
	if len(alias) > chat.MaxNameSize {
		return chat.ErrBadName
	}
	return c.edit(ctx, "Rename", id, func(p *chat.Contact) {
		p.Alias, p.Name = alias, alias
		if alias == "" {
			p.Name = p.GivenName
		}
	}, alias)
}

// Safety implements core.Contacts.
func (c *Client) Safety(ctx context.Context, id chat.PersonID) (s core.Safety, err error) {
	err = c.do(ctx, "Safety", func() error {
		p, err := c.person(id)
		if err != nil {
			return err
		}
		s = core.Safety{Number: c.Numbers[id], Verified: p.Verified}
		if s.Number == "" {
			s.Number = "05961 27845 10772 63094 88210 44537 19206 70158 33649 52871 06413 98720"
		}
		return nil
	})
	return s, err
}

// Verify implements core.Contacts.
func (c *Client) Verify(ctx context.Context, id chat.PersonID) error {
	return c.edit(ctx, "Verify", id, func(p *chat.Contact) { p.Verified = true }, c.nameOf(id))
}

func (c *Client) nameOf(id chat.PersonID) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if p, err := c.person(id); err == nil {
		return p.Name
	}
	return id.String()
}

// SetBlocked implements core.Contacts.
func (c *Client) SetBlocked(ctx context.Context, id chat.PersonID, blocked bool) error {
	return c.edit(ctx, "SetBlocked", id, func(p *chat.Contact) { p.Blocked = blocked }, blocked)
}

// Requests implements core.Contacts.
func (c *Client) Requests(ctx context.Context) (out []chat.Request, err error) {
	err = c.do(ctx, "Requests", func() error { out = slices.Clone(c.Strange); return nil })
	return out, err
}

// AnswerRequest implements core.Contacts.
func (c *Client) AnswerRequest(ctx context.Context, id chat.PersonID, accept bool) error {
	err := c.do(ctx, "AnswerRequest", func() error {
		i := slices.IndexFunc(c.Strange, func(r chat.Request) bool { return r.ID == id })
		if i < 0 {
			return chat.ErrNotFound
		}
		if accept {
			c.People = append(c.People, chat.Contact{ID: id, Name: c.Strange[i].Name, GivenName: c.Strange[i].Name, AddedAt: Now})
		}
		c.Strange = slices.Delete(c.Strange, i, i+1)
		return nil
	}, accept)
	if err == nil {
		c.bus.Publish(event.Event{Kind: event.RequestChanged, Contact: id}, event.Event{Kind: event.ContactChanged, Contact: id})
	}
	return err
}

// Invite implements core.Invitations.
func (c *Client) Invite(ctx context.Context, life time.Duration) (inv core.IssuedInvitation, err error) {
	if life == 0 {
		life = 7 * 24 * time.Hour
	}
	err = c.do(ctx, "Invite", func() error {
		c.issued++
		inv = core.IssuedInvitation{
			ID: fmt.Sprintf("inv%d", c.issued), Code: SampleCode(c.issued),
			File: []byte("kuvert file"), ExpiresAt: Now.Add(life),
		}
		c.Open = append([]core.IssuedInvitation{inv}, c.Open...)
		return nil
	}, life)
	return inv, err
}

// SampleCode is an invitation's text of full length, another for each n.
func SampleCode(n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	b := []byte("KUVERT:")
	for x := uint32(n)*2654435761 + 7; len(b) < 291; {
		x = x*1664525 + 1013904223
		b = append(b, alphabet[x>>27])
	}
	return string(b)
}

// Issued implements core.Invitations.
func (c *Client) Issued(ctx context.Context) (out []core.IssuedInvitation, err error) {
	err = c.do(ctx, "Issued", func() error { out = slices.Clone(c.Open); return nil })
	return out, err
}

// Revoke implements core.Invitations.
func (c *Client) Revoke(ctx context.Context, id string) error {
	return c.do(ctx, "Revoke", func() error {
		c.Open = slices.DeleteFunc(c.Open, func(i core.IssuedInvitation) bool { return i.ID == id })
		return nil
	}, id)
}

func (c *Client) lookup(code string) (chat.Contact, error) {
	p, ok := c.Codes[strings.ToUpper(strings.TrimSpace(code))]
	if !ok {
		return p, chat.ErrInvitationMalformed
	}
	return p, nil
}

// Inspect implements core.Invitations.
func (c *Client) Inspect(ctx context.Context, code string) (info core.InvitationInfo, err error) {
	err = c.do(ctx, "Inspect", func() error {
		p, err := c.lookup(code)
		info = core.InvitationInfo{From: p.ID, ExpiresAt: Now.Add(24 * time.Hour)}
		return err
	})
	return info, err
}

// Accept implements core.Invitations.
func (c *Client) Accept(ctx context.Context, code string, scanned bool) (a core.Accepted, err error) {
	err = c.do(ctx, "Accept", func() error {
		p, err := c.lookup(code)
		if err != nil {
			return err
		}
		p.Pending, p.Verified = true, scanned
		c.People = append(c.People, p)
		a = core.Accepted{Contact: p.ID, Verified: scanned}
		return nil
	}, scanned)
	if err == nil {
		c.bus.Publish(event.Event{Kind: event.ContactChanged, Contact: a.Contact})
	}
	return a, err
}

// Nearby implements core.Pairings.
func (c *Client) Nearby(ctx context.Context) (out []core.Nearby, err error) {
	err = c.do(ctx, "Nearby", func() error { out = slices.Clone(c.Around); return nil })
	return out, err
}

// Pair implements core.Pairings.
func (c *Client) Pair(ctx context.Context, nearby string) (p core.Pairing, err error) {
	err = c.do(ctx, "Pair", func() error {
		i := slices.IndexFunc(c.Around, func(n core.Nearby) bool { return n.ID == nearby })
		if i < 0 {
			return chat.ErrNotFound
		}
		n := c.Around[i]
		p = core.Pairing{ID: "pair-" + n.ID, Contact: Person(n.Name), Name: n.Name, State: core.PairingWaiting}
		c.Compares = append(c.Compares, p)
		return nil
	}, nearby)
	return p, err
}

// Pairings implements core.Pairings.
func (c *Client) Pairings(ctx context.Context) (out []core.Pairing, err error) {
	err = c.do(ctx, "Pairings", func() error { out = slices.Clone(c.Compares); return nil })
	return out, err
}

// Confirm implements core.Pairings.
func (c *Client) Confirm(ctx context.Context, id string, same bool) error {
	err := c.do(ctx, "Confirm", func() error {
		i := slices.IndexFunc(c.Compares, func(p core.Pairing) bool { return p.ID == id })
		if i < 0 {
			return chat.ErrNotFound
		}
		c.Compares[i].State = core.PairingRejected
		if same {
			c.Compares[i].State = core.PairingDone
		}
		return nil
	}, id, same)
	if err == nil {
		c.bus.Publish(event.Event{Kind: event.PairingChanged})
	}
	return err
}

// Subscribe implements core.Events.
func (c *Client) Subscribe(ctx context.Context) (core.Subscription, error) {
	if err := c.do(ctx, "Subscribe", func() error { return nil }); err != nil {
		return nil, err
	}
	return c.bus.Subscribe(), nil
}

// Nodes implements core.Nodes.
func (c *Client) Nodes(ctx context.Context) (out []core.NodeInfo, err error) {
	err = c.do(ctx, "Nodes", func() error { out = slices.Clone(c.Stations); return nil })
	return out, err
}

// SampleNodeLink is a mailbox's access link of full length.
func SampleNodeLink() string { return "KUVERT-NODE:" + SampleCode(99)[len("KUVERT:"):][:168] }

// AddNode implements core.Nodes: it takes whatever begins like an access link.
func (c *Client) AddNode(ctx context.Context, link string) (out core.NodeInfo, err error) {
	err = c.do(ctx, "AddNode", func() error {
		if !strings.HasPrefix(strings.ToUpper(strings.TrimSpace(link)), "KUVERT-NODE:") {
			return chat.ErrNodeLink
		}
		out = core.NodeInfo{ID: "ab", Addrs: []string{"192.168.1.5:47822"}, State: core.NodeConnecting, AddedAt: Now}
		c.Stations = append(c.Stations, out)
		return nil
	}, len(c.Stations))
	if err == nil {
		c.bus.Publish(event.Event{Kind: event.NodeChanged})
	}
	return out, err
}

// RemoveNode implements core.Nodes.
func (c *Client) RemoveNode(ctx context.Context, id string) error {
	err := c.do(ctx, "RemoveNode", func() error {
		c.Stations = slices.DeleteFunc(c.Stations, func(n core.NodeInfo) bool { return n.ID == id })
		return nil
	}, id)
	if err == nil {
		c.bus.Publish(event.Event{Kind: event.NodeChanged})
	}
	return err
}

// Contacted implements core.Insight.
func (c *Client) Contacted(ctx context.Context) (out []core.Contacted, err error) {
	err = c.do(ctx, "Contacted", func() error { out = slices.Clone(c.Machines); return nil })
	return out, err
}

// Diagnose implements core.Insight.
func (c *Client) Diagnose(ctx context.Context) (out []core.Check, err error) {
	err = c.do(ctx, "Diagnose", func() error { out = slices.Clone(c.Findings); return nil })
	return out, err
}

// KeptMail implements core.Insight.
func (c *Client) KeptMail(ctx context.Context) (out core.KeptMail, err error) {
	err = c.do(ctx, "KeptMail", func() error { out = c.Kept; return nil })
	return out, err
}
