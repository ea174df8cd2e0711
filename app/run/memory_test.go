package run

import (
	"runtime"
	"testing"
)

var kept []byte // escapes to the heap

// TestRest gives memory back once much was allocated, and otherwise leaves the
// collector alone.
func TestRest(t *testing.T) {
	const garbage = 64 << 20
	last := rest(0)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if rest(last) != last {
		t.Error("nothing was allocated, yet it rests")
	}
	kept = make([]byte, garbage)
	for i := range kept {
		kept[i] = 1
	}
	kept = nil
	if rest(last) < last+garbage {
		t.Error("does not see what was allocated")
	}
	runtime.ReadMemStats(&after)
	if after.HeapInuse > before.HeapInuse+garbage/2 || after.HeapIdle-after.HeapReleased > garbage/2 {
		t.Errorf("kept: %d bytes in use, %d idle of which %d released", after.HeapInuse, after.HeapIdle, after.HeapReleased)
	}
}
