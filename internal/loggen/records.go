package loggen

import (
	"fmt"
	"strings"
	"time"
)

// service is one program that logs: its levels in order of frequency and what it prints.
type service struct {
	name      string
	templates []func(*Generator) (level, message string, attrs []pair)
}

func services() []service {
	return []service{
		{"gateway", []func(*Generator) (string, string, []pair){access, access, access, upstream}},
		{"orders", []func(*Generator) (string, string, []pair){order, order, sqlSlow, stackTrace}},
		{"auth", []func(*Generator) (string, string, []pair){login, login, tokenExpired}},
		{"storage-node", []func(*Generator) (string, string, []pair){compaction, compaction, block, rareEvent}},
		{"i18n", []func(*Generator) (string, string, []pair){foreign, foreign, odd}},
	}
}

// record makes the fields of the next line.
func (g *Generator) record() []pair {
	list := services()
	s := list[min(g.rng.Intn(len(list)+3), len(list)-1-g.rng.Intn(2))%len(list)]
	level, message, attrs := s.templates[g.rng.Intn(len(s.templates))](g)
	attrs = append(attrs, pair{"pod", fmt.Sprintf("%s-%x-%d", s.name, 0x5b48+g.rng.Intn(3), g.rng.Intn(8))})
	if g.opts.Sequence {
		message = fmt.Sprintf("%s seq%d", message, g.next)
		attrs = append(attrs, pair{"seq", fmt.Sprint(g.next)})
	}
	names := [3]string{"_timestamp", "log_msg", "level"}
	if !g.opts.Plain {
		names = [3]string{
			g.choose("_timestamp", "_timestamp", "ts", "@timestamp", "time"), g.choose("log_msg", "_msg", "message", "msg"),
			g.choose("level", "level", "severity"),
		}
	}
	fields := []pair{{names[0], g.timestamp()}, {"app_id", s.name}}
	switch g.rng.Intn(20) {
	case 0:
		fields = append(fields, pair{"level", nil})
	case 1:
	default:
		fields = append(fields, pair{names[2], level})
	}
	if g.rng.Intn(3) > 0 {
		fields = append(fields, pair{"host", fmt.Sprintf("host-%02d.%s.example.com", g.rng.Intn(24), g.choose("eu", "us", "ap"))})
	}
	if g.rng.Intn(4) == 0 {
		fields = append(fields, pair{"trace_id", g.hex(32)})
	}
	if g.rng.Intn(200) > 0 {
		fields = append(fields, pair{names[1], message})
	}
	return append(fields, g.extras(attrs)...)
}

// extras puts the attributes into attrs, or beside it.
func (g *Generator) extras(attrs []pair) []pair {
	switch {
	case g.opts.Plain || g.rng.Intn(3) > 0:
		return []pair{{"attrs", attrs}}
	case g.rng.Intn(2) == 0:
		return []pair{{"k8s", attrs}, {"retries", g.rng.Intn(4)}, {"sampled", g.rng.Intn(2) == 0}, {"tags", []string{"a", "b c"}}}
	}
	return append(attrs, pair{"nothing", nil})
}

func (g *Generator) timestamp() any {
	t := g.moment()
	if g.opts.Plain {
		return t.UTC().Format("2006-01-02T15:04:05.000000000Z")
	}
	switch g.rng.Intn(8) {
	case 0:
		return t.Unix()
	case 1:
		return t.UnixMilli()
	case 2:
		return t.UnixMicro()
	case 3:
		return fmt.Sprint(t.UnixNano())
	case 4:
		return t.In(time.FixedZone("", 2*3600)).Format(time.RFC3339Nano)
	}
	return t.UTC().Format("2006-01-02T15:04:05.000000000Z")
}

func (g *Generator) choose(list ...string) string { return list[g.rng.Intn(len(list))] }

func (g *Generator) hex(n int) string {
	var b strings.Builder
	for b.Len() < n {
		fmt.Fprintf(&b, "%x", g.rng.Intn(16))
	}
	return b.String()
}

func (g *Generator) uuid() string {
	return g.hex(8) + "-" + g.hex(4) + "-4" + g.hex(3) + "-" + g.hex(4) + "-" + g.hex(12)
}

func (g *Generator) ip() string {
	return fmt.Sprintf("10.%d.%d.%d", g.rng.Intn(4), g.rng.Intn(256), g.rng.Intn(256))
}

func (g *Generator) path() string {
	return fmt.Sprintf("/api/v%d/%s/%d", 1+g.rng.Intn(2), g.choose("orders", "users", "cart/items", "search", "healthz"), g.rng.Intn(5000))
}

func access(g *Generator) (string, string, []pair) {
	status := g.choose("200", "200", "200", "201", "304", "404", "500")
	method := g.choose("GET", "GET", "POST", "DELETE")
	message := fmt.Sprintf("%s - - \"%s %s HTTP/1.1\" %s %d \"%s\"", g.ip(), method, g.path(), status, g.rng.Intn(90000),
		g.choose("Mozilla/5.0 (X11; Linux x86_64)", "curl/8.5.0", "kube-probe/1.29"))
	return "info", message, []pair{{"status", status}, {"method", method}, {"remote_addr", g.ip()}}
}

func upstream(g *Generator) (string, string, []pair) {
	message := fmt.Sprintf("upstream svc-%d.internal:8443 failed after %d attempts: connection timed out (request_id=%s)",
		g.rng.Intn(40), 1+g.rng.Intn(5), g.uuid())
	return "error", message, []pair{{"upstream", fmt.Sprintf("svc-%d", g.rng.Intn(40))}}
}

func order(g *Generator) (string, string, []pair) {
	message := fmt.Sprintf("order %s for user%d accepted, total=%d.%02d EUR, items=%d, took %dms", g.uuid(), g.rng.Intn(3000), g.rng.Intn(500),
		g.rng.Intn(100), 1+g.rng.Intn(9), g.rng.Intn(900))
	return "info", message, []pair{{"user", fmt.Sprintf("user%d", g.rng.Intn(3000))}, {"span_id", g.hex(16)}}
}

func sqlSlow(g *Generator) (string, string, []pair) {
	message := fmt.Sprintf("duration: %d.%03d ms  statement: SELECT \"id\", name FROM order_items WHERE order_id = '%s' AND qty > %d;",
		g.rng.Intn(4000), g.rng.Intn(1000), g.uuid(), g.rng.Intn(10))
	return "warn", message, []pair{{"db", "orders_db"}, {"pid", fmt.Sprint(1000 + g.rng.Intn(64))}}
}

func stackTrace(g *Generator) (string, string, []pair) {
	var b strings.Builder
	fmt.Fprintf(&b, "java.lang.%sException: order %d is gone\n", g.choose("IllegalState", "NullPointer", "IndexOutOfBounds"), g.rng.Intn(1e6))
	for range 3 + g.rng.Intn(20) {
		fmt.Fprintf(&b, "\tat com.example.orders.%s.%s(%s.java:%d)\n", g.choose("OrderService", "Cart", "Ledger"),
			g.choose("apply", "load", "lambda$run$0", "commit"), g.choose("OrderService", "Cart", "Ledger"), g.rng.Intn(900))
	}
	return "error", b.String(), []pair{{"thread", fmt.Sprintf("worker-%d", g.rng.Intn(16))}}
}

func login(g *Generator) (string, string, []pair) {
	message := fmt.Sprintf("user%d logged in with %s from %s session=%s", g.rng.Intn(3000), g.choose("password", "oauth", "saml"), g.ip(), g.hex(24))
	return "info", message, []pair{{"session", g.hex(24)}, {"", "an empty key"}}
}

func tokenExpired(g *Generator) (string, string, []pair) {
	return "warn", fmt.Sprintf("token of user%d expired %d seconds ago", g.rng.Intn(3000), g.rng.Intn(100000)), []pair{{"ttl", ""}, {"scope", nil}}
}

func compaction(g *Generator) (string, string, []pair) {
	message := fmt.Sprintf("[compaction] level %d -> %d: merged %d files, %d bytes, file=/data/sst/%06d.sst", g.rng.Intn(6), g.rng.Intn(6),
		g.rng.Intn(20), g.rng.Int63n(1e9), g.rng.Intn(1e6))
	return "debug", message, []pair{{"line", fmt.Sprint(g.rng.Intn(400))}, {"logger", "o.a.Compactor"}}
}

func block(g *Generator) (string, string, []pair) {
	message := fmt.Sprintf("Received block blk_%d of size %d from /%s", g.rng.Int63(), g.rng.Intn(1<<26), g.ip())
	return "info", message, []pair{{"component", "dfs.DataNode$PacketResponder"}}
}

func rareEvent(g *Generator) (string, string, []pair) {
	if g.rng.Intn(30) > 0 {
		return block(g)
	}
	return "fatal", "disk /dev/sdb1 went read-only: needle_" + g.hex(6), []pair{{"smart.status", "FAILING"}}
}

func foreign(g *Generator) (string, string, []pair) {
	message := g.choose("用户 登录 成功 编号", "Größenänderung für Schlüssel", "ошибка подключения к базе", "ログイン に 失敗", "ΣΊΣΥΦΟΣ κύλησε τον βράχο", "résumé naïve café") +
		fmt.Sprintf(" %d", g.rng.Intn(2000))
	return g.choose("info", "warn"), message, []pair{{"язык", "русский"}, {"locale", g.choose("zh", "de", "ru", "ja", "el", "fr")}}
}

// odd prints what parsers trip over.
func odd(g *Generator) (string, string, []pair) {
	message := g.choose(
		"", " ", "\x00\x01\x02", "\"quoted\" \\back\\slash\\ (paren) key:value -minus *star*", "tab\tand\r\nnewline", "emoji 🚀🔥 done",
		strings.Repeat("long", 40)+" token", "AND OR NOT and or not", "\u212Aelvin \u017Fign Straße STRASSE", "a_b__c ___ 1_000", "٣٤٥ ①②",
		"http://example.com:8080/x?y=z&w=%20", "::1 fe80::1%eth0", "C:\\Windows\\System32\\cmd.exe /c dir", strings.Repeat("many words here ", 300),
	)
	return "notice", message, []pair{{"weird key", "x y"}, {"quote\"", "\\"}, {"a.b", "dotted"}}
}
