package systest

import (
	"fmt"
	"math/rand"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/firnlog/firn"
	"github.com/firnlog/firn/internal/loggen"
	"github.com/firnlog/firn/internal/oracle"
	"github.com/firnlog/firn/query"
)

// setting is a way to index a table.
type setting struct {
	name        string
	kinds       []firn.IndexKind
	properties  map[string]string
	partitionBy string
	otherColumn string // also indexed
}

func settings() []setting {
	return []setting{
		{name: "none"},
		{name: "bloom", kinds: []firn.IndexKind{firn.IndexBloom}},
		{name: "bitmap", kinds: []firn.IndexKind{firn.IndexBitmap}, partitionBy: "app_id"},
		{name: "both", kinds: []firn.IndexKind{firn.IndexBitmap, firn.IndexBloom}, otherColumn: "host"},
		{name: "values", kinds: []firn.IndexKind{firn.IndexBloom}, properties: valueIndexes()},
	}
}

// valueIndexes declares value indexes on much that the oracle asks for.
func valueIndexes() map[string]string {
	properties := map[string]string{"firn.index.value-block-rows": "64"}
	for expr, kinds := range map[string]string{
		"_timestamp": "range", "level": "bloom", "app_id": "bloom", "map_keys(attrs)": "bloom", "map_values(attrs)": "bloom,range",
		"element_at(attrs,'status')": "bloom,range", "json_extract(log_msg,'$.severity')": "bloom", "json_extract(log_msg,'$[''id.resp_p'']')": "bloom,range",
	} {
		properties["firn.index.value."+expr] = kinds
	}
	return properties
}

// table makes an empty table with this setting.
func (s setting) table(t testing.TB, lake *firn.Lake, name string, columns []oracle.Column) *firn.Table {
	t.Helper()
	spec := firn.TableSpec{Name: name, PartitionBy: s.partitionBy, Properties: map[string]string{}}
	for k, v := range s.properties {
		spec.Properties[k] = v
	}
	for _, column := range []string{oracle.MessageColumn, s.otherColumn} {
		if column != "" {
			key, v := firn.IndexProperty(column, s.kinds...)
			spec.Properties[key] = v
		}
	}
	types := map[oracle.Type]string{
		oracle.String: firn.TypeString, oracle.Bool: firn.TypeBool, oracle.Int: firn.TypeInt, oracle.Long: firn.TypeLong,
		oracle.Float: firn.TypeFloat, oracle.Double: firn.TypeDouble, oracle.Timestamp: firn.TypeTimestamp, oracle.Date: firn.TypeDate,
	}
	for _, c := range columns[len(oracle.DefaultColumns()):] {
		spec.Columns = append(spec.Columns, firn.Column{Name: c.Name, Type: types[c.Type]})
	}
	created, err := lake.Create(t.Context(), spec)
	require.NoError(t, err)
	return created
}

// question is a query in both languages.
type question struct {
	query oracle.Query
	ask   firn.Predicate
	text  string // for messages
}

// questions makes random queries about a source: some as search text, some as predicates.
func questions(t testing.TB, m *oracle.Mapper, s source, texts, others int, seed int64) []question {
	t.Helper()
	in := s.reader(t)
	defer in.Close()
	rows, err := oracle.Sample(in, m, 4000, 0, seed)
	require.NoError(t, err)
	require.NotEmpty(t, rows)
	g := oracle.NewGenerator(seed, m, rows)
	var list []question
	for range texts {
		q, text := g.Text()
		parsed, err := firn.Parse(text)
		require.NoError(t, err, text)
		list = append(list, question{q, parsed, text})
	}
	for i := range others {
		q := g.Any()
		p := predicate(q.Where)
		if i%2 == 0 { // as it is printed
			parsed, err := firn.Parse(p.String())
			require.NoError(t, err, p)
			p = parsed
		}
		list = append(list, question{q, p, p.String()})
	}
	return list
}

// examine compares a table with the oracle.
type examine struct {
	source    source
	lake      *firn.Lake
	table     *firn.Table
	mapper    *oracle.Mapper
	questions []question
	truth     *oracle.Result
	keep      int
	rng       *rand.Rand
}

// request is the question as a request.
func (q question) request() firn.Request {
	return firn.Request{Predicate: q.ask, From: q.query.From, To: q.query.To, ForceIndex: true}
}

func (q question) String() string {
	return fmt.Sprintf("%s [%s, %s)", q.text, q.query.From.Format(time.RFC3339Nano), q.query.To.Format(time.RFC3339Nano))
}

// everything compares all rows.
func (e *examine) everything(t *testing.T) {
	var digest uint64
	var rows int64
	scan, err := e.lake.Plan(t.Context(), e.table, firn.Request{Order: firn.OldestFirst})
	require.NoError(t, err)
	last := ""
	for row, err := range scan.Rows(t.Context()) {
		require.NoError(t, err)
		text, err := row.MarshalJSON()
		require.NoError(t, err)
		c, err := oracle.CanonicalJSON(text)
		require.NoError(t, err)
		digest += oracle.RowHash(c)
		rows++
		at := timeOf(t, string(text))
		require.LessOrEqual(t, last, at, "rows are not in order of time")
		last = at
	}
	require.Equal(t, e.truth.Rows, rows)
	if digest != e.truth.Digest {
		require.Fail(t, "some rows read back differently", "%s", strings.Join(e.differences(t), "\n"))
	}
}

// differences lists a few rows that are only in the table or only in the source.
func (e *examine) differences(t *testing.T) []string {
	const most = 3
	balance := map[string]int{}
	all := []oracle.Query{{Where: &oracle.Node{Op: oracle.All}}}
	truth, err := oracle.Evaluate(e.source.reader(t), e.mapper, all, oracle.Options{Keep: 1 << 20})
	require.NoError(t, err)
	for _, row := range truth.Answers[0].Rows {
		balance[row]++
	}
	for _, row := range canonical(t, rowTexts(t, e.lake, e.table, firn.Request{})) {
		balance[row]--
	}
	var list []string
	for row, n := range balance {
		if n != 0 && len(list) < most {
			list = append(list, fmt.Sprintf("%+d in the source: %.2000s", n, row))
		}
	}
	sort.Strings(list)
	return list
}

// timeOf cuts the timestamp out of a row. Its text has a fixed length, so it can be compared as text.
func timeOf(t testing.TB, row string) string {
	t.Helper()
	const before = `{"_timestamp":"`
	require.True(t, strings.HasPrefix(row, before), row)
	at, _, _ := strings.Cut(row[len(before):], `"`)
	return at
}

// answers compares the answers of all questions.
func (e *examine) answers(t *testing.T) {
	for i, q := range e.questions {
		want := e.truth.Answers[i]
		r := q.request()
		got, _ := count(t, e.lake, e.table, r)
		require.Equal(t, want.Count, got, "count with indexes: %v", q)
		r.ForceIndex = false
		got, _ = count(t, e.lake, e.table, r)
		require.Equal(t, want.Count, got, "count with the indexes that pay: %v", q)
		r.NoIndex = true
		got, _ = count(t, e.lake, e.table, r)
		require.Equal(t, want.Count, got, "count without indexes: %v", q)

		r.Order = []query.Order{firn.NewestFirst, firn.OldestFirst}[e.rng.Intn(2)]
		if want.Count > int64(e.keep) {
			r.Limit = []int{1, 10, 200}[e.rng.Intn(3)]
		}
		plain := rowTexts(t, e.lake, e.table, r)
		r.NoIndex, r.ForceIndex = false, e.rng.Intn(2) == 0
		indexed := rowTexts(t, e.lake, e.table, r)
		require.Equal(t, plain, indexed, "rows with and without indexes: %v", q)
		times := make([]string, len(indexed))
		for i, row := range indexed {
			times[i] = timeOf(t, row)
			if r.Order == firn.NewestFirst {
				times[i] = "" // checked below
			}
		}
		require.True(t, sort.StringsAreSorted(times), "order: %v", q)
		if r.Order == firn.NewestFirst {
			for i := 1; i < len(indexed); i++ {
				require.GreaterOrEqual(t, timeOf(t, indexed[i-1]), timeOf(t, indexed[i]), "order: %v", q)
			}
		}
		if r.Limit > 0 {
			require.Len(t, indexed, r.Limit, "limit: %v", q)
			continue
		}
		found := canonical(t, indexed)
		sort.Strings(found)
		require.Equal(t, want.Rows, found, "rows: %v", q)
	}
}

// plan of one differential test.
type differential struct {
	source        source
	columns       []oracle.Column
	texts, others int
	seed          int64
	writer        firn.WriterOptions
}

// run does it on local disk.
func (d differential) run(t *testing.T) { d.runAt(t, localPlace()) }

// runAt does it at a place, with a fresh lake for each way to index.
func (d differential) runAt(t *testing.T, at place) {
	const keep = 200
	m := oracle.NewMapper(d.columns)
	list := questions(t, m, d.source, d.texts, d.others, d.seed)
	queries := make([]oracle.Query, len(list))
	for i := range list {
		queries[i] = list[i].query
	}
	in := d.source.reader(t)
	truth, err := oracle.Evaluate(in, m, queries, oracle.Options{Keep: keep, Digest: true})
	require.NoError(t, err)
	require.NoError(t, in.Close())
	for i := range truth.Answers {
		if truth.Answers[i].Count == 0 {
			truth.Answers[i].Rows = []string{}
		}
	}
	for _, s := range settings() {
		t.Run(s.name, func(t *testing.T) {
			lake := openConfig(t, at.config(t))
			table, report := load(t, lake, s.table(t, lake, "logs", d.columns), d.source, d.writer)
			require.Equal(t, truth.Rows, report.Rows)
			require.Equal(t, truth.Rows, report.CommittedRows)
			require.Equal(t, truth.Rejected, report.Rejected)
			verified, err := lake.Verify(t.Context(), table, firn.VerifyOptions{})
			require.NoError(t, err)
			require.True(t, verified.OK, "%+v", verified.Problems)
			require.Equal(t, truth.Rows, verified.Rows)
			e := &examine{source: d.source, lake: lake, table: table, mapper: m, questions: list, truth: truth, keep: keep, rng: rand.New(rand.NewSource(d.seed))}
			e.everything(t)
			e.answers(t)
			t.Logf("%d rows, %d files, %d questions", truth.Rows, verified.Files, len(list))
		})
	}
}

// typedColumns are columns that the generator's lines have values for, fitting ones and others.
func typedColumns() []oracle.Column {
	return append(oracle.DefaultColumns(), oracle.Column{Name: "retries", Type: oracle.Int}, oracle.Column{Name: "sampled", Type: oracle.Bool},
		oracle.Column{Name: "status", Type: oracle.Long}, oracle.Column{Name: "user", Type: oracle.Double})
}

func TestDifferentialGenerated(t *testing.T) {
	seeds := int64(1)
	if longTests() {
		seeds = 6
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			differential{
				source: generated(loggen.Options{Seed: 100 + seed, Rows: 2000, Days: 3}), columns: typedColumns(), texts: 75, others: 55, seed: seed,
				writer: firn.WriterOptions{BufferBytes: 1 << 20, TargetFileBytes: 64 << 10},
			}.run(t)
		})
	}
}

func TestDifferentialCorpora(t *testing.T) {
	if !longTests() {
		t.Skip("set FIRN_TEST_LONG=1")
	}
	for _, s := range corpora(t) {
		t.Run(s.name, func(t *testing.T) {
			d := differential{source: s, columns: oracle.DefaultColumns(), texts: 45, others: 20, seed: 11}
			if s.limit > 0 {
				d.writer = firn.WriterOptions{BufferBytes: 64 << 20, TargetFileBytes: 512 << 10}
			}
			d.run(t)
		})
	}
}

// TestDifferentialPlaces asks the same questions of lakes on S3 and HDFS.
func TestDifferentialPlaces(t *testing.T) {
	for _, at := range remotePlaces(t) {
		t.Run(at.name, func(t *testing.T) {
			differential{
				source: generated(loggen.Options{Seed: 200, Rows: 2000, Days: 3}), columns: typedColumns(), texts: 40, others: 30, seed: 7,
				writer: firn.WriterOptions{BufferBytes: 1 << 20, TargetFileBytes: 64 << 10},
			}.runAt(t, at)
		})
	}
}

// TestDifferentialPlacesCorpora does so with the first lines of real logs.
func TestDifferentialPlacesCorpora(t *testing.T) {
	places := remotePlaces(t)
	if !longTests() {
		t.Skip("set FIRN_TEST_LONG=1")
	}
	for _, s := range corpora(t) {
		if s.limit > 0 {
			s.limit = 1500
		}
		for _, at := range places {
			t.Run(s.name+"/"+at.name, func(t *testing.T) {
				differential{
					source: s, columns: oracle.DefaultColumns(), texts: 16, others: 8, seed: 12,
					writer: firn.WriterOptions{BufferBytes: 8 << 20, TargetFileBytes: 128 << 10},
				}.runAt(t, at)
			})
		}
	}
}
