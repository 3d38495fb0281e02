package model

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Edit is a change of a cluster's objects that is thought through and not made.
// One of its parts is set.
type Edit struct {
	// Manifest is YAML or JSON documents, as kubectl apply -f takes them.
	Manifest string
	Patch    *Patch
	Delete   *Ref // as kubectl delete takes it, with its dependents
}

// Patch is a change of one object, as kubectl patch takes it.
type Patch struct {
	Object      Ref    // without a namespace: in the one that is asked for
	Subresource string // "status", or "" for the object itself
	Type        string // "strategic", "merge" or "json"; "" means strategic
	Data        string // YAML or JSON
}

// Planned is how a cluster would be after an edit, when the API server has taken
// it and the controllers have answered.
type Planned struct {
	Before *Snapshot // what it was worked out from
	// Snapshot is the cluster after the edit. Where only a server can draw a name,
	// an address or a port, something stands in its place that no object of a
	// cluster can have; see Open.
	Snapshot *Snapshot
	// Marks says what would come, go or change, by the UID of an object, or as
	// namespace/service/address for an endpoint, as Change has it. What would go
	// is in Before only.
	Marks map[string]ChangeKind
	// Open is what cannot be told before the edit is made.
	Open []Open
}

// Open is one thing that only the cluster itself can tell.
type Open struct {
	Object Ref    `json:"object"`
	Field  string `json:"field"` // "spec.clusterIPs"
	// Stands is what stands in the snapshot for the value: an address of
	// 0.0.0.0/8 or 100::/64, which no host has, a name with a "?", a port that no
	// Service has. "" when nothing does, or when the snapshot has the likely value.
	Stands string `json:"stands,omitempty"`
	// Words say what it is: "some ClusterIP".
	Words string `json:"words"`
}

// Say gives a text about the planned snapshot with the words of what is open
// instead of what stands in its place.
func (p *Planned) Say(text string) string {
	for i := range p.Open {
		o := &p.Open[i]
		if o.Stands == "" || !mayHold(text, o.Stands) {
			continue
		}
		text = replaceWord(text, o.Stands, o.Words)
		if dashed := strings.NewReplacer(".", "-", ":", "-").Replace(o.Stands); dashed != o.Stands { // the name of an endpoint in DNS
			text = replaceWord(text, dashed, strings.ReplaceAll(o.Words, " ", "-"))
		}
	}
	return text
}

// mayHold says whether a text has something of a stand-in, dashed or not.
func mayHold(text, stands string) bool {
	first, _, _ := strings.Cut(stands, ".")
	first, _, _ = strings.Cut(first, ":")
	return strings.Contains(text, first)
}

// replaceWord replaces a word where no letter or digit stands beside it.
func replaceWord(text, word, by string) string {
	var out strings.Builder
	for from := 0; ; {
		at := strings.Index(text[from:], word)
		if at < 0 {
			out.WriteString(text[from:])
			return out.String()
		}
		at += from
		end := at + len(word)
		before, _ := utf8.DecodeLastRuneInString(text[:at])
		after, _ := utf8.DecodeRuneInString(text[end:])
		out.WriteString(text[from:at])
		if at > 0 && wordRune(before) || end < len(text) && wordRune(after) {
			out.WriteString(word)
		} else {
			out.WriteString(by)
		}
		from = end
	}
}

func wordRune(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }
