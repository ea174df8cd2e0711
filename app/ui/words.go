package ui

import (
	"strconv"
	"strings"
	"time"
	"unicode"

	"fyne.io/fyne/v2/lang"
	"golang.org/x/text/unicode/norm"

	"github.com/kuvert-im/kuvert/app/chat"
	"github.com/kuvert-im/kuvert/app/core"
	"github.com/kuvert-im/kuvert/app/ui/parts"
)

// t is the text of a key; pairs fill its fields.
func t(key string, pairs ...any) string {
	if len(pairs) == 0 {
		return lang.X(key, key)
	}
	return lang.X(key, key, parts.With(pairs...))
}

// count is the text of a key for a number.
func count(key string, n int) string {
	return lang.XN(key, key, n, map[string]any{"N": strconv.Itoa(n)})
}

var weekdays = [7]string{
	"main.weekday.sunday", "main.weekday.monday", "main.weekday.tuesday", "main.weekday.wednesday",
	"main.weekday.thursday", "main.weekday.friday", "main.weekday.saturday",
}

var shortWeekdays = [7]string{
	"main.weekday.short.sunday", "main.weekday.short.monday", "main.weekday.short.tuesday", "main.weekday.short.wednesday",
	"main.weekday.short.thursday", "main.weekday.short.friday", "main.weekday.short.saturday",
}

var months = [12]string{
	"main.month.january", "main.month.february", "main.month.march", "main.month.april", "main.month.may", "main.month.june",
	"main.month.july", "main.month.august", "main.month.september", "main.month.october", "main.month.november", "main.month.december",
}

func clock(at time.Time) string { return at.Local().Format("15:04") }

// day numbers local days, so that two times of one day compare equal.
func day(at time.Time) int64 {
	y, m, d := at.Local().Date()
	return time.Date(y, m, d, 12, 0, 0, 0, time.UTC).Unix() / 86400
}

// longDay names a day as the line between days does.
func longDay(at, now time.Time) string {
	switch day(now) - day(at) {
	case 0:
		return t("main.today")
	case 1:
		return t("main.yesterday")
	}
	at = at.Local()
	pairs := []any{"Weekday", t(weekdays[at.Weekday()]), "Day", strconv.Itoa(at.Day()), "Month", t(months[at.Month()-1]), "Year", strconv.Itoa(at.Year())}
	if at.Year() == now.Local().Year() {
		return t("main.day", pairs...)
	}
	return t("main.day.year", pairs...)
}

// rowTime is a time as short as the list needs it.
func rowTime(at, now time.Time) string {
	if at.IsZero() {
		return ""
	}
	at = at.Local()
	switch d := day(now) - day(at); {
	case d <= 0:
		return clock(at)
	case d == 1:
		return t("main.yesterday")
	case d < 7:
		return t(shortWeekdays[at.Weekday()])
	case at.Year() == now.Local().Year():
		return at.Format(t("main.date.layout"))
	}
	return at.Format(t("main.date.layout.year"))
}

// moment is a day and a time in full.
func moment(at time.Time) string {
	at = at.Local()
	return t("main.moment", "Day", strconv.Itoa(at.Day()), "Month", t(months[at.Month()-1]), "Year", strconv.Itoa(at.Year()), "Time", clock(at))
}

// shown is when a message was written, as far as its sender's clock can be
// believed: never after it arrived.
func shown(m chat.Message) time.Time { return m.ShownAt() }

var stateWords = map[chat.State]string{
	chat.Queued: "conversation.word.queued", chat.Sent: "conversation.word.sent", chat.Delivered: "conversation.word.delivered",
	chat.Read: "conversation.word.read", chat.Failed: "conversation.word.failed",
}

var stateSentences = map[chat.State]string{
	chat.Queued: "delivery.queued", chat.Sent: "delivery.sent", chat.Delivered: "delivery.delivered",
	chat.Read: "delivery.read", chat.Failed: "delivery.failed", chat.Received: "delivery.received",
}

var whySentences = map[core.Why]string{
	core.WhyNotFound: "delivery.why.not_found", core.WhyNoNetwork: "delivery.why.no_network", core.WhyNotAccepted: "delivery.why.not_accepted",
	core.WhyRenewing: "delivery.why.renewing", core.WhyUnconfirmed: "delivery.why.unconfirmed", core.WhyBlocked: "delivery.why.blocked",
	core.WhyRefused: "delivery.why.refused", core.WhyDiskFull: "delivery.why.disk_full", core.WhyOtherBusy: "delivery.why.other_busy",
	core.WhyExpiredKeys: "delivery.why.expired_keys", core.WhyOffline: "delivery.why.offline",
	core.WhyMailboxFull: "delivery.why.mailbox_full", core.WhyMailboxAway: "delivery.why.mailbox_away",
	core.WhyTwoHere: "delivery.why.two_here", core.WhyTwoThere: "delivery.why.two_there",
}

var noticeSentences = map[chat.Notice]string{
	chat.NoticeConnected: "conversation.notice.connected", chat.NoticeSessionRenewed: "conversation.notice.session_renewed",
	chat.NoticeVerified: "conversation.notice.verified", chat.NoticeInviteReused: "conversation.notice.invite_reused",
	chat.NoticeBranch: "conversation.notice.branch", chat.NoticeTwoHere: "conversation.notice.two_here",
	chat.NoticeRefused: "conversation.notice.two_refused", chat.NoticeInviteRefused: "conversation.notice.invite_refused",
}

// timerSentences are the lines that tell how long messages stay from now on.
var timerSentences = func() map[chat.Notice]string {
	all := map[chat.Notice]string{}
	for _, life := range append(chat.Lives(), chat.MaxLife) { // the last is none of those
		for _, own := range []bool{false, true} {
			n := chat.TimerNotice(life, own)
			all[n] = "conversation.notice." + string(n)
		}
	}
	return all
}()

// why says what a message waits for, "" if nothing is known.
func why(w core.Why, name string) string {
	key, ok := whySentences[w]
	if !ok {
		return ""
	}
	return t(key, "Name", name)
}

func notice(m chat.Message, name string) string {
	key, ok := noticeSentences[chat.Notice(m.Text)]
	if !ok {
		key, ok = timerSentences[chat.Notice(m.Text)]
	}
	if !ok {
		key = "conversation.notice.unknown"
	}
	return t(key, "Name", name)
}

// details are the lines of the panel under a message: where it is, why it is not
// further, when it is tried again.
func details(m chat.Message, d core.Delivery, known bool, name string, now time.Time) string {
	if m.State == chat.Received {
		lines := []string{t("delivery.received", "Name", name), t("delivery.written", "Time", moment(m.SentAt))}
		if !m.ReceivedAt.IsZero() {
			lines = append(lines, t("delivery.arrived", "Time", moment(m.ReceivedAt)))
		}
		return strings.Join(lines, "\n")
	}
	lines := []string{t(stateSentences[m.State], "Name", name)}
	if known {
		lines = append([]string{where(m, d, name, now)}, progress(d, name, now)...)
	}
	return strings.Join(append(lines, t("delivery.written", "Time", moment(m.SentAt))), "\n")
}

// where says where an own message is.
func where(m chat.Message, d core.Delivery, name string, now time.Time) string {
	switch {
	case m.State == chat.Failed:
	case d.Where == core.WhereMailbox && d.Holder != "":
		return since("delivery.where.holder", d.HeldAt, now, "Holder", d.Holder)
	case d.Where == core.WhereMailbox:
		return since("delivery.where.mailbox", d.HeldAt, now)
	case d.Where == core.WhereDevice:
		return t("delivery.delivered", "Name", name)
	case d.Where == core.WhereRead:
		return t("delivery.read", "Name", name)
	}
	return t(stateSentences[m.State], "Name", name)
}

// since is a text with the time since when it is so, if that is known.
func since(key string, at, now time.Time, pairs ...any) string {
	text := t(key, pairs...)
	if at.IsZero() {
		return text
	}
	return t("delivery.since", "Where", text, "When", parts.Moment(at, now))
}

// progress is why a message is not further and when it is tried again. What lies
// in a mailbox until its recipient comes needs no further try.
func progress(d core.Delivery, name string, now time.Time) []string {
	var lines []string
	if s := why(d.Why, name); s != "" {
		lines = append(lines, s)
	}
	if d.State != chat.Queued && d.State != chat.Sent {
		return lines
	}
	if d.Where != core.WhereMailbox || !d.NextTry.IsZero() {
		lines = append(lines, nextTry(d, name, now))
	}
	if d.Attempts > 0 {
		lines = append(lines, count("delivery.attempts", d.Attempts))
	}
	return lines
}

func nextTry(d core.Delivery, name string, now time.Time) string {
	left := d.NextTry.Sub(now)
	switch {
	case d.NextTry.IsZero():
		return t("delivery.next.seen", "Name", name)
	case left <= 0:
		return t("delivery.next.now")
	case left <= time.Minute:
		return count("delivery.next.seconds", int((left+time.Second-1)/time.Second))
	case left <= time.Hour:
		return count("delivery.next.minutes", int((left+time.Minute-1)/time.Minute))
	}
	return t("delivery.next.at", "Time", clock(d.NextTry))
}

// plain makes names comparable for the search: case, accents and umlauts do not
// matter, "ß" is "ss".
func plain(s string) string {
	var b strings.Builder
	for _, r := range norm.NFD.String(strings.ToLower(s)) {
		switch {
		case unicode.Is(unicode.Mn, r):
		case r == 'ß':
			b.WriteString("ss")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// one makes a message one line of a preview.
func one(s string) string {
	if len(s) > 300 { // more than any row shows
		s = s[:300]
	}
	return strings.ToValidUTF8(strings.Join(strings.Fields(s), " "), "")
}
