package icons

import (
	"encoding/xml"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Fyne draws the strokes of an SVG with their width in pixels whatever the size of
// the picture, so that they turn thin on a dense display. outline therefore turns
// strokes into filled shapes. It reads what our own icons use and nothing else:
// one group with a stroke width, round caps and joins; paths of the commands
// M L H V C S A Z with absolute numbers; circles.

var errDrawing = errors.New("not one of our drawings")

type drawing struct {
	ViewBox string `xml:"viewBox,attr"`
	Group   struct {
		Width float64 `xml:"stroke-width,attr"`
		Paths []struct {
			D string `xml:"d,attr"`
		} `xml:"path"`
		Circles []struct {
			X float64 `xml:"cx,attr"`
			Y float64 `xml:"cy,attr"`
			R float64 `xml:"r,attr"`
		} `xml:"circle"`
	} `xml:"g"`
}

// outline returns the same picture made of filled shapes in currentColor.
func outline(svg []byte) ([]byte, error) {
	var d drawing
	if err := xml.Unmarshal(svg, &d); err != nil {
		return nil, fmt.Errorf("%w: %w", errDrawing, err)
	}
	var out strings.Builder
	_, _, w, h := box(d.ViewBox)
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%g" height="%g" viewBox="%s"><path fill="currentColor" d="`, w, h, d.ViewBox)
	r := d.Group.Width / 2
	for _, p := range d.Group.Paths {
		lines, err := flatten(p.D)
		if err != nil {
			return nil, err
		}
		for _, l := range lines {
			l.stroke(&out, r)
		}
	}
	for _, c := range d.Group.Circles {
		circle(c.X, c.Y, c.R).stroke(&out, r)
	}
	out.WriteString(`"/></svg>`)
	return []byte(out.String()), nil
}

func box(s string) (x, y, w, h float64) {
	_, _ = fmt.Sscan(s, &x, &y, &w, &h)
	return x, y, w, h
}

type point struct{ x, y float64 }

func (p point) add(q point) point       { return point{p.x + q.x, p.y + q.y} }
func (p point) sub(q point) point       { return point{p.x - q.x, p.y - q.y} }
func (p point) times(f float64) point   { return point{p.x * f, p.y * f} }
func (p point) len() float64            { return math.Hypot(p.x, p.y) }
func (p point) to(q point) point        { d := q.sub(p); return d.times(1 / d.len()) }
func (p point) normal() point           { return point{p.y, -p.x} }
func (p point) cross(q point) float64   { return p.x*q.y - p.y*q.x }
func (p point) dot(q point) float64     { return p.x*q.x + p.y*q.y }
func polar(c point, r, a float64) point { return point{c.x + r*math.Cos(a), c.y + r*math.Sin(a)} }
func lerp(a, b point, t float64) point  { return a.add(b.sub(a).times(t)) }
func cubic(a, b, c, d point, t float64) point {
	ab, bc, cd := lerp(a, b, t), lerp(b, c, t), lerp(c, d, t)
	return lerp(lerp(ab, bc, t), lerp(bc, cd, t), t)
}

// polyline is a flattened subpath without equal neighbours.
type polyline struct {
	pts    []point
	closed bool
}

func (l *polyline) push(p point) {
	if n := len(l.pts); n == 0 || l.pts[n-1].sub(p).len() > 1e-6 {
		l.pts = append(l.pts, p)
	}
}

// step is the length of a flattened piece: small beside a pixel at four times the
// icon's size.
const step = 0.35

func circle(x, y, r float64) *polyline {
	l := &polyline{closed: true}
	n := max(16, int(2*math.Pi*r/step))
	for i := range n {
		l.push(polar(point{x, y}, r, 2*math.Pi*float64(i)/float64(n)))
	}
	return l
}

// pen follows a path's commands.
type pen struct {
	lines []*polyline
	at    point
	ctrl  point // the last control point of C or S
}

func flatten(d string) ([]*polyline, error) {
	p := &pen{}
	for len(d) > 0 {
		cmd := d[0]
		rest := d[1:]
		end := strings.IndexAny(rest, "MLHVCSAZ")
		if end < 0 {
			end = len(rest)
		}
		nums, err := numbers(rest[:end])
		if err != nil {
			return nil, err
		}
		if err := p.draw(cmd, nums); err != nil {
			return nil, err
		}
		d = rest[end:]
	}
	return p.lines, nil
}

func numbers(s string) ([]float64, error) {
	var out []float64
	for _, f := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == '\n' }) {
		v, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errDrawing, err)
		}
		out = append(out, v)
	}
	return out, nil
}

// arity is how many numbers a command takes at a time.
var arity = map[byte]int{'M': 2, 'L': 2, 'H': 1, 'V': 1, 'C': 6, 'S': 4, 'A': 7}

func (p *pen) draw(cmd byte, n []float64) error {
	if cmd == 'Z' && len(p.lines) > 0 {
		l := p.lines[len(p.lines)-1]
		l.closed = true
		if k := len(l.pts); k > 1 && l.pts[0].sub(l.pts[k-1]).len() < 1e-6 {
			l.pts = l.pts[:k-1]
		}
		p.at = l.pts[0]
		return nil
	}
	size := arity[cmd]
	if size == 0 || len(n) == 0 || len(n)%size != 0 || (cmd != 'M' && len(p.lines) == 0) {
		return fmt.Errorf("%w: command %q", errDrawing, cmd)
	}
	for ; len(n) > 0; n = n[size:] {
		p.one(cmd, n[:size])
	}
	return nil
}

func (p *pen) one(cmd byte, n []float64) {
	switch cmd {
	case 'M':
		p.lines = append(p.lines, &polyline{})
		p.line(point{n[0], n[1]})
	case 'L':
		p.line(point{n[0], n[1]})
	case 'H':
		p.line(point{n[0], p.at.y})
	case 'V':
		p.line(point{p.at.x, n[0]})
	case 'C':
		p.curve(point{n[0], n[1]}, point{n[2], n[3]}, point{n[4], n[5]})
	case 'S':
		p.curve(p.at.times(2).sub(p.ctrl), point{n[0], n[1]}, point{n[2], n[3]})
	case 'A':
		p.arc(n[0], n[3] != 0, n[4] != 0, point{n[5], n[6]})
	}
}

func (p *pen) line(to point) {
	p.lines[len(p.lines)-1].push(to)
	p.at, p.ctrl = to, to
}

func (p *pen) curve(b, c, to point) {
	from := p.at
	n := max(6, int((b.sub(from).len()+c.sub(b).len()+to.sub(c).len())/step))
	for i := 1; i <= n; i++ {
		p.line(cubic(from, b, c, to, float64(i)/float64(n)))
	}
	p.ctrl = c
}

// arc follows a circle of radius r (our icons have no ellipses).
func (p *pen) arc(r float64, large, sweep bool, to point) {
	from := p.at
	half := to.sub(from).times(0.5)
	r = max(r, half.len())
	off := half.normal().times(math.Sqrt(max(0, r*r-half.dot(half))) / half.len())
	if large == sweep {
		off = off.times(-1)
	}
	centre := from.add(half).sub(off)
	start := math.Atan2(from.y-centre.y, from.x-centre.x)
	turn := math.Mod(math.Atan2(to.y-centre.y, to.x-centre.x)-start+4*math.Pi, 2*math.Pi)
	if !sweep {
		turn -= 2 * math.Pi
	}
	n := max(4, int(math.Abs(turn)*r/step))
	for i := 1; i < n; i++ {
		p.line(polar(centre, r, start+turn*float64(i)/float64(n)))
	}
	p.line(to)
}

// stroke writes the outline of a line of radius r as closed loops. All of them
// turn the same way, so that where they overlap nothing cancels out.
func (l *polyline) stroke(out *strings.Builder, r float64) {
	if len(l.pts) == 1 { // a dot
		c := l.pts[0]
		loop(out, circle(c.x, c.y, r).pts)
		return
	}
	if l.closed {
		loop(out, l.side(r))
		loop(out, l.reversed().side(r))
		return
	}
	back := l.reversed()
	pts := append(l.side(r), l.cap(r)...)
	pts = append(pts, back.side(r)...)
	loop(out, append(pts, back.cap(r)...))
}

func loop(out *strings.Builder, pts []point) {
	for i, p := range pts {
		c := 'L'
		if i == 0 {
			c = 'M'
		}
		fmt.Fprintf(out, "%c%.3f %.3f", c, p.x, p.y)
	}
	out.WriteByte('Z')
}

func (l *polyline) reversed() *polyline {
	out := &polyline{closed: l.closed}
	for i := len(l.pts) - 1; i >= 0; i-- {
		out.pts = append(out.pts, l.pts[i])
	}
	return out
}

// side is the line moved by r to the side of its normals.
func (l *polyline) side(r float64) []point {
	n := len(l.pts)
	var out []point
	for i, p := range l.pts {
		prev, next := l.pts[(i+n-1)%n], l.pts[(i+1)%n]
		switch {
		case !l.closed && i == 0:
			out = append(out, p.add(p.to(next).normal().times(r)))
		case !l.closed && i == n-1:
			out = append(out, p.add(prev.to(p).normal().times(r)))
		default:
			out = append(out, join(prev, p, next, r)...)
		}
	}
	return out
}

// join turns the corner at p: round on the outside, to the point where both sides
// meet on the inside.
func join(prev, p, next point, r float64) []point {
	in, out := prev.to(p), p.to(next)
	turn := math.Atan2(in.cross(out), in.dot(out))
	if turn > 0.35 { // our side is the outer one
		a := math.Atan2(in.normal().y, in.normal().x)
		return fan(p, r, a, turn)
	}
	mid := in.normal().add(out.normal())
	reach := 2 * r / mid.dot(mid)
	if length := reach * mid.len(); turn < -0.35 && length > min(prev.sub(p).len(), next.sub(p).len()) {
		return []point{p.add(in.normal().times(r)), p, p.add(out.normal().times(r))}
	}
	return []point{p.add(mid.times(reach))}
}

func fan(c point, r, from, turn float64) []point {
	n := max(2, int(math.Abs(turn)/0.3))
	out := make([]point, n+1)
	for i := range out {
		out[i] = polar(c, r, from+turn*float64(i)/float64(n))
	}
	return out
}

// cap is the round end after the last point.
func (l *polyline) cap(r float64) []point {
	n := len(l.pts)
	d := l.pts[n-2].to(l.pts[n-1]).normal()
	return fan(l.pts[n-1], r, math.Atan2(d.y, d.x), math.Pi)
}
