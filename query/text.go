package query
func (All) String() string { return "*" }
func (HasToken) String() string { return "" }
func (Phrase) String() string { return "" }
func (Equal) String() string { return "" }
func (In) String() string { return "" }
func (Compare) String() string { return "" }
func (Between) String() string { return "" }
func (IsNull) String() string { return "" }
func (Prefix) String() string { return "" }
func (Contains) String() string { return "" }
func (And) String() string { return "" }
func (Or) String() string { return "" }
func (Not) String() string { return "" }
