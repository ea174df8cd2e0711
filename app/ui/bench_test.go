package ui

import (
	"fmt"
	"testing"

	"fyne.io/fyne/v2"

	"github.com/kuvert-im/kuvert/app/ui/uitest"
)

// BenchmarkOpenConversation is from the choice to the newest page on screen, the
// client in memory.
func BenchmarkOpenConversation(b *testing.B) {
	for _, n := range []int{100, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			x := open(b, setup{client: uitest.Office(n)}).talk(thomas)
			for i := 0; b.Loop(); i++ {
				x.talk([]string{sabine, thomas}[i%2])
			}
		})
	}
}

// BenchmarkScrollConversation is one step of the wheel, pages loaded on the way.
func BenchmarkScrollConversation(b *testing.B) {
	x := open(b, setup{client: uitest.Office(100_000)}).talk(sabine)
	for b.Loop() {
		x.u.conv.history.ScrollBy(40)
		x.pump.run()
	}
}

// BenchmarkPageUp is one screen, pages loaded on the way.
func BenchmarkPageUp(b *testing.B) {
	x := open(b, setup{client: uitest.Office(100_000)}).talk(sabine)
	for b.Loop() {
		x.u.conv.history.Page(fyne.KeyPageUp)
		x.pump.run()
	}
}
