package settings

import (
	"slices"

	"fyne.io/fyne/v2/widget"
)

// option is a stored value and what it is called.
type option struct{ value, name string }

// choice is a drop-down over stored values.
type choice struct {
	sel     *widget.Select
	options []option
	quiet   bool // set by the program
}

func newChoice(options []option, changed func(value string)) *choice {
	c := &choice{options: options}
	names := make([]string, len(options))
	for i, o := range options {
		names[i] = o.name
	}
	c.sel = widget.NewSelect(names, func(string) {
		if !c.quiet {
			changed(c.value())
		}
	})
	return c
}

// offer adds an option if its value is none of those there are.
func (c *choice) offer(o option) {
	if slices.ContainsFunc(c.options, func(p option) bool { return p.value == o.value }) {
		return
	}
	c.options = append(slices.Clip(c.options), o)
	c.sel.Options = append(slices.Clip(c.sel.Options), o.name)
	c.sel.Refresh()
}

func (c *choice) value() string {
	if i := c.sel.SelectedIndex(); i >= 0 {
		return c.options[i].value
	}
	return ""
}

// set shows a stored value without calling back.
func (c *choice) set(value string) {
	i := max(0, slices.IndexFunc(c.options, func(o option) bool { return o.value == value }))
	if c.sel.SelectedIndex() == i {
		return
	}
	c.quiet = true
	c.sel.SetSelectedIndex(i)
	c.quiet = false
}
