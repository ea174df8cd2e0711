package qr

import "strings"

// Terminal draws the code with block characters, two modules a character, with the
// quiet zone around it. With colour it is black on white whatever the terminal's own
// colours are; without, it takes light characters on a dark ground for granted, as
// most terminals have them.
func (m *Matrix) Terminal(colour bool) string {
	const blackOnWhite, usual = "\x1b[30;107m", "\x1b[0m"
	blocks := [2][2]string{{"█", "▀"}, {"▄", " "}} // by whether top and bottom are dark
	if colour {
		blocks = [2][2]string{{" ", "▄"}, {"▀", "█"}}
	}
	var b strings.Builder
	for y := -QuietZone; y < m.size+QuietZone; y += 2 {
		if colour {
			b.WriteString(blackOnWhite)
		}
		for x := -QuietZone; x < m.size+QuietZone; x++ {
			b.WriteString(blocks[index(m.at(x, y))][index(m.at(x, y+1))])
		}
		if colour {
			b.WriteString(usual)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// at tells whether a module is dark; outside the code none is.
func (m *Matrix) at(x, y int) bool {
	return x >= 0 && y >= 0 && x < m.size && y < m.size && m.dark[y*m.size+x]
}

func index(dark bool) int {
	if dark {
		return 1
	}
	return 0
}
