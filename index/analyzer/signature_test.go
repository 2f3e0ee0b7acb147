package analyzer

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
	"github.com/stretchr/testify/require"
)

// naiveSignature is the definition.
func naiveSignature(text string) (sum uint64) {
	words := map[string]bool{}
	for _, token := range Split(text) {
		if len(token) <= 40 && !strings.ContainsAny(token, "0123456789") {
			words[token] = true
		}
	}
	for word := range words {
		sum += xxhash.Sum64String(word)
	}
	return sum
}

func TestWordToken(t *testing.T) {
	for token, want := range map[string]bool{
		"": false, "the": true, "x": true, "_": true, "a1": false, "9": false, "0x": false,
		"\u0663":                true, // only ASCII digits make a token variable
		"gr\u00fc\u00dfe":       true,
		strings.Repeat("a", 40): true,
		strings.Repeat("a", 41): false,
		strings.Repeat("é", 20): true,
		strings.Repeat("é", 21): false,
	} {
		require.Equal(t, want, WordToken([]byte(token)), "%q", token)
	}
}

// The ids of patterns are kept and compared by people and programs: they must never change.
func TestSignatureIsStable(t *testing.T) {
	var s Signer
	for text, want := range map[string]uint64{
		"":                   0,
		"2026-11-22 10:00 1": 0,
		"\xff\xfe 12 -- \n":  0,
		"connection refused": 0x134709e399b847b7,
		"user 42 logged in":  0xa1b2aa29d2ce5802,
	} {
		require.Equal(t, want, s.Signature([]byte(text)), "%q is %#x", text, s.Signature([]byte(text)))
	}
}

func TestSignatureIsOfTheSetOfWords(t *testing.T) {
	var s Signer
	same := []string{"user 42 logged in", "IN Logged uSer", "in in in 10.0.0.1 user 7f logged user", "user logged in " + strings.Repeat("x", 41)}
	for _, text := range same {
		require.Equal(t, s.Signature([]byte(same[0])), s.Signature([]byte(text)), text)
	}
	for _, text := range []string{"user logged", "user 42 logged in out", "userlogged in"} {
		require.NotEqual(t, s.Signature([]byte(same[0])), s.Signature([]byte(text)), text)
	}
}

func TestSignatureAgainstTheDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 1))
	pieces := []string{"a", "b", "Err", "error", "ERROR", "x1", "12", " ", " ", " ",
		"-", "ſ", "K", "k", "\u0130", "\xff", "\xe2\x82", "世界", "_", "٣", strings.Repeat("q", 39)}
	var s Signer
	for range 3000 {
		var text strings.Builder
		for range rng.IntN(60) {
			text.WriteString(pieces[rng.IntN(len(pieces))])
		}
		require.Equal(t, naiveSignature(text.String()), s.Signature([]byte(text.String())), "%q", text.String())
	}
}

// A text of very many words is counted right, and does not make the Signer keep the room that it took.
func TestSignatureOfManyWords(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 2))
	var text strings.Builder
	for text.Len() < 2<<20 {
		for range 1 + rng.IntN(9) {
			text.WriteByte(byte('a' + rng.IntN(26)))
		}
		text.WriteByte(' ')
	}
	var s Signer
	require.Equal(t, naiveSignature(text.String()), s.Signature([]byte(text.String())))
	require.Greater(t, len(s.slots), signerKeptSlots)
	require.Equal(t, naiveSignature("just a few words"), s.Signature([]byte("just a few words")))
	require.Len(t, s.slots, signerSlots)
}

func TestSignatureAfterAllRounds(t *testing.T) {
	var s Signer
	text := []byte("some words of a text")
	want := s.Signature(text)
	s.round = ^uint32(0) - 1
	for range 4 {
		require.Equal(t, want, s.Signature(text))
	}
}

func TestSignatureAllocatesNothing(t *testing.T) {
	var s Signer
	text := []byte("pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=10.1.2.3 user=root")
	s.Signature(text)
	require.Zero(t, testing.AllocsPerRun(100, func() { s.Signature(text) }))
}

func FuzzSignature(f *testing.F) {
	f.Add("user 42 logged in")
	f.Add("\xff\u0130 ſ_K")
	var s Signer
	f.Fuzz(func(t *testing.T, text string) {
		require.Equal(t, naiveSignature(text), s.Signature([]byte(text)))
	})
}

func BenchmarkSignature(b *testing.B) {
	text := []byte("pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=10.1.2.3 user=root")
	var s Signer
	reportCPU(b, len(text), func() { s.Signature(text) })
}
