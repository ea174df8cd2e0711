package contactdetails

import (
	"strings"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/theme"

	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// A safety number has 60 digits, read aloud in groups of five.
const (
	groupSize = 5
	perLine   = 4
)

// Groups cuts a safety number into groups of five digits, whatever white space is
// in it.
func Groups(number string) []string {
	digits := strings.Join(strings.Fields(number), "")
	var out []string
	for len(digits) > groupSize {
		out, digits = append(out, digits[:groupSize]), digits[groupSize:]
	}
	if digits != "" {
		out = append(out, digits)
	}
	return out
}

// Lines is the number as text, four groups a line.
func Lines(number string) string {
	var lines []string
	for all := Groups(number); len(all) > 0; {
		n := min(perLine, len(all))
		lines, all = append(lines, strings.Join(all[:n], " ")), all[n:]
	}
	return strings.Join(lines, "\n")
}

// numberGrid shows the groups four a line, on a ground of their own.
func numberGrid(number string) fyne.CanvasObject {
	grid := container.NewGridWithColumns(perLine)
	for _, g := range Groups(number) {
		grid.Add(parts.Body(g).Mono(16).Centered())
	}
	return container.NewStack(parts.Ground(theme.ColorNameInputBackground, parts.Radius, ""), parts.Pad(grid, 12, 8, 12, 8))
}
