package model

import "fmt"

// Evidence says how a fact is known. The zero value is Unknown, so a fact
// without evidence is never drawn as known.
type Evidence uint8

const (
	// Unknown: nothing was read that settles it.
	Unknown Evidence = iota
	// Derived: computed from API objects by the published rules of the
	// component that would act on them; the component itself was not asked.
	Derived
	// Observed: read from a node, a reply or a counter.
	Observed
)

var evidenceNames = [...]string{Unknown: "unknown", Derived: "derived", Observed: "observed"}

// String gives the word shown on screens and in JSON (README.md).
func (e Evidence) String() string {
	if int(e) < len(evidenceNames) {
		return evidenceNames[e]
	}
	return fmt.Sprintf("Evidence(%d)", uint8(e))
}

// MarshalText implements encoding.TextMarshaler (Go, encoding/encoding.go).
func (e Evidence) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler (Go, encoding/encoding.go);
// an unknown word is an error.
func (e *Evidence) UnmarshalText(text []byte) error {
	for i, name := range evidenceNames {
		if name == string(text) {
			*e = Evidence(i)
			return nil
		}
	}
	return fmt.Errorf("evidence %q: want unknown, derived or observed", text)
}
