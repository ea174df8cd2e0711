package chat

import "time"

// Holding is how much a profile keeps of one kind of data, and since when.
type Holding struct {
	Kind   string    `json:"kind"`
	Count  int64     `json:"count"`
	Oldest time.Time `json:"oldest"` // zero: not known for this kind
	Newest time.Time `json:"newest"`
}
