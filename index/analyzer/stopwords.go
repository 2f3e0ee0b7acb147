package analyzer

// The lists of stop words that Params.StopWords can name.
const (
	StopWordsEnglishLog = "english+log"
	StopWordsNone       = "none"
)

// stopWords returns the list with a name.
func stopWords(name string) ([]string, bool) {
	switch name {
	case StopWordsEnglishLog:
		return nil, true
	case StopWordsNone:
		return nil, true
	}
	return nil, false
}
