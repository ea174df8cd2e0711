package envelope

import (
	"reflect"
	"testing"
	"time"
)

func samplePayload() Payload {
	return Payload{
		Version: Version, Type: TypeMessage, Conversation: [16]byte{1}, MessageID: [16]byte{2},
		Sender: [32]byte{3}, Recipient: [32]byte{4}, Inst: [16]byte{5}, Session: [16]byte{6},
		Ctr: 7, Number: 8, Seq: 9, Parents: [][16]byte{{10}, {11}}, Sent: time.UnixMilli(1_800_000_000_123).UTC(),
		Acks: []Ack{{Session: [16]byte{6}, Contiguous: 3, Chain: [8]byte{12}, Ranges: []AckRange{{5, 5, [8]byte{13}}, {7, 9, [8]byte{14}}}, Hi: 15, HiHash: [8]byte{16}}},
		Body: []byte("body"),
	}
}

func TestPayloadRoundTrip(t *testing.T) {
	p := samplePayload()
	b, err := Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Decode(b)
	if err != nil || !reflect.DeepEqual(got, p) {
		t.Fatalf("decoded %+v, %v", got, err)
	}
}
