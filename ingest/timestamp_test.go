package ingest

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTimestamps(t *testing.T) {
	at := func(text string) instant {
		at, err := time.Parse(time.RFC3339Nano, text)
		require.NoError(t, err)
		i, err := instantOf(at.Unix(), uint32(at.Nanosecond()))
		require.NoError(t, err)
		return i
	}
	for text, want := range map[string]string{
		"2023-11-18T08:46:14.674000000Z":         "2023-11-18T08:46:14.674Z",
		"2023-11-18 08:46:14,674":                "2023-11-18T08:46:14.674Z",
		"2023-11-18t08:46:14z":                   "2023-11-18T08:46:14Z",
		"2023-11-18T08:46:14 UTC":                "2023-11-18T08:46:14Z",
		"2023-11-18T08:46:14GMT":                 "2023-11-18T08:46:14Z",
		"2023-11-18T08:46:14.5+02:30":            "2023-11-18T06:16:14.5Z",
		"2023-11-18T08:46:14.5-0230":             "2023-11-18T11:16:14.5Z",
		"2023-11-18 08:46:14 +01":                "2023-11-18T07:46:14Z",
		"2016-12-31T23:59:60Z":                   "2017-01-01T00:00:00Z",
		"1754-08-30T22:43:41.128654848Z":         "1754-08-30T22:43:41.128654848Z",
		"0001-01-01T00:00:00Z":                   "0001-01-01T00:00:00Z",
		"9999-12-31T23:59:59.999999999Z":         "9999-12-31T23:59:59.999999999Z",
		"2024-02-29T00:00:00.1234567891Z":        "2024-02-29T00:00:00.123456789Z",
		"1674981522":                             "2023-01-29T08:38:42Z",
		"1674981522.425293566":                   "2023-01-29T08:38:42.425293566Z",
		"1674981522425":                          "2023-01-29T08:38:42.425Z",
		"1674981522425293":                       "2023-01-29T08:38:42.425293Z",
		"1674981522425293566":                    "2023-01-29T08:38:42.425293566Z",
		"1.674981522425293566E9":                 "2023-01-29T08:38:42.425293566Z",
		"1674981522425.2935669":                  "2023-01-29T08:38:42.425293566Z",
		"0":                                      "1970-01-01T00:00:00Z",
		"-0.5":                                   "1969-12-31T23:59:59.5Z",
		"-0.0000000001":                          "1969-12-31T23:59:59.999999999Z",
		"-1e-300":                                "1969-12-31T23:59:59.999999999Z",
		"99999999999":                            "5138-11-16T09:46:39Z",
		"100000000000":                           "1973-03-03T09:46:40Z",
		"-62135596800":                           "0001-01-01T00:00:00Z",
		"253402300799999999999":                  "9999-12-31T23:59:59.999999999Z",
		"0.000000000000000000000000000000001e34": "1970-01-01T00:00:10Z",
	} {
		got, _, err := parseTimestamp([]byte(text))
		require.NoError(t, err, text)
		require.Equal(t, at(want), got, text)
	}
}

func TestUnreadableTimestamps(t *testing.T) {
	for _, text := range []string{
		"", "x", "now", "2023", "2023-11-18", "2023-11-18T08:46", "2023-13-18T08:46:14Z", "2023-02-29T08:46:14Z", "2023-11-31T08:46:14Z", "2023-00-01T08:46:14Z",
		"2023-01-00T08:46:14Z", "2023-11-18T24:00:00Z", "2023-11-18T08:60:00Z", "2023-11-18T08:46:61Z", "2023-11-18T08:46:14.Z", "2023-11-18T08:46:14.5Zx",
		"2023-11-18T08:46:14+24:00", "2023-11-18T08:46:14+1:00", "2023-11-18T08:46:14+", "2023-11-18T08:46:14 ", "2023-11-18X08:46:14Z", "+2023-11-18T08:46:14Z",
		"20231-11-18T08:46:14Z", "2O23-11-18T08:46:14Z", "1.", ".5", "1e", "1e+", "--1", "0x10", "1_000", "NaN", "１６７４９８１５２２", "1 ",
	} {
		if text == "2023" { // a number of seconds
			continue
		}
		_, _, err := parseTimestamp([]byte(text))
		require.ErrorIs(t, err, errTimestampSyntax, text)
	}
	for _, text := range []string{
		"0000-12-31T23:59:59Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "-62135596801", "253402300800000000000", "1e300", "-1e40", "9e999999999",
		"99999999999999999999999999",
	} {
		_, _, err := parseTimestamp([]byte(text))
		require.ErrorIs(t, err, errTimestampRange, text)
	}
}

func TestFiner(t *testing.T) {
	for text, want := range map[string]bool{
		"2023-11-18T08:46:14.674000000Z": false, "2023-11-18T08:46:14.674000001Z": true, "2023-11-18T08:46:14.67400000000001Z": true,
		"2023-11-18T08:46:14.6740000000000Z": false, "1.0000001": true, "1.000001000": false, "1e-10": true, "-1e-10": true, "-1": false,
	} {
		_, finer, err := parseTimestamp([]byte(text))
		require.NoError(t, err)
		require.Equal(t, want, finer, text)
	}
}

// TestTimestampsLikeTimeParse compares with the standard library over times of all years and zones.
func TestTimestampsLikeTimeParse(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 50_000 {
		seconds := rng.Int64N(253402300800+62135596800+200_000) - 62135596800 - 100_000
		zone := time.FixedZone("", (rng.IntN(2*24*60-1)-24*60+1)*60)
		text := time.Unix(seconds, rng.Int64N(1e9)).In(zone).Format("2006-01-02T15:04:05." + "000000000"[:1+rng.IntN(9)] + "Z07:00")
		want, wantErr := time.Parse(time.RFC3339Nano, text)
		if wantErr == nil && (want.UTC().Year() < 1 || want.UTC().Year() > 9999) {
			wantErr = errTimestampRange
		}
		checkTimestamp(t, text, want, wantErr)
	}
}

func checkTimestamp(t *testing.T, text string, want time.Time, wantErr error) {
	got, _, err := parseTimestamp([]byte(text))
	require.Equal(t, wantErr == nil, err == nil, "%q: %v, %v", text, err, wantErr)
	if err == nil {
		require.Equal(t, want.Unix(), floorDiv(got.micros, 1e6), text)
		require.EqualValues(t, want.Nanosecond(), (got.micros-floorDiv(got.micros, 1e6)*1e6)*1000+int64(got.nanos), text)
		day, nanos := got.day()
		require.Equal(t, want.UTC().Truncate(24*time.Hour).Unix(), int64(day)*86400, text)
		require.Less(t, nanos, uint64(nanosPerDay))
	}
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// TestEpochsLikeRationals compares the decimal arithmetic with math/big.
func TestEpochsLikeRationals(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 30_000 {
		text := fmt.Sprint(rng.Uint64() >> rng.IntN(64))
		if rng.IntN(2) == 0 {
			text = "-" + text
		}
		if rng.IntN(2) == 0 {
			text += "." + fmt.Sprintf("%0*d", 1+rng.IntN(20), rng.Uint64()>>rng.IntN(64))
		}
		if rng.IntN(4) == 0 {
			text += fmt.Sprintf("e%+d", rng.IntN(40)-20)
		}
		checkEpoch(t, text)
	}
}

func checkEpoch(t *testing.T, text string) {
	value, ok := new(big.Rat).SetString(text)
	require.True(t, ok, text)
	scale := int64(1e9)
	for _, limit := range []int64{1e11, 1e14, 1e17} {
		if new(big.Rat).Abs(value).Cmp(new(big.Rat).SetInt64(limit)) < 0 {
			break
		}
		scale /= 1000
	}
	value.Mul(value, new(big.Rat).SetInt64(scale))
	nanos := new(big.Int).Div(value.Num(), value.Denom()) // rounds down, as the denominator is positive
	micros, rest := new(big.Int).DivMod(nanos, big.NewInt(1000), new(big.Int))
	got, finer, err := parseTimestamp([]byte(text))
	if micros.CmpAbs(big.NewInt(1e18)) > 0 || micros.Int64() < minMicros || micros.Int64() > maxMicros {
		require.ErrorIs(t, err, errTimestampRange, text)
		return
	}
	require.NoError(t, err, text)
	require.Equal(t, instant{micros.Int64(), uint16(rest.Int64())}, got, text)
	require.Equal(t, rest.Sign() != 0 || !value.IsInt(), finer, text)
}

// The forms on which time.Parse and parseTimestamp must agree.
var strictTime = regexp.MustCompile(`^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`)

func FuzzTimestamp(f *testing.F) {
	for _, seed := range []string{"2023-11-18T08:46:14.674000000Z", "1674981522.425", "-1e-3", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59+00:00", "1e309"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		switch {
		case strictTime.MatchString(text):
			want, err := time.Parse(time.RFC3339Nano, text)
			if err == nil && (want.UTC().Year() < 1 || want.UTC().Year() > 9999) {
				err = errTimestampRange
			}
			checkTimestamp(t, text, want, err)
		case isNumber([]byte(text)) && regexp.MustCompile(`^[^eE]{1,60}([eE][+-]?[0-9]{1,2})?$`).MatchString(text):
			checkEpoch(t, text)
		default:
			_, _, _ = parseTimestamp([]byte(text))
		}
	})
}
