package analyzer

import "strings"

// The lists of stop words that Params.StopWords can name.
const (
	StopWordsEnglishLog = "english+log"
	StopWordsNone       = "none"
)

// englishWords are the function words that tell nothing about a line of text. The lists belong to version 1 of the analyzer and never change.
const englishWords = `a about after all also an and any are as at be because been before but by can could did do does for from
 had has have he her his how i if in into is it its may more most no not of off on once only or other our out over she should so some
 such than that the their them then there these they this those to too under until up very was we were what when where which while who
 will with would you your`

// logWords are printed by nearly every log statement of one kind or another, whatever happened. Words that tell that something happened (error, warn,
// failed, timeout, a status) are never stop words.
const logWords = `class com date debug false http https info java level log logger msg message net null org pid thread tid time
 timestamp true utc www`

// stopWords returns the lists by name.
func stopWords() map[string][]string {
	return map[string][]string{
		StopWordsEnglishLog: strings.Fields(englishWords + " " + logWords),
		StopWordsNone:       nil,
	}
}
