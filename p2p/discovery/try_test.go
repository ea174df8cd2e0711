package discovery

import (
	"errors"
	"strings"
	"testing"
)

// What is no address, no range, or too many of them is refused and named; what is
// right is never more than MaxTries addresses.
func TestRangesAreBounded(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "192.168.3.7": 1, "192.168.3.9/24": 256, "10.0.0.0/22": 1024, "10.1.0.0/23 10.2.0.0/23": 1024, "10.0.0.1 10.0.0.1": 2,
	} {
		all, err := ParseRanges(strings.Fields(text))
		n := 0
		for _, p := range all {
			n += 1 << (32 - p.Bits())
		}
		if err != nil || n != want || n > MaxTries {
			t.Errorf("%q: %d addresses, %v", text, n, err)
		}
	}
	for _, text := range []string{
		"10.0.0.0/21", "10.0.0.0/0", "10.1.0.0/22 10.2.0.1", "0.0.0.0", "0.0.0.0/32", "224.0.0.1", "fe80::1", "2001:db8::/64",
		"::ffff:10.0.0.1", "office.example", "10.0.0.1:80", "10.0.0", "10.0.0.1/33", "10.0.0.1/-1",
	} {
		all, err := ParseRanges(strings.Fields(text))
		entries := strings.Fields(text)
		if !errors.Is(err, ErrRange) || all != nil || !strings.Contains(err.Error(), entries[len(entries)-1]) {
			t.Errorf("%q: %v, %v", text, all, err)
		}
	}
}
