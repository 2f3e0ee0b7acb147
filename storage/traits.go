package storage

// Traits tell how a store is best used. They change how fast its users are, never what they read.
type Traits struct {
	// ReadGap is up to how many bytes that nobody wants are better read along than skipped with a second request.
	ReadGap int64
	// Parallel is how many requests at once the store serves better than one after the other.
	Parallel int
	// TailBytes is how much of an object's end is worth reading with the first request, in the hope that a second one is not needed.
	TailBytes int
	// Remote says that a request costs a round trip through a network, so that requests that do not depend on each other should be
	// made side by side.
	Remote bool
}

// LocalTraits are those of a store whose requests cost microseconds: a local disk, memory.
func LocalTraits() Traits {
	return Traits{ReadGap: 64 << 10, Parallel: 8, TailBytes: 64 << 10}
}

// RemoteTraits are those of a store behind a network, with round trips of milliseconds and 50 MB/s or more for each connection.
func RemoteTraits() Traits {
	return Traits{ReadGap: 512 << 10, Parallel: 64, TailBytes: 256 << 10, Remote: true}
}

// TraitsOf returns the traits of a store: what its method `Traits() Traits` says, or LocalTraits if it has none. Wrappers have the
// method and ask the store that they wrap.
func TraitsOf(s Store) Traits {
	if t, ok := s.(interface{ Traits() Traits }); ok {
		return t.Traits()
	}
	return LocalTraits()
}

// Invalidate has a store that keeps copies of another store's objects forget one whose bytes make no sense, so that it is read again from where it
// really is. It says whether the store, by its method `Invalidate(name string)`, is of that kind; reading again is pointless if not.
func Invalidate(s Store, name string) bool {
	c, ok := s.(interface{ Invalidate(name string) })
	if ok {
		c.Invalidate(name)
	}
	return ok
}
